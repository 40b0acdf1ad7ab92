//! What a conversion is asked to do, and what it did.

use crate::limits::Limits;
use crate::rdb::loss::{Losses, OnLoss};
use crate::rdb::version::ServerVersion;
use crate::time::UnixMillis;

/// For which server, and how.
///
/// ```
/// use redkeep::rdb::{OnLoss, convert::ConvertOptions};
/// let options = ConvertOptions::new("redis-6.2".parse()?).on_loss(OnLoss::Drop);
/// assert_eq!(options.target.to_string(), "redis-6.2");
/// # Ok::<(), redkeep::rdb::UnknownServer>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConvertOptions {
    /// The server that has to load the file.
    pub target: ServerVersion,
    /// Whether a loss is an error. Default: [`OnLoss::Fail`].
    pub on_loss: OnLoss,
    /// Type names of the modules that the server has beside those it was born with. Values of others
    /// would keep it from starting, and are lost. Default: none.
    pub target_modules: Vec<String>,
    /// Whether values of all modules go on as they are, as where the server itself will judge each.
    /// Default: no.
    pub any_module: bool,
    /// Where field expiries are lost, fields that have expired by then are left out rather than kept
    /// for ever. Default: none are left out.
    pub expired_at: Option<UnixMillis>,
    /// Whether strings that are written anew are compressed. Default: yes, as servers do.
    pub compress: bool,
    /// Ceilings on memory: [`held`](Limits::held) for a value that cannot be converted piece by
    /// piece, [`inflated`](Limits::inflated) for compressed strings.
    pub limits: Limits,
}

impl ConvertOptions {
    /// The defaults, for this server.
    #[must_use]
    pub fn new(target: ServerVersion) -> ConvertOptions {
        ConvertOptions {
            target,
            on_loss: OnLoss::Fail,
            target_modules: Vec::new(),
            any_module: false,
            expired_at: None,
            compress: true,
            limits: Limits::default(),
        }
    }

    /// Sets [`on_loss`](Self::on_loss).
    #[must_use]
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Sets [`target_modules`](Self::target_modules).
    #[must_use]
    pub fn target_modules(mut self, names: Vec<String>) -> Self {
        self.target_modules = names;
        self
    }

    /// Sets [`any_module`](Self::any_module).
    #[must_use]
    pub fn any_module(mut self, any: bool) -> Self {
        self.any_module = any;
        self
    }

    /// Sets [`expired_at`](Self::expired_at).
    #[must_use]
    pub fn expired_at(mut self, at: UnixMillis) -> Self {
        self.expired_at = Some(at);
        self
    }

    /// Sets [`compress`](Self::compress).
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

/// What became of every key that came in: `copied + converted + dropped()` of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ConvertCounts {
    /// Keys whose bytes were not touched.
    pub copied: u64,
    /// Keys that were written in another form.
    pub converted: u64,
    /// Hashes of which nothing was left: all their fields had expired, or they never had any.
    pub emptied: u64,
    /// Hash fields left out because they had expired.
    pub expired_fields: u64,
    /// Everything that has no equivalent.
    pub losses: Losses,
    /// Function libraries that were written in another form.
    pub functions_converted: u64,
    /// Records left out that are of no use to the server: hints, and facts in a form it does not know.
    pub records_dropped: u64,
}

impl ConvertCounts {
    /// Keys that did not come out.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.losses.dropped_keys() + self.emptied
    }
}
