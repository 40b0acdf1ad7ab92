//! Datasets that nobody's data are in: the same for the same seed, for ever.
//!
//! ```text
//! seed, mix, number   ->   key, content, expiry        Dataset
//! Dataset + server    ->   a dump that it loads        write_dump
//! ```
//!
//! For trying out, for measuring, and for tests that need much of something. A key depends on the
//! seed, the mix and its own number only, so that a smaller dataset is the beginning of a bigger one.
//! The generator behind it is [`Random`], a few lines of this crate: no
//! dependency can change what comes out.
//!
//! All keys are in database 0. Append-only files are not made yet.
//!
//! Besides, contents and their parts implement `arbitrary::Arbitrary`, for fuzzing: only what
//! servers take comes out of any bytes.

mod arbitrary;
mod dataset;
mod dump;
mod mix;
mod random;

pub use dataset::{Dataset, SynthKey};
pub use dump::{SynthOptions, SynthOutcome, SynthSize, write_dump};
pub use mix::{Mix, UnknownMix};
pub use random::Random;
