//! Streams with some of their entries left out.

use crate::error::{Error, Fault, Result};
use crate::rdb::build::ListpackBuilder;
use crate::rdb::element::{Element, StreamId};
use crate::rdb::encoding::listpack::Listpack;
use crate::rdb::encoding::stream::{SAME_FIELDS, StreamNode};
use crate::rdb::encoding::{Origin, Scalar};
use crate::rdb::len::write_length;
use crate::rdb::retain::Keep;
use crate::wire::cursor::Cursor;

/// What is known of a stream after its nodes.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    live: u64,
    first: Option<StreamId>,
    /// The highest ID of a live entry that went.
    removed: Option<StreamId>,
}

/// What became of a node.
pub(crate) enum Node<'b> {
    Same,
    /// No live entry is left: servers drop such a node.
    Empty,
    New(&'b [u8]),
}

impl Entries {
    /// A node without what goes; the names of its master entry stay.
    pub(crate) fn node<'b>(
        &mut self,
        master: StreamId,
        bytes: &[u8],
        origin: Origin,
        keep: &impl Keep,
        builder: &'b mut ListpackBuilder,
    ) -> Result<Node<'b>> {
        let (mut live, mut deleted, mut gone) = (0, 0, 0u64);
        for element in StreamNode::new(master, bytes, origin)? {
            let Element::StreamEntry { id, deleted: dead, .. } = element? else { continue };
            match (keep.id(id), dead) {
                (true, false) => {
                    self.first.get_or_insert(id);
                    live += 1;
                }
                (true, true) => deleted += 1,
                (false, dead) => {
                    gone += 1;
                    let highest = self.removed.max(Some(id));
                    self.removed = if dead { self.removed } else { highest };
                }
            }
        }
        self.live += u64::try_from(live).unwrap_or_default();
        match (live, gone) {
            (_, 0) => Ok(Node::Same),
            (0, _) => Ok(Node::Empty),
            _ => {
                let list = Listpack::new(bytes, origin)?;
                builder.clear();
                copy(list, master, [live, deleted], keep, builder)?;
                Ok(Node::New(builder.finish()))
            }
        }
    }

    /// Length, IDs and counters, as deleting the entries would have left them; the number of groups
    /// and all that follows are no part of it.
    pub(crate) fn write_info(&self, raw: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut c = Cursor::new(raw);
        let mut next = || c.length().map_err(|_| Error::from_fault(Fault::Internal));
        next()?;
        write_length(self.live, out);
        for _ in 0..2 {
            write_length(next()?, out);
        }
        // Layout 15 ends here.
        let Ok(_first_ms) = next() else { return Ok(()) };
        next()?;
        let highest = StreamId::new(next()?, next()?);
        let first = self.first.unwrap_or_default();
        let highest = self.removed.unwrap_or_default().max(highest);
        for number in [first.ms, first.seq, highest.ms, highest.seq, next()?] {
            write_length(number, out);
        }
        Ok(())
    }
}

/// Copies the master entry with new counts, and the entries that stay.
fn copy(
    mut list: Listpack<'_>,
    master: StreamId,
    [live, deleted]: [i64; 2],
    keep: &impl Keep,
    builder: &mut ListpackBuilder,
) -> Result<()> {
    let mut entries = integer(&mut list)?.saturating_add(integer(&mut list)?);
    let names = integer(&mut list)?;
    for number in [live, deleted, names] {
        builder.push_integer(number);
    }
    for _ in 0..names {
        builder.push(scalar(&mut list)?)?;
    }
    builder.push_integer(integer(&mut list)?);
    while entries > 0 {
        entries -= 1;
        let head = [integer(&mut list)?, integer(&mut list)?, integer(&mut list)?];
        let [flags, ms, seq] = head;
        let id = StreamId {
            ms: master.ms.wrapping_add(ms.cast_unsigned()),
            seq: master.seq.wrapping_add(seq.cast_unsigned()),
        };
        let stays = keep.id(id);
        let mut passed = |entry| if stays { builder.push(entry) } else { Ok(()) };
        head.into_iter().try_for_each(|number| passed(Scalar::Int(number)))?;
        let strings = match flags & SAME_FIELDS {
            0 => {
                let fields = integer(&mut list)?;
                passed(Scalar::Int(fields))?;
                fields.saturating_mul(2)
            }
            _ => names,
        };
        for _ in 0..strings {
            passed(scalar(&mut list)?)?;
        }
        passed(Scalar::Int(integer(&mut list)?))?;
    }
    Ok(())
}

fn scalar<'a>(list: &mut Listpack<'a>) -> Result<Scalar<'a>> {
    list.next().unwrap_or_else(|| Err(list.fault(Fault::StreamNode)))
}

fn integer(list: &mut Listpack<'_>) -> Result<i64> {
    scalar(list)?.int().ok_or_else(|| list.fault(Fault::StreamNode))
}
