//! A dump out of a running server, the way replicas get theirs: no access to its disk is needed.
//!
//! ```text
//! AUTH [user] password                 -> +OK
//! REPLCONF capa eof capa psync2        -> +OK      a transfer straight from memory is welcome
//! REPLCONF rdb-only 1                  -> +OK      Redis 6.2 on: no commands after the dump
//! REPLCONF rdb-filter-only functions   -> +OK      Redis 7.0 on, where only functions are wanted
//! REPLCONF version 255.255.255         -> +OK      Valkey 8 on: nothing needs to be left out
//! PSYNC ? -1                           -> +FULLRESYNC <replication id> <offset>
//!                                      -> $<length>  or  $EOF:<a mark of 40 bytes>
//! <the dump>[<the same mark>]
//! ```
//!
//! [`snapshot_into`] does all of it, and checks the dump while it comes. [`Transfer`] is the dump as a
//! plain [`Read`](std::io::Read): its bytes and nothing else, and an error instead of an end wherever
//! the connection ended too early. [`CommandStream`] is what comes after, for who goes on listening.
//!
//! The caller connects (TCP, TLS, a Unix socket), sets a read timeout of about a second, and gives a
//! clock. The timeout is how often the clock is looked at while nothing comes; without one a silent
//! server blocks for ever, whatever the options say.
//!
//! What a server's account needs: `+replconf +psync`. That reads the whole dataset, whatever the key
//! patterns say.
//!
//! # Costs on the server
//!
//! A snapshot makes it fork, and one on disk replaces its `dump.rdb`; from memory, which is the
//! default here, its disk is left alone. With Redis before 6.2, and with
//! [`follow`](ReplicationOptions::follow), commands pile up in the server until the dump is read, and
//! past `client-output-buffer-limit` it closes the connection without a word. So read fast.
//!
//! # When it breaks
//!
//! | seen | error | again? |
//! |---|---|---|
//! | `-NOAUTH`, any error to `AUTH` | `server_auth`, `server_login` | no |
//! | `-NOPERM`, no such command | `server_denied`, `server_lacks` | no |
//! | `-LOADING`; `-BUSY`, `-MISCONF`; `-NOMASTERLINK`, `-MASTERDOWN` | `server_loading`; `server_busy`; `server_no_master` | yes |
//! | any other error | `server_refused` | no |
//! | an answer of another protocol | `server_reply` | no |
//! | closed before the dump was complete | `transfer_cut`, and see [`CutCause`] | yes |
//! | nothing came for too long | `Io`, timed out | yes |
//! | not done in time | `deadline` | yes |
//!
//! ```
//! use redkeep::live::replication::{ReplicationOptions, snapshot_into};
//! use redkeep::rdb::check::CheckOptions;
//! # use std::io::{self, Read, Write};
//! # use std::time::Instant;
//! # struct Script(&'static [u8]);
//! # impl Read for Script {
//! #     fn read(&mut self, into: &mut [u8]) -> io::Result<usize> { self.0.read(into) }
//! # }
//! # impl Write for Script {
//! #     fn write(&mut self, from: &[u8]) -> io::Result<usize> { Ok(from.len()) }
//! #     fn flush(&mut self) -> io::Result<()> { Ok(()) }
//! # }
//! // With a server: a TcpStream, on which set_read_timeout(Some(Duration::from_secs(1))) was called.
//! let connection = Script(b"+OK\r\n+OK\r\n+OK\r\n\
//!     +FULLRESYNC 0123456789abcdef0123456789abcdef01234567 42\r\n\n\n$17\r\n\
//!     REDIS0003\xfe\x00\x00\x01k\x01v\xff");
//! let mut dump = Vec::new(); // or a file under a temporary name
//! let options = ReplicationOptions::default();
//! let outcome =
//!     snapshot_into(connection, Instant::now, &options, &CheckOptions::default(), &mut dump)?;
//! assert!(outcome.is_sound());
//! assert_eq!((outcome.report.keys, outcome.facts.offset), (1, Some(42)));
//! # Ok::<(), redkeep::Error>(())
//! ```

mod cause;
mod dial;
pub(super) mod driver;
mod ending;
mod follow;
mod handshake;
mod link;
mod options;
mod refusal;
mod snapshot;
mod transfer;

pub use cause::{CutCause, cut_cause, explain_cut};
pub(crate) use dial::LOOK;
pub use dial::{Wire, dial};
pub use follow::CommandStream;
pub use handshake::{Answer, Form, TransferFacts};
pub use options::{Portion, ReplicationOptions};
pub use snapshot::{SnapshotOutcome, snapshot_into};
pub use transfer::{Received, Transfer};
