//! From events to commands: which a key becomes, what stands around its value, and what is lost.

use super::options::{CommandForm, CommandsOptions};
use super::out::Out;
use super::outcome::{Account, CommandsOutcome};
use super::plain::{Plain, Shown};
use super::restore::{Restore, Whole, too_big};
use super::target::Target;
use crate::aof::frame;
use crate::error::{Error, Fault, Result};
use crate::rdb::{
    Aux, DataType, Decoder, Entry, Event, EventKind, Function, Items, Loss, Piece, Str, StrBuf,
    Value, ValueType,
};
use crate::time::UnixMillis;
use std::io::Write;

/// What becomes of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// There is no key, or none that is written.
    None,
    Restore,
    Plain,
}

/// Everything but the target, so that it is compiled once.
pub(super) struct Export {
    pub(super) options: CommandsOptions,
    /// Whether databases are selected; else whoever sends the commands does it.
    pub(super) selects: bool,
    target: Target,
    decoder: Decoder,
    buf: StrBuf,
    db: Option<u64>,
    /// The last key as an argument.
    key: Vec<u8>,
    plain: Plain,
    restore: Restore,
    /// What becomes of the last key, and whether its value is still to come.
    pub(super) way: Way,
    pub(super) open: bool,
    /// Database and beginning of the open key, for messages.
    open_key: (u64, Vec<u8>),
    expires: Option<UnixMillis>,
    /// Pieces of an item that alone is bigger than the window.
    held: Vec<u8>,
    pub(super) account: Account,
    pub(super) out: Out,
    pub(super) failed: bool,
}

impl Export {
    pub(super) fn new(options: CommandsOptions) -> Result<Export> {
        let target = Target(options.target);
        if options.form == CommandForm::Restore {
            if !target.restores() {
                let text = format!("{} has no RESTORE: use plain commands", options.target);
                return Err(Error::usage(text));
            }
            if !target.restores_absolute() && options.now.is_none() {
                let text = format!("RESTORE of {} needs to know the time", options.target);
                return Err(Error::usage(text));
            }
        }
        let limits = &options.limits;
        Ok(Export {
            selects: true,
            target,
            decoder: Decoder::new().inflated_limit(limits.inflated),
            buf: StrBuf::new().inflated_limit(limits.inflated),
            db: None,
            key: Vec::new(),
            plain: Plain::new(target, options.batch, limits.held),
            restore: Restore::new(target, &options),
            way: Way::None,
            open: false,
            open_key: (0, Vec::new()),
            expires: None,
            held: Vec::new(),
            account: Account::new(options.on_loss),
            out: Out::new(limits.held),
            failed: false,
            options,
        })
    }

    pub(super) fn event(&mut self, event: &Event<'_>, to: &mut dyn Write) -> Result<()> {
        if self.failed {
            return Err(Error::usage("an event before could not become commands"));
        }
        let done = match event.kind() {
            EventKind::Entry(entry) => self.whole(&entry, to).map_err(|error| {
                error.or_at(entry.offset()).in_key(entry.db(), &entry.key_for_message())
            }),
            EventKind::Open(entry) => {
                self.open_key = (entry.db(), entry.key_for_message());
                self.begin_open(&entry, to).map_err(|error| self.in_open_key(error, event))
            }
            EventKind::Run(_) | EventKind::Piece(_) | EventKind::Close => {
                self.part(event, to).map_err(|error| self.in_open_key(error, event))
            }
            _ => self.record(event, to).map_err(|error| error.or_at(event.offset())),
        };
        self.failed = done.is_err();
        done
    }

    /// Nothing more comes of the last key, and no more of its events: the next one may follow.
    #[cfg(feature = "live")]
    pub(super) fn drop_key(&mut self) {
        (self.failed, self.open, self.way) = (false, false, Way::None);
        self.out.abandon();
    }

    #[cold]
    fn in_open_key(&self, error: Error, event: &Event<'_>) -> Error {
        error.or_at(event.offset()).in_key(self.open_key.0, &self.open_key.1)
    }

    fn record(&mut self, event: &Event<'_>, to: &mut dyn Write) -> Result<()> {
        match event.kind() {
            EventKind::HashTemplate(template) => self.decoder.learn(&template),
            EventKind::Function(function) => self.function(&function, to),
            EventKind::Aux(aux) => {
                self.aux(&aux);
                Ok(())
            }
            EventKind::ModuleAux(aux) => {
                self.way = Way::None;
                self.open = !aux.whole;
                self.account.lose_record(Loss::ModuleAux, &mut self.out);
                Ok(())
            }
            // What tells of the file or of a whole server, and nothing of the content.
            _ => Ok(()),
        }
    }

    /// KeyDB keeps expiries of members behind their key, each in two facts.
    fn aux(&mut self, aux: &Aux<'_>) {
        let expiry = matches!(aux.name, Str::Plain(name)
            if name.eq_ignore_ascii_case(b"keydb-subexpire-key"));
        if expiry && self.way != Way::None {
            self.account.lose(Loss::MemberExpiry, 1, &mut self.out);
        }
    }

