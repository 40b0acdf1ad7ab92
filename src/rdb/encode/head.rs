//! What stands in front of a key, as far as a server has a place for it.

use crate::error::{Error, Fault, Result};
use crate::rdb::attribute::Attributes;
use crate::rdb::loss::{Loss, Losses};
use crate::rdb::opcode::byte;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::ServerVersion;

/// Appends the attributes that the server knows, in its order; the others are lost.
pub(crate) fn write_attributes(
    attributes: &Attributes<'_>,
    target: ServerVersion,
    out: &mut Vec<u8>,
) -> Result<Losses> {
    let mut losses = Losses::default();
    let mut kept = *attributes;
    let hints = kept.idle_seconds.is_some() || kept.frequency.is_some();
    if hints && !target.reads(ValueType::StreamListpacks) {
        (kept.idle_seconds, kept.frequency) = (None, None);
        losses.add(Loss::EvictionHint, 1, 1);
    }
    if kept.metadata.is_some() && !target.reads(ValueType::StreamListpacks4) {
        kept.metadata = None;
        losses.add(Loss::KeyMetadata, 1, 1);
    }
    let Some(at) = kept.expires.map(|at| at.get()) else {
        kept.write(out);
        return Ok(losses);
    };
    // What expired a millisecond before 1970 would last for ever: the stored -1 means never.
    let at = if at == -1 { -2 } else { at };
    if target.reads(ValueType::HashZiplist) {
        kept.expires = Some(crate::time::UnixMillis::new(at));
    } else {
        // Redis 2.4 has whole seconds only, in 32 bits; a little too long loses nothing.
        let seconds = at.div_euclid(1000) + i64::from(at.rem_euclid(1000) > 0);
        let seconds = i32::try_from(seconds).map_err(|_| {
            Error::from_fault(Fault::NoPlace)
                .with_detail(format!("expiries that far from 1970 for {target}"))
        })?;
        losses.add(Loss::ExpiryPrecision, u64::from(at.rem_euclid(1000) > 0), 1);
        out.push(byte::EXPIRE_SECONDS);
        out.extend_from_slice(&seconds.to_le_bytes());
        kept.expires = None;
    }
    kept.write(out);
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, UnixMillis};

    fn written(attributes: &Attributes<'_>, target: &str) -> (Vec<u8>, Losses) {
        let mut out = Vec::new();
        let losses = write_attributes(attributes, target.parse().unwrap(), &mut out).unwrap();
        (out, losses)
    }

    #[test]
    fn each_server_gets_what_it_knows() {
        let mut all = Attributes::default().expires(UnixMillis::new(1_700_000_000_001));
        all.frequency = Some(7);
        all.metadata = Some(&[0]);
        let (bytes, losses) = written(&all, "redis-8.6");
        assert_eq!(bytes, b"\xfc\x01\x68\xe5\xcf\x8b\x01\0\0\xf9\x07\xf3\0");
        assert!(losses.is_empty());
        let (bytes, losses) = written(&all, "valkey-9.0");
        assert_eq!((bytes.len(), losses.get(Loss::KeyMetadata).count), (11, 1));
        let (bytes, losses) = written(&all, "redis-4.0");
        assert_eq!((bytes.len(), losses.get(Loss::EvictionHint).count), (9, 1));
        let (bytes, losses) = written(&all, "redis-2.4");
        assert_eq!(bytes, b"\xfd\x01\xf1\x53\x65");
        assert_eq!(losses.get(Loss::ExpiryPrecision).keys, 1);
    }

    #[test]
    fn an_expiry_is_never_turned_into_another_or_none() {
        let before = Attributes::default().expires(UnixMillis::new(-1));
        assert_eq!(Attributes::read(&written(&before, "redis-7.2").0).expires.unwrap().get(), -2);
        let late = Attributes::default().expires(UnixMillis::from_seconds(1 << 31));
        let target = "redis-2.4".parse().unwrap();
        let error = write_attributes(&late, target, &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
