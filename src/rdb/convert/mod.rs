//! Conversion: a dump that another server loads.
//!
//! A value is touched only where the target cannot read its layout; all others keep their bytes. What
//! has no equivalent there is lost by name ([`Loss`](crate::rdb::Loss)), and unless the caller agreed
//! to losing, a file that would lose anything does not come out at all.
//!
//! | from | to | lost |
//! |---|---|---|
//! | listpacks (16, 17, 20) | ziplists (13, 12), an intset or plain rows | |
//! | quicklist of listpacks (18) | quicklist of ziplists (14), or a plain list (1) | |
//! | binary scores (5) | scores as text (3) | |
//! | field expiries of Redis (24, 25) | those of Valkey 9 (its 22), and back | |
//! | field expiries | plain hash (4) | the expiries |
//! | hash templates (29 to 32) | listpack, ziplist or plain hash | |
//! | streams (27, 26, 21, 19) | an older layout, down to 15 | what it has no place for |
//! | array, module, scheduled script | nothing | the key |
//!
//! Which server reads which layout is [`ServerVersion::reads`](crate::rdb::ServerVersion::reads).

mod converter;
mod layout;
mod options;
mod stream;
mod value;

pub use converter::Converter;
pub use options::{ConvertCounts, ConvertOptions};
