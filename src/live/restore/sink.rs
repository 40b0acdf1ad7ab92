//! Keys on their way into a server, from events to batches of commands.

use crate::error::{Error, Fault, Result};
use crate::export::{CommandForm, CommandsOptions, Fate, KeyCommands};
use crate::live::clock::Clock;
use crate::live::cluster::Look;
use crate::live::reply::settle;
use crate::live::restore::batch::Shape;
use crate::live::restore::checkpoint::Checkpoint;
use crate::live::restore::delivery::Delivery;
use crate::live::restore::link::Link;
use crate::live::restore::nodes::Nodes;
use crate::live::restore::options::{Conflict, RestoreOptions};
use crate::live::restore::outcome::{RestoreOutcome, RestoreProgress, Stopped};
use crate::live::restore::target::Target;
use crate::pipe::EntrySink;
use crate::rdb::{Entry, Event, EventKind, Function, Loss, OnLoss, StrBuf};
use redis::ConnectionLike;
use std::ops::ControlFlow;

/// Who is told how far it is, and may stop it.
type Watch<'s> = Box<dyn FnMut(&RestoreProgress) -> ControlFlow<()> + 's>;

/// Puts keys into a running server, many at a time, and keeps account of each.
///
/// It is fed with the events of either reader, after whatever stages choose and change them; layouts
/// that the target can't read have to be [converted](crate::rdb::convert::Converter) before. Every
/// answer is looked at. Memory is bounded by one batch and the biggest value.
///
/// A key is sent as one `RESTORE`, which puts it there whole or not at all. What goes as plain commands
/// instead is deleted again where any of them fails. Where the connection is lost, the batch on its
/// way is sent once more.
///
/// ```no_run
/// use redkeep::live::{Clock, ConnectOptions, Connection};
/// use redkeep::live::restore::{Conflict, RestoreOptions, RestoreSink};
/// use redkeep::pipe::pump;
/// use redkeep::rdb::StreamReader;
/// # struct System;
/// # impl Clock for System {
/// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
/// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
/// # }
/// let mut server = Connection::open(ConnectOptions::new("redis://127.0.0.1"))?;
/// let options = RestoreOptions::default().conflict(Conflict::Skip);
/// let mut sink = RestoreSink::new(&mut server, &System, options)?;
/// let done = pump(&mut StreamReader::new(std::fs::File::open("dump.rdb")?), &mut sink);
/// let outcome = sink.finish(done)?;
/// assert!(outcome.is_complete(), "{:?}", outcome.stopped);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct RestoreSink<'s> {
    delivery: Delivery<'s>,
    options: RestoreOptions,
    target: Target,
    encoder: KeyCommands,
    buf: StrBuf,
    current: Current,
    watch: Option<Watch<'s>>,
    /// What is settled once the batch that was sent ahead is heard of.
    ahead: Option<Checkpoint>,
    /// Keys that the target had evicted before.
    evicted: Option<u64>,
    stopped: Option<Stopped>,
}

/// The key that events tell of.
#[derive(Default)]
struct Current {
    db: u64,
    name: Vec<u8>,
    node: usize,
    /// Where its commands begin in the batch, and how many there are.
    start: usize,
    commands: u64,
    /// Whether some of its commands have been sent.
    begun: bool,
    /// Whether it is neither in a batch nor in the account yet.
    open: bool,
}

