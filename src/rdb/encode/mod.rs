//! From contents to what a given server would write: see [`Encoder`].
//!
//! The encodings are chosen as that server chooses them, with one exception: zipmaps and the ziplists
//! of Redis 2.4 are never written, plain forms load there as well.

mod collections;
mod encoder;
mod head;
mod stream;

pub use encoder::{Encoded, Encoder};
pub(crate) use head::write_attributes;
