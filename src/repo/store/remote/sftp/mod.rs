//! Objects as files of a machine that is reached by SSH.

mod options;
mod session;
mod store;

pub use options::SftpOptions;
pub use store::SftpStore;
