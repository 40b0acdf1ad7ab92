//! What a server keeps of a content. Also for the fuzz target `rewrite`.

#![allow(dead_code)] // not every user needs all of it
#![allow(clippy::unwrap_used)] // a panic is how a test fails

use redkeep::rdb::{Content, Decoder, Encoder, ServerVersion, StreamContent, ValueType};
use std::collections::BTreeSet;

/// What a server keeps of a content, besides what it fills in; `None` where it has no such type.
pub(crate) fn kept(content: &Content, target: ServerVersion) -> Option<Content> {
    use ValueType as T;
    let mut content = content.clone();
    let type_known = match &mut content {
        Content::Hash(fields) => {
            if !target.reads(T::HashMetadata) && !target.reads(T::ValkeyHash2) {
                fields.iter_mut().for_each(|field| field.expires = None);
            }
            true
        }
        Content::Stream(stream) => {
            keep_of_stream(stream, target);
            target.reads(T::StreamListpacks)
        }
        Content::Array(_) => target.reads(T::Array),
        Content::Module(_) => target.reads(T::Module2),
        _ => true,
    };
    type_known.then_some(content)
}

fn keep_of_stream(stream: &mut StreamContent, target: ServerVersion) {
    let lacks = |kind| !target.reads(kind);
    if lacks(ValueType::StreamListpacks2) {
        stream.counters = None;
    }
    if lacks(ValueType::StreamListpacks4) {
        stream.idempotence = None;
    }
    for group in &mut stream.groups {
        if lacks(ValueType::StreamListpacks2) {
            group.entries_read = None;
        }
        if lacks(ValueType::StreamListpacks5) {
            let nacked: BTreeSet<_> = group.nacked.drain(..).collect();
            group.pending.retain(|pending| !nacked.contains(&pending.id));
        }
        if lacks(ValueType::StreamListpacks3) {
            group.consumers.iter_mut().for_each(|consumer| consumer.active = Some(consumer.seen));
        }
    }
}

/// What a server reads of a content that was encoded for it.
pub(crate) fn read_back(mut kept: Content, target: ServerVersion) -> Content {
    if let Content::Stream(stream) = &mut kept
        && target.reads(ValueType::StreamListpacks2)
    {
        stream.fill();
        keep_of_stream(stream, target);
    }
    kept
}

/// Encodes a content for a server and reads it back: it has to be what the server keeps of it, and
/// what is lost has to be named.
pub(crate) fn rewrites(content: &Content, target: ServerVersion) {
    let mut encoder = Encoder::new(target);
    let encoded = encoder.encode(content);
    let Some(kept) = kept(content, target) else {
        assert_eq!(encoded.map(|_| ()).unwrap_err().kind(), redkeep::ErrorKind::Unsupported);
        return;
    };
    let encoded = encoded.unwrap();
    assert!(target.reads(encoded.value_type()), "{target} {content:?}");
    let lossless = kept == *content;
    assert_eq!(encoded.losses.is_empty(), lossless, "{target} {content:?} {}", encoded.losses);
    let read = Content::read(encoded.value(), &mut Decoder::new()).unwrap();
    assert!(read == read_back(kept, target), "{target} {content:?}, read {read:?}");
}
