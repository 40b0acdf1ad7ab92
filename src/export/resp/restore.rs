//! Values as they lie in the file, for RESTORE.

use super::options::CommandsOptions;
use super::out::Out;
use super::outcome::Account;
use super::target::Target;
use crate::error::{Error, Fault, Result};
use crate::rdb::{Attributes, DataType, Event, EventShape, Loss, Payload, Value, ValueType};
use crate::time::UnixMillis;
use std::io::Write;

/// Values from this size on are not copied into their payload.
const BIG: usize = 64 << 10;
/// Buffers from this size on are given away where they can be.
const GIVEN: usize = 1 << 20;
/// Adding more than this to its own clock, a server may run over.
const LONGEST: i64 = 1 << 53;

/// A value, and maybe the buffer that holds it.
pub(super) enum Whole<'a> {
    Lent(Value<'a>),
    Own(ValueType, Vec<u8>, u64),
}

impl Whole<'_> {
    pub(super) fn get(&self) -> Value<'_> {
        match self {
            Whole::Lent(value) => *value,
            Whole::Own(kind, bytes, offset) => Value { kind: *kind, bytes, offset: *offset },
        }
    }
}

/// A part of a value that is kept: its bytes stand with those of the others.
struct KeptPart {
    len: usize,
    shape: EventShape,
}

/// The parts of a value as they came.
pub(super) struct Parts {
    bytes: Vec<u8>,
    /// Where the first one begins; before it stands the head of the value.
    at: usize,
    parts: Vec<KeptPart>,
}

impl Parts {
    pub(super) fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.parts.iter().scan(self.at, |at, part| {
            let raw = self.bytes.get(*at..*at + part.len)?;
            *at += part.len;
            Some(part.shape.event(raw))
        })
    }
}

pub(super) struct Restore {
    target: Target,
    replace: bool,
    now: Option<UnixMillis>,
    /// Bytes of a value from which on it is none of ours.
    most: u64,
    /// Of the current key.
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
    metadata: Option<Vec<u8>>,
    /// A value that comes in parts, as far as it has come.
    kept: Vec<u8>,
    parts: Vec<KeptPart>,
    kind: ValueType,
    offset: u64,
}

impl Restore {
    pub(super) fn new(target: Target, options: &CommandsOptions) -> Restore {
        Restore {
            target,
            replace: options.replace && target.restores_over(),
            // Later servers are told the time itself.
            now: options.now.filter(|_| !target.restores_absolute()),
            most: options.plain_over.unwrap_or(u64::MAX).min(options.limits.held),
            idle_seconds: None,
            frequency: None,
            metadata: None,
            kept: Vec::new(),
            parts: Vec::new(),
            kind: ValueType::String,
            offset: 0,
        }
    }

    /// Begins a key; its metadata only where they come along.
    pub(super) fn begin(&mut self, attributes: &Attributes<'_>, metadata: Option<&[u8]>) {
        self.idle_seconds = attributes.idle_seconds;
        self.frequency = attributes.frequency;
        self.metadata = metadata.map(<[u8]>::to_vec);
    }

    /// Begins a value that comes in parts.
    pub(super) fn keep(&mut self, value: Value<'_>) {
        (self.kind, self.offset) = (value.value_type(), value.offset());
        self.parts.clear();
        self.kept.clear();
        self.kept.extend_from_slice(value.bytes());
    }

    /// Whether the value stays small enough with this part of it.
    pub(super) fn has_room(&self, part: &Event<'_>) -> bool {
        (self.kept.len() + part.raw().len()) as u64 <= self.most
    }

    pub(super) fn keep_more(&mut self, part: &Event<'_>) {
        self.parts.push(KeptPart { len: part.raw().len(), shape: part.shape() });
        self.kept.extend_from_slice(part.raw());
    }

