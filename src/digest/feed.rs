//! Events into values: what both digests share.

use crate::error::{Error, Fault, Result};
use crate::limits::Limits;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{
    Decoder, Entry, Event, EventKind, Function, Item, Items, Piece, StrBuf, StrHead, StreamReader,
    ValueType, Visit,
};
use crate::time::UnixMillis;
use std::io::Read;

/// What is known before a value's first element.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) db: u64,
    pub(super) key: &'a [u8],
    pub(super) kind: ValueType,
    pub(super) module: Option<ModuleId>,
    pub(super) expires: Option<UnixMillis>,
    pub(super) offset: u64,
}

/// A part of a string that comes in pieces: the string of a string value, an element of a list, or
/// a member of a set.
pub(super) enum Long<'a> {
    Begins(u64),
    Piece(&'a [u8]),
    Ends,
}

/// What takes values element by element.
pub(super) trait Take: Visit {
    /// Begins a value; false where it is not wanted.
    fn begin(&mut self, head: Head<'_>) -> Result<bool>;
    fn long(&mut self, part: Long<'_>) -> Result<()>;
    /// Begins the arguments of KeyDB's scheduled script.
    fn arguments(&mut self);
    fn end(&mut self) -> Result<()>;
    /// A value was begun, and could not be read to its end.
    fn give_up(&mut self, offset: u64);
    /// Begins data of a module outside any key; false where they are not wanted.
    fn module_aux(&mut self, module: ModuleId, when: u64) -> bool;
    fn function(&mut self, function: &Function<'_>, buf: &mut StrBuf) -> Result<()>;
}

/// The value whose runs and pieces come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    No,
    /// One that is not wanted.
    Passed,
    Value(ValueType),
}

pub(super) struct Feed {
    decoder: Decoder,
    buf: StrBuf,
    open: Open,
    /// Database and name of the open value, for messages.
    open_key: (u64, Vec<u8>),
    /// A string comes in pieces.
    long: bool,
    /// Pieces of one item that is more than a string, or compressed.
    held: Vec<u8>,
    held_limit: u64,
}

/// The buffer for pieces that is kept from one item to the next.
const HELD_KEPT: usize = 4 << 20;

impl Feed {
    pub(super) fn new(limits: &Limits) -> Feed {
        Feed {
            decoder: Decoder::new().inflated_limit(limits.inflated),
            buf: StrBuf::new().inflated_limit(limits.inflated),
            open: Open::No,
            open_key: (0, Vec::new()),
            long: false,
            held: Vec::new(),
            held_limit: limits.held,
        }
    }

    /// Whether a value was begun and not ended.
    pub(super) fn is_open(&self) -> bool {
        self.open != Open::No
    }

    #[inline(always)]
    pub(super) fn event<T: Take>(&mut self, event: &Event<'_>, to: &mut T) -> Result<()> {
        match event.entry() {
            Some(entry) => self.whole(&entry, to).map_err(|error| {
                to.give_up(entry.offset());
                error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
            }),
            None => self.rare(event, to),
        }
    }

    #[inline(always)]
    fn whole<T: Take>(&mut self, entry: &Entry<'_>, to: &mut T) -> Result<()> {
        if !self.begin(entry, to)? {
            return Ok(());
        }
        match entry.value_type() {
            ValueType::KeyDbCron => self.items(entry.value().items()?, to)?,
            _ => self.decoder.visit_value(entry.value(), to)?,
        }
        to.end()
    }

    #[inline(always)]
    fn begin<T: Take>(&mut self, entry: &Entry<'_>, to: &mut T) -> Result<bool> {
        if self.open != Open::No {
            self.open = Open::No;
            to.give_up(entry.offset());
        }
        to.begin(Head {
            db: entry.db(),
            key: entry.key().bytes(&mut self.buf)?,
            kind: entry.value_type(),
            module: entry.value().module(),
            expires: entry.expires(),
            offset: entry.offset(),
        })
    }

    #[inline(never)]
    fn rare<T: Take>(&mut self, event: &Event<'_>, to: &mut T) -> Result<()> {
        match event.kind() {
            EventKind::HashTemplate(template) => self.decoder.learn(&template),
            EventKind::Function(function) => {
                to.function(&function, &mut self.buf).map_err(|error| {
                    to.give_up(event.offset());
                    error.or_at(event.offset())
                })
            }
            EventKind::Open(entry) => {
                let begun = self.begin(&entry, to);
                (self.long, self.open) = (false, Open::No);
                self.held.clear();
                let wanted = begun.map_err(|error| {
                    to.give_up(entry.offset());
                    error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
                })?;
                self.open_key = (entry.db(), entry.key_for_message());
                self.open = if wanted { Open::Value(entry.value_type()) } else { Open::Passed };
                Ok(())
            }
            EventKind::ModuleAux(aux) => {
                if self.open != Open::No {
                    to.give_up(event.offset());
                }
                let wanted = to.module_aux(aux.module, aux.when);
                self.held.clear();
                self.open_key = (0, Vec::new());
                self.open = if wanted { Open::Value(ValueType::Module2) } else { Open::Passed };
                if wanted {
                    let done = self.items(aux.items(), to);
                    self.settle(done, event.offset(), to)?;
                }
                if aux.whole { self.close(event.offset(), to) } else { Ok(()) }
            }
            EventKind::Close => self.close(event.offset(), to),
            EventKind::Run(run) if self.is_wanted() => {
                let done = self.items(run.items(), to);
                self.settle(done, event.offset(), to)
            }
            EventKind::Piece(piece) if self.is_wanted() => {
                let done = self.piece(&piece, event.offset(), to);
                self.settle(done, event.offset(), to)
            }
            _ => Ok(()),
        }
    }

    fn is_wanted(&self) -> bool {
        matches!(self.open, Open::Value(_))
    }

    fn close<T: Take>(&mut self, offset: u64, to: &mut T) -> Result<()> {
        let done = if self.is_wanted() { to.end() } else { Ok(()) };
        self.settle(done, offset, to)?;
        self.open = Open::No;
        Ok(())
    }

    /// After a part of an open value: one that could not be read is given up.
    fn settle<T: Take>(&mut self, done: Result<()>, offset: u64, to: &mut T) -> Result<()> {
        done.map_err(|error| {
            to.give_up(offset);
            self.open = Open::Passed;
            error.or_at(offset).in_key(self.open_key.0, &self.open_key.1)
        })
    }

    #[inline(never)]
    fn items<T: Take>(&mut self, items: Items<'_>, to: &mut T) -> Result<()> {
        if self.open != Open::Value(ValueType::KeyDbCron) && self.open != Open::No {
            return self.decoder.visit_items(items, to);
        }
        for located in items {
            let located = located?;
            if let Item::CronArguments(_) = located.item {
                to.arguments();
            }
            self.decoder.visit(located, to)?;
        }
        Ok(())
    }

    /// A plain string goes on as it comes; any other item is held, and seen when it is whole.
    fn piece<T: Take>(&mut self, piece: &Piece<'_>, offset: u64, to: &mut T) -> Result<()> {
        if let (true, Some(StrHead::Plain(len))) = (piece.is_plain_item(), piece.head) {
            self.long = true;
            to.long(Long::Begins(len))?;
        } else if self.long {
            to.long(Long::Piece(piece.raw()))?;
        } else {
            if (self.held.len() + piece.raw().len()) as u64 > self.held_limit {
                return Err(Error::at(Fault::Held, offset));
            }
            self.held.extend_from_slice(piece.raw());
        }
        if !piece.ends {
            return Ok(());
        }
        if std::mem::replace(&mut self.long, false) {
            return to.long(Long::Ends);
        }
        let held = std::mem::take(&mut self.held);
        let done = self.items(piece.join(&held), to);
        if held.len() <= HELD_KEPT {
            self.held = held;
            self.held.clear();
        }
        done
    }
}

/// Shows every event of a source, its checksum verified.
pub(super) fn each_event(
    source: impl Read,
    limits: &Limits,
    mut see: impl FnMut(&Event<'_>) -> Result<()>,
) -> Result<()> {
    let mut reader = StreamReader::with_limits(source, limits);
    while let Some(event) = reader.next()? {
        see(&event)?;
    }
    Ok(())
}
