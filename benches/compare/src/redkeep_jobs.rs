//! redkeep itself. Each function is one job as a user would write it.

use std::fs::{self, File};
use std::path::Path;

use redkeep::export::export_json;
use redkeep::rdb::check::{CheckOptions, Verdict, check_file};
use redkeep::rdb::encoding::Scalar;
use redkeep::rdb::{
    Decoder, Element, Entry, Event, EventKind, Items, ModuleField, Piece, Score, SliceReader,
    StrHead, StreamReader, Visit,
};
use redkeep::select::{Condition, FilterOptions, KeyPattern};
use redkeep::task::{ExtractOptions, extract};
use redkeep::{Result, UnixMillis};

use crate::contenders::{Delivered, Outcome};

/// Every key and its value as stored, from an `io::Read`, checksum verified.
pub fn walk_stream(file: &Path) -> Outcome {
    let mut seen = Delivered::default();
    let mut reader = StreamReader::new(File::open(file)?);
    while let Some(event) = reader.next()? {
        walk(&event, &mut seen);
    }
    Ok(seen)
}

/// The same over a slice, with the file read whole first.
pub fn walk_slice(file: &Path) -> Outcome {
    let mut seen = Delivered::default();
    let bytes = fs::read(file)?;
    for event in SliceReader::new(&bytes) {
        walk(&event?, &mut seen);
    }
    Ok(seen)
}

#[inline(always)]
fn walk(event: &Event<'_>, seen: &mut Delivered) {
    match event.kind() {
        EventKind::Entry(entry) => {
            seen.keys += 1;
            seen.bytes += entry.value().len() as u64;
        }
        EventKind::Open(entry) => {
            seen.keys += 1;
            seen.bytes += entry.value().len() as u64;
        }
        EventKind::Run(_) | EventKind::Piece(_) => seen.bytes += event.raw().len() as u64,
        _ => {}
    }
}

/// Every element of every value, from an `io::Read`, checksum verified.
pub fn decode_stream(file: &Path) -> Outcome {
    let mut decode = Decode::default();
    let mut reader = StreamReader::new(File::open(file)?);
    while let Some(event) = reader.next()? {
        decode.event(&event)?;
    }
    Ok(decode.seen.0)
}

/// The same over a slice, with the file read whole first.
pub fn decode_slice(file: &Path) -> Outcome {
    let mut decode = Decode::default();
    let bytes = fs::read(file)?;
    for event in SliceReader::new(&bytes) {
        decode.event(&event?)?;
    }
    Ok(decode.seen.0)
}

#[derive(Default)]
struct Decode {
    seen: Seen,
    decoder: Decoder,
    /// Pieces of an item that is too big for the window and has to be inflated or unpacked.
    held: Vec<u8>,
    /// The bytes of a plain string go by.
    passing: bool,
}

impl Decode {
    #[inline(always)]
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Entry(entry) => {
                self.seen.key(&entry);
                self.decoder.visit_value(entry.value(), &mut self.seen)
            }
            EventKind::Open(entry) => {
                self.seen.key(&entry);
                Ok(())
            }
            EventKind::Run(run) => self.items(run.items()),
            EventKind::Piece(piece) => self.piece(&piece),
            EventKind::HashTemplate(template) => self.decoder.learn(&template),
            _ => Ok(()),
        }
    }

    #[inline(always)]
    fn items(&mut self, items: Items<'_>) -> Result<()> {
        for item in items {
            self.decoder.visit(item?, &mut self.seen)?;
        }
        Ok(())
    }

    fn piece(&mut self, piece: &Piece<'_>) -> Result<()> {
        if piece.is_plain_item()
            && let Some(StrHead::Plain(len)) = piece.head
        {
            self.seen.0.elements += 1;
            self.seen.0.bytes += len;
            self.passing = true;
        }
        if !self.passing {
            self.held.extend_from_slice(piece.raw());
        }
        if piece.ends && !std::mem::take(&mut self.passing) {
            let held = std::mem::take(&mut self.held);
            self.items(piece.join(&held))?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Seen(Delivered);

impl Seen {
    #[inline(always)]
    fn key(&mut self, entry: &Entry<'_>) {
        self.0.keys += 1;
        std::hint::black_box((entry.key(), entry.expires()));
    }

    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<()> {
        self.0.elements += 1;
        self.0.bytes += match scalar {
            Scalar::Bytes(bytes) => bytes.len() as u64,
            Scalar::Int(_) => size_of::<i64>() as u64,
        };
        Ok(())
    }
}

impl Visit for Seen {
    #[inline(always)]
    fn text(&mut self, text: Scalar<'_>) -> Result<()> {
        self.scalar(text)
    }

    #[inline(always)]
    fn member(&mut self, member: Scalar<'_>) -> Result<()> {
        self.scalar(member)
    }

    #[inline(always)]
    fn scored(&mut self, member: Scalar<'_>, score: Score<'_>) -> Result<()> {
        std::hint::black_box(score.value());
        self.scalar(member)
    }

    #[inline(always)]
    fn field(&mut self, f: Scalar<'_>, v: Scalar<'_>, _: Option<UnixMillis>) -> Result<()> {
        self.scalar(f)?;
        self.scalar(v)
    }

    #[inline(always)]
    fn stream_field(&mut self, field: Scalar<'_>, value: Scalar<'_>) -> Result<()> {
        self.scalar(field)?;
        self.scalar(value)
    }

    fn other(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::At(_, scalar) | Element::Module(ModuleField::Text(scalar)) => {
                self.scalar(scalar)
            }
            _ => Ok(()),
        }
    }
}

/// The highest rung of the check: every rule about the inside of every value.
pub fn check(file: &Path) -> Outcome {
    let report = check_file(File::open(file)?, &CheckOptions::default())?;
    if report.verdict != Verdict::Sound {
        return Err(format!("{}: {:?}", report.verdict, report.counts).into());
    }
    Ok(Delivered { keys: report.keys, elements: report.elements, bytes: report.bytes })
}

/// JSON lines into a sink.
pub fn json(file: &Path) -> Outcome {
    let sink = File::options().write(true).open("/dev/null")?;
    let outcome = export_json(File::open(file)?, sink, false)?;
    Ok(Delivered { keys: outcome.keys, bytes: outcome.bytes, ..Delivered::default() })
}

/// Keys that end in 7, as a dump.
pub fn filter(file: &Path) -> Outcome {
    let sevens = FilterOptions::default().include(Condition::keys([KeyPattern::glob("*7")]));
    written(file, &ExtractOptions::default().filter(sevens))
}

/// The whole file again, read and written record by record.
pub fn copy(file: &Path) -> Outcome {
    written(file, &ExtractOptions::default())
}

fn written(file: &Path, options: &ExtractOptions) -> Outcome {
    let sink = File::options().write(true).open("/dev/null")?;
    let outcome = extract(File::open(file)?, sink, options)?;
    Ok(Delivered { keys: outcome.written, bytes: outcome.bytes, ..Delivered::default() })
}
