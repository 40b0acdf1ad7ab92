//! The commands that occur in logs: who knows them, how many arguments they take, which of those
//! are keys.

use crate::aof::keys::{Keys, Pattern};
use crate::aof::resp::Command;
use crate::aof::table;
use crate::rdb::ServerVersion;

/// What is known of a command.
///
/// ```
/// use redkeep::aof::{Command, CommandSpec};
/// let command = Command::parse(b"*3\r\n$6\r\nxgroup\r\n$7\r\ndestroy\r\n$2\r\nst\r\n")?;
/// let spec = CommandSpec::of(&command).unwrap();
/// assert_eq!((spec.name(), spec.arity().get()), ("XGROUP DESTROY", 4));
/// assert!(spec.is_write() && !spec.arity().allows(command.len()));
/// assert!(!spec.known_to("redis-4.0".parse().unwrap()));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandSpec {
    pub(crate) name: &'static str,
    pub(crate) arity: i8,
    pub(crate) pattern: Pattern,
    pub(crate) write: bool,
    pub(crate) logged: Logged,
    pub(crate) redis: Since,
    pub(crate) valkey: Since,
}

/// The first release of a product that knows a command; `None` where none does.
pub(crate) type Since = Option<(u16, u16)>;

/// Whether current servers write a command to their log under its own name.
///
/// ```
/// use redkeep::aof::{CommandSpec, Logged};
/// assert_eq!(CommandSpec::named(b"SPOP").unwrap().logged(), Logged::Rewritten);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Logged {
    /// As it was run.
    Verbatim,
    /// As another command that says what it came to; old logs may have it.
    Rewritten,
    /// One or the other, by version or by what it came to.
    Either,
}

/// How many arguments a command takes, its name counted.
///
/// ```
/// use redkeep::aof::CommandSpec;
/// let arity = CommandSpec::named(b"SET").unwrap().arity();
/// assert_eq!(arity.get(), -3);
/// assert!(arity.allows(3) && arity.allows(7) && !arity.allows(2));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arity(i8);

impl Arity {
    /// As servers have it: so many, or where it is negative at least so many.
    #[must_use]
    pub fn get(self) -> i8 {
        self.0
    }

    /// Whether a command of so many arguments fits.
    #[must_use]
    pub fn allows(self, len: usize) -> bool {
        let number = usize::from(self.0.unsigned_abs());
        if self.0 < 0 { len >= number } else { len == number }
    }
}

/// Bytes of the longest name, a container's subcommand included.
const LONGEST: usize = 24;

impl CommandSpec {
    /// What is known of this command, by its name and, where it is a container such as XGROUP, its
    /// first argument.
    #[must_use]
    pub fn of(command: &Command<'_>) -> Option<&'static CommandSpec> {
        let mut args = command.args();
        let name = args.next()?;
        match find(&[name]) {
            Some(spec) => Some(spec),
            None if is_container(name) => find(&[name, args.next()?]),
            None => None,
        }
    }

    /// The command of this name in any case; a subcommand stands behind a blank.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<&'static CommandSpec> {
        find(&[name])
    }

    /// All of them, sorted by name.
    #[must_use]
    pub fn all() -> &'static [CommandSpec] {
        table::COMMANDS
    }

    /// Its name in capitals.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// How many arguments it takes in the newest release that knows it. Before 7.0, servers did
    /// not look at that while loading a log.
    #[must_use]
    pub fn arity(&self) -> Arity {
        Arity(self.arity)
    }

    /// Whether servers hold it for a command that writes.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.write
    }

    /// Whether servers of today log it as it was run.
    #[must_use]
    pub fn logged(&self) -> Logged {
        self.logged
    }

    /// Whether a server of this version knows it, and so would load a log that has it.
    #[must_use]
    pub fn known_to(&self, server: ServerVersion) -> bool {
        let since = if server.is_valkey() { self.valkey } else { self.redis };
        since.is_some_and(|(major, minor)| server.at_least(major, minor))
    }

    /// The first release of Redis that knows it, as major and minor.
    #[must_use]
    pub fn since_redis(&self) -> Option<(u16, u16)> {
        self.redis
    }

    /// The first release of Valkey that knows it; 7.2 for all it took over from Redis.
    #[must_use]
    pub fn since_valkey(&self) -> Option<(u16, u16)> {
        self.valkey
    }

    /// The keys among the arguments of such a command, as they stand in it: one that is written
    /// and read may come twice.
    #[must_use]
    pub fn keys<'a>(&self, command: Command<'a>) -> Keys<'a> {
        Keys::new(command, self.pattern)
    }
}

