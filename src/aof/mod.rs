//! AOF.

mod commands;
mod encode;
mod fileset;
mod keys;
mod manifest;
mod parser;
mod reader;
mod record;
mod resp;
mod stream;
mod table;
mod traps;
mod words;

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
