//! Running servers. (Feature `live`.)
//!
//! [`replication`] takes a snapshot over the wire, as a replica would. Connections are the caller's,
//! and so is the clock.

pub mod replication;
