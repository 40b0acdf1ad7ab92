//! Does a server run on a directory? Found out without asking it to do anything.
//!
//! A server's current folder is its `dir`, and so is that of a child that saves, which may outlive
//! it: both are found among the processes, by device and inode of the folder and not by its name,
//! which another container may see otherwise. What could not be looked at proves nothing, and is
//! said.

use crate::error::{ErrorKind, Result};
use crate::file::place::named;
use crate::live::conf::Conf;
use crate::live::settings::data_dir;
use crate::live::{Clock, ConnectOptions, Connection};
use crate::task::data_dir::plan::DataDirObstacle;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a server on this machine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs {
    pub(crate) alive: Vec<DataDirObstacle>,
    /// What could not be looked at.
    pub(crate) unseen: Vec<String>,
    /// What is worth knowing and no obstacle.
    pub(crate) notes: Vec<String>,
}

impl Signs {
    /// Looks at the processes, at files that a save left, and asks who answers where the server would.
    pub(crate) fn of(
        dir: &Path,
        folders: &[PathBuf],
        ask: Option<&ConnectOptions>,
        conf: Option<&Conf>,
        settle: Duration,
        clock: &impl Clock,
    ) -> Result<Signs> {
        let mut signs = Signs::default();
        signs.processes(dir);
        match (ask, conf) {
            (Some(ask), _) => signs.ask(dir, ask.clone())?,
            (None, Some(conf)) => signs.ask_by_settings(dir, conf)?,
            (None, None) => {}
        }
        signs.unfinished(folders, settle, clock)?;
        Ok(signs)
    }

    /// Files that saves and rewrites write: one that grows has a writer, which will rename it over
    /// what is there.
    fn unfinished(
        &mut self,
        folders: &[PathBuf],
        settle: Duration,
        clock: &impl Clock,
    ) -> Result<()> {
        let before = temporary_files(folders)?;
        if before.is_empty() {
            return Ok(());
        }
        clock.sleep(settle);
        let after = temporary_files(folders)?;
        for (path, looks) in &after {
            match before.get(path) == Some(looks) {
                true => self.notes.push(format!(
                    "{} is left over from a save or rewrite that did not end, and not touched",
                    path.display()
                )),
                false => self.alive.push(DataDirObstacle::Saving { file: path.clone() }),
            }
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            self.alive.push(DataDirObstacle::Saving { file: path.clone() });
        }
        Ok(())
    }

    /// Asks where the settings say that the server listens, on this machine.
    fn ask_by_settings(&mut self, dir: &Path, conf: &Conf) -> Result<()> {
        let word = |name| conf.get(name).and_then(|words| words.first()).map(String::as_str);
        let number = |name| word(name).and_then(|word| word.parse::<u16>().ok());
        let port = number("port").unwrap_or(6379);
        // Before 4.0 a server without the line listened everywhere, and later ones listen here too.
        let bound = conf.get("bind").unwrap_or_default();
        let here = |address: &String| {
            let address = address.trim_start_matches('-');
            matches!(address, "*" | "0.0.0.0" | "::" | "::*" | "127.0.0.1" | "::1" | "localhost")
        };
        if (port != 0 || number("tls-port").is_some_and(|port| port != 0))
            && !bound.is_empty()
            && !bound.iter().any(here)
        {
            self.unseen.push(format!(
                "the settings bind the server to {}, where it was not asked",
                bound.join(" ")
            ));
        }
        if port != 0 {
            self.ask(dir, ConnectOptions::new(format!("redis://127.0.0.1:{port}")))?;
        }
        if let Some(port) = number("tls-port").filter(|port| *port != 0) {
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            if std::net::TcpStream::connect_timeout(&address, PATIENCE).is_ok() {
                let how = "it speaks TLS, and was not asked for its directory".to_owned();
                self.alive.push(DataDirObstacle::Answers { address: address.to_string(), how });
            }
        }
        #[cfg(unix)]
        if let Some(path) = word("unixsocket").filter(|path| !path.is_empty()) {
            // Only a listener makes a connection possible; a name that was left behind does not.
            if std::os::unix::net::UnixStream::connect(dir.join(path)).is_ok() {
                let url = format!("unix://{}", dir.join(path).display());
                self.ask(dir, ConnectOptions::new(url))?;
            }
        }
        Ok(())
    }

