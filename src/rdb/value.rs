//! Values: an opaque window, and the items in it on request.

use crate::error::{Error, Fault, Result};
use crate::rdb::item::Item;
use crate::rdb::string::Str;
use crate::rdb::value_type::{DataType, ValueType};
use crate::rdb::walk::{Part, Walk, settle_stop};
use crate::wire::cursor::{Cursor, Stop};
use std::fmt;

/// A value as it lies in the file: its layout and its bytes, not decoded.
///
/// Copying, filtering by key and `RESTORE` need no more. There are two ways in: [`items`](Self::items)
/// gives strings and packed blobs as the file groups them, and a
/// [`Decoder`](crate::rdb::Decoder) makes logical elements of those.
///
/// ```
/// use redkeep::rdb::{Decoder, Element, EventKind, SliceReader};
/// use redkeep::wire::number::Digits;
/// # let dump = b"REDIS0003\x02\x01s\x02\x01a\xc0\x07\xff";
/// let (mut decoder, mut members) = (Decoder::new(), Vec::new());
/// for event in SliceReader::new(dump) {
///     if let EventKind::Entry(entry) = event?.kind() {
///         for item in entry.value().items()? {
///             for element in decoder.elements(item?)? {
///                 if let Element::Member(member) = element? {
///                     members.push(member.bytes(&mut Digits::new()).to_vec());
///                 }
///             }
///         }
///     }
/// }
/// assert_eq!(members, [b"a", b"7"]);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub(crate) kind: ValueType,
    pub(crate) bytes: &'a [u8],
    pub(crate) offset: u64,
}

impl<'a> Value<'a> {
    /// How it is laid out.
    #[inline(always)]
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        self.kind
    }

    /// What a client calls it.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.kind.data_type()
    }

    /// Its bytes, without the type byte: what `RESTORE` takes after that byte.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes it takes in the file.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never true of a framed value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The absolute offset of its first byte.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Its items, as the file groups them.
    ///
    /// # Errors
    /// `Corrupt` or `Truncated` when not even its beginning can be read.
    #[inline(always)]
    pub fn items(&self) -> Result<Items<'a>> {
        let mut c = Cursor::new(self.bytes);
        match Walk::start(self.kind, &mut c, None) {
            Ok(walk) => {
                let head = (self.bytes.len() - c.left()) as u64;
                Ok(Items::new(walk, c.rest(), self.offset + head))
            }
            Err(stop) => Err(settle_stop(stop, self.offset, self.bytes.len())),
        }
    }

    /// The string of a string value, without the detour over items.
    #[inline(always)]
    #[must_use]
    pub fn text(&self) -> Option<Str<'a>> {
        match self.kind {
            ValueType::String => Cursor::new(self.bytes).string().ok(),
            _ => None,
        }
    }

    /// How many items it says that it begins with: a hint, not to be believed for memory.
    pub(crate) fn declared(&self) -> u64 {
        match crate::rdb::walk::single(self.kind) {
            // An entry of a packed blob takes some bytes; how many entries only the blob knows.
            Some(_) => self.bytes.len() as u64 / 8,
            None => self.items().map_or(0, |items| items.declared()),
        }
    }

    /// The smallest field expiry that the hash claims (types 24 and 25), in ms: may be stale.
    #[must_use]
    pub fn min_expire(&self) -> Option<u64> {
        let mut c = Cursor::new(self.bytes);
        match self.kind {
            ValueType::HashMetadata | ValueType::HashListpackEx => c.u64_le().ok(),
            _ => None,
        }
    }

    /// The insert cursor of an array (type 28), where it has one.
    #[must_use]
    pub fn array_cursor(&self) -> Option<u64> {
        let mut c = Cursor::new(self.bytes);
        if self.kind != ValueType::Array {
            return None;
        }
        c.length().ok()?;
        (c.length().ok()? == 1).then(|| c.length().ok()).flatten()
    }

    /// The identity of the module a value belongs to (types 6 and 7).
    #[must_use]
    pub fn module(&self) -> Option<crate::rdb::encoding::module::ModuleId> {
        let mut c = Cursor::new(self.bytes);
        match self.kind {
            ValueType::Module2 | ValueType::ModulePreGa => {
                c.length().ok().map(crate::rdb::encoding::module::ModuleId::new)
            }
            _ => None,
        }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({} bytes at {})", self.kind, self.bytes.len(), self.offset)
    }
}

/// The items of a value, or of one run of a value too big to be held. Fused.
#[derive(Clone)]
pub struct Items<'a> {
    walk: Walk,
    c: Cursor<'a>,
    /// Absolute offset of the window's end.
    end: u64,
}

/// An item, and where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Located<'a> {
    /// The item.
    pub item: Item<'a>,
    /// The value's layout, which says what packed items hold.
    pub kind: ValueType,
    /// The absolute offset of its end.
    pub end: u64,
}

impl<'a> Items<'a> {
    #[inline(always)]
    pub(crate) fn new(walk: Walk, window: &'a [u8], offset: u64) -> Items<'a> {
        Items { walk, c: Cursor::new(window), end: offset + window.len() as u64 }
    }

    /// Items still to come of the row it is in, as declared: not to be believed for memory.
    #[must_use]
    pub fn declared(&self) -> u64 {
        self.walk.left
    }

    /// Bytes not read yet.
    pub(crate) fn left(&self) -> usize {
        self.c.left()
    }

    /// Shows each item, a row of equal ones in one tight loop.
    #[inline(always)]
    pub(crate) fn each(mut self, mut see: impl FnMut(Located<'a>) -> Result<()>) -> Result<()> {
        let Items { mut walk, mut c, end } = self;
        let kind = walk.kind;
        let mut failed = None;
        while !c.is_empty() {
            let row = walk.run_part(&mut c, |item, after| {
                let located = Located { item, kind, end: end - after.left() as u64 };
                see(located).map_err(|error| {
                    failed = Some(error);
                    Stop::Bad(Fault::Internal, 0)
                })
            });
            match (row, failed.take()) {
                (_, Some(error)) => return Err(error),
                // A run ends with its window, in the midst of its row.
                (Err(Stop::Short(_)), None) if c.is_empty() => return Ok(()),
                (Err(stop), None) => {
                    (self.walk, self.c) = (walk, c);
                    return Err(self.fail(stop));
                }
                (Ok(()), None) => {}
            }
            if walk.left == 0 {
                walk.turn();
            }
            if walk.part == Part::Done && !c.is_empty() {
                return Err(self.fail(c.bad(Fault::Internal)));
            }
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn fail(&mut self, stop: Stop) -> Error {
        let left = self.c.left();
        (self.walk.part, self.walk.left) = (Part::Done, 0);
        self.c = Cursor::new(&[]);
        settle_stop(stop, self.end - left as u64, left)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Located<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.c.is_empty() {
                return None;
            }
            match self.walk.next(&mut self.c) {
                Ok(Some(item)) => {
                    let end = self.end - self.c.left() as u64;
                    return Some(Ok(Located { item, kind: self.walk.kind, end }));
                }
                Ok(None) => {
                    self.walk.turn();
                    if self.walk.part == Part::Done {
                        let stop = self.c.bad(Fault::Internal);
                        return Some(Err(self.fail(stop)));
                    }
                }
                Err(stop) => return Some(Err(self.fail(stop))),
            }
        }
    }
}

/// Shows no content: values are never logged.
impl fmt::Debug for Items<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Items({} bytes left)", self.c.left())
    }
}
