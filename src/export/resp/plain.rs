//! Values as the commands that build them, element by element.

use super::out::Out;
use super::outcome::Account;
use super::stream::StreamState;
use super::target::{FieldExpiry, Target};
use crate::aof::frame;
use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::{DataType, Element, Entry, Loss, Score, Visit};
use crate::time::UnixMillis;
use crate::wire::number::{Digits, write_array_float, write_double};
use std::io::Write;
use std::ops::Range;

/// Bytes after which a command gets no further element.
const BATCH_BYTES: usize = 1 << 20;
/// The room for elements that is kept when it was more.
const KEPT: usize = 4 << 20;

/// The value being written.
pub(super) struct Plain {
    pub(super) target: Target,
    batch: usize,
    held: u64,
    data: DataType,
    /// The key as an argument.
    pub(super) key: Vec<u8>,
    /// Elements that wait for their command, as arguments.
    pub(super) items: Vec<u8>,
    count: usize,
    /// Fields among them that expire, and when.
    timed: Vec<(Range<usize>, i64)>,
    /// Whether the key has come to be: some command was written for it, or waits.
    pub(super) exists: bool,
    cursor: Option<u64>,
    text: Vec<u8>,
    pub(super) stream: StreamState,
}

impl Plain {
    pub(super) fn new(target: Target, batch: usize, held: u64) -> Plain {
        Plain {
            target,
            batch,
            held,
            data: DataType::String,
            key: Vec::new(),
            items: Vec::new(),
            count: 0,
            timed: Vec::new(),
            exists: false,
            cursor: None,
            text: Vec::new(),
            stream: StreamState::default(),
        }
    }

    /// Begins a value; the entry may be the beginning of an open one.
    pub(super) fn begin(&mut self, entry: &Entry<'_>, framed_key: &[u8]) {
        self.data = entry.value_type().data_type();
        self.key.clear();
        self.key.extend_from_slice(framed_key);
        self.clear_items();
        self.exists = false;
        self.cursor = entry.value().array_cursor();
        if self.data == DataType::Stream {
            self.stream.begin();
        }
    }

    fn clear_items(&mut self) {
        if self.items.capacity() > KEPT {
            self.items = Vec::new();
        }
        self.items.clear();
        self.timed.clear();
        self.count = 0;
    }

    /// What is kept of a stream has to be within the limit too.
    pub(super) fn check_held(&self, bytes: u64) -> Result<()> {
        match bytes > self.held {
            true => Err(Error::from_fault(Fault::Held)),
            false => Ok(()),
        }
    }
}

/// Where elements are shown to: the value, the account, and the way out.
pub(super) struct Shown<'s> {
    pub(super) plain: &'s mut Plain,
    pub(super) account: &'s mut Account,
    pub(super) out: &'s mut Out,
    pub(super) to: &'s mut dyn Write,
}

impl Shown<'_> {
    /// After the last element; whether there is a key now.
    pub(super) fn end(&mut self) -> Result<bool> {
        match self.plain.data {
            DataType::Stream => self.end_stream()?,
            _ => self.send_batch()?,
        }
        // The file has the index written last, and the command wants the next one.
        if let Some(cursor) = self.plain.cursor.filter(|_| self.plain.exists) {
            self.out.begin(3, "ARSEEK");
            self.out.framed(&self.plain.key);
            self.out.unsigned(cursor.saturating_add(1));
            self.end_command()?;
        }
        Ok(self.plain.exists)
    }

    pub(super) fn end_command(&mut self) -> Result<()> {
        self.out.end(self.to)
    }

    /// An element of the batch: one or two arguments.
    #[inline]
    fn item(&mut self, first: &[u8], second: Option<&[u8]>) -> Result<()> {
        self.make_room(first.len() + second.map_or(0, <[u8]>::len))?;
        self.argument(first)?;
        second.map_or(Ok(()), |second| self.argument(second))?;
        self.end_item()
    }

    /// Sends the batch where an element of that size has no room in it.
    #[inline]
    fn make_room(&mut self, len: usize) -> Result<()> {
        match self.plain.count > 0 && self.plain.items.len() + len > BATCH_BYTES {
            true => self.send_batch(),
            false => Ok(()),
        }
    }

    #[inline]
    pub(super) fn argument(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.check(bytes.len() as u64)?;
        frame::bulk(bytes, &mut self.plain.items);
        Ok(())
    }

    #[inline]
    fn end_item(&mut self) -> Result<()> {
        self.plain.exists = true;
        self.plain.count += 1;
        if self.plain.count >= self.plain.batch { self.send_batch() } else { Ok(()) }
    }

    fn send_batch(&mut self) -> Result<()> {
        let Shown { plain, out, to, .. } = self;
        if plain.count == 0 {
            return Ok(());
        }
        let (name, arguments) = match plain.data {
            DataType::Set => ("SADD", 1),
            DataType::SortedSet => ("ZADD", 2),
            DataType::Hash if plain.target.sets_many_fields() => ("HSET", 2),
            DataType::Hash => ("HMSET", 2),
            DataType::Array => ("ARMSET", 2),
            _ => ("RPUSH", 1),
        };
        out.begin(2 + plain.count * arguments, name);
        out.framed(&plain.key);
        out.end_with(&[&plain.items], *to)?;
        for (field, at) in plain.timed.drain(..) {
            out.begin(6, "HPEXPIREAT");
            out.framed(&plain.key);
            out.number(at);
            out.word(b"FIELDS");
            out.word(b"1");
            out.end_with(&[plain.items.get(field).unwrap_or_default()], *to)?;
        }
        plain.clear_items();
        Ok(())
    }

    /// A field whose expiry is set with it.
    fn valkey_field(&mut self, field: &[u8], value: &[u8], at: i64) -> Result<()> {
        self.out.begin(8, "HSETEX");
        self.out.framed(&self.plain.key);
        self.out.word(b"PXAT");
        self.out.number(at);
        self.out.word(b"FIELDS");
        self.out.word(b"1");
        self.out.word(field);
        self.out.word(value);
        self.plain.exists = true;
        self.end_command()
    }

    fn at(&mut self, index: u64, element: &[u8]) -> Result<()> {
        let mut text = Vec::with_capacity(20);
        frame::decimal(index, &mut text);
        self.item(&text, Some(element))
    }
}

