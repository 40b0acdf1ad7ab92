//! Values as clients know them, owned: what is left of a value when its encoding is taken away.
//!
//! ```text
//! Content::read     any encoding of any version  ->  Content
//! Encoder::encode   Content  ->  the encoding that a given server would choose
//! ```
//!
//! A [`Content`](crate::rdb::Content) can be built by hand, looked at, changed and written for any
//! server. Reading keeps everything that a server would show or act on. It drops what only the
//! encoding knows: the order of nodes, stale minima, tombstones of streams.

mod parts;
mod read;
mod stream;
mod validate;
mod value;

pub use parts::{ArrayContent, ArrayValue, HashField, ModuleContent, ModuleValue};
pub use stream::{
    StreamConsumer, StreamContent, StreamEntry, StreamGroup, StreamIdempotence, StreamPending,
    StreamProducer,
};
pub use value::Content;
