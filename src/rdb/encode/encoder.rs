//! The encoder, its thresholds, and what comes out.

use crate::error::{Error, Fault, Result};
use crate::rdb::build::{ListpackBuilder, PackedBuilder, StrWriter};
use crate::rdb::content::{ArrayContent, ArrayValue, Content, ModuleContent, ModuleValue};
use crate::rdb::dump::Payload;
use crate::rdb::len::write_length;
use crate::rdb::loss::{Loss, Losses};
use crate::rdb::value::Value;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::ServerVersion;
use std::fmt;

/// Encodes contents for one server, as that server would.
///
/// | | 2.4 | 2.6 to 3.0 | 3.2 to 6.2 | 7.0 | 7.2 and later, Valkey |
/// |---|---|---|---|---|---|
/// | list | strings | one ziplist, strings | ziplist nodes | listpack and plain nodes | same |
/// | set | intset, strings | same | same | same | intset, listpack, strings |
/// | sorted set | text scores | ziplist, text scores | ziplist, binary scores since 4.0 | listpack, binary scores | same |
/// | hash | strings | ziplist, strings | same | listpack, strings | and those with field expiries |
/// | stream | | | version 1 since 5.0 | version 2 | version 3; 4 in Redis 8.6, 5 in 8.8 |
///
/// For Redis 2.4 sets of integers are intsets, and all else is strings.
///
/// The thresholds are the server's defaults; where a server is configured otherwise, the setters say
/// so. They only choose among encodings that the server reads anyway. As in the servers, a score of
/// -0 in a packed sorted set is 0 since Redis 7.0. Buffers are kept from one value to the next.
///
/// ```
/// use redkeep::rdb::{Content, Encoder, ValueType};
/// let mut encoder = Encoder::new("redis-6.2".parse().unwrap());
/// let hash = Content::hash([("name", "Ada"), ("born", "1815")]);
/// let encoded = encoder.encode(&hash)?;
/// assert_eq!(encoded.value_type(), ValueType::HashZiplist);
/// assert!(encoded.losses.is_empty());
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Encoder {
    pub(super) target: ServerVersion,
    pub(super) list: Threshold,
    pub(super) set: Threshold,
    pub(super) sorted_set: Threshold,
    pub(super) hash: Threshold,
    /// Most members of an intset.
    pub(super) intset: usize,
    /// Most bytes of a list node.
    pub(super) list_node: usize,
    /// Most bytes and entries of a stream node.
    pub(super) stream_node: (usize, u8),
    pub(super) text: StrWriter,
    /// The packed lists of collections.
    pub(super) packer: PackedBuilder,
    /// Stream nodes, which are listpacks everywhere.
    pub(super) node: ListpackBuilder,
    /// What stands behind a count that is not known yet.
    pub(super) rows: Vec<u8>,
    pub(super) out: Vec<u8>,
}

/// How big a collection may be to stay packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Threshold {
    entries: usize,
    bytes: usize,
}

impl Threshold {
    /// Nothing is packed.
    const NEVER: Threshold = Threshold { entries: 0, bytes: 0 };

    /// Whether so many entries with these texts are few and short enough.
    pub(super) fn holds<'a>(
        self,
        entries: usize,
        texts: impl IntoIterator<Item = &'a [u8]>,
    ) -> bool {
        entries <= self.entries && texts.into_iter().all(|text| text.len() <= self.bytes)
    }
}