fn is_container(name: &[u8]) -> bool {
    table::CONTAINERS.iter().any(|container| name.eq_ignore_ascii_case(container.as_bytes()))
}

/// Looks a name up that is given in parts, which a blank joins.
fn find(parts: &[&[u8]]) -> Option<&'static CommandSpec> {
    let mut name = [0; LONGEST];
    let mut room = &mut name[..];
    for (n, part) in parts.iter().enumerate() {
        let blank: &[u8] = if n == 0 { b"" } else { b" " };
        for byte in blank.iter().chain(*part) {
            let (first, rest) = room.split_first_mut()?;
            *first = byte.to_ascii_uppercase();
            room = rest;
        }
    }
    let left = room.len();
    let name = name.get(..LONGEST - left)?;
    let at = table::COMMANDS.binary_search_by(|spec| spec.name.as_bytes().cmp(name)).ok()?;
    table::COMMANDS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &str) -> Vec<u8> {
        let mut out = Vec::new();
        crate::aof::write_command(&words.split(' ').collect::<Vec<_>>(), &mut out).unwrap();
        out
    }

    fn spec(words: &str) -> Option<&'static str> {
        CommandSpec::of(&Command::parse(&command(words)).unwrap()).map(CommandSpec::name)
    }

    #[test]
    fn the_table_is_sorted_in_capitals_and_every_name_is_found() {
        assert!(CommandSpec::all().is_sorted_by(|a, b| a.name < b.name));
        for spec in CommandSpec::all() {
            assert_eq!(CommandSpec::named(spec.name.to_lowercase().as_bytes()), Some(spec));
            assert!(spec.name.len() <= LONGEST && spec.arity != 0, "{spec:?}");
            assert!(spec.redis.is_some() || spec.valkey.is_some(), "{spec:?}");
            let container = spec.name.split(' ').next().unwrap();
            assert_eq!(spec.name.contains(' '), is_container(container.as_bytes()), "{spec:?}");
        }
    }

    #[test]
    fn names_and_subcommands_are_found_in_any_case() {
        assert_eq!(spec("hset k f v"), Some("HSET"));
        assert_eq!(spec("xGroup Create k g $"), Some("XGROUP CREATE"));
        assert_eq!(spec("XGROUP"), None);
        assert_eq!(spec("XGROUP HELP"), None);
        assert_eq!(spec("GET k"), None);
        assert_eq!(spec("SET"), Some("SET"));
        assert_eq!(spec(&"x".repeat(1000)), None);
        assert_eq!(CommandSpec::named(b"XGROUP  CREATE"), None);
    }

    #[test]
    fn how_many_there_are_is_as_published() {
        let all = CommandSpec::all();
        let current = |spec: &&CommandSpec| spec.redis.is_none_or(|since| since < (8, 10));
        let vector = |spec: &&CommandSpec| spec.name.starts_with('V');
        let writes = || all.iter().filter(|spec| spec.write && !vector(spec)).filter(current);
        assert_eq!(writes().count(), 135);
        assert_eq!(writes().filter(|spec| spec.redis.is_some()).count(), 133);
        assert_eq!(writes().filter(|spec| spec.valkey.is_some()).count(), 119);
        assert_eq!(all.iter().filter(|spec| !spec.write).count(), 9);
        assert_eq!(all.iter().filter(vector).count(), 3);
        let rewritten = writes().filter(|spec| spec.logged == Logged::Rewritten);
        assert_eq!(rewritten.count(), 31);
    }

    #[test]
    fn who_knows_a_command_goes_by_product_and_release() {
        let known = |name: &str, server: &str| {
            CommandSpec::named(name.as_bytes()).unwrap().known_to(server.parse().unwrap())
        };
        assert!(known("SET", "redis-2.4") && known("SET", "valkey-7.2"));
        assert!(known("HSETEX", "redis-8.0") && known("HSETEX", "valkey-9.0"));
        assert!(!known("HSETEX", "redis-7.4") && !known("HSETEX", "valkey-8.1"));
        assert!(known("DELIFEQ", "valkey-9.1") && !known("DELIFEQ", "redis-8.8"));
        assert!(known("ARSET", "redis-8.8") && !known("ARSET", "valkey-9.1"));
        assert!(known("XGROUP CREATECONSUMER", "redis-6.2"));
        assert!(!known("XGROUP CREATECONSUMER", "redis-6.0"));
    }
}
