//! Which layout a value gets for a server that cannot read its own.

use crate::rdb::loss::Loss;
use crate::rdb::value_type::{DataType, ValueType};
use crate::rdb::version::{Header, Lineage, ServerVersion};

/// What becomes of values of one layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// They stay as they are.
    Same,
    /// They are written in this one. Of a set in a listpack it is the one for members that are not
    /// all integers.
    To(ValueType),
    /// The key is lost.
    Lost(Loss),
}

/// Whether a file with this header, read by this server, can hold values of this layout.
fn can_hold(target: ServerVersion, header: Header, kind: ValueType) -> bool {
    use ValueType as T;
    match kind {
        // The type number means this only under Valkey's magic.
        T::ValkeyHash2 => target.reads(kind) && header.lineage == Lineage::Valkey,
        // Redis 2.4 does not know the short integers in ziplists that 2.6 brought.
        T::ListZiplist | T::ZSetZiplist => target.is_valkey() || target.at_least(2, 6),
        _ => target.reads(kind),
    }
}

/// The layout that values of `kind` get.
pub(super) fn layout(target: ServerVersion, header: Header, kind: ValueType) -> Layout {
    use ValueType as T;
    if can_hold(target, header, kind) {
        return Layout::Same;
    }
    let candidates: &[T] = match kind {
        T::ListQuicklist2 => &[T::ListQuicklist, T::List],
        T::ListQuicklist | T::ListZiplist => &[T::List],
        T::SetListpack => &[T::Set],
        T::ZSetListpack => &[T::ZSetZiplist, T::ZSet],
        T::ZSetZiplist | T::ZSet2 => &[T::ZSet],
        T::HashListpack | T::HashTmplLp | T::HashTmplLpRef => {
            &[T::HashListpack, T::HashZiplist, T::Hash]
        }
        T::HashZiplist | T::HashTmplArray | T::HashTmplArrayRef => &[T::Hash],
        T::HashMetadata
        | T::HashMetadataPreGa
        | T::HashListpackEx
        | T::HashListpackExPreGa
        | T::ValkeyHash2 => &[T::HashMetadata, T::ValkeyHash2, T::Hash],
        T::StreamListpacks5 | T::StreamListpacks4 | T::StreamListpacks3 | T::StreamListpacks2 => {
            &[T::StreamListpacks4, T::StreamListpacks3, T::StreamListpacks2, T::StreamListpacks]
        }
        _ => &[],
    };
    match candidates.iter().find(|to| can_hold(target, header, **to)) {
        Some(to) => Layout::To(*to),
        None => Layout::Lost(match kind.data_type() {
            DataType::Stream => Loss::Stream,
            DataType::Array => Loss::Array,
            DataType::Cron => Loss::Cron,
            _ => Loss::Module,
        }),
    }
}

/// The header of the file: the source's own where the server reads that, for then a source that
/// needs no conversion stays the same file.
pub(super) fn header_for(target: ServerVersion, source: Header) -> Header {
    if target.reads_header(source) { source } else { target.header() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_has_a_form_that_the_server_reads_or_a_named_loss() {
        for &target in ServerVersion::MILESTONES {
            let is_2_4 = target == ServerVersion::MILESTONES[0];
            let header = header_for(target, Header::parse(b"REDIS9999").unwrap());
            assert!(target.reads_header(header), "{target} {header}");
            for kind in ValueType::ALL {
                match layout(target, header, *kind) {
                    Layout::Same => assert!(target.reads(*kind), "{target} {kind}"),
                    Layout::To(to) => {
                        assert!(target.reads(to) && !target.reads(*kind) || is_2_4);
                        assert_eq!(to.data_type(), kind.data_type(), "{target} {kind}");
                    }
                    Layout::Lost(loss) => assert!(loss.drops_key(), "{target} {kind}"),
                }
            }
        }
    }

    #[test]
    fn field_expiries_cross_between_the_lineages() {
        let to = |server: &str, header: &[u8; 9], kind| {
            layout(server.parse().unwrap(), Header::parse(header).unwrap(), kind)
        };
        use ValueType as T;
        assert_eq!(to("valkey-9.1", b"VALKEY080", T::HashListpackEx), Layout::To(T::ValkeyHash2));
        assert_eq!(to("redis-8.0", b"REDIS0012", T::ValkeyHash2), Layout::To(T::HashMetadata));
        assert_eq!(to("redis-7.2", b"REDIS0011", T::ValkeyHash2), Layout::To(T::Hash));
        assert_eq!(to("valkey-9.1", b"REDIS0011", T::HashMetadata), Layout::To(T::Hash));
    }

    #[test]
    fn a_header_that_the_server_reads_is_kept() {
        let kept = |server: &str, header: &[u8; 9]| {
            header_for(server.parse().unwrap(), Header::parse(header).unwrap()).to_string()
        };
        assert_eq!(kept("redis-8.0", b"REDIS0006"), "REDIS0006");
        assert_eq!(kept("redis-6.2", b"REDIS0012"), "REDIS0009");
        assert_eq!(kept("valkey-9.1", b"REDIS0012"), "VALKEY080");
        assert_eq!(kept("valkey-8.1", b"VALKEY080"), "REDIS0011");
        assert_eq!(kept("redis-8.0", b"VALKEY080"), "REDIS0012");
    }
}
