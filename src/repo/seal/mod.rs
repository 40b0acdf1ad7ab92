//! docs
mod crypt;
mod frame;
mod inflate;
mod keys;
mod part;
mod pool;
mod ranges;
mod reader;
mod sealer;
mod table;
mod volumes;

pub use keys::{Identities, Passphrase, Recipients};
pub use part::{SealedPart, Volume};
pub use ranges::RangeReader;
pub use reader::{OpenOptions, Opened, SealedReader};
pub use sealer::{SealOptions, Sealed, Sealer};
pub use volumes::{RangeSource, VolumeSource, VolumeTarget, Volumes};
