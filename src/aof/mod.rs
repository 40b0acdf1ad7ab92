//! AOF.

mod encode;
mod parser;
mod reader;
mod record;
mod resp;
mod stream;

pub use encode::{write_annotation, write_command, write_timestamp};
pub use reader::SliceReader;
pub use record::{End, EndKind, Record, RecordKind, Transaction};
pub use resp::{Annotation, Args, Command, MAX_ANNOTATION};
pub use stream::StreamReader;
