//! The archive of backups, where no server is asked. (Feature `repo`.)
//!
//! - [`store`]: the places that its objects are kept in.
//! - [`seal`]: a part of a backup as it is stored, compressed, encrypted and cut into volumes.

pub mod seal;
pub mod store;
