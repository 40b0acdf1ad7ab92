//! The node of a stream: a listpack that holds entries relative to a master entry.
//!
//! ```text
//! master   count deleted nfields field*nfields 0
//! entry    flags ms-diff seq-diff [nfields] (field value | value)*  lp-count
//! flags    1 deleted   2 same fields as the master: only values follow
//! ```

use crate::error::{Error, Fault, Result};
use crate::rdb::element::{Element, StreamId, Visit};
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::{Origin, Scalar};

const DELETED: i64 = 1;
pub(crate) const SAME_FIELDS: i64 = 2;
/// A visit has so many of the master's names at hand; more are read again for each entry.
const CACHED: usize = 8;

/// The entries of a stream node as elements: the node, then each entry and its fields. Fused.
#[derive(Debug, Clone)]
pub struct StreamNode<'a> {
    list: Listpack<'a>,
    master: StreamId,
    live: u64,
    deleted: u64,
    /// The master's field names, and how many.
    names: Listpack<'a>,
    name_count: u64,
    state: State<'a>,
    /// Stream entries still to come.
    entries: u64,
    /// Listpack entries passed.
    passed: u64,
}

#[derive(Debug, Clone)]
enum State<'a> {
    Start,
    Between,
    Inside(Fields<'a>),
    Done,
}

/// The fields of one entry, still to come.
#[derive(Debug, Clone)]
struct Fields<'a> {
    left: u64,
    /// Names from the master, where they are shared.
    shared: Option<Listpack<'a>>,
    /// What the entry's own count of its listpack entries has to be.
    count: u64,
}

impl<'a> StreamNode<'a> {
    /// Opens the node with this master ID; `origin` is where the listpack lies.
    ///
    /// # Errors
    /// `Corrupt` when the listpack's header or the master entry is malformed.
    pub fn new(master: StreamId, blob: &'a [u8], origin: Origin) -> Result<Self> {
        let mut list = Listpack::new(blob, origin)?;
        let [live, deleted, name_count] =
            [natural(&mut list)?, natural(&mut list)?, natural(&mut list)?];
        let names = list.clone();
        for _ in 0..name_count {
            scalar(&mut list)?;
        }
        let end = natural(&mut list)?;
        let entries = live.checked_add(deleted).filter(|_| end == 0);
        let entries = entries.ok_or_else(|| list.fault(Fault::StreamNode))?;
        Ok(StreamNode {
            list,
            master,
            live,
            deleted,
            names,
            name_count,
            state: State::Start,
            entries,
            passed: name_count.saturating_add(4),
        })
    }

