//! The archive of backups. So far: [`store`], the places that its objects are kept in.
//!
//! Nothing here knows of running servers.

pub mod store;
