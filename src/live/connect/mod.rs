//! Connections to servers: where they are, how to log in, and what is believed over TLS.

mod connection;
mod options;
#[cfg(feature = "live-tls")]
pub(crate) mod tls;

pub use connection::Connection;
pub use options::ConnectOptions;