    fn function(&mut self, function: &Function<'_>, to: &mut dyn Write) -> Result<()> {
        if !self.options.functions {
            self.account.outcome.functions_left_out += 1;
            return Ok(());
        }
        // Those of the release candidates have another form of source.
        if !self.options.target.has_functions() || function.pre_ga.is_some() {
            self.account.lose_record(Loss::Function, &mut self.out);
            return Ok(());
        }
        let replace = self.options.replace;
        self.out.begin(3 + usize::from(replace), "FUNCTION");
        self.out.word(b"LOAD");
        if replace {
            self.out.word(b"REPLACE");
        }
        self.out.word(function.code.bytes(&mut self.buf)?);
        self.account.outcome.functions += 1;
        self.out.end(to)
    }

    fn whole(&mut self, entry: &Entry<'_>, to: &mut dyn Write) -> Result<()> {
        self.begin(entry, to)?;
        if self.way == Way::Plain {
            self.plain.begin(entry, &self.key);
        }
        match self.way {
            Way::None => Ok(()),
            Way::Restore => self.send_value(Whole::Lent(entry.value()), to),
            Way::Plain => {
                let Export { plain, account, out, decoder, .. } = self;
                decoder.visit_value(entry.value(), &mut Shown { plain, account, out, to })?;
                self.end_plain(to)
            }
        }
    }

    /// What comes before a value: the way is chosen, the database selected.
    fn begin(&mut self, entry: &Entry<'_>, to: &mut dyn Write) -> Result<()> {
        if std::mem::take(&mut self.open) {
            return Err(Error::usage("the value before is not complete"));
        }
        self.account.begin_key();
        self.way = self.way(entry)?;
        if self.way == Way::None {
            return Ok(());
        }
        if self.db != Some(entry.db()) && self.selects {
            self.db = Some(entry.db());
            self.out.begin(2, "SELECT");
            self.out.unsigned(entry.db());
            self.out.end(to)?;
        }
        let key = entry.key().bytes(&mut self.buf)?;
        self.out.check(key.len() as u64)?;
        self.key.clear();
        frame::bulk(key, &mut self.key);
        let attributes = entry.attributes();
        self.expires = attributes.expires;
        let metadata = attributes
            .metadata
            .filter(|_| self.way == Way::Restore && self.target.has_key_metadata());
        if attributes.metadata.is_some() && metadata.is_none() {
            self.account.lose(Loss::KeyMetadata, 1, &mut self.out);
        }
        let hinted = attributes.idle_seconds.is_some() || attributes.frequency.is_some();
        if hinted && !(self.way == Way::Restore && self.target.restores_absolute()) {
            self.account.forget(Loss::EvictionHint, 1);
        }
        match self.way {
            Way::Restore => {
                self.restore.begin(&attributes, metadata);
                Ok(())
            }
            _ => self.begin_plain(to),
        }
    }

    fn begin_plain(&mut self, to: &mut dyn Write) -> Result<()> {
        if self.options.replace { self.delete(to) } else { Ok(()) }
    }

    fn way(&mut self, entry: &Entry<'_>) -> Result<Way> {
        let (kind, data) = (entry.value_type(), entry.value_type().data_type());
        if let Some(loss) = self.target.lacks(data, entry.value().module()) {
            self.account.lose(loss, 1, &mut self.out);
            return Ok(Way::None);
        }
        // A module's value has no other commands than the module's own.
        if self.options.form == CommandForm::Plain && data != DataType::Module {
            return Ok(Way::Plain);
        }
        let len = entry.value().len() as u64;
        match kind {
            // What they refer to stands elsewhere in the file, and so no payload may hold them.
            ValueType::HashTmplLpRef | ValueType::HashTmplArrayRef => Ok(Way::Plain),
            _ if data != DataType::Module
                && self.options.plain_over.is_some_and(|most| len > most) =>
            {
                Ok(Way::Plain)
            }
            _ if self.options.target.reads(kind) => Ok(Way::Restore),
            _ => Err(Error::from_fault(Fault::NoPlace).with_detail(format!(
                "{kind} for {}: convert it first, or use plain commands (CommandForm::Plain)",
                self.options.target
            ))),
        }
    }

    fn delete(&mut self, to: &mut dyn Write) -> Result<()> {
        self.out.begin(2, "DEL");
        self.out.framed(&self.key);
        self.out.end(to)
    }

    fn send_value(&mut self, value: Whole<'_>, to: &mut dyn Write) -> Result<()> {
        if is_empty_collection(value.get(), &mut self.decoder)? {
            self.account.outcome.empty += 1;
            return Ok(());
        }
        let gone = self.restore.is_expired(self.expires);
        if self.options.replace && (gone || !self.target.restores_over()) {
            self.delete(to)?;
        }
        if gone {
            self.account.outcome.expired += 1;
            return Ok(());
        }
        self.restore.send(&self.key, value, self.expires, &mut self.out, to)?;
        self.account.outcome.written += 1;
        Ok(())
    }

