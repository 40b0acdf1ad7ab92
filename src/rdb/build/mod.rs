//! Building what readers take apart: strings and packed lists, byte for byte as servers write them.

mod intset;
mod listpack;
mod packed;
mod string;
mod ziplist;

pub(crate) use intset::build_intset;
pub(crate) use listpack::ListpackBuilder;
pub(crate) use packed::PackedBuilder;
pub(crate) use string::{StrWriter, write_as_read, write_plain};
pub(crate) use ziplist::ZiplistBuilder;