impl Encoder {
    /// An encoder for a server with default settings.
    #[must_use]
    pub fn new(target: ServerVersion) -> Encoder {
        let from = |kind, entries| match target.reads(kind) {
            true => Threshold { entries, bytes: 64 },
            false => Threshold::NEVER,
        };
        let listpacks = target.reads(ValueType::HashListpack);
        Encoder {
            target,
            list: from(ValueType::HashZiplist, 512),
            set: from(ValueType::SetListpack, 128),
            // Ziplists of 2.4 know fewer forms of integers; what has those of 2.6 reads type 13.
            sorted_set: from(ValueType::HashZiplist, 128),
            hash: from(ValueType::HashZiplist, 512),
            intset: 512,
            list_node: 8192,
            stream_node: (4096, 100),
            text: StrWriter::new(true),
            packer: match listpacks {
                true => PackedBuilder::listpack(),
                false => PackedBuilder::ziplist(),
            },
            node: ListpackBuilder::default(),
            rows: Vec::new(),
            out: Vec::new(),
        }
    }

    /// Whether strings and packed blobs are compressed where that saves bytes. Default: yes, as
    /// `rdbcompression`.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Encoder {
        self.text = StrWriter::new(compress);
        self
    }

    /// Most elements of a list in one ziplist, and most bytes of each (Redis 2.6 to 3.0). Default
    /// 512 and 64.
    #[must_use]
    pub fn list_packed(mut self, entries: usize, bytes: usize) -> Encoder {
        self.list = self.known(ValueType::HashZiplist, entries, bytes);
        self
    }

    /// Most bytes of a node of a list (since Redis 3.2); bigger elements have one to themselves.
    /// Default 8192, as `list-max-listpack-size -2`.
    #[must_use]
    pub fn list_node(mut self, bytes: usize) -> Encoder {
        self.list_node = bytes;
        self
    }

    /// Most members of a set of integers in an intset. Default 512.
    #[must_use]
    pub fn intset(mut self, entries: usize) -> Encoder {
        self.intset = entries;
        self
    }

    /// Most members of a set in a listpack, and most bytes of each (since Redis 7.2). Default 128 and
    /// 64.
    #[must_use]
    pub fn set_packed(mut self, entries: usize, bytes: usize) -> Encoder {
        self.set = self.known(ValueType::SetListpack, entries, bytes);
        self
    }

    /// Most members of a packed sorted set, and most bytes of each (since Redis 2.6). Default 128
    /// and 64.
    #[must_use]
    pub fn sorted_set_packed(mut self, entries: usize, bytes: usize) -> Encoder {
        self.sorted_set = self.known(ValueType::HashZiplist, entries, bytes);
        self
    }

    /// Most fields of a packed hash, and most bytes of each name and value (since Redis 2.6).
    /// Default 512 and 64.
    #[must_use]
    pub fn hash_packed(mut self, entries: usize, bytes: usize) -> Encoder {
        self.hash = self.known(ValueType::HashZiplist, entries, bytes);
        self
    }

    /// Most bytes of a stream node, and most entries, 1 to 127. Default 4096 and 100.
    #[must_use]
    pub fn stream_node(mut self, bytes: usize, entries: u8) -> Encoder {
        self.stream_node = (bytes, entries.clamp(1, 127));
        self
    }

    fn known(&self, kind: ValueType, entries: usize, bytes: usize) -> Threshold {
        if self.target.reads(kind) { Threshold { entries, bytes } } else { Threshold::NEVER }
    }

    /// The server that is encoded for.
    #[must_use]
    pub fn target(&self) -> ServerVersion {
        self.target
    }

    /// Encodes a content. It is lent until the next one.
    ///
    /// What the server has no place for is left out and counted in [`Encoded::losses`].
    ///
    /// # Errors
    /// `Usage` for what servers refuse, as [`Content::validate`] says; `Unsupported` where the server
    /// has no such type at all, and the whole key would be lost.
    pub fn encode(&mut self, content: &Content) -> Result<Encoded<'_>> {
        content.validate()?;
        self.out.clear();
        let mut losses = Losses::default();
        let kind = match content {
            Content::String(text) => {
                self.text.write_bytes(text, &mut self.out);
                ValueType::String
            }
            Content::List(elements) => self.list(elements)?,
            Content::Set(members) => self.set(members)?,
            Content::SortedSet(members) => self.sorted_set(members)?,
            Content::Hash(fields) => self.hash(fields, &mut losses)?,
            Content::Stream(stream) => self.stream(stream, &mut losses)?,
            Content::Array(array) => self.array(array)?,
            Content::Module(module) => self.module(module)?,
        };
        let value = Value { kind, bytes: &self.out, offset: 0 };
        Ok(Encoded { value, target: self.target, losses })
    }

    /// The layout, where the server has it; otherwise the key is lost.
    pub(super) fn needs(&self, kind: ValueType, loss: Loss) -> Result<ValueType> {
        if self.target.reads(kind) {
            return Ok(kind);
        }
        let detail = format!("{} for {}", loss.text(), self.target);
        Err(Error::from_fault(Fault::NoPlace).with_detail(detail))
    }

    fn array(&mut self, array: &ArrayContent) -> Result<ValueType> {
        let kind = self.needs(ValueType::Array, Loss::Array)?;
        let out = &mut self.out;
        write_length(array.elements.len() as u64, out);
        write_length(u64::from(array.cursor.is_some()), out);
        if let Some(cursor) = array.cursor {
            write_length(cursor, out);
        }
        for (index, element) in &array.elements {
            write_length(*index, out);
            match element {
                ArrayValue::Float(n) => {
                    out.push(2);
                    out.extend_from_slice(&n.to_le_bytes());
                }
                ArrayValue::Text(text) if element.integer().is_none() => {
                    // Up to seven bytes are kept in the slot itself.
                    out.push(if text.len() <= 7 { 3 } else { 0 });
                    self.text.write_bytes(text, out);
                }
                ArrayValue::Text(_) | ArrayValue::Int(_) => {
                    out.push(1);
                    out.extend_from_slice(&element.integer().unwrap_or_default().to_le_bytes());
                }
            }
        }
        Ok(kind)
    }

    fn module(&mut self, module: &ModuleContent) -> Result<ValueType> {
        let kind = self.needs(ValueType::Module2, Loss::Module)?;
        let out = &mut self.out;
        write_length(module.id.get(), out);
        for field in &module.fields {
            match field {
                ModuleValue::Signed(n) => {
                    out.push(1);
                    write_length(n.cast_unsigned(), out);
                }
                ModuleValue::Unsigned(n) => {
                    out.push(2);
                    write_length(*n, out);
                }
                ModuleValue::Float(n) => {
                    out.push(3);
                    out.extend_from_slice(&n.to_le_bytes());
                }
                ModuleValue::Double(n) => {
                    out.push(4);
                    out.extend_from_slice(&n.to_le_bytes());
                }
                ModuleValue::Text(text) => {
                    out.push(5);
                    self.text.write_bytes(text, out);
                }
            }
        }
        out.push(0);
        Ok(kind)
    }
}

/// Shows no content: buffers hold values.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({})", self.target)
    }
}

/// A value as a server would write it, lent by the [`Encoder`] until the next one.
///
/// ```
/// use redkeep::rdb::{Content, Encoder, Payload};
/// let mut encoder = Encoder::new("redis-7.2".parse().unwrap());
/// let encoded = encoder.encode(&Content::string("12"))?;
/// assert_eq!(encoded.value().bytes(), b"\xc0\x0c");
/// // RESTORE takes this:
/// let payload = encoded.payload();
/// assert_eq!(Payload::parse(&payload)?.version(), 11);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Encoded<'a> {
    value: Value<'a>,
    target: ServerVersion,
    /// What of the content the server has no place for.
    pub losses: Losses,
}

impl<'a> Encoded<'a> {
    /// How it is laid out.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.value.kind
    }

    /// The value; its offsets count from its own first byte.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        self.value
    }

    /// The server that it was encoded for.
    #[must_use]
    pub fn target(&self) -> ServerVersion {
        self.target
    }

    /// A payload for `RESTORE` on that server (since Redis 2.6).
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        Payload::encode(self.value, None, self.target.rdb_version())
    }
}
