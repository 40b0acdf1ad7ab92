//! Files and folders that appear whole or not at all, and what is left of those that did not.

pub(crate) mod folder;
pub(crate) mod leftovers;
pub(crate) mod place;
#[cfg(any(feature = "live", feature = "repo"))]
pub(crate) mod space;
