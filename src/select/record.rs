//! Which records of a log.

use crate::aof::{CommandSpec, Record, RecordKind};
use crate::select::key::{KeyPattern, KeySet};

/// What a [`RecordFilter`] is made of: all that is given must hold, and values of one kind are
/// alternatives.
///
/// ```
/// use redkeep::select::{KeyPattern, RecordFilter, RecordFilterOptions};
/// let options = RecordFilterOptions::default()
///     .keys([KeyPattern::prefix("user:")])
///     .commands(["DEL", "UNLINK"])
///     .since(1_795_159_679);
/// assert!(!RecordFilter::new(options).is_empty());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecordFilterOptions {
    /// Commands with one of these keys among their arguments. Default: any, or none at all.
    pub keys: Option<Vec<KeyPattern>>,
    /// Commands of these names, in any case; a container's with its subcommand or without. Default:
    /// any.
    pub commands: Option<Vec<String>>,
    /// Commands on these databases. Default: any.
    pub dbs: Option<Vec<u64>>,
    /// Records of this second since 1970 and later. Default: all.
    pub since: Option<i64>,
    /// Records of this second and earlier. Default: all.
    pub until: Option<i64>,
    /// Records that begin at this offset of their file or behind it. Default: all.
    pub from_offset: Option<u64>,
    /// Records that begin before this offset of their file. Default: all.
    pub to_offset: Option<u64>,
}

impl RecordFilterOptions {
    /// Sets [`keys`](Self::keys).
    #[must_use]
    pub fn keys(mut self, patterns: impl IntoIterator<Item = KeyPattern>) -> Self {
        self.keys = Some(patterns.into_iter().collect());
        self
    }

    /// Sets [`commands`](Self::commands).
    #[must_use]
    pub fn commands(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.commands = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets [`dbs`](Self::dbs).
    #[must_use]
    pub fn dbs(mut self, indexes: impl IntoIterator<Item = u64>) -> Self {
        self.dbs = Some(indexes.into_iter().collect());
        self
    }

    /// Sets [`since`](Self::since).
    #[must_use]
    pub fn since(mut self, seconds: i64) -> Self {
        self.since = Some(seconds);
        self
    }

    /// Sets [`until`](Self::until).
    #[must_use]
    pub fn until(mut self, seconds: i64) -> Self {
        self.until = Some(seconds);
        self
    }

    /// Sets [`from_offset`](Self::from_offset).
    #[must_use]
    pub fn from_offset(mut self, offset: u64) -> Self {
        self.from_offset = Some(offset);
        self
    }

    /// Sets [`to_offset`](Self::to_offset).
    #[must_use]
    pub fn to_offset(mut self, offset: u64) -> Self {
        self.to_offset = Some(offset);
        self
    }
}

/// What a [`RecordFilter`] says of a record.
///
/// ```
/// use redkeep::select::RecordDecision;
/// assert_ne!(RecordDecision::Keep, RecordDecision::Untimed);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordDecision {
    /// It is meant.
    Keep,
    /// It is not.
    Reject,
    /// It is one that is not known here, so that nobody can tell its keys, and keys were asked for.
    UnknownKeys,
    /// When it was written is not known, and a time was asked for.
    Untimed,
}

/// Decides which records of a log are meant.
///
/// Commands that concern keys they do not name, as FLUSHALL or SWAPDB, have none; nor have MULTI and
/// EXEC, so what is kept of a transaction by its keys comes without them.
///
/// ```
/// use redkeep::aof::SliceReader;
/// use redkeep::select::{KeyPattern, RecordDecision, RecordFilter, RecordFilterOptions};
/// let keys = [KeyPattern::exact("b")];
/// let filter = RecordFilter::new(RecordFilterOptions::default().keys(keys));
/// let log = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n$6\r\nRENAME\r\n$1\r\na\r\n$1\r\nb\r\n";
/// let records = SliceReader::new(log).map(|record| filter.matches(&record.unwrap(), None));
/// assert_eq!(records.collect::<Vec<_>>(), [RecordDecision::Reject, RecordDecision::Keep]);
/// ```
#[derive(Debug, Clone)]
pub struct RecordFilter {
    keys: Option<KeySet>,
    options: RecordFilterOptions,
}

impl RecordFilter {
    /// A filter of these conditions.
    #[must_use]
    pub fn new(mut options: RecordFilterOptions) -> RecordFilter {
        RecordFilter { keys: options.keys.take().map(KeySet::new), options }
    }