impl<'s> RestoreSink<'s> {
    /// A sink into one server, which is asked what has to be known of it.
    ///
    /// # Errors
    /// As [`Target::ask`], and `Usage` for a node of a cluster, which has only some of the slots.
    pub fn new(
        connection: impl Into<Link<'s>>,
        clock: &'s dyn Clock,
        options: RestoreOptions,
    ) -> Result<RestoreSink<'s>> {
        let mut connection = connection.into();
        let target = Target::ask(&mut connection, &options)?;
        if target.cluster {
            return Err(Error::usage("a node of a cluster: restore into the cluster as a whole"));
        }
        let nodes = Nodes::one(connection, target.run_id.clone());
        Self::with(nodes, target, clock, options)
    }

    fn with(
        mut nodes: Nodes<'s>,
        target: Target,
        clock: &'s dyn Clock,
        options: RestoreOptions,
    ) -> Result<RestoreSink<'s>> {
        let evicted = nodes.evicted()?;
        let most = options.plain_over.unwrap_or(u64::MAX).min(target.most);
        let mut limits = options.limits;
        limits.held = limits.held.min(target.most);
        let commands = match target.form {
            CommandForm::Restore => CommandsOptions::restore(target.version).plain_over(most),
            CommandForm::Plain => CommandsOptions::plain(target.version),
        };
        let commands = commands
            .replace(options.conflict == Conflict::Replace)
            .on_loss(options.on_loss)
            .now(target.now)
            .limits(limits);
        let outcome = RestoreOutcome {
            server: target.server.clone(),
            dry_run: options.dry_run,
            ..RestoreOutcome::default()
        };
        let delivery = Delivery {
            nodes,
            clock,
            conflict: options.conflict,
            patience: options.patience,
            dry_run: options.dry_run,
            outcome,
            gave_up_part: false,
        };
        Ok(RestoreSink {
            delivery,
            encoder: KeyCommands::new(commands)?,
            buf: StrBuf::new().inflated_limit(options.limits.inflated),
            current: Current::default(),
            watch: None,
            ahead: None,
            stopped: None,
            options,
            target,
            evicted,
        })
    }

    /// Sets who is told after every batch how far it is; a break stops it.
    #[must_use]
    pub fn watch(
        mut self,
        watch: impl FnMut(&RestoreProgress) -> ControlFlow<()> + 's,
    ) -> RestoreSink<'s> {
        self.watch = Some(Box::new(watch));
        self
    }

    /// The server as it was when it was asked.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What becomes of content that the target has no place for.
    pub(crate) fn on_loss(&self) -> OnLoss {
        self.options.on_loss
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Server` (`key_exists` and others) or `Io` where going on makes no sense, `Unsupported` for what
    /// would be lost, `Usage` where it was cancelled or the checkpoint is of another source; and those
    /// of a value that cannot be read. [`finish`](Self::finish) still gives the account.
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        if self.stopped.is_some() {
            return Err(Error::usage("the restore has stopped before"));
        }
        let done = self.take(event);
        if let Err(error) = &done {
            self.stopped = Some(Stopped::by(error));
        }
        done
    }

    fn take(&mut self, event: &Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Entry(entry) | EventKind::Open(entry) => self.begin(&entry)?,
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => {}
            EventKind::Function(function) => return self.function(&function),
            // Of these come no commands, but what they declare may be needed.
            _ => return self.encoder.event(event, &mut Vec::new()).map(drop),
        }
        if self.current.open { self.encode(event) } else { Ok(()) }
    }

    /// A key begins: where it goes, and whether it does.
    fn begin(&mut self, entry: &Entry<'_>) -> Result<()> {
        self.make_room(entry.db())?;
        let name = entry.key().bytes(&mut self.buf)?;
        let current = &mut self.current;
        current.name.clear();
        current.name.extend_from_slice(name);
        current.db = entry.db();
        let node = self.delivery.nodes.of_key(&current.name);
        let selects = self.delivery.nodes.selects(current.db);
        self.delivery.outcome.read += 1;
        let outcome = &mut self.delivery.outcome;
        if self.options.resume.is_some_and(|from| outcome.read <= from.keys()) {
            outcome.skipped.resumed += 1;
            return self.same_as_before();
        }
        let batch = &mut self.delivery.nodes.get(node)?.batch;
        if batch.is_empty() {
            batch.begin(current.db, selects);
        }
        if entry.expires().is_some_and(|at| at <= self.target.now) {
            outcome.skipped.expired += 1;
            if self.options.conflict == Conflict::Replace {
                batch.push_delete(&current.name);
            }
            return Ok(());
        }
        (current.node, current.start) = (node, batch.bytes.len());
        (current.commands, current.begun, current.open) = (0, false, true);
        Ok(())
    }

    /// Whether the last of the keys that an earlier restore settled is the one it was then.
    fn same_as_before(&self) -> Result<()> {
        let Current { db, name, .. } = &self.current;
        let here = Checkpoint::after(self.delivery.outcome.read, *db, name);
        match self.options.resume {
            Some(from) if from.keys() == here.keys() && from != here => Err(Error::usage(
                "the checkpoint is of another source, or of another choice of its keys",
            )),
            _ => Ok(()),
        }
    }

    /// Sends what waits, where the next key has no room beside it. In a cluster all nodes are sent to at
    /// once: then all keys up to here are settled.
    fn make_room(&mut self, db: u64) -> Result<()> {
        let (mut keys, mut bytes, mut other_db) = (0, 0, false);
        for node in 0..self.delivery.nodes.count() {
            let batch = &self.delivery.nodes.get(node)?.batch;
            keys = keys.max(batch.keys());
            bytes += batch.bytes.len();
            other_db |= batch.db != db && !batch.is_empty();
        }
        if other_db || keys >= self.options.batch_keys || bytes >= self.options.batch_bytes {
            self.send_all()?;
            self.tell()?;
        }
        Ok(())
    }

    /// An event of the current key becomes commands.
    fn encode(&mut self, event: &Event<'_>) -> Result<()> {
        let batch = &mut self.delivery.nodes.get(self.current.node)?.batch;
        let made = self.encoder.event(event, &mut batch.bytes)?;
        let bytes = batch.bytes.len() - self.current.start;
        self.current.commands += made.commands;
        if self.encoder.fails() {
            let losses = &self.encoder.outcome().losses;
            let detail = format!("{} would lose {losses}", self.target.version);
            return Err(Error::from_fault(Fault::Loss).with_detail(detail));
        }
        let (plain, outcome) = (matches!(made.fate, Fate::Plain), &mut self.delivery.outcome);
        match made.fate {
            Fate::Restore | Fate::Plain if made.ends => return self.push(plain, true),
            Fate::Plain if bytes >= self.options.batch_bytes => {
                self.push(true, false)?;
                return self.send_part();
            }
            Fate::Restore | Fate::Plain => return Ok(()),
            Fate::Refused(error) => {
                outcome.fail("too_big", self.current.db, &self.current.name, error.to_string());
            }
            Fate::Empty => outcome.skipped.empty += 1,
            Fate::Expired => outcome.skipped.expired += 1,
            Fate::Lost => outcome.skipped.lost += 1,
            Fate::None => return Err(Error::from_fault(Fault::Internal)),
        }
        self.take_back()
    }

    /// The commands so far are the key's, or a part of them.
    fn push(&mut self, plain: bool, last: bool) -> Result<()> {
        let current = &mut self.current;
        let shape = match (plain, current.begun, last) {
            (false, ..) => Shape::Restore,
            (true, false, true) => Shape::Plain,
            (true, begun, last) => Shape::Part { first: !begun, last },
        };
        let batch = &mut self.delivery.nodes.get(current.node)?.batch;
        let commands = usize::try_from(current.commands).unwrap_or(usize::MAX);
        batch.push(current.start, commands, &current.name, shape);
        (current.begun, current.open, current.commands) = (true, !last, 0);
        Ok(())
    }

    /// Sends a part of the current key.
    fn send_part(&mut self) -> Result<()> {
        let node = self.current.node;
        self.delivery.gave_up_part = false;
        let sent = self.send(node);
        if self.delivery.gave_up_part {
            self.current.open = false;
            self.encoder.drop_key();
        }
        sent?;
        let selects = self.delivery.nodes.selects(self.current.db);
        let batch = &mut self.delivery.nodes.get(node)?.batch;
        batch.begin(self.current.db, selects);
        self.current.start = batch.bytes.len();
        self.tell()
    }

    /// Nothing comes of the current key; what was sent of it is deleted again.
    fn take_back(&mut self) -> Result<()> {
        let current = &mut self.current;
        let batch = &mut self.delivery.nodes.get(current.node)?.batch;
        batch.bytes.truncate(current.start);
        if current.begun {
            batch.push_delete(&current.name);
        }
        current.open = false;
        Ok(())
    }

    fn function(&mut self, function: &Function<'_>) -> Result<()> {
        let outcome = &mut self.delivery.outcome;
        outcome.functions.read += 1;
        let Some(policy) = self.options.functions else {
            outcome.functions.left_out += 1;
            return Ok(());
        };
        if !self.target.version.has_functions() || function.pre_ga.is_some() {
            outcome.functions.lost += 1;
            outcome.losses.add(Loss::Function, 1, 0);
            if self.options.on_loss == OnLoss::Fail {
                let detail = format!("{} has no such function libraries", self.target.version);
                return Err(Error::from_fault(Fault::Loss).with_detail(detail));
            }
            return Ok(());
        }
        if self.options.dry_run {
            let there = self.has_library(function)?;
            let counts = &mut self.delivery.outcome.functions;
            *if there && policy != Conflict::Replace {
                &mut counts.existing
            } else {
                &mut counts.loaded
            } += 1;
            return Ok(());
        }
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD");
        if policy == Conflict::Replace {
            load.arg("REPLACE");
        }
        load.arg(function.code.bytes(&mut self.buf)?);
        self.hear_all()?;
        let mut there = false;
        for node in 0..self.delivery.nodes.count() {
            let connection = &mut self.delivery.nodes.get(node)?.connection;
            if let Err(refusal) = settle(connection.req_command(&load))? {
                let taken = refusal.text.contains("already exists");
                if !taken || policy != Conflict::Skip {
                    return Err(refusal.into_error("FUNCTION LOAD"));
                }
                there = true;
            }
        }
        let counts = &mut self.delivery.outcome.functions;
        *if there { &mut counts.existing } else { &mut counts.loaded } += 1;
        Ok(())
    }

    /// Whether the server has a library of that name.
    fn has_library(&mut self, function: &Function<'_>) -> Result<bool> {
        let Some(name) = library_name(function.code.bytes(&mut self.buf)?) else {
            return Ok(false);
        };
        let mut list = redis::cmd("FUNCTION");
        list.arg("LIST").arg("LIBRARYNAME").arg(name);
        let connection = &mut self.delivery.nodes.get(0)?.connection;
        let answer = settle(connection.req_command(&list))?;
        Ok(answer.ok().and_then(crate::live::reply::list).is_some_and(|found| !found.is_empty()))
    }

    /// Sends what waits everywhere; the answers to the last batch may be still to come.
    fn send_all(&mut self) -> Result<()> {
        (0..self.delivery.nodes.count()).try_for_each(|node| self.send(node))?;
        let Current { db, name, .. } = &self.current;
        let outcome = &mut self.delivery.outcome;
        if !self.options.dry_run && outcome.read > 0 {
            let here = Checkpoint::after(outcome.read, *db, name);
            outcome.checkpoint = match self.delivery.nodes.is_ahead() {
                true => self.ahead.replace(here).or(outcome.checkpoint),
                false => Some(here),
            };
        }
        Ok(())
    }

    /// Hears of all that was sent.
    fn hear_all(&mut self) -> Result<()> {
        if !self.delivery.nodes.is_ahead() {
            return Ok(());
        }
        (0..self.delivery.nodes.count()).try_for_each(|node| self.delivery.hear(node))?;
        let checkpoint = &mut self.delivery.outcome.checkpoint;
        *checkpoint = self.ahead.take().or(*checkpoint);
        Ok(())
    }

    /// Sends what waits for a node.
    fn send(&mut self, node: usize) -> Result<()> {
        let batch = std::mem::take(&mut self.delivery.nodes.get(node)?.batch);
        if batch.is_empty() {
            self.delivery.nodes.get(node)?.batch = batch;
            return Ok(());
        }
        if let Some(mut spent) = self.delivery.post(node, batch)? {
            spent.clear();
            self.delivery.nodes.get(node)?.batch = spent;
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        let outcome = &self.delivery.outcome;
        let progress = RestoreProgress {
            read: outcome.read,
            restored: outcome.restored,
            skipped: outcome.skipped.all(),
            failed: outcome.failed,
            bytes: outcome.bytes,
            checkpoint: outcome.checkpoint,
        };
        match self.watch.as_mut().map(|watch| watch(&progress)) {
            Some(ControlFlow::Break(())) => Err(Error::from_fault(Fault::Cancelled)),
            _ => Ok(()),
        }
    }

    /// Sends what still waits, and gives the account; `done` is how the source came to its end.
    ///
    /// # Errors
    /// None of what stopped it: that is [told](RestoreOutcome::stopped) by the outcome. `Usage`
    /// (`internal`) where the account does not balance, which is an error in this crate.
    pub fn finish(mut self, done: Result<()>) -> Result<RestoreOutcome> {
        if self.stopped.is_none() {
            let sent = match done {
                Ok(()) if self.current.open => Err(Error::from_fault(Fault::EndsInside)),
                Ok(()) => self.send_all(),
                Err(error) => Err(error),
            };
            self.stopped = sent.err().map(|error| Stopped::by(&error));
        }
        // What is on its way is in the account, whatever stopped the rest.
        if let Err(error) = self.hear_all() {
            self.stopped.get_or_insert_with(|| Stopped::by(&error));
        }
        if self.current.open {
            self.delivery.outcome.not_sent += 1;
            // A key of which only a part came is of no use to anybody.
            let Current { db, begun, ref name, .. } = self.current;
            if begun {
                self.delivery.delete(db, name);
            }
        }
        for node in 0..self.delivery.nodes.count() {
            let waits = self.delivery.nodes.get(node)?.batch.untold();
            self.delivery.outcome.not_sent += waits;
        }
        // A server that is gone has no more to tell.
        let evicted = self.delivery.nodes.evicted().ok().flatten().zip(self.evicted);
        let mut outcome = self.delivery.outcome;
        outcome.evicted = evicted.map(|(after, before)| after.saturating_sub(before));
        outcome.losses.merge(&self.encoder.outcome().losses);
        outcome.stopped = self.stopped;
        outcome.balances()?;
        Ok(outcome)
    }

    /// A sink into all masters of a cluster. A key goes to the node that has its slot, and on to another
    /// where it has moved.
    ///
    /// # Errors
    /// As [`Target::ask`]; `Server` where a slot has no master, and `Io` where the way to one fails.
    ///
    /// ```no_run
    /// use redkeep::live::ConnectOptions;
    /// use redkeep::live::cluster::ClusterNodes;
    /// use redkeep::live::restore::{RestoreOptions, RestoreSink};
    /// # struct System;
    /// # impl redkeep::live::Clock for System {
    /// #     fn elapsed(&self) -> std::time::Duration { std::time::Duration::ZERO }
    /// #     fn sleep(&self, time: std::time::Duration) { std::thread::sleep(time) }
    /// # }
    /// let look = ClusterNodes::look(&[ConnectOptions::new("redis://10.0.0.1:7000")])?;
    /// let sink = RestoreSink::cluster(&look, &System, RestoreOptions::default())?;
    /// # drop(sink);
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    pub fn cluster(
        look: &Look,
        clock: &'s dyn Clock,
        options: RestoreOptions,
    ) -> Result<RestoreSink<'s>> {
        let mut nodes = Nodes::cluster(look)?;
        let target = Target::ask(&mut nodes.get(0)?.connection, &options)?;
        Self::with(nodes, target, clock, options)
    }
}

/// What a library calls itself in its first line, as `#!lua name=mylib`.
fn library_name(code: &[u8]) -> Option<&[u8]> {
    let line = code.split(|byte| *byte == b'\n').next()?;
    let words = line.strip_prefix(b"#!")?.split(|byte| byte.is_ascii_whitespace());
    words.into_iter().find_map(|word| word.strip_prefix(b"name="))
}

impl EntrySink for RestoreSink<'_> {
    #[inline]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        RestoreSink::event(self, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_says_its_name_in_its_first_line() {
        let name = |code: &'static str| library_name(code.as_bytes());
        assert_eq!(name("#!lua name=mylib\nreturn 1"), Some(&b"mylib"[..]));
        assert_eq!(name("#!lua  engine=x name=a"), Some(&b"a"[..]));
        assert_eq!(name("lua name=a"), None);
        assert_eq!(name(""), None);
    }
}
