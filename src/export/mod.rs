//! Writers of other formats, fed with RDB events.
//!
//! [`Commands`] writes the commands that build the keys on a server: one `RESTORE` for each, or what
//! a server writes when it rewrites its append-only file.
//!
//! `JsonLines` (feature `json`) writes one JSON object a line, one line a key, which any tool can
//! read by line: `jq`, a log pipeline, a database's bulk loader. Nothing is shortened and no byte is
//! replaced, so the lines can be compared with those of another dump, or turned back into commands.
//! `RecordLines` does the same for the records of append-only files.
//!
//! ```
//! use redkeep::export::{CommandsOptions, export_commands};
//! let dump = b"REDIS0003\xfe\x00\x02\x01s\x02\x01a\xc0\x07\x00\x01k\x02\xff\xfe\xff";
//! let mut commands = Vec::new();
//! let options = CommandsOptions::plain("redis-7.0".parse()?);
//! assert_eq!(export_commands(&dump[..], &mut commands, options)?.written, 2);
//! assert!(commands.ends_with(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\xff\xfe\r\n"));
//! # #[cfg(feature = "json")] {
//! let mut lines = Vec::new();
//! let outcome = redkeep::export::export_json(&dump[..], &mut lines, false)?;
//! assert_eq!(outcome.keys, 2);
//! assert_eq!(
//!     String::from_utf8(lines).unwrap(),
//!     r#"{"db":0,"key":"s","type":"set","encoding":"SET","expire_at_ms":null,"value":["a","7"]}
//! {"db":0,"key":"k","type":"string","encoding":"STRING","expire_at_ms":null,"value":{"b64":"//4="}}
//! "#
//! );
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "json")]
mod json;
mod resp;

#[cfg(feature = "json")]
pub use json::{JsonLines, JsonOutcome, RecordLines, export_json};
pub use resp::{CommandForm, Commands, CommandsOptions, CommandsOutcome, export_commands};
#[cfg(feature = "live")]
pub(crate) use resp::{Fate, KeyCommands};
