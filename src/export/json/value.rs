//! Values as JSON, element by element.

use super::lines::Lines;
use super::score::{self, Printed};
use super::stream::StreamShape;
use super::text::{BASE64_BLOCK, BLOCK, Pen, Text};
use crate::UnixMillis;
use crate::error::{Error, Fault, Result};
use crate::rdb::encoding::Scalar;
use crate::rdb::{DataType, Element, Entry, Score, ValueType, Visit};
use crate::wire::number::write_double;
use std::io::Write;

/// Strings from this length on are written in steps, so that their JSON need not be held.
pub(super) const LONG: usize = 64 << 10;

/// How far the value being written has come.
pub(super) struct Shape {
    pub(super) kind: ValueType,
    /// An element stands before the next one.
    pub(super) comma: bool,
    pub(super) stream: StreamShape,
    cursor: Option<u64>,
    scratch: Vec<u8>,
}

impl Shape {
    pub(super) fn new() -> Shape {
        Shape {
            kind: ValueType::String,
            comma: false,
            stream: StreamShape::new(),
            cursor: None,
            scratch: Vec::new(),
        }
    }

    /// Writes what stands before the first element.
    #[inline(always)]
    pub(super) fn begin(&mut self, entry: &Entry<'_>, text: &mut Text) {
        (self.kind, self.comma) = (entry.value_type(), false);
        match self.data() {
            DataType::String => {}
            DataType::List | DataType::Set | DataType::SortedSet | DataType::Hash => {
                text.push(b'[');
            }
            DataType::Stream => {
                self.stream.begin(self.kind);
                text.put(b"{\"entries\":[");
            }
            DataType::Array => {
                self.cursor = entry.value().array_cursor();
                text.put(b"{\"items\":[");
            }
            DataType::Cron | DataType::Module => text.push(b'{'),
        }
    }

    pub(super) fn data(&self) -> DataType {
        self.kind.data_type()
    }
}

/// Where elements are shown to: the shape, the lines and the sink behind them.
pub(super) struct Shown<'s> {
    pub(super) shape: &'s mut Shape,
    pub(super) lines: &'s mut Lines,
    pub(super) sink: &'s mut dyn Write,
}

impl Shown<'_> {
    /// What stands behind the last.
    #[inline(always)]
    pub(super) fn end(&mut self) -> Result<()> {
        let text = &mut self.lines.text;
        match self.shape.data() {
            DataType::String => {}
            DataType::List | DataType::Set | DataType::SortedSet | DataType::Hash => {
                text.push(b']');
            }
            DataType::Stream => return self.end_stream(),
            DataType::Array => {
                text.push(b']');
                if let Some(cursor) = self.shape.cursor {
                    text.put(b",\"cursor\":");
                    text.unsigned(cursor);
                }
                text.push(b'}');
            }
            DataType::Cron => text.put(b"]}"),
            DataType::Module => text.push(b'}'),
        }
        Ok(())
    }

    /// Between the keys and the arguments of a scheduled script.
    pub(super) fn cron_arguments(&mut self) {
        self.lines.text.put(b"],\"args\":[");
        self.shape.comma = false;
    }

    /// A pen behind the comma, where one is due.
    #[inline(always)]
    fn next(&mut self) -> Pen<'_> {
        let mut pen = self.lines.text.pen();
        if std::mem::replace(&mut self.shape.comma, true) {
            pen.push(b',');
        }
        pen
    }

    pub(super) fn separate(&mut self) {
        self.next().done();
    }

    #[inline(always)]
    pub(super) fn scalar(&mut self, scalar: Scalar<'_>) -> Result<()> {
        match scalar {
            Scalar::Bytes(bytes) if is_long(scalar) => self.long_string(bytes),
            _ => {
                self.lines.text.scalar(scalar);
                Ok(())
            }
        }
    }

    #[inline(never)]
    fn long_string(&mut self, bytes: &[u8]) -> Result<()> {
        if std::str::from_utf8(bytes).is_ok() {
            self.lines.text.push(b'"');
            for block in bytes.chunks(BLOCK) {
                self.lines.text.escaped(block);
                self.spill()?;
            }
            self.lines.text.push(b'"');
        } else {
            self.lines.text.put(b"{\"b64\":\"");
            for block in bytes.chunks(BASE64_BLOCK) {
                self.lines.text.base64_digits(block);
                self.spill()?;
            }
            self.lines.text.put(b"\"}");
        }
        Ok(())
    }

    #[inline(always)]
    fn spill(&mut self) -> Result<()> {
        self.lines.spill(self.sink)
    }

    /// The score of a sorted set's row, and the bracket behind it.
    #[inline(always)]
    fn end_row(&mut self, score: Printed) {
        let mut pen = self.lines.text.pen();
        score.write(&self.shape.scratch, &mut pen);
        pen.push(b']');
        pen.done();
    }

    /// A row of two strings and a time, in brackets.
    #[inline(never)]
    fn long_row(
        &mut self,
        first: Scalar<'_>,
        second: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        self.separate();
        self.lines.text.push(b'[');
        self.scalar(first)?;
        self.lines.text.push(b',');
        self.scalar(second)?;
        if let Some(at) = expires {
            self.lines.text.push(b',');
            self.lines.text.signed(at.get());
        }
        self.lines.text.push(b']');
        self.spill()
    }

    /// The beginning of an array's row. Beyond signed numbers many parsers of JSON lose digits.
    fn at(&mut self, index: u64) {
        self.separate();
        let text = &mut self.lines.text;
        text.push(b'[');
        if index > i64::MAX.cast_unsigned() {
            text.push(b'"');
            text.unsigned(index);
            text.push(b'"');
        } else {
            text.unsigned(index);
        }
        text.push(b',');
    }
}

