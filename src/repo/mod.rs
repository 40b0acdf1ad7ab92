//! The archive: what is kept of datasets, where no server is asked. (Feature `repo`.)
//!
//! - [`seal`]: a part of a backup as it is stored, compressed, encrypted and cut into volumes.

pub mod seal;
