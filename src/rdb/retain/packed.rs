//! Packed blobs with some of their entries left out.

use crate::error::Result;
use crate::rdb::build::{ListpackBuilder, ZiplistBuilder, build_intset};
use crate::rdb::element::Score;
use crate::rdb::encoding::intset::Intset;
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::ziplist::Ziplist;
use crate::rdb::encoding::zipmap::Zipmap;
use crate::rdb::encoding::{Origin, Scalar};
use crate::rdb::retain::Keep;
use crate::rdb::value_type::{DataType, ValueType};
use crate::wire::number::Digits;

/// Builds blobs, keeping its buffers from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    listpack: ListpackBuilder,
    ziplist: ZiplistBuilder,
    other: Vec<u8>,
}

/// What became of a blob.
pub(crate) enum Blob<'p> {
    /// Everything stays.
    Same,
    Empty,
    New(&'p [u8]),
}

impl Packer {
    /// A blob of a value of this layout, or of a node of it, without what goes.
    pub(crate) fn blob(
        &mut self,
        kind: ValueType,
        bytes: &[u8],
        origin: Origin,
        keep: &impl Keep,
    ) -> Result<Blob<'_>> {
        use ValueType as T;
        match kind {
            T::SetIntset => self.intset(Intset::new(bytes, origin)?, keep),
            T::HashZipmap => self.zipmap(Zipmap::new(bytes, origin)?, keep),
            T::ListZiplist | T::ListQuicklist | T::ZSetZiplist | T::HashZiplist => {
                let entries = Ziplist::new(bytes, origin)?;
                self.ziplist.clear();
                let builder = &mut self.ziplist;
                let counts = groups(kind, entries, keep, |entry| builder.push(entry))?;
                Ok(counts.blob(|| self.ziplist.finish()))
            }
            _ => {
                let entries = Listpack::new(bytes, origin)?;
                self.listpack.clear();
                let builder = &mut self.listpack;
                let counts = groups(kind, entries, keep, |entry| builder.push(entry))?;
                Ok(counts.blob(|| self.listpack.finish()))
            }
        }
    }

    fn intset(&mut self, set: Intset<'_>, keep: &impl Keep) -> Result<Blob<'_>> {
        let (all, mut digits) = (set.len() as u64, Digits::new());
        let left: Vec<i64> = set.filter(|n| keep.member(digits.format(*n))).collect();
        let counts = Counts { left: left.len() as u64, removed: all - left.len() as u64 };
        Ok(counts.blob(|| {
            self.other.clear();
            build_intset(&left, &mut self.other);
            &self.other
        }))
    }

    fn zipmap(&mut self, map: Zipmap<'_>, keep: &impl Keep) -> Result<Blob<'_>> {
        let mut counts = Counts::default();
        self.other.clear();
        self.other.push(0);
        for pair in map {
            let (field, value) = pair?;
            if counts.count(keep.field(field)) {
                push_zipmap(field, &mut self.other);
                push_zipmap_value(value, &mut self.other);
            }
        }
        self.other.push(0xFF);
        if let Some(count) = self.other.first_mut() {
            // 254 says nothing of how many there are.
            *count = u8::try_from(counts.left).unwrap_or(254).min(254);
        }
        Ok(counts.blob(|| &self.other))
    }
}

#[derive(Debug, Default)]
struct Counts {
    left: u64,
    removed: u64,
}

impl Counts {
    fn count(&mut self, stays: bool) -> bool {
        *if stays { &mut self.left } else { &mut self.removed } += 1;
        stays
    }

    fn blob<'p>(self, new: impl FnOnce() -> &'p [u8]) -> Blob<'p> {
        match (self.removed, self.left) {
            (0, _) => Blob::Same,
            (_, 0) => Blob::Empty,
            _ => Blob::New(new()),
        }
    }
}

/// Entries in groups of one, two or three, of which the first is what is asked about.
fn groups<'a>(
    kind: ValueType,
    mut entries: impl Iterator<Item = Result<Scalar<'a>>>,
    keep: &impl Keep,
    mut push: impl FnMut(Scalar<'a>) -> Result<()>,
) -> Result<Counts> {
    let data = kind.data_type();
    let more = match (data, kind) {
        (_, ValueType::HashListpackEx | ValueType::HashListpackExPreGa) => 2,
        (DataType::Hash | DataType::SortedSet, _) => 1,
        _ => 0,
    };
    let (mut counts, mut digits) = (Counts::default(), Digits::new());
    while let Some(first) = entries.next() {
        let first = first?;
        let mut others = [Scalar::Int(0); 2];
        for other in others.iter_mut().take(more) {
            // Counted before, so none is missing.
            *other = entries.next().transpose()?.unwrap_or(Scalar::Int(0));
        }
        let [second, _] = others;
        let name = first.bytes(&mut digits);
        let stays = match data {
            DataType::List => keep.element(name),
            DataType::Set => keep.member(name),
            DataType::SortedSet => keep.scored(name, Score::of(second)),
            _ => keep.field(name),
        };
        if counts.count(stays) {
            push(first)?;
            others.into_iter().take(more).try_for_each(&mut push)?;
        }
    }
    Ok(counts)
}

/// A length, and bytes.
fn push_zipmap(bytes: &[u8], out: &mut Vec<u8>) {
    push_zipmap_length(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// A length, no junk, and bytes.
fn push_zipmap_value(bytes: &[u8], out: &mut Vec<u8>) {
    push_zipmap_length(bytes.len(), out);
    out.push(0);
    out.extend_from_slice(bytes);
}

fn push_zipmap_length(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(n @ 0..254) => out.push(n),
        _ => {
            out.push(254);
            out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}