    /// Asks a server for its directory. One that answers and does not tell may be ours.
    fn ask(&mut self, dir: &Path, server: ConnectOptions) -> Result<()> {
        let server = server.connect_timeout(PATIENCE).timeout(PATIENCE);
        let address = server.address().unwrap_or_default();
        let asked = Connection::open(server).and_then(|mut server| data_dir(&mut server));
        let how = match asked {
            Ok(Some(its)) => match same_folder(&its, dir) {
                Some(true) => "this is its directory".to_owned(),
                Some(false) => {
                    let note = format!(
                        "a server answers at {address}; its directory is {}",
                        its.display()
                    );
                    self.notes.push(note);
                    return Ok(());
                }
                None => format!("its directory {} cannot be compared with this one", its.display()),
            },
            Ok(None) => "it does not say which directory it has".to_owned(),
            Err(error) if error.kind() == ErrorKind::Usage => return Err(error),
            Err(error) if error.io_kind() == Some(io::ErrorKind::ConnectionRefused) => {
                return Ok(());
            }
            // No way there, as to a host that is not known; whoever cuts the line was there.
            Err(error) if error.io_kind() == Some(io::ErrorKind::Other) => {
                self.unseen.push(format!("{address} could not be asked: {error}"));
                return Ok(());
            }
            Err(error) => format!("it does not say which directory it has ({error})"),
        };
        self.alive.push(DataDirObstacle::Answers { address, how });
        Ok(())
    }
}

/// Whether two names stand for one folder; `None` where one of them cannot be looked at.
fn same_folder(one: &Path, other: &Path) -> Option<bool> {
    Some(identity(one)? == identity(other)?)
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Files that a server writes before it renames them, with what changes while it does.
fn temporary_files(
    folders: &[PathBuf],
) -> Result<BTreeMap<PathBuf, (u64, Option<std::time::SystemTime>)>> {
    let mut found = BTreeMap::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder).map_err(|error| named(error, folder))? {
            let entry = entry.map_err(|error| named(error, folder))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with("temp-") || !(name.ends_with(".rdb") || name.ends_with(".aof")) {
                continue;
            }
            // Gone meanwhile, it is not counted, and missed by whoever compares.
            if let Ok(facts) = entry.metadata() {
                found.insert(entry.path(), (facts.len(), facts.modified().ok()));
            }
        }
    }
    Ok(found)
}

#[cfg(not(target_os = "linux"))]
impl Signs {
    fn processes(&mut self, _: &Path) {
        self.unseen
            .push("the processes of this machine: no way to look at them is known here".to_owned());
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{DataDirObstacle, Signs, identity};
    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    /// How servers are called.
    const SERVERS: [&str; 7] = [
        "redis-server",
        "valkey-server",
        "keydb-server",
        "redis-rdb-bgsave",
        "redis-aof-rewrite",
        "valkey-rdb-bgsave",
        "valkey-aof-rewrite",
    ];

    impl Signs {
        /// Looks for processes whose current folder it is.
        pub(super) fn processes(&mut self, dir: &Path) {
            let (Some(wanted), Ok(listing)) = (identity(dir), fs::read_dir("/proc")) else {
                let why = "the processes of this machine: /proc cannot be read".to_owned();
                return self.unseen.push(why);
            };
            let owner = fs::metadata(dir).map(|facts| facts.uid()).ok();
            let mut hidden = 0u64;
            for entry in listing.flatten() {
                let name = entry.file_name();
                let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                    continue;
                };
                if pid == std::process::id() {
                    continue;
                }
                let process = entry.path();
                match fs::metadata(process.join("cwd")) {
                    Ok(facts) if (facts.dev(), facts.ino()) != wanted => {}
                    Ok(_) => self.at_home(pid, &process),
                    // It ended meanwhile, or is none that has a folder.
                    Err(_)
                        if fs::read_link(process.join("exe"))
                            .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) => {}
                    Err(_) => {
                        let its = fs::metadata(&process).map(|facts| facts.uid()).ok();
                        if is_server(&process) && its.is_some() && its == owner {
                            let name = called(&process);
                            let how = "it belongs to the owner of the directory, and where it runs \
                                       cannot be seen by this user";
                            let how = how.to_owned();
                            self.alive.push(DataDirObstacle::Process { pid, name, how });
                        } else {
                            hidden += 1;
                        }
                    }
                }
            }
            if hidden > 0 {
                let what =
                    if hidden == 1 { "process whose folder" } else { "processes whose folders" };
                self.unseen.push(format!("{hidden} {what} this user may not see"));
            }
        }

