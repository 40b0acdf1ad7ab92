//! Programs that speak as services do, started for one test each.

use std::io::Read;
#[cfg(any(feature = "s3", feature = "azblob", feature = "swift"))]
use std::io::Write;
#[cfg(feature = "sftp")]
use std::net::Shutdown;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
#[cfg(feature = "sftp")]
use std::sync::Arc;
#[cfg(feature = "sftp")]
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What `tests/run` got of this name.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = std::env::var_os("REDKEEP_COMPONENTS")
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/target/components").into());
    Path::new(&folder).join(name)
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running program; stopped when dropped.
pub(crate) struct Running(Child);

impl Running {
    /// Starts a program of a component.
    pub(crate) fn start(program: &Path, arguments: &[&str]) -> Running {
        let process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; tests/run gets it", program.display()));
        Running(process)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something has come true.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "{what} does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One request without a body, with more lines in its head; the head and the body of the answer.
#[cfg(any(feature = "s3", feature = "azblob", feature = "swift"))]
pub(crate) fn ask(port: u16, request: &str, lines: &[&str]) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let close = "Content-Length: 0\r\nConnection: close";
    write!(stream, "{request} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}{close}\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

/// A way to a port on which every connection is cut after so many bytes of what the client sends.
#[cfg(feature = "sftp")]
pub(crate) fn cutting(port: u16, bytes: u64) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else {
                return;
            };
            let (mut up, mut down) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (from, counted) = (server, counted.clone());
            std::thread::spawn(move || {
                let sent = std::io::copy(&mut (&client).take(bytes), &mut up);
                counted.fetch_add(
                    usize::from(sent.is_ok_and(|sent| sent == bytes)),
                    Ordering::Relaxed,
                );
                let _ = (client.shutdown(Shutdown::Both), up.shutdown(Shutdown::Both));
            });
            std::thread::spawn(move || std::io::copy(&mut { from }, &mut down));
        }
    });
    (own, cuts)
}
