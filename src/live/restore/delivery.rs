//! Batches on their way to the servers, and what becomes of every key in them.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Clock;
use crate::live::reply::{Refusal, settle, unexpected};
use crate::live::restore::ahead::Answers;
use crate::live::restore::batch::{Batch, Sent, Shape, asking, exists};
use crate::live::restore::nodes::{Nodes, run_id};
use crate::live::restore::options::Conflict;
use crate::live::restore::outcome::RestoreOutcome;
use crate::live::restore::verdict::{Verdict, place, verdict};
use redis::Value;
use std::time::Duration;

/// The first and the longest wait before a state that passes is looked at again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// A batch of more bytes than this is not sent while another is on its way.
const AHEAD: usize = 4 << 20;

/// How often a key may be sent on to another node.
const HOPS: u32 = 8;

/// Brings batches to the servers and keeps the account.
pub(super) struct Delivery<'s> {
    pub(super) nodes: Nodes<'s>,
    pub(super) clock: &'s dyn Clock,
    pub(super) conflict: Conflict,
    pub(super) patience: Duration,
    pub(super) dry_run: bool,
    pub(super) outcome: RestoreOutcome,
    /// Whether the key of which a part was in the last batch is of no use any more.
    pub(super) gave_up_part: bool,
}

impl Delivery<'_> {
    /// Sends a batch and hears of the one before it, so that the server is never without work; what
    /// that won't do for is delivered at once. Gives a spent batch back for its room.
    pub(super) fn post(&mut self, node: usize, batch: Batch) -> Result<Option<Batch>> {
        if !self.can_be_ahead(node, &batch)? {
            if let Err(error) = self.hear(node) {
                self.outcome.not_sent += batch.untold();
                return Err(error);
            }
            return self.deliver(node, batch).map(Some);
        }
        let at = self.nodes.get(node)?;
        if at.connection.send(&batch.bytes, &at.run_id).is_err() {
            let before = at.ahead.take();
            return self.recover(node, before.into_iter().chain([batch]).collect());
        }
        match at.ahead.replace(batch) {
            Some(before) => self.hear_of(node, before),
            None => Ok(None),
        }
    }

    fn can_be_ahead(&mut self, node: usize, batch: &Batch) -> Result<bool> {
        let alone = self.nodes.count() == 1 && !self.dry_run;
        let node = self.nodes.get(node)?;
        let simple = batch.sent().iter().all(|sent| !sent.shape.is_plain());
        let selected = batch.ahead() == 0 || node.has(batch.db);
        Ok(alone
            && simple
            && selected
            && batch.bytes.len() <= AHEAD
            && node.connection.sends_ahead())
    }

    /// Hears of the batch that was sent ahead.
    pub(super) fn hear(&mut self, node: usize) -> Result<()> {
        match self.nodes.get(node)?.ahead.take() {
            Some(batch) => self.hear_of(node, batch).map(drop),
            None => Ok(()),
        }
    }

    fn hear_of(&mut self, node: usize, mut batch: Batch) -> Result<Option<Batch>> {
        let at = self.nodes.get(node)?;
        let settled = match at.connection.hear(batch.answers()) {
            Ok(answers) if answers.rest.is_empty() => {
                self.all_done(&batch);
                return Ok(Some(batch));
            }
            Ok(answers) => self.settle_heard(&mut batch, answers),
            Err(error) if error.is_io() => {
                let next = at.ahead.take();
                return self.recover(node, [batch].into_iter().chain(next).collect());
            }
            Err(error) => Err(error),
        };
        match settled {
            Ok(later) if later.is_empty() => Ok(Some(batch)),
            Ok(later) => {
                if let Err(error) = self.hear(node) {
                    self.outcome.not_sent += later.untold();
                    return Err(error);
                }
                self.deliver(node, later).map(Some)
            }
            Err(error) => {
                self.count_rest(&batch, &error);
                // The next one is on its way all the same, and in the account.
                let at = self.nodes.get(node)?;
                if let Some(mut next) = at.ahead.take() {
                    let answers = at.connection.hear(next.answers());
                    let settled = answers.and_then(|answers| self.settle_heard(&mut next, answers));
                    match settled {
                        Ok(later) => self.outcome.not_sent += later.untold(),
                        Err(error) => self.count_rest(&next, &error),
                    }
                }
                Err(error)
            }
        }
    }

    /// Sends batches once more whose answers were lost.
    fn recover(&mut self, node: usize, batches: Vec<Batch>) -> Result<Option<Batch>> {
        let until = self.clock.elapsed().saturating_add(self.patience);
        let mut found = self.find_again(node, until);
        let mut spent = None;
        for batch in batches {
            match &found {
                Ok(()) => {
                    let again = self.again(&batch);
                    match self.deliver(node, again) {
                        Ok(batch) => spent = Some(batch),
                        Err(error) => found = Err(error),
                    }
                }
                Err(_) => self.outcome.unknown += batch.untold(),
            }
        }
        found.map(|()| spent)
    }

    /// The keys of a batch of which nothing is told, after an error.
    fn count_rest(&mut self, batch: &Batch, error: &Error) {
        let unsure = error.is_io() || error.fault() == Some(Fault::ServerReply);
        let outcome = &mut self.outcome;
        *(if unsure { &mut outcome.unknown } else { &mut outcome.not_sent }) += batch.untold();
    }

    /// Delivers a batch, again and again where that helps, and gives it back for its room. On an error
    /// all of its keys are in the account too.
    pub(super) fn deliver(&mut self, node: usize, batch: Batch) -> Result<Batch> {
        self.deliver_within(node, batch, HOPS)
    }

    fn deliver_within(&mut self, node: usize, mut batch: Batch, hops: u32) -> Result<Batch> {
        let until = self.clock.elapsed().saturating_add(self.patience);
        let (mut pause, longest) = PAUSES;
        loop {
            match self.exchange(node, &mut batch, hops) {
                Ok(later) if later.is_empty() => return Ok(batch),
                Ok(later) => batch = later,
                Err(error) if error.is_io() && self.clock.elapsed() < until => {
                    if let Err(error) = self.find_again(node, until) {
                        self.outcome.unknown += batch.untold();
                        return Err(error);
                    }
                    batch = self.again(&batch);
                    continue;
                }
                // Refused before any key was sent.
                Err(error)
                    if error.fault() == Some(Fault::ServerBusy) && self.clock.elapsed() < until => {
                }
                Err(error) => {
                    self.count_rest(&batch, &error);
                    return Err(error);
                }
            }
            if self.clock.elapsed() >= until {
                self.outcome.not_sent += batch.untold();
                let detail = "the target did not become ready while it was waited for";
                return Err(Error::from_fault(Fault::ServerBusy).with_detail(detail));
            }
            self.clock.sleep(pause);
            pause = longest.min(pause * 2);
        }
    }

    /// One exchange with the server; gives what has to be sent again later.
    fn exchange(&mut self, node: usize, batch: &mut Batch, hops: u32) -> Result<Batch> {
        if batch.ahead() > 0
            && let Some(words) = self.nodes.get(node)?.lacks(batch.db)?
        {
            for n in 0..batch.keys() {
                self.fail(batch, n, "database", &words);
            }
            return Ok(batch.like());
        }
        if self.dry_run {
            self.ask_for(node, batch)?;
            return Ok(batch.like());
        }
        let adds = |sent: &Sent| sent.shape.begins_plain() && !sent.resent;
        if self.conflict != Conflict::Replace && batch.sent().iter().any(adds) {
            *batch = self.without_existing(node, batch)?;
        }
        if batch.is_empty() {
            return Ok(batch.like());
        }
        let answers = self.nodes.get(node)?.exchange(&batch.bytes, batch.answers())?;
        self.settle(batch, answers, hops)
    }

    /// Every answer to a batch was `OK`.
    fn all_done(&mut self, batch: &Batch) {
        self.outcome.commands += batch.answers() as u64;
        self.outcome.bytes += batch.bytes.len() as u64;
        for sent in batch.sent() {
            self.count(sent.shape);
        }
    }

    fn settle_heard(&mut self, batch: &mut Batch, answers: Answers) -> Result<Batch> {
        let fine = std::iter::repeat_n(Value::Okay, answers.fine);
        self.settle(batch, fine.chain(answers.rest).collect(), HOPS)
    }

    /// Looks at every answer.
    fn settle(&mut self, batch: &mut Batch, answers: Vec<Value>, hops: u32) -> Result<Batch> {
        self.outcome.commands += answers.len() as u64;
        self.outcome.bytes += batch.bytes.len() as u64;
        let mut answers = answers.into_iter();
        for answer in answers.by_ref().take(batch.ahead()) {
            if let Err(refusal) = settle(Ok(answer))? {
                return Err(not_selected(refusal, answers));
            }
        }
        let (mut later, mut elsewhere, mut stop) = (batch.like(), Vec::new(), None);
        for n in 0..batch.keys() {
            let Some(sent) = batch.sent().get(n) else { break };
            match verdict(answers.by_ref().take(sent.commands))? {
                Verdict::Done => self.done(batch, n),
                Verdict::Later(_) if sent.shape == Shape::Restore => {
                    later.take(batch, sent);
                    batch.told(n);
                }
                Verdict::Later(refusal) => match sent.shape {
                    Shape::Part { .. } => self.refused(batch, n, &refusal),
                    _ => {
                        later.take_again(batch, sent);
                        batch.told(n);
                    }
                },
                Verdict::Moved { slot, address } => elsewhere.push((n, Some(slot), address)),
                Verdict::Ask { address } => elsewhere.push((n, None, address)),
                Verdict::Exists => stop = stop.or(self.exists(batch, n)),
                Verdict::Failed(refusal) => self.refused(batch, n, &refusal),
                Verdict::Stop(refusal) => {
                    self.refused(batch, n, &refusal);
                    stop.get_or_insert_with(|| refusal.into_error("RESTORE"));
                }
            }
        }
        let sent_on = elsewhere
            .into_iter()
            .try_for_each(|(n, slot, address)| self.send_on(batch, n, slot, &address, hops));
        match stop.map_or(sent_on, Err) {
            Ok(()) => Ok(later),
            Err(error) => {
                self.outcome.not_sent += later.untold();
                Err(error)
            }
        }
    }

    /// The key is there.
    fn done(&mut self, batch: &mut Batch, n: usize) {
        let Some(shape) = batch.sent().get(n).map(|sent| sent.shape) else { return };
        batch.told(n);
        self.count(shape);
    }

    fn count(&mut self, shape: Shape) {
        self.outcome.restored += u64::from(shape.settles());
        self.outcome.plain += u64::from(shape.settles() && shape.is_plain());
    }

    /// There is a key of that name; the error, where that is the end of all.
    fn exists(&mut self, batch: &mut Batch, n: usize) -> Option<Error> {
        let sent = batch.sent().get(n)?;
        self.gave_up_part |= matches!(sent.shape, Shape::Part { last: false, .. });
        let skips = self.conflict == Conflict::Skip;
        if sent.resent {
            self.outcome.skipped.in_flight += 1;
        } else if skips {
            self.outcome.skipped.existing += 1;
        } else {
            let message = Fault::KeyExists.to_string();
            self.outcome.fail("exists", batch.db, batch.name(sent), message);
        }
        let stops = !(sent.resent || skips || self.dry_run);
        let error = || Error::from_fault(Fault::KeyExists).in_key(batch.db, batch.name(sent));
        let error = stops.then(error);
        batch.told(n);
        error
    }

    fn refused(&mut self, batch: &mut Batch, n: usize, refusal: &Refusal) {
        self.fail(batch, n, &refusal.code, &refusal.words());
    }

    /// A key failed: no half of it is left there.
    fn fail(&mut self, batch: &mut Batch, n: usize, reason: &str, message: &str) {
        let Some(sent) = batch.sent().get(n).cloned() else { return };
        batch.told(n);
        if sent.shape == Shape::Delete {
            return;
        }
        let mut message = message.to_owned();
        if sent.shape.is_plain() && !self.dry_run && !self.delete(batch.db, batch.name(&sent)) {
            message += " (a part of it may be left there: it could not be deleted again)";
        }
        self.gave_up_part |= matches!(sent.shape, Shape::Part { last: false, .. });
        self.outcome.fail(reason, batch.db, batch.name(&sent), message);
    }

    /// Deletes a key; whether that went well.
    pub(super) fn delete(&mut self, db: u64, name: &[u8]) -> bool {
        let node = self.nodes.of_key(name);
        let mut batch = Batch::default();
        batch.begin(db, self.nodes.selects(db));
        batch.push_delete(name);
        let answers =
            self.nodes.get(node).and_then(|node| node.exchange(&batch.bytes, batch.answers()));
        let fine = |answer| settle(Ok(answer)).is_ok_and(|answer| answer.is_ok());
        answers.is_ok_and(|answers| answers.into_iter().all(fine))
    }

    /// The batch without keys in plain commands that are there already: those would be added to.
    fn without_existing(&mut self, node: usize, batch: &mut Batch) -> Result<Batch> {
        let asked = |sent: &&Sent| sent.shape.begins_plain() && !sent.resent;
        let names = batch.sent().iter().filter(asked).map(|sent| batch.name(sent));
        let mut there = self.existing(node, batch, names)?.into_iter();
        let mut left = batch.like();
        for n in 0..batch.keys() {
            let Some(sent) = batch.sent().get(n) else { break };
            if asked(&sent) && there.next() == Some(true) {
                if let Some(error) = self.exists(batch, n) {
                    return Err(error);
                }
            } else {
                left.take(batch, sent);
            }
        }
        Ok(left)
    }

    /// Only asks which keys are there.
    fn ask_for(&mut self, node: usize, batch: &mut Batch) -> Result<()> {
        self.outcome.bytes += batch.bytes.len() as u64;
        self.outcome.commands += batch.answers() as u64;
        let settles = |sent: &&Sent| sent.shape.settles();
        let names = batch.sent().iter().filter(settles).map(|sent| batch.name(sent));
        let mut there = match self.conflict {
            Conflict::Replace => Vec::new(),
            _ => self.existing(node, batch, names)?,
        }
        .into_iter();
        for n in 0..batch.keys() {
            let asked = batch.sent().get(n).is_some_and(|sent| sent.shape.settles());
            if asked && there.next() == Some(true) {
                self.exists(batch, n);
            } else {
                self.done(batch, n);
            }
        }
        Ok(())
    }

    /// Whether each of these keys is there.
    fn existing<'n>(
        &mut self,
        node: usize,
        batch: &Batch,
        names: impl Iterator<Item = &'n [u8]>,
    ) -> Result<Vec<bool>> {
        let (mut question, names) = (batch.like(), names.collect::<Vec<_>>());
        let count = question.ahead() + exists(names.iter().copied(), &mut question.bytes);
        let answers = self.nodes.get(node)?.exchange(&question.bytes, count)?;
        let mut there = Vec::with_capacity(count);
        for (n, answer) in answers.into_iter().enumerate() {
            let Some(n) = n.checked_sub(question.ahead()) else { continue };
            let found = match settle(Ok(answer))? {
                Ok(answer) => answer != Value::Int(0),
                Err(refusal) if matches!(refusal.code.as_str(), "ASK" | "MOVED") => {
                    self.exists_elsewhere(names.get(n).copied().unwrap_or_default(), &refusal)?
                }
                Err(refusal) => return Err(refusal.into_error("EXISTS")),
            };
            there.push(found);
        }
        Ok(there)
    }

    /// Whether a key is there, asked of the node that another one named.
    fn exists_elsewhere(&mut self, name: &[u8], refusal: &Refusal) -> Result<bool> {
        let (_, address) = place(&refusal.text).ok_or_else(|| unexpected("EXISTS"))?;
        let mut question = Vec::new();
        exists([name].into_iter(), &mut question);
        // Where a slot is not on its way, being asked so is no harm.
        let (question, count) = asking(&question)?;
        let node = self.nodes.at(&address)?;
        let answer = self.nodes.get(node)?.exchange(&question, count)?.pop();
        let answer = settle(Ok(answer.ok_or_else(|| unexpected("EXISTS"))?))?;
        answer.map(|answer| answer != Value::Int(0)).map_err(|refusal| refusal.into_error("EXISTS"))
    }

    /// Waits until the server can be reached again, and makes sure that it is still the same run.
    fn find_again(&mut self, node: usize, until: Duration) -> Result<()> {
        let (mut pause, longest) = PAUSES;
        loop {
            let node = self.nodes.get(node)?;
            match run_id(&mut node.connection) {
                Ok(id) if id == node.run_id => return Ok(()),
                Ok(_) => {
                    self.outcome.checkpoint = None;
                    let detail = "what was restored before may be gone: begin anew";
                    return Err(Error::from_fault(Fault::ServerRestarted).with_detail(detail));
                }
                Err(error) if !(error.is_io() || error.is_retryable()) => return Err(error),
                Err(error) if self.clock.elapsed() >= until => return Err(error),
                Err(_) => self.clock.sleep(pause),
            }
            pause = longest.min(pause * 2);
        }
    }

    /// The batch once more, after a connection was lost: any of it may have been carried out. A key in
    /// several parts cannot be made good.
    fn again(&mut self, batch: &Batch) -> Batch {
        let mut again = batch.like();
        for sent in batch.sent().iter().filter(|sent| !sent.told) {
            match sent.shape {
                Shape::Part { last, .. } => {
                    let left = if self.delete(batch.db, batch.name(sent)) {
                        ""
                    } else {
                        ", and a part of it may be left there"
                    };
                    let message = format!("the connection was lost inside of it{left}");
                    self.outcome.fail("connection_lost", batch.db, batch.name(sent), message);
                    self.gave_up_part |= !last;
                }
                _ => again.take_again(batch, sent),
            }
        }
        again
    }

    /// Sends a key on to the node that has it: for good, where its slot has moved.
    fn send_on(
        &mut self,
        batch: &mut Batch,
        n: usize,
        slot: Option<u16>,
        to: &str,
        hops: u32,
    ) -> Result<()> {
        let Some(sent) = batch.sent().get(n).cloned() else { return Ok(()) };
        let Some(hops) = hops.checked_sub(1) else {
            self.fail(batch, n, "moved", "the nodes of the cluster send it on and on");
            return Ok(());
        };
        let node = self.nodes.at(to)?;
        if let Some(slot) = slot {
            self.nodes.moved(slot, node);
            let mut moved = batch.like();
            moved.take(batch, &sent);
            batch.told(n);
            return self.deliver_within(node, moved, hops).map(drop);
        }
        let (commands, count) = asking(batch.commands_of(&sent))?;
        let answers = self.nodes.get(node)?.exchange(&commands, count)?;
        // Every second one is about the announcement.
        match verdict(answers.into_iter().skip(1).step_by(2))? {
            Verdict::Done => self.done(batch, n),
            Verdict::Exists => return self.exists(batch, n).map_or(Ok(()), Err),
            Verdict::Failed(refusal) | Verdict::Later(refusal) => self.refused(batch, n, &refusal),
            Verdict::Stop(refusal) => {
                self.refused(batch, n, &refusal);
                return Err(refusal.into_error("RESTORE"));
            }
            // The slot has come to its new owner meanwhile, or gone on.
            Verdict::Moved { slot, address } => {
                return self.send_on(batch, n, Some(slot), &address, hops);
            }
            Verdict::Ask { address } => return self.send_on(batch, n, None, &address, hops),
        }
        Ok(())
    }
}

/// The error of a batch whose database was not selected. Where one of its commands was carried out all
/// the same, that was in whatever database there was.
fn not_selected(refusal: Refusal, answers: impl Iterator<Item = Value>) -> Error {
    let error = refusal.into_error("SELECT");
    let done = answers.into_iter().any(|answer| !matches!(answer, Value::ServerError(_)));
    if !done {
        return error;
    }
    let detail = format!("keys may be in a wrong database: {error}");
    Error::from_fault(Fault::ServerReply).with_detail(detail)
}
