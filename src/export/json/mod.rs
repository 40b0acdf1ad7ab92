//! JSON lines.

mod escape;
mod events;
mod facts;
mod giant;
mod head;
mod keydb;
mod lines;
mod outcome;
mod raw;
mod records;
mod score;
mod stream;
mod text;
mod value;
mod writer;

pub use outcome::JsonOutcome;
pub use records::RecordLines;
pub use writer::{JsonLines, export_json};