impl Visit for Shown<'_> {
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        let mut digits = Digits::new();
        let bytes = text.bytes(&mut digits);
        self.plain.exists = true;
        self.out.begin(3, "SET");
        self.out.framed(&self.plain.key);
        self.out.word_head(bytes.len() as u64);
        self.out.end_with(&[bytes, b"\r\n"], self.to)
    }

    #[inline]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.item(member.bytes(&mut Digits::new()), None)
    }

    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let score = score.value().filter(|score| !score.is_nan());
        let score = score.ok_or_else(|| Error::from_fault(Fault::TextNumber))?;
        let mut text = std::mem::take(&mut self.plain.text);
        text.clear();
        write_double(score, &mut text);
        let done = self.item(&text, Some(member.bytes(&mut Digits::new())));
        self.plain.text = text;
        done
    }

    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        let (mut first, mut second) = (Digits::new(), Digits::new());
        let (field, value) = (field.bytes(&mut first), value.bytes(&mut second));
        let Some(at) = expires.map(UnixMillis::get) else { return self.item(field, Some(value)) };
        match self.plain.target.field_expiry(at) {
            FieldExpiry::None => {
                self.account.lose(Loss::FieldExpiry, 1, self.out);
                self.item(field, Some(value))
            }
            FieldExpiry::Valkey => self.valkey_field(field, value, at),
            FieldExpiry::Redis => {
                self.make_room(field.len() + value.len())?;
                let start = self.plain.items.len();
                self.argument(field)?;
                self.plain.timed.push((start..self.plain.items.len(), at));
                self.argument(value)?;
                self.end_item()
            }
        }
    }

    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.entry_field(field, value)
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::Text(text) => self.text(text),
            Element::Member(member) => self.member(member),
            Element::Scored(member, score) => self.scored(member, score),
            Element::Field { field, value, expires } => self.field(field, value, expires),
            Element::StreamField(field, value) => self.stream_field(field, value),
            Element::At(index, element) => self.at(index, element.bytes(&mut Digits::new())),
            Element::FloatAt(index, element) => {
                let mut text = std::mem::take(&mut self.plain.text);
                text.clear();
                write_array_float(element, &mut text);
                let done = self.at(index, &text);
                self.plain.text = text;
                done
            }
            // Neither is ever shown here: they have no plain commands.
            Element::Module(_) | Element::Cron { .. } => Err(Error::from_fault(Fault::Internal)),
            Element::StreamNode { .. }
            | Element::StreamEntry { .. }
            | Element::StreamInfo(_)
            | Element::Group { .. }
            | Element::Pending { .. }
            | Element::Consumer { .. }
            | Element::Owned(_)
            | Element::Nacked(_)
            | Element::Idempotence { .. }
            | Element::Producer { .. }
            | Element::Remembered(..)
            | Element::IdempotenceTail { .. } => self.stream_element(element),
        }
    }
}
