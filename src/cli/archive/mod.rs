//! Backups in an archive: `init`, `keygen`, `backup`, `list`, `show`, `verify`, `drill`.

#[cfg(feature = "live")]
pub(crate) mod backup;
#[cfg(feature = "live")]
pub(crate) mod drill;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod show;
pub(crate) mod verify;