#[inline(always)]
fn is_long(scalar: Scalar<'_>) -> bool {
    matches!(scalar, Scalar::Bytes(bytes) if bytes.len() >= LONG)
}

impl Visit for Shown<'_> {
    #[inline(always)]
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.scalar(text)
    }

    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        if is_long(member) {
            self.separate();
            self.scalar(member)?;
            return self.spill();
        }
        let mut pen = self.next();
        pen.scalar(member);
        pen.done();
        self.spill()
    }

    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        let Some(printed) = score::print(score, &mut self.shape.scratch) else {
            return Err(Error::from_fault(Fault::TextNumber));
        };
        if is_long(member) {
            self.separate();
            self.lines.text.push(b'[');
            self.scalar(member)?;
            self.lines.text.push(b',');
            self.end_row(printed);
            return self.spill();
        }
        let mut pen = self.next();
        pen.push(b'[');
        pen.scalar(member);
        pen.push(b',');
        pen.done();
        self.end_row(printed);
        self.spill()
    }

    #[inline(always)]
    fn field(
        &mut self,
        field: Scalar<'_>,
        value: Scalar<'_>,
        expires: Option<UnixMillis>,
    ) -> Result<()> {
        if is_long(field) || is_long(value) {
            return self.long_row(field, value, expires);
        }
        let mut pen = self.next();
        pen.push(b'[');
        pen.scalar(field);
        pen.push(b',');
        pen.scalar(value);
        if let Some(at) = expires {
            pen.push(b',');
            pen.signed(at.get());
        }
        pen.push(b']');
        pen.done();
        self.spill()
    }

    #[inline(always)]
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.member(field)?;
        self.member(value)
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::Text(text) => self.text(text),
            Element::Member(member) => self.member(member),
            Element::Scored(member, score) => self.scored(member, score),
            Element::Field { field, value, expires } => self.field(field, value, expires),
            Element::StreamField(field, value) => self.stream_field(field, value),
            Element::At(index, element) => {
                self.at(index);
                self.scalar(element)?;
                self.lines.text.push(b']');
                self.spill()
            }
            Element::FloatAt(index, element) => {
                self.at(index);
                self.shape.scratch.clear();
                write_double(element, &mut self.shape.scratch);
                self.lines.text.string(&self.shape.scratch);
                self.lines.text.push(b']');
                self.spill()
            }
            Element::Cron { script, start, interval } => {
                let text = &mut self.lines.text;
                text.put(b"\"script\":");
                text.scalar(script);
                text.put(b",\"start_ms\":");
                text.signed(start.get());
                text.put(b",\"interval_ms\":");
                text.signed(interval);
                text.put(b",\"keys\":[");
                Ok(())
            }
            // Modules' values are written as they lie in the file, and are never decoded.
            Element::Module(_) => Err(Error::from_fault(Fault::Internal)),
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
