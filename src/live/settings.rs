//! A server's settings, from `CONFIG GET` or, where nobody may ask, from its file.

use crate::error::Result;
use crate::live::conf::Conf;
use crate::live::reply::{Refusal, ask, list, text};
use redis::ConnectionLike;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The settings that matter for backups. Unknown ones are no error on any server.
const NAMES: [&str; 17] = [
    "dir",
    "dbfilename",
    "save",
    "appendonly",
    "appendfsync",
    "appendfilename",
    "appenddirname",
    "databases",
    "maxmemory",
    "maxmemory-policy",
    "rdbchecksum",
    "rdbcompression",
    "stop-writes-on-bgsave-error",
    "repl-timeout",
    "repl-diskless-sync",
    "repl-diskless-sync-delay",
    "client-output-buffer-limit",
];

/// Where settings were learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum SettingsSource {
    /// The server itself.
    Server,
    /// A file that was named: what was set since the server began is not in it.
    File,
    /// Nowhere: the server does not say, and no file was named.
    #[default]
    Unknown,
}

/// What is known of a server's settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) source: SettingsSource,
    pub(crate) values: BTreeMap<&'static str, String>,
    /// Why the server does not say.
    pub(crate) refusal: Option<Refusal>,
}

impl Settings {
    /// Asks the server, and falls back on the file.
    pub(crate) fn learn(
        connection: &mut (impl ConnectionLike + ?Sized),
        file: Option<&Path>,
        version: (u16, u16),
    ) -> Result<Settings> {
        let mut settings = Settings::default();
        for name in NAMES {
            // One at a time: before 7.0 no server takes more.
            match ask(connection, &["CONFIG", "GET", name])? {
                Ok(answer) => {
                    let pair = list(answer).unwrap_or_default();
                    if let Some(value) = pair.get(1).and_then(text) {
                        settings.values.insert(name, value);
                    }
                    settings.source = SettingsSource::Server;
                }
                Err(refusal) => {
                    settings.refusal = Some(refusal);
                    break;
                }
            }
        }
        if settings.source == SettingsSource::Unknown
            && let Some(file) = file
        {
            settings = Settings { refusal: settings.refusal, ..Settings::read(file, version)? };
        }
        Ok(settings)
    }

    /// What a file says, and the defaults of a server of that version.
    pub(crate) fn read(file: &Path, version: (u16, u16)) -> Result<Settings> {
        Ok(Settings::of_file(&Conf::open(file)?, version))
    }

    /// The same of a file that was read.
    pub(crate) fn of_file(conf: &Conf, version: (u16, u16)) -> Settings {
        let values = from_file(conf, version);
        Settings { source: SettingsSource::File, values, refusal: None }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn is_yes(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value == "yes")
    }

    /// The data directory; a server whose directory was removed says it is empty.
    pub(crate) fn dir(&self) -> Option<PathBuf> {
        self.get("dir").filter(|dir| !dir.is_empty()).map(PathBuf::from)
    }

    /// The dump file.
    pub(crate) fn dump(&self) -> Option<PathBuf> {
        Some(self.dir()?.join(self.get("dbfilename")?))
    }
}

/// The data directory of a running server; `None` where it does not say.
pub(crate) fn data_dir(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Option<PathBuf>> {
    let Ok(answer) = ask(connection, &["CONFIG", "GET", "dir"])? else { return Ok(None) };
    let dir = list(answer).unwrap_or_default().get(1).and_then(text);
    Ok(dir.filter(|dir| !dir.is_empty()).map(PathBuf::from))
}

fn from_file(conf: &Conf, version: (u16, u16)) -> BTreeMap<&'static str, String> {
    // The defaults of all versions, where a line is missing; those that differ are left out.
    let usual = |name| match name {
        "dbfilename" => Some("dump.rdb"),
        "appendonly" => Some("no"),
        "appendfsync" => Some("everysec"),
        "appendfilename" => Some("appendonly.aof"),
        "appenddirname" if version >= (7, 0) => Some("appendonlydir"),
        "save" if version >= (6, 2) => Some("3600 1 300 100 60 10000"),
        "save" => Some(""),
        "databases" => Some("16"),
        "maxmemory" => Some("0"),
        _ => None,
    };
    let mut values = BTreeMap::new();
    for name in NAMES {
        let value = match name {
            "save" => conf.save(version >= (7, 0)),
            "client-output-buffer-limit" => None,
            _ => conf.get(name).map(|words| words.join(" ")),
        };
        if let Some(value) = value.or_else(|| usual(name).map(str::to_owned)) {
            values.insert(name, value);
        }
    }
    // A relative one counts from where the server was started, which no file says.
    let absolute = |dir: &String| Path::new(dir).is_absolute();
    if !values.get("dir").is_some_and(absolute) {
        values.remove("dir");
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_what_it_says_and_the_defaults_of_the_version() {
        let conf = Conf::parse(b"dir /data\nappendonly yes\nmaxmemory 100mb").unwrap();
        let values = from_file(&conf, (7, 0));
        let got = |name| values.get(name).map(String::as_str);
        assert_eq!(got("dir"), Some("/data"));
        assert_eq!(got("appendonly"), Some("yes"));
        assert_eq!(got("dbfilename"), Some("dump.rdb"));
        assert_eq!(got("save"), Some("3600 1 300 100 60 10000"));
        assert_eq!(got("maxmemory-policy"), None);
        assert_eq!(from_file(&conf, (6, 0))["save"], "");
    }

    #[test]
    fn a_relative_folder_says_nothing() {
        let conf = Conf::parse(b"dir ./").unwrap();
        assert!(!from_file(&conf, (7, 0)).contains_key("dir"));
    }
}
