//! Restoring into the data directory of a server that is not running.
//!
//! A server that starts takes what it finds under the names that it looks for, and says nothing of
//! all else. With `appendonly yes` the best of dumps is not read, and the server starts empty beside
//! it; an old log that was forgotten comes back the day somebody turns `appendonly` on. So there is
//! one right set of files for each server and each setting, and nothing else may stay under a name
//! that counts:
//!
//! | server | `appendonly no` | `appendonly yes` | not known |
//! |---|---|---|---|
//! | Redis up to 3.2 | `dump.rdb` | `appendonly.aof`, plain commands | both |
//! | Redis 4.0 to 6.2 | `dump.rdb` | `appendonly.aof`, which is an RDB | both |
//! | Redis from 7.0, Valkey | `dump.rdb` | `appendonlydir` with base, increment and manifest | both |
//!
//! [`plan_data_dir`] looks and changes nothing: it says which files will be written, what will be
//! moved aside and why, and what stands in the way, as a server that is alive there. Then
//! [`DataDirPlan::apply`] writes the new files under names that nothing has, reads them back as the
//! server will, gives what is about to be replaced a second name, and only then lets the new take
//! effect, each by one rename; what would win another day is moved aside last. Nothing is deleted
//! and nothing overwritten. A crash at any point leaves the old data whole or the new.

mod alive;
mod apply;
mod names;
mod options;
mod plan;
mod planner;
mod stage;
mod steps;

pub use apply::DataDirOutcome;
pub use options::{AppendOnly, DataDirOptions};
pub use plan::{DataDirObstacle, DataDirPlan, plan_data_dir};
pub use stage::{DataDirContent, DataDirSource};
pub use steps::{DataDirAction, DataDirForm, DataDirStep};
