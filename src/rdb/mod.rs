//! RDB, the servers' snapshot format: every version of Redis' and Valkey's.
//!
//! ```text
//! magic(9)  { opcode record | key record }*  FF  [crc64 u64le]
//!
//! key record:  attributes*  type u8  key str  value
//! ```
//!
//! A file is a flat row of records. None says how long it is, so one unknown byte ends the reading;
//! what can be passed by its structure is carried raw. Worked example, 25 bytes of Redis 2.6 for
//! `SET a 12`:
//!
//! ```text
//! 52 45 44 49 53 30 30 30 36   REDIS0006
//! fe 00                        select db 0
//! 00 01 61 c0 0c               type 0 (string), key "a", the 8-bit integer 12
//! ff                           end
//! be a9 61 6f 11 26 8b 03      CRC-64 of all before it, little-endian
//! ```
//!
//! # Three levels
//!
//! 1. *Raw.* [`SliceReader`] and [`StreamReader`] hand out [`Event`]s; the raw bytes of all events
//!    end to end are the file. An [`Entry`] is a key with its attributes and its [`Value`], an
//!    opaque window.
//! 2. *Encoding.* [`Value::items`] gives the strings and packed blobs of a value; the iterators in
//!    [`encoding`] walk the blobs.
//! 3. *Logical.* [`Decoder::elements`] makes [`Element`]s of an item: what a client would see. A
//!    [`Content`] is all of a value, owned.
//!
//! Types are keyed by [`Lineage`]: byte 22 is one layout to Redis and another to Valkey 9. The
//! version in the header is advice; types decide.

mod attribute;
mod build;
pub mod check;
mod content;
pub mod convert;
mod decode;
mod dump;
mod element;
mod encode;
pub mod encoding;
mod entry;
mod event;
mod item;
mod len;
mod loss;
mod opcode;
mod parser;
mod reader;
mod record;
mod retain;
mod role;
mod stream;
mod string;
mod template;
mod value;
mod value_type;
mod version;
mod walk;
mod writer;

pub use attribute::Attributes;
pub(crate) use build::StrWriter;
pub use content::{
    ArrayContent, ArrayValue, Content, HashField, ModuleContent, ModuleValue, StreamConsumer,
    StreamContent, StreamEntry, StreamGroup, StreamIdempotence, StreamPending, StreamProducer,
};
pub use decode::{Decoder, Elements};
pub use dump::{Payload, encode_functions, parse_functions};
#[cfg(feature = "synth")]
pub(crate) use element::LATEST_FIELD_EXPIRY;
pub use element::{Element, ModuleField, Score, StreamCounters, StreamId, StreamInfo, Visit};
pub use encode::{Encoded, Encoder};
pub use entry::{Entry, OwnedEntry};
pub use event::{
    Aux, Event, EventKind, Footer, Function, ModuleAux, OwnedEvent, Piece, Run, SlotImport,
};
pub use item::{ArrayItem, Item};
pub use loss::{Loss, Losses, Lost, OnLoss};
pub use reader::{ChecksumMode, SliceReader};
pub(crate) use record::{Held, Record};
pub(crate) use retain::{Keep, Retain};
pub use role::{Role, RoleMarker};
pub use stream::StreamReader;
pub use string::{Str, StrBuf, StrHead};
pub use template::HashTemplate;
pub use value::{Items, Located, Value};
pub use value_type::{DataType, UnknownDataType, ValueType};
pub use version::{Header, Lineage, ServerVersion, UnknownServer};
pub(crate) use writer::SALVAGED;
pub use writer::Writer;
