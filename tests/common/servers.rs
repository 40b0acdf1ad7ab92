//! Real servers for tests: each started by the test itself on a free loopback port, and stopped.

#![allow(dead_code)] // not every user needs all of it

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Servers that `tests/run` unpacks, oldest first.
pub(crate) const ALL: [&str; 4] = ["redis-6.2", "redis-7.0", "redis-8.0", "valkey-9.1"];

/// A running server and its folder; stopped when dropped.
pub(crate) struct Server {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

/// Where a server's program is: `$REDKEEP_SERVERS/<name>/server`.
pub(crate) fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("REDKEEP_SERVERS")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/servers").into());
    Path::new(&folder).join(name).join("server")
}

/// A port that nobody has.
pub(crate) fn any_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// Starts a server on this dump, or on nothing; `None` where it refuses to start.
    pub(crate) fn start(name: &str, dump: Option<&[u8]>) -> Option<Server> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(dump) = dump {
            std::fs::write(folder.path().join("dump.rdb"), dump).unwrap();
        }
        Server::start_in(name, folder, &[])
    }

    /// Starts a server on this log of commands.
    pub(crate) fn start_log(name: &str, log: &[u8]) -> Option<Server> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("appendonly.aof"), log).unwrap();
        Server::start_in(name, folder, &["--appendonly", "yes"])
    }

    /// Starts a server in a folder with more settings; `None` where it refuses to start.
    pub(crate) fn start_in(
        name: &str,
        folder: tempfile::TempDir,
        settings: &[&str],
    ) -> Option<Server> {
        // Needed since Redis 7.0 for DEBUG DIGEST, and unknown before.
        let debug: &[_] = match name {
            "redis-6.2" => &[],
            _ => &["--enable-debug-command", "local"],
        };
        let mut words = debug.to_vec();
        let dir = folder.path().display().to_string();
        words.extend(["--bind", "127.0.0.1", "--save", "", "--dir", &dir]);
        words.extend(["--dbfilename", "dump.rdb"]);
        words.extend(settings);
        Server::launch(name, folder, &words, "DBSIZE", any_port)
    }

    /// Starts the program with these words and a port, and waits until it answers a command.
    pub(crate) fn launch(
        name: &str,
        folder: tempfile::TempDir,
        words: &[&str],
        ready: &str,
        port: fn() -> u16,
    ) -> Option<Server> {
        // A free port is free for a moment: tests that run side by side take turns.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let (port, program) = (port(), program(name));
        let process = Command::new(&program)
            .args(words)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; tests/run gets it", program.display()));
        let mut server = Server { process, port, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if server.process.try_wait().unwrap().is_some() {
                return None;
            }
            let ready =
                server.connect().ok().map(|mut connection| redis::cmd(ready).exec(&mut connection));
            // Whoever has to log in first sees from the refusal that it is there.
            let closed = |error: &redis::RedisError| error.code() == Some("NOAUTH");
            if ready.is_some_and(|answer| answer.as_ref().map_or_else(closed, |()| true)) {
                return Some(server);
            }
            assert!(Instant::now() < deadline, "{name} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn connect(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port))?.get_connection()
    }

    /// Has it write its dump, and reads that.
    pub(crate) fn save(&self) -> Vec<u8> {
        let mut connection = self.connect().unwrap();
        redis::cmd("SAVE").exec(&mut connection).unwrap();
        std::fs::read(self.folder.path().join("dump.rdb")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
