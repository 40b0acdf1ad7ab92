//! Commands that are sent together, and whose they are.

use crate::aof::frame;
use crate::error::Result;
use std::ops::Range;

/// Room that is kept from one batch to the next.
const KEPT: usize = 4 << 20;

/// A key's commands in a batch.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    name: Range<usize>,
    /// Where they lie in the bytes.
    place: Range<usize>,
    pub(super) commands: usize,
    pub(super) shape: Shape,
    /// Whether they may have been carried out before.
    pub(super) resent: bool,
    /// Whether it is told what became of them.
    pub(super) told: bool,
}

/// What the commands do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One RESTORE.
    Restore,
    /// Plain commands, all that there are.
    Plain,
    /// Some of those; more were sent before, or come after.
    Part { first: bool, last: bool },
    /// A deletion of what is not to be there. No key of the source is settled by it.
    Delete,
}

impl Shape {
    /// Whether a key of the source is settled by its answers.
    pub(super) fn settles(self) -> bool {
        match self {
            Shape::Restore | Shape::Plain => true,
            Shape::Part { last, .. } => last,
            Shape::Delete => false,
        }
    }

    pub(super) fn is_plain(self) -> bool {
        matches!(self, Shape::Plain | Shape::Part { .. })
    }

    /// Whether it is the beginning of a key in plain commands, which add to what is there.
    pub(super) fn begins_plain(self) -> bool {
        matches!(self, Shape::Plain | Shape::Part { first: true, .. })
    }
}

/// Commands for one database of one server.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) db: u64,
    pub(super) bytes: Vec<u8>,
    names: Vec<u8>,
    sent: Vec<Sent>,
    /// Commands that stand in front of all keys.
    ahead: usize,
}

impl Batch {
    /// Empties it.
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.sent.clear();
        self.bytes.clear();
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Empties it for keys of a database, which it selects first unless there is only one.
    pub(super) fn begin(&mut self, db: u64, selects: bool) {
        self.clear();
        self.db = db;
        self.ahead = usize::from(selects);
        if selects {
            frame::command(&[&b"SELECT"[..], db.to_string().as_bytes()], &mut self.bytes);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    pub(super) fn keys(&self) -> usize {
        self.sent.len()
    }

    pub(super) fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// It is told what became of this one, or another batch has taken it over.
    pub(super) fn told(&mut self, n: usize) {
        if let Some(sent) = self.sent.get_mut(n) {
            sent.told = true;
        }
    }

    /// Keys of the source of which nothing is told yet.
    pub(super) fn untold(&self) -> u64 {
        self.sent.iter().filter(|sent| sent.shape.settles() && !sent.told).count() as u64
    }

    pub(super) fn name(&self, sent: &Sent) -> &[u8] {
        self.names.get(sent.name.clone()).unwrap_or_default()
    }

    pub(super) fn commands_of(&self, sent: &Sent) -> &[u8] {
        self.bytes.get(sent.place.clone()).unwrap_or_default()
    }

    /// How many answers it gets.
    pub(super) fn answers(&self) -> usize {
        self.ahead + self.sent.iter().map(|sent| sent.commands).sum::<usize>()
    }

    /// How many of them come before those of the keys.
    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    /// Takes the bytes from `start` on as so many commands of a key.
    pub(super) fn push(&mut self, start: usize, commands: usize, name: &[u8], shape: Shape) {
        let at = self.names.len();
        self.names.extend_from_slice(name);
        let (name, place) = (at..self.names.len(), start..self.bytes.len());
        self.sent.push(Sent { name, place, commands, shape, resent: false, told: false });
    }

    pub(super) fn push_delete(&mut self, name: &[u8]) {
        let start = self.bytes.len();
        delete(name, &mut self.bytes);
        self.push(start, 1, name, Shape::Delete);
    }

    /// Takes over a key of another batch.
    pub(super) fn take(&mut self, from: &Batch, sent: &Sent) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(from.commands_of(sent));
        self.push(start, sent.commands, from.name(sent), sent.shape);
        if let Some(last) = self.sent.last_mut() {
            last.resent = sent.resent;
        }
    }

    /// Takes a key whose commands may have been carried out: what they added is taken away first.
    pub(super) fn take_again(&mut self, from: &Batch, sent: &Sent) {
        let start = self.bytes.len();
        let cleans = sent.shape.begins_plain();
        if cleans {
            delete(from.name(sent), &mut self.bytes);
        }
        self.bytes.extend_from_slice(from.commands_of(sent));
        self.push(start, sent.commands + usize::from(cleans), from.name(sent), sent.shape);
        if let Some(last) = self.sent.last_mut() {
            last.resent = true;
        }
    }

    /// A batch of the same database, still empty.
    pub(super) fn like(&self) -> Batch {
        let mut batch = Batch::default();
        batch.begin(self.db, self.ahead > 0);
        batch
    }
}

fn delete(name: &[u8], to: &mut Vec<u8>) {
    frame::command(&[&b"DEL"[..], name], to);
}

/// Questions whether keys are there, one command each.
pub(super) fn exists<'n>(names: impl Iterator<Item = &'n [u8]>, to: &mut Vec<u8>) -> usize {
    let mut count = 0;
    for name in names {
        frame::command(&[&b"EXISTS"[..], name], to);
        count += 1;
    }
    count
}

/// The same commands, each allowed at a node that only imports its slot.
pub(super) fn asking(commands: &[u8]) -> Result<(Vec<u8>, usize)> {
    let (mut bytes, mut count) = (Vec::with_capacity(commands.len() + 64), 0);
    for record in crate::aof::SliceReader::new(commands) {
        frame::command(&[b"ASKING"], &mut bytes);
        bytes.extend_from_slice(record?.raw());
        count += 2;
    }
    Ok((bytes, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_sent_again_begins_with_its_deletion_where_its_commands_add() {
        let mut batch = Batch::default();
        batch.begin(3, true);
        for (name, shape) in [(b"a", Shape::Restore), (b"b", Shape::Plain)] {
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
            batch.push(start, 1, name, shape);
        }
        assert_eq!((batch.answers(), batch.ahead(), batch.keys()), (3, 1, 2));
        let mut again = batch.like();
        batch.sent().iter().for_each(|sent| again.take_again(&batch, sent));
        assert_eq!(again.answers(), 4);
        assert_eq!(again.commands_of(&again.sent()[0]), b"*1\r\n$4\r\nPING\r\n");
        assert!(again.commands_of(&again.sent()[1]).starts_with(b"*2\r\n$3\r\nDEL\r\n$1\r\nb\r\n"));
        assert!(again.sent().iter().all(|sent| sent.resent));
    }

    #[test]
    fn each_command_is_announced_to_an_importing_node() {
        let (bytes, count) = asking(b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n").unwrap();
        assert_eq!(count, 4);
        assert_eq!(bytes.windows(6).filter(|window| window == b"ASKING").count(), 2);
    }
}