    fn end_plain(&mut self, to: &mut dyn Write) -> Result<()> {
        let Export { plain, account, out, .. } = self;
        if !(Shown { plain, account, out, to }).end()? {
            self.account.outcome.empty += 1;
            return Ok(());
        }
        self.account.outcome.written += 1;
        let Some(at) = self.expires.map(UnixMillis::get) else { return Ok(()) };
        if self.target.has_milliseconds() {
            self.out.begin(3, "PEXPIREAT");
            self.out.framed(&self.key);
            self.out.number(at);
        } else {
            let lost = u64::from(at.rem_euclid(1000) != 0);
            self.account.lose(Loss::ExpiryPrecision, lost, &mut self.out);
            self.out.begin(3, "EXPIREAT");
            self.out.framed(&self.key);
            self.out.number(at.div_euclid(1000).saturating_add(lost.cast_signed()));
        }
        self.out.end(to)
    }

    fn begin_open(&mut self, entry: &Entry<'_>, to: &mut dyn Write) -> Result<()> {
        self.held.clear();
        self.begin(entry, to)?;
        // What comes in parts may turn out to be too big for RESTORE.
        self.plain.begin(entry, &self.key);
        self.open = true;
        if self.way == Way::Restore {
            self.restore.keep(entry.value());
        }
        Ok(())
    }

    /// A run, a piece or the end of an open value.
    fn part(&mut self, event: &Event<'_>, to: &mut dyn Write) -> Result<()> {
        match (self.way, event.kind()) {
            (_, EventKind::Close) if !std::mem::take(&mut self.open) => {
                Err(Error::usage("the end of a value without its beginning"))
            }
            (Way::None, _) => Ok(()),
            (Way::Restore, EventKind::Close) => {
                let value = self.restore.take_kept();
                self.send_value(value, to)
            }
            (Way::Restore, _) if self.restore.has_room(event) => {
                self.restore.keep_more(event);
                Ok(())
            }
            (Way::Restore, _) => self.turn_plain(event, to),
            (Way::Plain, EventKind::Close) => self.end_plain(to),
            (Way::Plain, EventKind::Run(run)) => self.items(run.items(), to),
            (Way::Plain, EventKind::Piece(piece)) => self.piece(&piece, to),
            (Way::Plain, _) => Err(Error::from_fault(Fault::Internal)),
        }
    }

    /// The open value has become too big for RESTORE: what is kept of it goes as plain commands, and so
    /// does the rest.
    fn turn_plain(&mut self, event: &Event<'_>, to: &mut dyn Write) -> Result<()> {
        if self.options.plain_over.is_none() || self.restore.is_module() {
            return Err(too_big());
        }
        let parts = self.restore.take_parts();
        self.way = Way::Plain;
        self.restore.give_up(&mut self.account, &mut self.out);
        self.begin_plain(to)?;
        for part in parts.events() {
            self.part(&part, to)?;
        }
        drop(parts);
        self.part(event, to)
    }

    fn items(&mut self, items: Items<'_>, to: &mut dyn Write) -> Result<()> {
        let Export { plain, account, out, decoder, .. } = self;
        decoder.visit_items(items, &mut Shown { plain, account, out, to })
    }

    fn piece(&mut self, piece: &Piece<'_>, to: &mut dyn Write) -> Result<()> {
        if (self.held.len() + piece.raw().len()) as u64 > self.options.limits.held {
            return Err(Error::from_fault(Fault::Held));
        }
        self.held.extend_from_slice(piece.raw());
        if !piece.ends {
            return Ok(());
        }
        // Its room goes with it: the next one may be small.
        let held = std::mem::take(&mut self.held);
        self.items(piece.join(&held), to)
    }

    pub(super) fn finish(mut self, to: &mut dyn Write) -> Result<CommandsOutcome> {
        if self.failed {
            return Err(Error::usage("an event before could not become commands"));
        }
        self.out.flush(to)?;
        to.flush()?;
        if self.open {
            let error = Error::from_fault(Fault::EndsInside);
            return Err(error.in_key(self.open_key.0, &self.open_key.1));
        }
        self.account.finish(&self.out)
    }
}

/// Bytes up to which a collection may be empty: a packed one has a head.
const EMPTY: usize = 24;

/// Servers know no empty collections, and since 6.2 refuse to restore one.
fn is_empty_collection(value: Value<'_>, decoder: &mut Decoder) -> Result<bool> {
    use DataType as D;
    let collection = matches!(value.data_type(), D::List | D::Set | D::SortedSet | D::Hash);
    if !collection || value.len() > EMPTY {
        return Ok(false);
    }
    for located in value.items()? {
        if decoder.elements(located?)?.next().transpose()?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}
