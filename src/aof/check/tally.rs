//! Counting commands by name, and looking each name up once.

use crate::aof::commands::CommandSpec;
use crate::aof::resp::Command;
use crate::error::printable;
use crate::rdb::ServerVersion;
use std::collections::{BTreeMap, HashMap};

/// Names that no server logs and that are told apart; a hostile log may hold millions.
const MOST_UNKNOWN: usize = 100;
/// What all others are counted as.
const OTHERS: &str = "(others)";
/// Places of the cache; a power of two.
const PLACES: usize = 256;

/// What is known of a name, and how often it came.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) spec: Option<&'static CommandSpec>,
    /// The server asked about knows it.
    pub(crate) known: bool,
    /// It is SELECT.
    pub(crate) select: bool,
    pub(crate) count: u64,
}

/// The names of a log.
#[derive(Debug)]
pub(crate) struct Names {
    target: Option<ServerVersion>,
    names: Vec<Name>,
    /// By name in capitals.
    by_name: HashMap<String, usize>,
    unknown: usize,
    cache: Vec<Place>,
}

/// A name as it was written last, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    key: Key,
    name: usize,
}

/// A name of up to 16 bytes: its first and its last, and how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Key(u64, u64, usize);

impl Key {
    #[inline(always)]
    fn of(name: &[u8]) -> Option<Key> {
        let word = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
        let (first, last) = match (name.first_chunk(), name.last_chunk()) {
            (Some(first), Some(last)) if name.len() <= 8 => (word(first), word(last)),
            (Some(_), _) if name.len() <= 16 => {
                let (first, last) = (name.first_chunk()?, name.last_chunk()?);
                (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
            }
            (None, _) => match *name {
                [a, b, c] => (u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]), 0),
                _ => return None,
            },
            _ => return None,
        };
        Some(Key(first, last, name.len()))
    }

    #[inline(always)]
    fn place(self) -> usize {
        let mixed = (self.0 ^ self.1.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 56).unwrap_or(0)
    }
}

impl Names {
    pub(crate) fn new(target: Option<ServerVersion>) -> Names {
        Names {
            target,
            names: Vec::new(),
            by_name: HashMap::new(),
            unknown: 0,
            cache: vec![Place::default(); PLACES],
        }
    }

    /// Counts a command, whose name is given, and says what is known of it.
    #[inline(always)]
    pub(crate) fn count(&mut self, command: Command<'_>) -> Option<&Name> {
        let key = Key::of(command.name());
        let at = match key.and_then(|key| Some((key, self.cache.get(key.place())?))) {
            Some((key, place)) if place.key == key => place.name,
            _ => self.look_up(command, key),
        };
        let name = self.names.get_mut(at)?;
        name.count += 1;
        Some(name)
    }

    /// The number of a name, which is put into the cache where it is the whole name.
    #[cold]
    #[inline(never)]
    fn look_up(&mut self, command: Command<'_>, key: Option<Key>) -> usize {
        let spec = CommandSpec::of(&command);
        let text = match spec {
            Some(spec) => spec.name().to_owned(),
            None => printable(command.name()),
        };
        let at = match self.by_name.get(&text) {
            Some(at) => *at,
            None => self.add(text, spec),
        };
        // What a container's subcommand is stands in another argument.
        if let Some(key) = key.filter(|_| spec.is_some_and(|spec| !spec.name().contains(' ')))
            && let Some(place) = self.cache.get_mut(key.place())
        {
            *place = Place { key, name: at };
        }
        at
    }

    fn add(&mut self, text: String, spec: Option<&'static CommandSpec>) -> usize {
        let known = match (spec, self.target) {
            (Some(spec), Some(target)) => spec.known_to(target),
            (spec, _) => spec.is_some(),
        };
        self.unknown += usize::from(spec.is_none());
        let text = match spec {
            None if self.unknown > MOST_UNKNOWN => {
                if let Some(at) = self.by_name.get(OTHERS) {
                    return *at;
                }
                OTHERS.to_owned()
            }
            _ => text,
        };
        self.by_name.insert(text.clone(), self.names.len());
        let select = text == "SELECT";
        self.names.push(Name { text, spec, known, select, count: 0 });
        self.names.len() - 1
    }

    pub(crate) fn into_counts(self) -> BTreeMap<String, u64> {
        self.names.into_iter().map(|name| (name.text, name.count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::write_command;

    fn count(names: &mut Names, words: &str) -> bool {
        let mut raw = Vec::new();
        write_command(&words.split(' ').collect::<Vec<_>>(), &mut raw).unwrap();
        names.count(Command::parse(&raw).unwrap()).unwrap().known
    }

    #[test]
    fn names_are_counted_in_any_case_and_subcommands_apart() {
        let mut names = Names::new(None);
        for words in ["SET a b", "set a b", "Set a b", "XGROUP CREATE a b c", "xgroup destroy a b"]
        {
            assert!(count(&mut names, words));
        }
        for words in ["PEXPIREAT a 1", "RESTORE-ASKING a 1 b", "XIDMPRECORD a b c d"] {
            assert!(count(&mut names, words) && count(&mut names, words));
        }
        assert!(
            !count(&mut names, "XGROUP") && !count(&mut names, "SE") && !count(&mut names, "GET")
        );
        let counts = names.into_counts();
        assert_eq!((counts["SET"], counts["PEXPIREAT"], counts["RESTORE-ASKING"]), (3, 2, 2));
        assert_eq!(
            (counts["XGROUP CREATE"], counts["XGROUP DESTROY"], counts["XGROUP"]),
            (1, 1, 1)
        );
        assert_eq!(counts.values().sum::<u64>(), 14);
    }

    #[test]
    fn a_target_knows_what_its_release_knows() {
        let mut names = Names::new(Some("redis-6.2".parse().unwrap()));
        assert!(count(&mut names, "SET a b") && !count(&mut names, "HSETEX a FIELDS 1 b c"));
    }

    #[test]
    fn each_known_name_is_found_through_the_cache_too() {
        let mut names = Names::new(None);
        for round in 1..=3 {
            for spec in CommandSpec::all() {
                assert!(count(&mut names, spec.name()));
            }
            let counts: Vec<_> = names.names.iter().map(|name| name.count).collect();
            assert_eq!(counts, vec![round; CommandSpec::all().len()]);
        }
    }

    #[test]
    fn millions_of_names_cost_no_more_than_a_hundred() {
        let mut names = Names::new(None);
        for n in 0..10_000 {
            assert!(!count(&mut names, &format!("NAME{n}")));
        }
        let counts = names.into_counts();
        assert_eq!(
            (counts.len(), counts[OTHERS]),
            (MOST_UNKNOWN + 1, 10_000 - MOST_UNKNOWN as u64)
        );
    }
}
