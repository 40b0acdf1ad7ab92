//! Choosing keys.