    fn head(&self) -> Element<'static> {
        Element::StreamNode { master: self.master, live: self.live, deleted: self.deleted }
    }

    #[cold]
    fn bad(&self) -> Error {
        self.list.fault(Fault::StreamNode)
    }

    /// The head of the next entry, or `None` after the last.
    #[inline(always)]
    fn entry(&mut self) -> Result<Option<(StreamId, bool, Fields<'a>)>> {
        if self.entries == 0 {
            return match self.list.next() {
                None => self.complete().map(|()| None),
                Some(_) => Err(self.bad()),
            };
        }
        self.entries -= 1;
        let flags = integer(&mut self.list)?;
        let (ms, seq) = (integer(&mut self.list)?, integer(&mut self.list)?);
        let id = StreamId {
            ms: self.master.ms.wrapping_add(ms.cast_unsigned()),
            seq: self.master.seq.wrapping_add(seq.cast_unsigned()),
        };
        let fields = if flags & SAME_FIELDS != 0 {
            Fields {
                left: self.name_count,
                shared: Some(self.names.clone()),
                count: self.name_count.saturating_add(3),
            }
        } else {
            let left = natural(&mut self.list)?;
            let count = left.saturating_mul(2).saturating_add(4);
            Fields { left, shared: None, count }
        };
        self.passed = self.passed.saturating_add(fields.count).saturating_add(1);
        Ok(Some((id, flags & DELETED != 0, fields)))
    }

    /// The next field of an entry; after the last, the entry's own count is compared.
    #[inline(always)]
    fn field(&mut self, fields: &mut Fields<'a>) -> Result<Option<(Scalar<'a>, Scalar<'a>)>> {
        if fields.left == 0 {
            return match natural(&mut self.list)? == fields.count {
                true => Ok(None),
                false => Err(self.bad()),
            };
        }
        fields.left -= 1;
        let name = match &mut fields.shared {
            Some(names) => scalar(names)?,
            None => scalar(&mut self.list)?,
        };
        Ok(Some((name, scalar(&mut self.list)?)))
    }

    /// Shows all of it to a visitor.
    #[inline(always)]
    pub(crate) fn visit<V: Visit>(mut self, to: &mut V) -> Result<()> {
        to.other(self.head())?;
        // Most entries share the master's few names: those are read once, not for each entry.
        let mut cached = [Scalar::Int(0); CACHED];
        let count = usize::try_from(self.name_count).unwrap_or(usize::MAX);
        for (place, name) in cached.iter_mut().zip(self.names.clone().take(count)) {
            *place = name?;
        }
        let few = cached.get(..count);
        while let Some((id, deleted, mut fields)) = self.entry()? {
            let count = fields.left;
            while deleted && self.field(&mut fields)?.is_some() {}
            to.other(Element::StreamEntry { id, deleted, fields: count })?;
            if let (false, Some(names), Some(_)) = (deleted, few, &fields.shared) {
                for name in names {
                    to.stream_field(*name, scalar(&mut self.list)?)?;
                }
                fields.left = 0;
            }
            while !deleted && let Some((name, value)) = self.field(&mut fields)? {
                to.stream_field(name, value)?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Element<'a>>> {
        if let State::Inside(fields) = &self.state {
            let mut fields = fields.clone();
            if let Some((name, value)) = self.field(&mut fields)? {
                self.state = State::Inside(fields);
                return Ok(Some(Element::StreamField(name, value)));
            }
            self.state = State::Between;
        }
        match self.state {
            State::Done => Ok(None),
            State::Start => {
                self.state = State::Between;
                Ok(Some(self.head()))
            }
            _ => {
                let Some((id, deleted, mut fields)) = self.entry()? else { return Ok(None) };
                let count = fields.left;
                if deleted {
                    while self.field(&mut fields)?.is_some() {}
                } else {
                    self.state = State::Inside(fields);
                }
                Ok(Some(Element::StreamEntry { id, deleted, fields: count }))
            }
        }
    }

    /// After the end: whether the listpack's head told the truth about its entries.
    fn complete(&self) -> Result<()> {
        match self.list.declared() {
            Some(declared) if u64::from(declared) != self.passed => {
                Err(self.list.fault(Fault::ListpackCount))
            }
            _ => Ok(()),
        }
    }
}

#[inline(always)]
fn scalar<'a>(list: &mut Listpack<'a>) -> Result<Scalar<'a>> {
    match list.next() {
        Some(scalar) => scalar,
        None => Err(list.fault(Fault::StreamNode)),
    }
}

/// Numbers in a node are listpack integers; text that looks like one is not.
#[inline(always)]
fn integer(list: &mut Listpack<'_>) -> Result<i64> {
    match scalar(list)? {
        Scalar::Int(n) => Ok(n),
        Scalar::Bytes(_) => Err(list.fault(Fault::StreamNode)),
    }
}

#[inline(always)]
fn natural(list: &mut Listpack<'_>) -> Result<u64> {
    u64::try_from(integer(list)?).map_err(|_| list.fault(Fault::StreamNode))
}

impl<'a> Iterator for StreamNode<'a> {
    type Item = Result<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.state = State::Done;
        }
        step.transpose()
    }
}

impl std::iter::FusedIterator for StreamNode<'_> {}
