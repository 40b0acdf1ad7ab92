//! Backups in an archive: `init`, `keygen`, `backup`, `list`, `show`, `verify`, `drill`.

pub(crate) mod backup;
pub(crate) mod drill;
#[cfg(any(feature = "opendal-http", feature = "sftp"))]
pub(crate) mod far;
pub(crate) mod init;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod place;
pub(crate) mod show;
pub(crate) mod verify;
