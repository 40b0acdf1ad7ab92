//! `redis.conf`, read as servers read it: for a server that lets nobody ask for its settings.

use crate::error::{Error, Result};
use crate::select::Glob;
use std::path::{Path, PathBuf};

/// How deep files may include each other; a file that includes itself ends here.
const DEPTH: usize = 16;

/// One line of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directive {
    /// In lower case: case means nothing in it.
    pub(crate) name: String,
    pub(crate) words: Vec<String>,
}

/// All lines of a configuration, in the order in which they count; of most names the last one wins.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Conf(Vec<Directive>);

impl std::fmt::Debug for Conf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Any line may hold a password.
        write!(f, "Conf({} lines)", self.0.len())
    }
}

impl Conf {
    /// Reads a file and, in their places, those that it includes.
    pub(crate) fn open(path: &Path) -> Result<Conf> {
        let mut conf = Conf::default();
        // Names of included files count from the server's folder, which a `dir` line changes.
        let mut dir = path.parent().map(Path::to_owned).unwrap_or_default();
        conf.include(path, &mut dir, DEPTH)?;
        Ok(conf)
    }

    fn include(&mut self, path: &Path, dir: &mut PathBuf, depth: usize) -> Result<()> {
        let named = |error: Error| error.in_file(path.display().to_string());
        if depth == 0 {
            return Err(named(Error::usage("files of settings include each other without end")));
        }
        let text = std::fs::read(path).map_err(|error| named(Error::from(error)))?;
        for directive in lines(&text).map_err(named)? {
            match (directive.name.as_str(), directive.words.as_slice()) {
                ("include", [file]) => {
                    for file in included(&dir.join(file)).map_err(named)? {
                        self.include(&file, dir, depth - 1)?;
                    }
                    continue;
                }
                ("dir", [folder]) => *dir = dir.join(folder),
                _ => {}
            }
            self.0.push(directive);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn parse(text: &[u8]) -> Result<Conf> {
        lines(text).map(Conf)
    }

    /// The words of the last line of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&[String]> {
        let found = self.0.iter().rev().find(|directive| directive.name == name);
        found.map(|directive| directive.words.as_slice())
    }

    /// The save points as `CONFIG GET save` has them: they add up, and an empty one clears those
    /// before. `None` where no line says anything.
    pub(crate) fn save(&self, pairs_on_one_line: bool) -> Option<String> {
        let mut found: Option<Vec<&str>> = None;
        for directive in self.0.iter().filter(|directive| directive.name == "save") {
            let rules = found.get_or_insert_default();
            match directive.words.as_slice() {
                [empty] if empty.is_empty() => rules.clear(),
                // One quoted word of several numbers is how options on a command line look.
                words if words.len() == 2 || pairs_on_one_line => {
                    rules.extend(words.iter().flat_map(|word| word.split_ascii_whitespace()));
                }
                // Before 7.0 such a line sets nothing, and is no error.
                _ => {}
            }
        }
        found.map(|rules| rules.join(" "))
    }
}

/// The files that an `include` names: one, or from Redis 7.0 on those that match a pattern, by name.
fn included(path: &Path) -> Result<Vec<PathBuf>> {
    const PATTERN: [char; 3] = ['*', '?', '['];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new("."));
    if folder.to_string_lossy().contains(PATTERN) {
        return Err(Error::usage(format!("include of a pattern of folders, {path:?}")));
    }
    if !name.contains(PATTERN) {
        return Ok(vec![path.to_owned()]);
    }
    let glob = Glob::new(name.as_bytes());
    let mut files = Vec::new();
    // As in a shell, nothing that matches is nothing, and names with a dot in front want one.
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry?;
        let found = entry.file_name();
        let hidden = found.as_encoded_bytes().starts_with(b".") && !name.starts_with('.');
        if !hidden && glob.matches(found.as_encoded_bytes()) {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn lines(text: &[u8]) -> Result<Vec<Directive>> {
    let mut found = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        // The line itself may hold a password.
        let mut words = words(line).ok_or_else(|| {
            Error::usage(format!("line {} of the settings has unbalanced quotes", number + 1))
        })?;
        let arguments = words.split_off(1.min(words.len()));
        if let Some(name) = words.pop() {
            found.push(Directive { name: name.to_ascii_lowercase(), words: arguments });
        }
    }
    Ok(found)
}

/// The words of a line, quotes undone; `None` where those do not balance.
fn words(line: &[u8]) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    loop {
        while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
        let Some(first) = bytes.peek().copied() else { return Some(words) };
        let mut word = Vec::new();
        if first == b'"' || first == b'\'' {
            bytes.next();
            loop {
                match bytes.next()? {
                    quote if quote == first => break,
                    b'\\' if first == b'"' => word.push(escaped(&mut bytes)?),
                    b'\\' if bytes.peek() == Some(&b'\'') => word.extend(bytes.next()),
                    byte => word.push(byte),
                }
            }
            // Nothing may follow a closing quote but a blank.
            if bytes.peek().is_some_and(|byte| !byte.is_ascii_whitespace()) {
                return None;
            }
        } else {
            while let Some(byte) = bytes.next_if(|byte| !byte.is_ascii_whitespace()) {
                word.push(byte);
            }
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
}

fn escaped(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8> + Clone>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(match bytes.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        b'x' => {
            let mut ahead = bytes.clone();
            match (ahead.next().and_then(digit), ahead.next().and_then(digit)) {
                (Some(high), Some(low)) => {
                    bytes.next();
                    bytes.next();
                    high << 4 | low
                }
                _ => b'x',
            }
        }
        byte => byte,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf(text: &str) -> Conf {
        Conf::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_last_line_wins_and_case_of_names_means_nothing() {
        let conf = conf("# dir /a\r\n\tDIR  /b\r\nDir \"/c d\\x2f\"\r\ndbfilename x.rdb");
        assert_eq!(conf.get("dir"), Some(&["/c d/".to_owned()][..]));
        assert_eq!(conf.get("dbfilename"), Some(&["x.rdb".to_owned()][..]));
        assert_eq!(conf.get("appendonly"), None);
    }

    #[test]
    fn a_hash_later_in_a_line_is_a_word() {
        assert_eq!(conf("dbfilename x # c").get("dbfilename").unwrap().len(), 3);
    }

    #[test]
    fn unbalanced_quotes_are_refused_without_showing_the_line() {
        for line in ["requirepass \"s3cret", "requirepass 's3cret", "requirepass \"s3cret\"x"] {
            let error = Conf::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("line 1") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn save_points_add_up_and_are_cleared() {
        assert_eq!(conf("dir x").save(true), None);
        assert_eq!(conf("save 1 2\nsave 3 4").save(false).as_deref(), Some("1 2 3 4"));
        assert_eq!(conf("save 1 2\nsave \"\"\nsave 3 4").save(false).as_deref(), Some("3 4"));
        assert_eq!(conf("save \"\"").save(true).as_deref(), Some(""));
        assert_eq!(conf("save 1 2 3 4").save(true).as_deref(), Some("1 2 3 4"));
        assert_eq!(conf("save 1 2 3 4").save(false).as_deref(), Some(""));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\\\\\n\"'x]{0,60}") {
            for line in lines(text.as_bytes()).into_iter().flatten() {
                assert!(!line.name.is_empty() || text.contains(['"', '\'']));
            }
        }
    }

    #[test]
    fn includes_stand_in_their_place_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("a.conf", "dbfilename a\ninclude b.conf\nappendonly no\n");
        write("b.conf", "dbfilename b\nappendonly yes\n");
        let conf = Conf::open(&folder.path().join("a.conf")).unwrap();
        assert_eq!(conf.get("dbfilename").unwrap(), ["b"]);
        assert_eq!(conf.get("appendonly").unwrap(), ["no"]);
        write("c.conf", "include c.conf\n");
        assert!(Conf::open(&folder.path().join("c.conf")).is_err());
        write("d.conf", "include *.conf\n");
        assert!(Conf::open(&folder.path().join("d.conf")).is_err());
        write("e.conf", "include [ab].conf\ninclude none-*\ninclude .*\n");
        write(".hidden", "dbfilename hidden\n");
        let conf = Conf::open(&folder.path().join("e.conf")).unwrap();
        assert_eq!(conf.get("dbfilename").unwrap(), ["hidden"]);
        write("e.conf", "include [ab].conf\ninclude *n\n");
        assert_eq!(
            Conf::open(&folder.path().join("e.conf")).unwrap().get("dbfilename").unwrap(),
            ["b"]
        );
        write("f.conf", "include */x.conf\n");
        assert!(Conf::open(&folder.path().join("f.conf")).is_err());
    }
}