        /// A process in that very folder: a server, a child of one, or somebody's shell.
        fn at_home(&mut self, pid: u32, process: &Path) {
            let name = called(process);
            let how = match (is_server(process), listens(process)) {
                (true, _) => "it is a server, and this is its directory",
                (false, Some(true)) => "it listens for connections, and this is its current folder",
                (false, None) => {
                    "this is its current folder, and whether it is a server cannot be seen"
                }
                (false, Some(false)) => {
                    return self.notes.push(format!(
                        "process {pid} ({name}) is in this folder; it listens for nobody, and is no server"
                    ));
                }
            };
            self.alive.push(DataDirObstacle::Process { pid, name, how: how.to_owned() });
        }
    }

    /// What it calls itself, up to 15 bytes.
    fn called(process: &Path) -> String {
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        name.trim_end().escape_debug().to_string()
    }

    /// By any of its names: servers may be started by a loader or under a title of their own.
    fn is_server(process: &Path) -> bool {
        let mut names = vec![called(process)];
        if let Ok(exe) = fs::read_link(process.join("exe")) {
            names.push(exe.to_string_lossy().into_owned());
        }
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        names.extend(
            line.split(|byte| matches!(byte, 0 | b' '))
                .take(16)
                .map(|word| String::from_utf8_lossy(word).into_owned()),
        );
        names.iter().any(|name| {
            let base = name.rsplit('/').next().unwrap_or_default();
            SERVERS.iter().any(|server| base.starts_with(server))
        })
    }

    /// Whether one of its sockets takes connections; `None` where that cannot be seen.
    fn listens(process: &Path) -> Option<bool> {
        let mut sockets = BTreeSet::new();
        for open in fs::read_dir(process.join("fd")).ok()?.flatten() {
            let Ok(to) = fs::read_link(open.path()) else { continue };
            let to = to.to_string_lossy().into_owned();
            let inode = to.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            sockets.extend(inode.map(str::to_owned));
        }
        let net =
            |name: &str| fs::read_to_string(process.join("net").join(name)).unwrap_or_default();
        // State 0A is LISTEN; the inode is the tenth word.
        let tcp = [net("tcp"), net("tcp6")].concat();
        let tcp = tcp.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
        let tcp = tcp.filter(|words| words.get(3) == Some(&"0A"));
        let mut listening: BTreeSet<String> =
            tcp.filter_map(|words| words.get(9).map(|inode| (*inode).to_owned())).collect();
        // The flag 00010000 is a socket that accepts; the inode is the seventh word.
        let unix = net("unix");
        let unix = unix.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
        let unix = unix.filter(|words| words.get(3) == Some(&"00010000"));
        listening.extend(unix.filter_map(|words| words.get(6).map(|inode| (*inode).to_owned())));
        Some(!sockets.is_disjoint(&listening))
    }
}