    /// Whether it keeps everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let RecordFilterOptions { commands, dbs, since, until, from_offset, to_offset, .. } =
            &self.options;
        self.keys.is_none()
            && commands.is_none()
            && dbs.is_none()
            && since.is_none()
            && until.is_none()
            && from_offset.is_none()
            && to_offset.is_none()
    }

    /// Whether a record is meant. `time` is its second since 1970, where that is known: a file goes
    /// on in the second that the one before it ended in, so this may be more than
    /// [`Record::timestamp`] knows.
    ///
    /// Annotations and the parts of an RDB have neither name, key nor database.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>, time: Option<i64>) -> RecordDecision {
        let options = &self.options;
        if options.from_offset.is_some_and(|from| record.offset < from)
            || options.to_offset.is_some_and(|to| record.offset >= to)
        {
            return RecordDecision::Reject;
        }
        if options.dbs.is_some() || options.commands.is_some() || self.keys.is_some() {
            let decision = self.command(record);
            if decision != RecordDecision::Keep {
                return decision;
            }
        }
        match time {
            None if options.since.is_some() || options.until.is_some() => RecordDecision::Untimed,
            Some(time)
                if options.since.is_some_and(|since| time < since)
                    || options.until.is_some_and(|until| time > until) =>
            {
                RecordDecision::Reject
            }
            _ => RecordDecision::Keep,
        }
    }

    fn command(&self, record: &Record<'_>) -> RecordDecision {
        let RecordKind::Command(command) = record.kind else { return RecordDecision::Reject };
        if self.options.dbs.as_ref().is_some_and(|dbs| !dbs.contains(&record.db)) {
            return RecordDecision::Reject;
        }
        let spec = CommandSpec::of(&command);
        if let Some(names) = &self.options.commands {
            let full = spec.map(CommandSpec::name).unwrap_or_default();
            let is = |name: &String| command.is(name) || full.eq_ignore_ascii_case(name);
            if !names.iter().any(is) {
                return RecordDecision::Reject;
            }
        }
        match (&self.keys, spec) {
            (None, _) => RecordDecision::Keep,
            (Some(_), None) => RecordDecision::UnknownKeys,
            (Some(keys), Some(spec)) => match spec.keys(command).any(|key| keys.has(key)) {
                true => RecordDecision::Keep,
                false => RecordDecision::Reject,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::SliceReader;

    /// The numbers of the records of a log that are kept, and of those nothing can be said of.
    fn kept(options: RecordFilterOptions) -> (Vec<u64>, Vec<u64>) {
        let mut log = Vec::new();
        for line in ["SET a 1", "#TS:5", "select 3", "xgroup CREATE a g 0", "#TS:7", "JSON.SET a"] {
            match line.strip_prefix('#') {
                Some(text) => crate::aof::write_annotation(text.as_bytes(), &mut log).unwrap(),
                None => {
                    let words: Vec<_> = line.split(' ').collect();
                    crate::aof::write_command(&words, &mut log).unwrap();
                }
            }
        }
        let filter = RecordFilter::new(options);
        let (mut kept, mut open) = (Vec::new(), Vec::new());
        for record in SliceReader::new(&log) {
            let record = record.unwrap();
            match filter.matches(&record, record.timestamp) {
                RecordDecision::Keep => kept.push(record.number),
                RecordDecision::Reject => {}
                _ => open.push(record.number),
            }
        }
        (kept, open)
    }

    #[test]
    fn every_kind_of_condition_has_to_hold() {
        let options = RecordFilterOptions::default;
        assert!(RecordFilter::new(options()).is_empty());
        assert_eq!(kept(options()), (vec![0, 1, 2, 3, 4, 5], vec![]));
        assert_eq!(kept(options().keys([KeyPattern::exact("a")])), (vec![0, 3], vec![5]));
        assert_eq!(kept(options().keys([])), (vec![], vec![5]));
        assert_eq!(kept(options().commands(["SELECT", "xgroup create"])), (vec![2, 3], vec![]));
        assert_eq!(kept(options().commands(["XGROUP"])), (vec![3], vec![]));
        assert_eq!(kept(options().dbs([0])), (vec![0], vec![]));
        assert_eq!(kept(options().dbs([3])), (vec![2, 3, 5], vec![]));
        assert_eq!(kept(options().since(6)), (vec![4, 5], vec![0]));
        assert_eq!(kept(options().since(5).until(5)), (vec![1, 2, 3], vec![0]));
        // The second record begins at 27, the third at 34.
        assert_eq!(kept(options().from_offset(27).to_offset(34)), (vec![1], vec![]));
        assert_eq!(kept(options().from_offset(28).to_offset(35)), (vec![2], vec![]));
        let both = options().keys([KeyPattern::exact("a")]).dbs([3]).until(6);
        assert_eq!(kept(both), (vec![3], vec![5]));
    }
}