    /// The value that came in parts.
    pub(super) fn take_kept(&mut self) -> Whole<'static> {
        Whole::Own(self.kind, std::mem::take(&mut self.kept), self.offset)
    }

    /// The parts that came so far, to be taken for themselves.
    pub(super) fn take_parts(&mut self) -> Parts {
        let (bytes, parts) = (std::mem::take(&mut self.kept), std::mem::take(&mut self.parts));
        let all: usize = parts.iter().map(|part| part.len).sum();
        Parts { at: bytes.len() - all, bytes, parts }
    }

    pub(super) fn is_module(&self) -> bool {
        self.kind.data_type() == DataType::Module
    }

    /// The key begun goes another way, on which some of it is lost.
    pub(super) fn give_up(&mut self, account: &mut Account, out: &mut Out) {
        if self.metadata.take().is_some() {
            account.lose(Loss::KeyMetadata, 1, out);
        }
        if self.target.restores_absolute()
            && (self.idle_seconds.is_some() || self.frequency.is_some())
        {
            account.forget(Loss::EvictionHint, 1);
        }
    }

    /// Whether the time has come for a key whose server cannot be told the time itself.
    pub(super) fn is_expired(&self, expires: Option<UnixMillis>) -> bool {
        matches!((self.now, expires), (Some(now), Some(at)) if at <= now)
    }

    /// Sends a value.
    pub(super) fn send(
        &mut self,
        key: &[u8],
        value: Whole<'_>,
        expires: Option<UnixMillis>,
        out: &mut Out,
        to: &mut dyn Write,
    ) -> Result<()> {
        let Restore { target, replace, .. } = *self;
        let (metadata, bare) = (self.metadata.as_deref(), value.get());
        let version = target.payload_version(bare.value_type());
        let absolute = target.restores_absolute();
        let tells = absolute && expires.is_some();
        let hint = self.hint().filter(|_| absolute);
        let len = Payload::encoded_len(bare, metadata) as u64;
        out.check(len).map_err(|_| too_big())?;
        let options = [replace, tells, hint.is_some(), hint.is_some()];
        out.begin(4 + options.map(usize::from).iter().sum::<usize>(), "RESTORE");
        out.framed(key);
        out.number(self.time(expires));
        if bare.len() < BIG {
            out.word_by(len, |block| Payload::encode_into(bare, metadata, version, block));
        } else {
            let (head, foot) = Payload::encode_around(bare, metadata, version);
            out.word_head(len);
            match value {
                Whole::Own(_, bytes, _) if bytes.len() >= GIVEN && out.takes_over() => {
                    out.framed(&head);
                    out.take_over(bytes);
                    out.parts(&[&foot, b"\r\n"], to)?;
                }
                value => out.parts(&[&head, value.get().bytes(), &foot, b"\r\n"], to)?,
            }
        }
        if replace {
            out.word(b"REPLACE");
        }
        if tells {
            out.word(b"ABSTTL");
        }
        if let Some((name, number)) = hint {
            out.word(name);
            out.unsigned(number);
        }
        out.end(to)
    }

    /// The expiry as an argument; 0 stands for none.
    fn time(&self, expires: Option<UnixMillis>) -> i64 {
        match (expires, self.now) {
            (None, _) => 0,
            // Whatever is past is past: a server takes no time below 0, and 0 would be for ever.
            (Some(at), None) => at.get().max(1),
            (Some(at), Some(now)) => at.get().saturating_sub(now.get()).clamp(1, LONGEST),
        }
    }

    /// How the server is told of the last uses of the key: it has one policy, and refuses both at once.
    fn hint(&self) -> Option<(&'static [u8], u64)> {
        match (self.frequency, self.idle_seconds) {
            (Some(frequency), _) => Some((b"FREQ", u64::from(frequency))),
            (None, Some(seconds)) => Some((b"IDLETIME", seconds.min(i64::MAX.cast_unsigned()))),
            (None, None) => None,
        }
    }
}

#[cold]
pub(super) fn too_big() -> Error {
    Error::from_fault(Fault::Held).with_detail(
        "RESTORE takes a value in one argument; plain commands (CommandForm::Plain) take it in parts",
    )
}
