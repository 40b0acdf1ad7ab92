//! How keys are put into a server.

use crate::export::CommandForm;
use crate::limits::Limits;
use crate::live::restore::checkpoint::Checkpoint;
use crate::rdb::{OnLoss, ServerVersion};
use std::time::Duration;

/// What becomes of a key whose name is taken in the target.
///
/// ```
/// use redkeep::live::restore::Conflict;
/// assert_eq!(Conflict::default(), Conflict::Fail);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Conflict {
    /// The restore stops there. Keys that were on their way with it may have been restored.
    #[default]
    Fail,
    /// The target's stays as it is.
    Skip,
    /// The target's is replaced; where the source's has expired, it is deleted.
    Replace,
}

/// How keys are put into a server.
///
/// ```
/// use redkeep::live::restore::{Conflict, RestoreOptions};
/// let options = RestoreOptions::default().conflict(Conflict::Replace).functions(Conflict::Skip);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestoreOptions {
    /// What becomes of keys whose name is taken. Default: [`Conflict::Fail`].
    pub conflict: Conflict,
    /// What becomes of function libraries whose name is taken (since Redis 7.0); `None`, the default:
    /// libraries are not loaded at all.
    pub functions: Option<Conflict>,
    /// How values are sent. Default: by RESTORE, as they lie in the file, and as plain commands where
    /// the server has no RESTORE for us or a value is too big for one.
    pub form: Option<CommandForm>,
    /// Which server the target is like, where it is another product or says nothing. Default: what it
    /// says.
    pub like: Option<ServerVersion>,
    /// What becomes of content that the target has no place for. Default: [`OnLoss::Fail`], and the
    /// restore stops there.
    pub on_loss: OnLoss,
    /// How many keys are sent together. Default 2000.
    pub batch_keys: usize,
    /// How many bytes are sent together, if it is not one key alone. Default 1 MiB.
    pub batch_bytes: usize,
    /// Bytes of a value from which on it is sent as plain commands. Default: what the target takes in
    /// one argument (`proto-max-bulk-len`), or 512 MiB where it does not say.
    pub plain_over: Option<u64>,
    /// How long the target may be out of reach, or in a state that passes: loading, busy, without a
    /// slot's owner. Default 30 s.
    pub patience: Duration,
    /// Whether the target is only asked which keys it has. Default: no.
    pub dry_run: bool,
    /// Where an earlier restore of the same keys came to: those before are not sent again. Default:
    /// the beginning.
    pub resume: Option<Checkpoint>,
    /// Ceilings on memory: of these [`held`](Limits::held) bounds a value that is sent by RESTORE.
    pub limits: Limits,
}

impl Default for RestoreOptions {
    fn default() -> Self {
        RestoreOptions {
            conflict: Conflict::Fail,
            functions: None,
            form: None,
            like: None,
            on_loss: OnLoss::Fail,
            batch_keys: 2000,
            batch_bytes: 1 << 20,
            plain_over: None,
            patience: Duration::from_secs(30),
            dry_run: false,
            resume: None,
            limits: Limits::default(),
        }
    }
}

impl RestoreOptions {
    /// Sets [`conflict`](Self::conflict).
    #[must_use]
    pub fn conflict(mut self, conflict: Conflict) -> Self {
        self.conflict = conflict;
        self
    }

    /// Sets [`functions`](Self::functions).
    #[must_use]
    pub fn functions(mut self, conflict: Conflict) -> Self {
        self.functions = Some(conflict);
        self
    }

    /// Sets [`form`](Self::form).
    #[must_use]
    pub fn form(mut self, form: CommandForm) -> Self {
        self.form = Some(form);
        self
    }

    /// Sets [`like`](Self::like).
    #[must_use]
    pub fn like(mut self, server: ServerVersion) -> Self {
        self.like = Some(server);
        self
    }

    /// Sets [`on_loss`](Self::on_loss).
    #[must_use]
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Sets [`batch_keys`](Self::batch_keys), at least one.
    #[must_use]
    pub fn batch_keys(mut self, keys: usize) -> Self {
        self.batch_keys = keys.max(1);
        self
    }

    /// Sets [`batch_bytes`](Self::batch_bytes).
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.batch_bytes = bytes;
        self
    }

    /// Sets [`plain_over`](Self::plain_over).
    #[must_use]
    pub fn plain_over(mut self, bytes: u64) -> Self {
        self.plain_over = Some(bytes);
        self
    }

    /// Sets [`patience`](Self::patience).
    #[must_use]
    pub fn patience(mut self, most: Duration) -> Self {
        self.patience = most;
        self
    }

    /// Sets [`dry_run`](Self::dry_run).
    #[must_use]
    pub fn dry_run(mut self, only_asked: bool) -> Self {
        self.dry_run = only_asked;
        self
    }

    /// Sets [`resume`](Self::resume).
    #[must_use]
    pub fn resume(mut self, from: Checkpoint) -> Self {
        self.resume = Some(from);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
