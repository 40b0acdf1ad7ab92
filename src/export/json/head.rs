//! What stands in a line before the value.

use super::facts;
use super::lines::Lines;
use super::text::Text;
use crate::error::Result;
use crate::rdb::encoding::module::ModuleId;
use crate::rdb::{DataType, Entry, StrBuf, ValueType};

/// The fixed parts of lines, each with room behind it, so that all are copied in one size.
pub(super) struct Heads {
    db: u64,
    before_key: Fixed<48>,
    /// By layout: what stands between key and value where there are no attributes.
    after_key: [Fixed<96>; 256],
}

/// Text and its length.
type Fixed<const N: usize> = ([u8; N], usize);

/// The end of a line's part between key and value, for most keys.
const NO_ATTRIBUTES: &str = "null,\"value\":";

impl Heads {
    pub(super) fn new() -> Box<Heads> {
        let mut after_key = [([0; 96], 0); 256];
        for kind in ValueType::ALL {
            let (name, code) = (kind.data_type().name(), kind.code());
            if let Some(head) = after_key.get_mut(usize::from(*kind as u8)) {
                *head = fixed(&format!(
                    ",\"type\":\"{name}\",\"encoding\":\"{code}\",\"expire_at_ms\":{NO_ATTRIBUTES}"
                ));
            }
        }
        Box::new(Heads { db: 0, before_key: before_key(0), after_key })
    }

    /// The database of the last key.
    pub(super) fn db(&self) -> u64 {
        self.db
    }

    /// Begins a key's line, up to where its value begins.
    #[inline(always)]
    pub(super) fn write(
        &mut self,
        entry: &Entry<'_>,
        lines: &mut Lines,
        buf: &mut StrBuf,
    ) -> Result<()> {
        lines.begin();
        if entry.db() != self.db {
            (self.db, self.before_key) = (entry.db(), before_key(entry.db()));
        }
        let key = match entry.key().scalar(buf) {
            Ok(key) => key,
            Err(error) => {
                lines.forget_key();
                return Err(error);
            }
        };
        let mut pen = lines.text.pen();
        let (before_key, len) = &self.before_key;
        pen.put_first(before_key, *len);
        let start = pen.len();
        pen.scalar(key);
        lines.key_at = start..pen.len();
        let kind = entry.value_type();
        let usual = entry.raw_attributes().is_empty()
            && entry.slot().is_none()
            && !matches!(kind, ValueType::Module2 | ValueType::ModulePreGa);
        if usual && let Some((after_key, len)) = self.after_key.get(usize::from(kind as u8)) {
            pen.put_first(after_key, *len);
            pen.done();
            return Ok(());
        }
        pen.done();
        self.unusual(entry, &mut lines.text, buf)
    }

    #[inline(never)]
    fn unusual(&self, entry: &Entry<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
        let kind = entry.value_type();
        let module = ModuleId::new(entry.value().module().map_or(0, ModuleId::get));
        if kind.data_type() == DataType::Module {
            text.put(b",\"type\":");
            text.string(module.name().as_bytes());
            text.put(b",\"encoding\":");
            text.string(kind.code().as_bytes());
            text.put(b",\"expire_at_ms\":");
        } else if let Some((after_key, len)) = self.after_key.get(usize::from(kind as u8)) {
            let mut pen = text.pen();
            pen.put_first(after_key, len.saturating_sub(NO_ATTRIBUTES.len()));
            pen.done();
        }
        attributes(entry, text, buf)?;
        if kind.data_type() == DataType::Module {
            text.put(b"{\"module\":");
            facts::module(module, text);
            text.put(b",\"b64\":\"");
        }
        Ok(())
    }
}

/// From the expiry's number to the value's colon.
fn attributes(entry: &Entry<'_>, text: &mut Text, buf: &mut StrBuf) -> Result<()> {
    let attributes = entry.attributes();
    match attributes.expires {
        Some(at) => text.signed(at.get()),
        None => text.put(b"null"),
    }
    if let Some(count) = attributes.frequency {
        text.put(b",\"freq\":");
        text.unsigned(u64::from(count));
    }
    if let Some(seconds) = attributes.idle_seconds {
        text.put(b",\"idle_s\":");
        text.unsigned(seconds);
    }
    if let Some(slot) = entry.slot() {
        text.put(b",\"slot\":");
        text.unsigned(u64::from(slot));
    }
    if let Some(stamp) = attributes.mvcc {
        text.put(b",\"mvcc\":");
        text.scalar(stamp.scalar(buf)?);
    }
    if let Some(metadata) = attributes.metadata {
        text.put(b",\"metadata\":");
        text.base64(metadata);
    }
    text.put(b",\"value\":");
    Ok(())
}

fn before_key(db: u64) -> Fixed<48> {
    fixed(&format!("{{\"db\":{db},\"key\":"))
}

/// The text, which has to be shorter than that.
fn fixed<const N: usize>(text: &str) -> Fixed<N> {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    (bytes, text.len())
}
