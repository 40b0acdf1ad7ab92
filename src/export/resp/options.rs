//! What commands are written, and for whom.

use crate::limits::Limits;
use crate::rdb::{OnLoss, ServerVersion};
use crate::time::UnixMillis;

/// Which commands a key becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandForm {
    /// One `RESTORE` with the value as it lies in the file. Quick, and loses nothing; but the server
    /// has to read that very layout, and a value has to fit into memory and into one argument.
    Restore,
    /// What a server writes when it rewrites its log as commands: `SET`, `RPUSH`, `SADD`, `ZADD`,
    /// `HSET`, `XADD`, ... Any layout, in bounded memory whatever the size of a value.
    Plain,
}

/// What commands are written, and for whom.
///
/// ```
/// use redkeep::{export::CommandsOptions, rdb::OnLoss};
/// let target = "redis-7.0".parse().unwrap();
/// let options = CommandsOptions::plain(target).batch(500).replace(true).on_loss(OnLoss::Drop);
/// # drop(options);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CommandsOptions {
    /// The server that will get them.
    pub target: ServerVersion,
    /// Which commands a key becomes.
    pub form: CommandForm,
    /// Elements per command in plain form, 1 to 500,000. Default 64, as servers have it. A command
    /// of more than 1 MiB is cut before that.
    pub batch: usize,
    /// Whether keys and libraries that are there already are replaced. Default: no, and then
    /// `RESTORE` and `FUNCTION LOAD` give an error for each such key or library, while plain commands
    /// add to what is there.
    pub replace: bool,
    /// Whether function libraries are loaded too. Default: no.
    pub functions: bool,
    /// What to do about content that has no command. Default: fail.
    pub on_loss: OnLoss,
    /// In the form of `RESTORE`: values of more bytes than this become plain commands all the same, but
    /// for those of modules, which have none. Default: none do, and one that is too big is an error.
    pub plain_over: Option<u64>,
    /// The time, for `RESTORE` before Redis 5.0, which takes the time that is left. Needed there only.
    pub now: Option<UnixMillis>,
    /// Ceilings on memory: of these [`held`](Limits::held) bounds one argument of a command, and with
    /// that a value in the form of `RESTORE`.
    pub limits: Limits,
}

/// The biggest batch: older servers take 1,048,576 arguments.
const MOST: usize = 500_000;

impl CommandsOptions {
    fn new(target: ServerVersion, form: CommandForm) -> CommandsOptions {
        CommandsOptions {
            target,
            form,
            batch: 64,
            replace: false,
            functions: false,
            on_loss: OnLoss::Fail,
            plain_over: None,
            now: None,
            limits: Limits::default(),
        }
    }

    /// `RESTORE` commands for this server.
    #[must_use]
    pub fn restore(target: ServerVersion) -> CommandsOptions {
        Self::new(target, CommandForm::Restore)
    }

    /// Plain commands for this server.
    #[must_use]
    pub fn plain(target: ServerVersion) -> CommandsOptions {
        Self::new(target, CommandForm::Plain)
    }

    /// Sets [`batch`](Self::batch).
    #[must_use]
    pub fn batch(mut self, elements: usize) -> Self {
        self.batch = elements.clamp(1, MOST);
        self
    }

    /// Sets [`replace`](Self::replace).
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Sets [`functions`](Self::functions).
    #[must_use]
    pub fn functions(mut self, load: bool) -> Self {
        self.functions = load;
        self
    }

    /// Sets [`on_loss`](Self::on_loss).
    #[must_use]
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        self.on_loss = on_loss;
        self
    }

    /// Sets [`plain_over`](Self::plain_over).
    #[must_use]
    pub fn plain_over(mut self, bytes: u64) -> Self {
        self.plain_over = Some(bytes);
        self
    }

    /// Sets [`now`](Self::now).
    #[must_use]
    pub fn now(mut self, now: UnixMillis) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets [`limits`](Self::limits).
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}
