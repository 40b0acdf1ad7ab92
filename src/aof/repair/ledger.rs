//! What stays and what goes, record by record, so that no half of a transaction stays.
//!
//! A gap may have taken a MULTI or an EXEC with it. What follows tells: an EXEC that none opened
//! ends a transaction whose beginning is lost, and a MULTI, or the end of the file, says that the
//! one before had ended in the gap.

use crate::aof::repair::plan::{Doubt, Loss, LossCause, Neighbour, Piece, Tally};
use crate::error::printable;

/// What a record is to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Multi,
    Exec,
    Select,
    Other,
    /// An annotation, or the RDB in front.
    Silent,
}

/// Ranges that share a fate.
#[derive(Debug, Default)]
struct Part {
    pieces: Vec<Piece>,
    commands: u64,
    /// The last SELECT in it.
    select: Option<Piece>,
}

impl Part {
    fn push(&mut self, from: u64, to: u64, commands: u64) {
        self.commands += commands;
        match self.pieces.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ if from == to => {}
            _ => self.pieces.push(Piece { from, to }),
        }
    }

    fn add(&mut self, role: Role, from: u64, to: u64, commands: u64) {
        self.push(from, to, commands);
        if role == Role::Select {
            self.select = Some(Piece { from, to });
        }
    }

    fn append(&mut self, other: Part) {
        for piece in other.pieces {
            self.push(piece.from, piece.to, 0);
        }
        self.commands += other.commands;
    }
}

#[derive(Debug)]
enum State {
    Outside,
    /// Since a MULTI.
    Inside(Part),
    /// Behind a gap: the transaction that was open before it, and what came since.
    Behind {
        open: Option<Part>,
        since: Part,
    },
}

#[derive(Debug)]
pub(crate) struct Ledger {
    kept: Part,
    state: State,
    losses: Vec<Loss>,
    /// The last command, shortened.
    last: Option<(u64, [u8; 24], usize)>,
    /// A loss that waits for its neighbour behind.
    waiting: bool,
    /// The loss that put the database in doubt.
    doubted: Option<usize>,
}

impl Ledger {
    pub(crate) fn new() -> Ledger {
        Ledger {
            kept: Part::default(),
            state: State::Outside,
            losses: Vec::new(),
            last: None,
            waiting: false,
            doubted: None,
        }
    }

    /// The end of the file before this one is lost, and a transaction may have begun in it.
    pub(crate) fn behind_loss(mut self) -> Ledger {
        self.state = State::Behind { open: None, since: Part::default() };
        self
    }

    /// A sound record; `name` is that of a command.
    pub(crate) fn record(&mut self, role: Role, from: u64, to: u64, name: &[u8]) {
        let commands = u64::from(role != Role::Silent);
        if commands > 0 {
            self.neighbour(role, from, name);
        }
        self.state = match (std::mem::replace(&mut self.state, State::Outside), role) {
            (State::Outside, Role::Multi) => State::Inside(Self::one(from, to)),
            (State::Outside, _) => {
                self.kept.push(from, to, commands);
                State::Outside
            }
            (State::Inside(mut part), Role::Exec) => {
                part.push(from, to, commands);
                self.kept.append(part);
                State::Outside
            }
            (State::Inside(mut part), _) => {
                part.add(role, from, to, commands);
                State::Inside(part)
            }
            (State::Behind { open, mut since }, Role::Exec) => {
                since.push(from, to, commands);
                self.half(open.unwrap_or_default());
                self.half(since);
                State::Outside
            }
            (State::Behind { open, since }, Role::Multi) => {
                self.half(open.unwrap_or_default());
                self.kept.append(since);
                State::Inside(Self::one(from, to))
            }
            (State::Behind { open, mut since }, _) => {
                since.add(role, from, to, commands);
                State::Behind { open, since }
            }
        };
    }

    fn one(from: u64, to: u64) -> Part {
        let mut part = Part::default();
        part.push(from, to, 1);
        part
    }

    /// What of a transaction is left, and must not be. The database that it chose stays chosen:
    /// what follows counts on that.
    fn half(&mut self, mut part: Part) {
        if let Some(Piece { from, to }) = part.select.take() {
            self.kept.push(from, to, 1);
            part.commands = part.commands.saturating_sub(1);
            let around = |piece: Piece| {
                let before = Piece { from: piece.from, to: piece.to.min(from) };
                let behind = Piece { from: piece.from.max(to), to: piece.to };
                [before, behind].into_iter().filter(|piece| piece.from < piece.to)
            };
            part.pieces = part.pieces.into_iter().flat_map(around).collect();
        }
        self.drop(part, LossCause::HalfTransaction);
    }

    fn drop(&mut self, part: Part, cause: LossCause) {
        let mut commands = part.commands;
        for piece in part.pieces {
            // The first one bears the count of all.
            let commands = std::mem::take(&mut commands);
            self.losses.push(Loss { commands, ..Loss::new(piece.from, piece.to, cause) });
        }
    }

