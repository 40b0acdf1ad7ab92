//! AOF, the servers' log of commands: single files, and logs of several parts with their manifest.
//!
//! ```text
//! file        [ RDB ] { command | annotation }*
//! command     "*" argc CR LF { "$" len CR LF  bytes  CR LF }
//! annotation  "#" anything LF
//! ```
//!
//! Worked example, 70 bytes of Redis 7.0 for `SET after 1` in database 3, lines ended by CR LF:
//!
//! ```text
//! #TS:1795159679                        seconds since 1970, where the second changed
//! *2  $6  SELECT  $1  3                 every file begins in database 0
//! *3  $3  SET  $5  after  $1  1         arguments are any bytes, names are in any case
//! ```
//!
//! What is logged are *effects*: times are absolute, what was random is drawn, what a script did is
//! spelled out. Effects of one call stand between MULTI and EXEC, and take place at EXEC.
//!
//! # Where a log ends
//!
//! A log has neither header nor checksum nor end mark, so its end says how it came about:
//!
//! | [`EndKind`] | the bytes | a server |
//! |---|---|---|
//! | `Clean` | end after a record, outside a transaction | loads it |
//! | `Torn` | end inside a record: a crash while writing | cuts the file and starts, or refuses with `aof-load-truncated no` and where it is not the last file |
//! | `OpenMulti` | end after a record, before EXEC | the same |
//! | `Corrupt` | go on as no record does: zeros, noise, a wrong length | refuses |
//! | `Preamble` | the RDB in front is cut or damaged | refuses |
//!
//! [`End::valid_up_to`] is the last good boundary. Three things that servers do are worth knowing. A
//! length that is too big makes all that follows look torn, and is cut off with it: see
//! [`End::goes_on_at`]. A file that is not the last is cut before the server refuses, so a second
//! start goes well, without what was cut. And when the first command behind an RDB is torn, Redis (seen with 6.2, 7.0
//! and 8.0) cuts the file to nothing, RDB and all, and has lost everything at the next start: see
//! [`End::commands_up_to`].
//!
//! # Framing
//!
//! [`SliceReader`] and [`StreamReader`] follow lengths and never search. They are as strict as the
//! servers' checker: servers themselves take any two bytes for the CR LF behind an argument. A
//! count below 1, which that checker passes and servers refuse, is corrupt here. [`LogWriter`] is the
//! mirror, and [`write_command`] that of a single command.
//!
//! # Several files
//!
//! ```text
//! appendonlydir/appendonly.aof.manifest        file appendonly.aof.2.base.rdb seq 2 type b
//!              /appendonly.aof.2.base.rdb      file appendonly.aof.1.incr.aof seq 1 type h
//!              /appendonly.aof.1.incr.aof      file appendonly.aof.2.incr.aof seq 2 type i
//!              /appendonly.aof.2.incr.aof
//! ```
//!
//! Since Redis 7.0 a log is a base (`b`) and the increments (`i`) after it, in this order; history
//! (`h`) waits to be deleted. Any file may begin with an RDB: servers go by content, not by name.
//! [`Manifest`] reads and writes the list. [`Fileset`] says what a server of a given version would
//! load from a folder, and the [`Trap`]s: a log whose manifest is gone, for one, makes a server
//! start empty, write a new base over the old one, and append to an increment it never loaded.
//!
//! Whether all of that is sound, and what a cut would lose, is for [`check`] to say.
//!
//! # Repair
//!
//! [`repair`] says what to keep of a log that a server refuses, or that is to end earlier.
//!
//! # Commands
//!
//! [`CommandSpec`] knows every command that servers log: who knows it, how many arguments it takes,
//! which are keys. A server that meets a command it does not know refuses the whole log.
//!
//! ```
//! use redkeep::aof::{CommandSpec, EndKind, SliceReader};
//!
//! let log = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n*3\r\n$6\r\nRENAME\r\n$1\r\na\r\n$1\r\nb\r\n*2\r\n$3";
//! let mut reader = SliceReader::new(log);
//! let mut keys = Vec::new();
//! for record in reader.by_ref().map_while(Result::ok) {
//!     let Some(command) = record.command() else { continue };
//!     keys.extend(CommandSpec::of(&command).into_iter().flat_map(|spec| spec.keys(command)));
//! }
//! assert_eq!(keys, [b"a", b"a", b"b"]);
//! let end = reader.end().unwrap();
//! assert_eq!((end.kind, end.valid_up_to), (EndKind::Torn, 57));
//! ```

pub mod check;
mod commands;
mod encode;
mod fileset;
pub(crate) mod frame;
mod keys;
mod manifest;
mod parser;
mod reader;
mod record;
pub mod repair;
mod resp;
mod stream;
mod table;
mod traps;
mod words;
mod writer;

pub use commands::{Arity, CommandSpec, Logged};
pub use encode::{write_annotation, write_command, write_timestamp};
pub use fileset::{Content, Fileset, FilesetOptions, Layout, LogFile, Startup};
pub use keys::Keys;
pub use manifest::{FileKind, Manifest, ManifestEntry};
pub use reader::SliceReader;
pub use record::{End, EndKind, Record, RecordKind, Transaction};
pub use resp::{Annotation, Args, Command, MAX_ANNOTATION};
pub use stream::StreamReader;
pub use traps::{Risk, Trap};
pub use writer::LogWriter;
