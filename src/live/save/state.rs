//! What `INFO` says of saving.

use crate::live::drivers::Driver;
use crate::live::info::Info;

/// What INFO says of saving, all of it at one moment.
pub(super) struct State {
    pub(super) info: Info,
    pub(super) run_id: String,
    /// A child writes a file, or feeds a replica.
    pub(super) saving: bool,
    /// The log is rewritten or is about to be, and no save begins meanwhile.
    pub(super) rewriting: bool,
    /// A replica is getting its data anew, and will replace the file.
    pub(super) syncing: bool,
    pub(super) last_save: u64,
    pub(super) ok: bool,
    /// Attempts, since Redis 7.0.
    pub(super) saves: Option<u64>,
}

impl State {
    pub(super) fn of(info: Info) -> State {
        State {
            run_id: info.get("run_id").unwrap_or_default().to_owned(),
            saving: info.is_set("rdb_bgsave_in_progress"),
            rewriting: info.is_set("aof_rewrite_in_progress")
                || info.is_set("aof_rewrite_scheduled"),
            syncing: info.is_set("master_sync_in_progress"),
            last_save: info.number("rdb_last_save_time").unwrap_or(0),
            ok: info.get("rdb_last_bgsave_status") == Some("ok"),
            saves: info.number("rdb_saves"),
            info,
        }
    }

    /// Whether something runs beside which no save of this kind begins, or after which it proves
    /// nothing.
    pub(super) fn busy(&self, method: Driver) -> bool {
        // SAVE is answered beside a rewrite of the log [2.8 to 9.1].
        self.saving || self.syncing || (self.rewriting && method == Driver::Bgsave)
    }
}