    fn neighbour(&mut self, role: Role, from: u64, name: &[u8]) {
        if std::mem::take(&mut self.waiting)
            && let Some(loss) = self.losses.last_mut()
        {
            loss.after = Some(Neighbour { offset: from, name: printable(name) });
        }
        if let Some(place) = self.doubted {
            match (role, self.losses.get_mut(place)) {
                (Role::Select, _) | (_, None) => self.doubted = None,
                (_, Some(loss)) => loss.unsure_db += 1,
            }
        }
        let mut short = [0; 24];
        let len = name.len().min(short.len());
        if let (Some(into), Some(from)) = (short.get_mut(..len), name.get(..len)) {
            into.copy_from_slice(from);
        }
        self.last = Some((from, short, len));
    }

    fn before(&self) -> Option<Neighbour> {
        let (offset, name, len) = self.last?;
        Some(Neighbour { offset, name: printable(name.get(..len).unwrap_or_default()) })
    }

    /// A range that goes, with sound records to come.
    pub(crate) fn gap(&mut self, loss: Loss) {
        if loss.select > Doubt::No {
            self.doubted = Some(self.losses.len());
        }
        self.state = match std::mem::replace(&mut self.state, State::Outside) {
            State::Outside => State::Behind { open: None, since: Part::default() },
            State::Inside(part) => State::Behind { open: Some(part), since: Part::default() },
            State::Behind { open: None, since } => {
                self.kept.append(since);
                State::Behind { open: None, since: Part::default() }
            }
            behind => behind,
        };
        let before = self.before();
        self.losses.push(Loss { before, ..loss });
        self.waiting = true;
    }

    /// The end of the records; `tail` is what goes behind the last one.
    ///
    /// A transaction that is open then goes with it.
    pub(crate) fn finish(mut self, tail: Option<Loss>) -> (Vec<Piece>, Tally, Vec<Loss>) {
        let cut = tail.as_ref().is_some_and(|tail| tail.cause == LossCause::Cut);
        let cause = if cut { LossCause::Cut } else { LossCause::OpenMulti };
        match std::mem::replace(&mut self.state, State::Outside) {
            State::Outside => {}
            State::Inside(part) => {
                self.drop(part, cause);
            }
            State::Behind { open, since } => {
                self.half(open.unwrap_or_default());
                self.kept.append(since);
            }
        }
        if let Some(tail) = tail {
            let before = self.before();
            self.losses.push(Loss { before, ..tail });
        }
        let Part { pieces, commands, .. } = self.kept;
        let bytes = pieces.iter().map(|piece| piece.to - piece.from).sum();
        self.losses.sort_by_key(|loss| loss.from);
        (pieces, Tally::new(bytes, commands), self.losses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Exec, Multi, Other, Select};

    /// Ten bytes a record; `None` is a gap. What stays, and the commands that go beside the gaps.
    fn run(records: &[Option<Role>]) -> (Vec<u64>, u64) {
        let mut ledger = Ledger::new();
        let mut at = 0;
        for record in records {
            match record {
                Some(role) => ledger.record(*role, at, at + 10, b"x"),
                None => ledger.gap(Loss::new(at, at + 10, LossCause::Damage)),
            }
            at += 10;
        }
        let (pieces, kept, losses) = ledger.finish(None);
        let places: Vec<_> = pieces
            .iter()
            .flat_map(|piece| (piece.from..piece.to).step_by(10))
            .map(|at| at / 10)
            .collect();
        assert_eq!(kept, Tally::new(places.len() as u64 * 10, places.len() as u64));
        let lost = losses.iter().map(|loss| loss.to - loss.from).sum::<u64>();
        assert_eq!(lost + kept.bytes, at);
        assert!(losses.is_sorted_by_key(|loss| loss.from));
        (places, losses.iter().map(|loss| loss.commands).sum())
    }

    #[test]
    fn what_is_whole_stays_and_an_open_transaction_goes() {
        assert_eq!(
            run(&[Some(Other), Some(Multi), Some(Other), Some(Exec)]),
            (vec![0, 1, 2, 3], 0)
        );
        assert_eq!(run(&[Some(Other), Some(Multi), Some(Other)]), (vec![0], 2));
        assert_eq!(run(&[Some(Exec), Some(Other)]), (vec![0, 1], 0));
    }

    #[test]
    fn a_gap_takes_itself_or_the_whole_transaction_it_is_in() {
        assert_eq!(run(&[Some(Other), None, Some(Other)]), (vec![0, 2], 0));
        let inside = [Some(Multi), Some(Other), None, Some(Other), Some(Exec), Some(Other)];
        assert_eq!(run(&inside), (vec![5], 4));
        let first = [Some(Other), None, Some(Other), Some(Exec), Some(Other)];
        assert_eq!(run(&first), (vec![0, 4], 2));
        let last = [Some(Multi), Some(Other), None, Some(Other), Some(Multi), Some(Exec)];
        assert_eq!(run(&last), (vec![3, 4, 5], 2));
        assert_eq!(run(&[Some(Multi), None, Some(Other)]), (vec![2], 1));
        assert_eq!(run(&[None, Some(Other), None, Some(Exec)]), (vec![1], 1));
    }

    #[test]
    fn the_last_database_that_a_lost_transaction_chose_stays_chosen() {
        let lost = [Some(Multi), Some(Select), Some(Select), Some(Other), None, Some(Exec)];
        assert_eq!(run(&lost), (vec![2], 4));
        let behind = [None, Some(Select), Some(Other), Some(Exec), Some(Other)];
        assert_eq!(run(&behind), (vec![1, 4], 2));
    }
}
