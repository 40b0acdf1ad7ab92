//! From events to lines.

use super::facts;
use super::giant::Giant;
use super::head::Heads;
use super::keydb::SubExpiry;
use super::lines::Lines;
use super::outcome::{Counts, JsonOutcome};
use super::raw::Raw;
use super::value::{LONG, Shape, Shown};
use crate::error::{Error, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::{
    DataType, Decoder, Entry, Event, EventKind, Item, Items, ModuleAux, Piece, Str, StrBuf,
    ValueType,
};
use std::io::Write;

/// The value whose runs and pieces come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// None, or none that is written.
    No,
    Items(ValueType),
    Module,
    ModuleAux,
}

/// Everything but the sink, so that it is compiled once.
pub(super) struct Export {
    facts: bool,
    decoder: Decoder,
    buf: StrBuf,
    heads: Box<Heads>,
    shape: Shape,
    lines: Lines,
    open: Open,
    /// Database and beginning of the key that is open, for messages.
    open_key: (u64, Vec<u8>),
    giant: Giant,
    raw: Raw,
    sub_expiry: SubExpiry,
    counts: Counts,
}

impl Export {
    pub(super) fn new() -> Export {
        Export {
            facts: false,
            decoder: Decoder::new(),
            buf: StrBuf::new(),
            heads: Heads::new(),
            shape: Shape::new(),
            lines: Lines::new(),
            open: Open::No,
            open_key: (0, Vec::new()),
            giant: Giant::new(),
            raw: Raw::new(),
            sub_expiry: SubExpiry::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn set_facts(&mut self, facts: bool) {
        self.facts = facts;
    }

    pub(super) fn set_inflated_limit(&mut self, bytes: u64) {
        self.decoder = Decoder::new().inflated_limit(bytes);
        self.buf = StrBuf::new().inflated_limit(bytes);
    }

    pub(super) fn event(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        let Some(entry) = event.entry() else { return self.rare(event, sink) };
        self.whole(&entry, sink).map_err(|error| self.give_up(error, &entry))
    }

    #[inline(always)]
    fn whole(&mut self, entry: &Entry<'_>, sink: &mut dyn Write) -> Result<()> {
        self.heads.write(entry, &mut self.lines, &mut self.buf)?;
        match entry.value().text() {
            Some(Str::Plain(text)) if text.len() < LONG => {
                self.short_string(Scalar::Bytes(text), sink)
            }
            Some(Str::Int(n)) => self.short_string(Scalar::Int(n.into()), sink),
            _ => self.value(entry, sink),
        }
    }

    /// A string that needs no decoding, and the end of its line.
    #[inline(always)]
    fn short_string(&mut self, text: Scalar<'_>, sink: &mut dyn Write) -> Result<()> {
        let mut pen = self.lines.text.pen();
        pen.scalar(text);
        pen.push(b'}');
        pen.done();
        self.counts.key(DataType::String);
        self.lines.end(sink)
    }

    #[inline(never)]
    fn value(&mut self, entry: &Entry<'_>, sink: &mut dyn Write) -> Result<()> {
        match entry.value_type() {
            ValueType::Module2 | ValueType::ModulePreGa => {
                self.raw.begin();
                self.raw.put(entry.value().bytes(), &mut self.lines, sink)?;
                return self.end_module(sink);
            }
            ValueType::KeyDbCron => {
                self.shape.begin(entry, &mut self.lines.text);
                self.items(entry.value().items()?, sink)?;
            }
            _ => {
                self.shape.begin(entry, &mut self.lines.text);
                let mut shown = Shown { shape: &mut self.shape, lines: &mut self.lines, sink };
                self.decoder.visit_value(entry.value(), &mut shown)?;
            }
        }
        self.end(sink)
    }

    /// The end of a key's value and line.
    fn end(&mut self, sink: &mut dyn Write) -> Result<()> {
        Shown { shape: &mut self.shape, lines: &mut self.lines, sink }.end()?;
        self.lines.text.push(b'}');
        self.counts.key(self.shape.data());
        self.lines.end(sink)
    }

    fn end_module(&mut self, sink: &mut dyn Write) -> Result<()> {
        self.raw.end(&mut self.lines);
        self.lines.text.push(b'}');
        self.counts.key(DataType::Module);
        self.lines.end(sink)
    }

    #[inline(never)]
    fn items(&mut self, items: Items<'_>, sink: &mut dyn Write) -> Result<()> {
        let mut shown = Shown { shape: &mut self.shape, lines: &mut self.lines, sink };
        for located in items {
            let located = located?;
            if let Item::CronArguments(_) = located.item {
                shown.cron_arguments();
            }
            self.decoder.visit(located, &mut shown)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn rare(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        match event.kind() {
            EventKind::Entry(entry) | EventKind::Open(entry) => {
                self.open(&entry, sink).map_err(|error| self.give_up(error, &entry))
            }
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => {
                self.part(event, sink).map_err(|error| self.give_up_open(error))
            }
            EventKind::ModuleAux(aux) => self.module_aux(&aux, sink),
            EventKind::HashTemplate(template) => {
                self.decoder.learn(&template)?;
                self.fact(event, sink)
            }
            EventKind::Aux(aux) => {
                let db = self.heads.db();
                self.counts.sub_expiries +=
                    self.sub_expiry.fact(&aux, db, &mut self.lines, &mut self.buf, sink)?;
                self.fact(event, sink)
            }
            EventKind::Header(_)
            | EventKind::Function(_)
            | EventKind::SlotInfo { .. }
            | EventKind::SlotImport(_) => self.fact(event, sink),
            // Where a key is stands in its line; the rest says nothing of the content.
            EventKind::SelectDb(_)
            | EventKind::ResizeDb { .. }
            | EventKind::EnterpriseSkip
            | EventKind::Eof
            | EventKind::Footer(_) => Ok(()),
        }
    }

    fn open(&mut self, entry: &Entry<'_>, sink: &mut dyn Write) -> Result<()> {
        self.open = Open::No;
        self.heads.write(entry, &mut self.lines, &mut self.buf)?;
        self.giant.begin();
        self.open_key = (entry.db(), entry.key_for_message());
        if entry.value_type().data_type() == DataType::Module {
            self.open = Open::Module;
            self.raw.begin();
            return self.raw.put(entry.value().bytes(), &mut self.lines, sink);
        }
        self.open = Open::Items(entry.value_type());
        self.shape.begin(entry, &mut self.lines.text);
        self.lines.spill(sink)
    }

    /// A run, a piece or the end of an open value.
    fn part(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        match (self.open, event.kind()) {
            (Open::No, _) => Ok(()),
            (open, EventKind::Close) => {
                self.open = Open::No;
                match open {
                    Open::Module => self.end_module(sink),
                    Open::ModuleAux => self.end_module_aux(sink),
                    Open::No | Open::Items(_) => self.end(sink),
                }
            }
            (Open::Items(_), EventKind::Piece(piece)) => self.piece(&piece, sink),
            (Open::Items(_), EventKind::Run(run)) => self.items(run.items(), sink),
            _ => self.raw.put(event.raw(), &mut self.lines, sink),
        }
    }

    fn piece(&mut self, piece: &Piece<'_>, sink: &mut dyn Write) -> Result<()> {
        let mut shown = Shown { shape: &mut self.shape, lines: &mut self.lines, sink: &mut *sink };
        if let Some(held) = self.giant.piece(piece, &mut self.raw, &mut shown)? {
            self.items(piece.join(&held), sink)?;
            self.giant.give_back(held);
        }
        Ok(())
    }

    fn module_aux(&mut self, aux: &ModuleAux<'_>, sink: &mut dyn Write) -> Result<()> {
        self.open = Open::No;
        if !self.facts {
            return Ok(());
        }
        self.lines.begin();
        facts::module_aux(aux, &mut self.lines.text);
        self.raw.begin();
        self.raw.put(aux.data, &mut self.lines, sink)?;
        if aux.whole {
            return self.end_module_aux(sink);
        }
        self.open = Open::ModuleAux;
        Ok(())
    }

    fn end_module_aux(&mut self, sink: &mut dyn Write) -> Result<()> {
        self.raw.end(&mut self.lines);
        self.counts.facts += 1;
        self.lines.end(sink)
    }

    fn fact(&mut self, event: &Event<'_>, sink: &mut dyn Write) -> Result<()> {
        if !self.facts {
            return Ok(());
        }
        self.lines.begin();
        if let Err(error) = facts::fact(event, &mut self.lines.text, &mut self.buf) {
            self.lines.cut();
            return Err(error.or_at(event.offset()));
        }
        self.counts.facts += 1;
        self.lines.end(sink)
    }

    #[cold]
    #[inline(never)]
    fn give_up(&mut self, error: Error, entry: &Entry<'_>) -> Error {
        self.open_key = (entry.db(), entry.key_for_message());
        self.give_up_open(error.or_at(entry.offset()))
    }

    #[cold]
    #[inline(never)]
    fn give_up_open(&mut self, error: Error) -> Error {
        self.lines.cut();
        let fact = self.open == Open::ModuleAux;
        self.open = Open::No;
        if error.is_io() || fact {
            return error;
        }
        self.counts.given_up += 1;
        error.in_key(self.open_key.0, &self.open_key.1)
    }

    pub(super) fn finish(&mut self, sink: &mut dyn Write) -> Result<JsonOutcome> {
        if self.open != Open::No {
            self.counts.given_up += u64::from(self.open != Open::ModuleAux);
            self.lines.cut();
        }
        self.counts.sub_expiries += self.sub_expiry.end(&mut self.lines, sink)?;
        self.lines.flush(sink)?;
        sink.flush()?;
        let (bytes, lines) = self.lines.counts();
        Ok(self.counts.outcome(bytes, lines))
    }
}
