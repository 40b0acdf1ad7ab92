//! What the files of a server are called, and what else its settings tell.

use crate::error::{Error, Result};
use crate::live::conf::Conf;
use crate::live::settings::Settings;
use crate::rdb::ServerVersion;
use crate::task::data_dir::options::{AppendOnly, DataDirOptions};
use std::path::PathBuf;

/// A server's settings as far as they matter for its files.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) dump: String,
    pub(crate) log: String,
    pub(crate) folder: String,
    pub(crate) append_only: AppendOnly,
    /// Where the settings say that the files are, where they say it.
    pub(crate) dir: Option<PathBuf>,
    pub(crate) databases: Option<u64>,
    /// What the file says, for where the server would answer.
    pub(crate) conf: Option<Conf>,
}

impl Names {
    pub(crate) fn learn(options: &DataDirOptions) -> Result<Names> {
        let server = options.server;
        let (conf, settings) = match &options.conf {
            Some(path) => {
                let conf = Conf::open(path)?;
                let settings = Settings::of_file(&conf, lineage(server));
                (Some(conf), settings)
            }
            None => (None, Settings::default()),
        };
        let name = |setting: &'static str, usual: &str| {
            let name = settings.get(setting).unwrap_or(usual).to_owned();
            if name.is_empty() || name.contains(['/', '\\']) || matches!(&*name, "." | "..") {
                return Err(Error::usage(format!("{setting} {name:?}: a bare name was expected")));
            }
            Ok(name)
        };
        let said = settings.get("appendonly").map(|value| match value {
            value if value.eq_ignore_ascii_case("yes") => AppendOnly::Yes,
            _ => AppendOnly::No,
        });
        let names = Names {
            dump: name("dbfilename", "dump.rdb")?,
            log: name("appendfilename", "appendonly.aof")?,
            folder: name("appenddirname", "appendonlydir")?,
            append_only: options.append_only.or(said).unwrap_or(AppendOnly::Unknown),
            dir: settings.dir(),
            databases: settings.get("databases").and_then(|count| count.parse().ok()),
            conf,
        };
        // A server from 7.0 on would put its logs where another file is.
        let folder = server.has_log_parts().then_some(&names.folder);
        if names.dump == names.log || folder.is_some_and(|f| [&names.dump, &names.log].contains(&f))
        {
            return Err(Error::usage("two of the server's files have the same name"));
        }
        Ok(names)
    }
}

/// As settings count releases: every Valkey has what Redis 7.2 had.
fn lineage(server: ServerVersion) -> (u16, u16) {
    if server.has_log_parts() {
        (7, 0)
    } else if server.at_least(6, 2) {
        (6, 2)
    } else {
        (6, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(text: &str) -> Result<Names> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("redis.conf");
        std::fs::write(&path, text).unwrap();
        Names::learn(&DataDirOptions::new("redis-7.2".parse().unwrap()).conf(path))
    }

    #[test]
    fn names_are_those_of_the_settings_and_else_the_usual() {
        let names = learn("dbfilename a.rdb\nappendonly yes\ndir /data\ndatabases 20").unwrap();
        assert_eq!(
            (&*names.dump, &*names.log, &*names.folder),
            ("a.rdb", "appendonly.aof", "appendonlydir")
        );
        assert_eq!((names.append_only, names.databases), (AppendOnly::Yes, Some(20)));
        assert_eq!(names.dir, Some(PathBuf::from("/data")));
        assert_eq!(learn("").unwrap().append_only, AppendOnly::No);
        let unknown = Names::learn(&DataDirOptions::new("redis-6.2".parse().unwrap())).unwrap();
        assert_eq!((unknown.append_only, unknown.databases), (AppendOnly::Unknown, None));
    }

    #[test]
    fn a_path_in_place_of_a_name_and_one_name_for_two_files_are_refused() {
        for text in ["dbfilename ../a", "appendfilename \"\"", "appenddirname .."] {
            assert!(learn(text).is_err(), "{text}");
        }
        assert!(learn("dbfilename a\nappendfilename a").is_err());
        assert!(learn("appenddirname dump.rdb").is_err());
    }
}
