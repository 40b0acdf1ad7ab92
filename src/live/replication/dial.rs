//! The stream of a transfer, by the options of any other connection.

use crate::error::{Error, Result};
use crate::live::connect::ConnectOptions;
use crate::live::replication::options::ReplicationOptions;
use redis::ConnectionAddr;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How often a silent stream is looked at, so that deadlines are kept.
const LOOK: Duration = Duration::from_millis(500);

/// A connection that speaks no protocol yet.
#[derive(Debug)]
pub struct Wire(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Connects a stream for [`Transfer::start`](super::Transfer::start), and takes the login over.
///
/// # Errors
/// `Usage` for a URL that cannot be understood and for TLS, which this way does not have: connect such
/// a stream yourself. `Io` where there is no way to the server.
///
/// ```no_run
/// use redkeep::live::{ConnectOptions, replication};
/// let options = ConnectOptions::new("redis://127.0.0.1:6379");
/// let (stream, options) = replication::dial(&options)?;
/// let transfer = replication::Transfer::start(stream, std::time::Instant::now, &options)?;
/// # drop(transfer);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn dial(options: &ConnectOptions) -> Result<(Wire, ReplicationOptions)> {
    let info = options.info()?;
    let wire = match info.addr() {
        ConnectionAddr::Tcp(host, port) => tcp(host, *port, options.connect_timeout)?,
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(LOOK))?;
            stream.set_write_timeout(Some(options.timeout))?;
            Wire(Kind::Unix(stream))
        }
        _ => return Err(Error::usage("a snapshot as replicas get it cannot be had over TLS here")),
    };
    let mut login = ReplicationOptions::default().stall(options.timeout);
    login.user = info.redis_settings().username().map(str::to_owned);
    if let Some(password) = info.redis_settings().password() {
        login = login.password(password);
    }
    Ok((wire, login))
}

fn tcp(host: &str, port: u16, most: Duration) -> Result<Wire> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, most) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LOOK))?;
                stream.set_write_timeout(Some(most))?;
                return Ok(Wire(Kind::Tcp(stream)));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed.into())
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.read(buf),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.flush(),
        }
    }
}
