//! The stream of a transfer, by the options of any other connection.

use crate::error::{Error, Result};
use crate::live::connect::ConnectOptions;
use crate::live::replication::options::ReplicationOptions;
use redis::ConnectionAddr;
#[cfg(feature = "live-tls")]
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How often a silent stream is looked at, so that deadlines are kept.
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// A connection that speaks no protocol yet.
#[derive(Debug)]
pub struct Wire(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    #[cfg(feature = "live-tls")]
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Has it send at once what it is given, and wait so long until that is taken.
    pub(crate) fn set_pipelined(&self, patience: Duration) -> io::Result<()> {
        let tcp = match &self.0 {
            Kind::Tcp(stream) => stream,
            #[cfg(unix)]
            Kind::Unix(stream) => return stream.set_write_timeout(Some(patience)),
            #[cfg(feature = "live-tls")]
            Kind::Tls(stream) => &stream.sock,
        };
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(patience))
    }
}

/// Connects a stream for [`Transfer::start`](super::Transfer::start), and takes the login over.
///
/// Over TLS (feature `live-tls`) the same certificates are believed as for a
/// [`Connection`](crate::live::Connection), and a connection that ends without TLS saying so is cut.
///
/// # Errors
/// `Usage` for a URL or certificates that cannot be understood. `Io` where there is no way to the server,
/// or its certificate is not believed.
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
        ConnectionAddr::Tcp(host, port) => {
            let stream = tcp(host, *port, options)?;
            stream.set_read_timeout(Some(LOOK))?;
            Wire(Kind::Tcp(stream))
        }
        #[cfg(feature = "live-tls")]
        ConnectionAddr::TcpTls { host, port, .. } => {
            let conversation = options.tls.conversation(host)?;
            secure(tcp(host, *port, options)?, conversation)?
        }
        #[cfg(unix)]
        ConnectionAddr::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(LOOK))?;
            stream.set_write_timeout(Some(options.timeout))?;
            Wire(Kind::Unix(stream))
        }
        _ => return Err(Error::usage("the server's URL: no way that a stream can take")),
    };
    let mut login = ReplicationOptions::default().stall(options.timeout);
    login.user = info.redis_settings().username().map(str::to_owned);
    if let Some(password) = info.redis_settings().password() {
        login = login.password(password);
    }
    Ok((wire, login))
}

/// Connects; reading waits as long as connecting may.
fn tcp(host: &str, port: u16, options: &ConnectOptions) -> Result<TcpStream> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, options.connect_timeout) {
            Ok(stream) => {
                stream.set_read_timeout(Some(options.connect_timeout))?;
                stream.set_write_timeout(Some(options.connect_timeout))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed.into())
}

/// Gets to know each other, so that a certificate that isn't believed is an error here.
#[cfg(feature = "live-tls")]
fn secure(mut stream: TcpStream, mut conversation: ClientConnection) -> Result<Wire> {
    while conversation.is_handshaking() {
        conversation.complete_io(&mut stream).map_err(|error| {
            // A timeout of the socket calls itself by a name that says nothing.
            match error.kind() {
                io::ErrorKind::WouldBlock => io::Error::from(io::ErrorKind::TimedOut),
                _ => error,
            }
        })?;
    }
    stream.set_read_timeout(Some(LOOK))?;
    Ok(Wire(Kind::Tls(Box::new(StreamOwned::new(conversation, stream)))))
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.read(buf),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.read(buf),
            #[cfg(feature = "live-tls")]
            Kind::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.write(bytes),
            #[cfg(feature = "live-tls")]
            Kind::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Tcp(stream) => stream.flush(),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.flush(),
            #[cfg(feature = "live-tls")]
            Kind::Tls(stream) => stream.flush(),
        }
    }
}
