//! Contents of every type, around every threshold.

#![allow(dead_code)] // not every user needs all of it

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use redkeep::UnixMillis;
use redkeep::rdb::{
    ArrayContent, ArrayValue, Content, HashField, ModuleContent, ModuleValue, StreamConsumer,
    StreamContent, StreamCounters, StreamEntry, StreamGroup, StreamId, StreamIdempotence,
    StreamPending, StreamProducer,
};
use std::collections::{BTreeMap, BTreeSet};

/// Contents of every type. Expiries and the like are not before `from`.
pub(crate) fn content(from: i64) -> impl Strategy<Value = Content> {
    prop_oneof![
        3 => text().prop_map(Content::String),
        3 => list(),
        3 => set(),
        3 => sorted_set(),
        4 => hash(from),
        4 => stream().prop_map(Content::Stream),
        2 => array(),
        2 => module(),
    ]
}

/// Everything a string can look like to an encoder.
pub(crate) fn text() -> impl Strategy<Value = Bytes> {
    let sizes = vec![
        20, 21, 63, 64, 65, 127, 128, 250, 253, 254, 4095, 4096, 8190, 8191, 8192, 8193, 16_383,
        16_384,
    ];
    prop_oneof![
        1 => Just(Bytes::new()),
        4 => "[a-z:]{1,12}".prop_map(Bytes::from),
        3 => integer_text(),
        1 => select(vec!["-0", "007", "+1", "1.0", " 1", "9223372036854775808", "-"])
            .prop_map(Bytes::from),
        2 => vec(any::<u8>(), 0..70).prop_map(Bytes::from),
        1 => (select(sizes), any::<u8>(), any::<bool>()).prop_map(|(size, byte, varied)| {
            let spread = |at: usize| byte.wrapping_mul(31).wrapping_add(((at * at) >> 3) as u8);
            (0..size).map(|at| if varied { spread(at) } else { byte }).collect()
        }),
    ]
}

fn integer_text() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        (any::<i64>(), 0..64).prop_map(|(n, shift)| n >> shift),
        (0..64u32, -2..3i64).prop_map(|(shift, off)| (1i64 << shift).wrapping_add(off)),
        (0..64u32, -2..3i64).prop_map(|(shift, off)| (-1i64 << shift).wrapping_add(off)),
    ]
    .prop_map(|n| n.to_string().into())
}

/// Counts around the thresholds of all servers.
fn count() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 1usize..30, 1 => select(vec![127usize, 128, 129, 511, 512, 513, 700])]
}

/// Distinct texts: all integers, all short, or anything.
fn distinct() -> impl Strategy<Value = Vec<Bytes>> {
    let unique = |texts: Vec<Bytes>| {
        let mut seen = BTreeSet::new();
        texts.into_iter().filter(|text| seen.insert(text.clone())).collect::<Vec<_>>()
    };
    let rows = (count(), any::<bool>(), option::weighted(0.3, text()));
    prop_oneof![
        vec(text(), 1..20),
        vec(integer_text(), 1..20),
        rows.prop_map(|(n, integers, other)| {
            let name = |n: usize| if integers { n.to_string() } else { format!("name:{n}") };
            (0..n).rev().map(|n| Bytes::from(name(n))).chain(other).collect()
        }),
    ]
    .prop_map(unique)
}

fn list() -> impl Strategy<Value = Content> {
    prop_oneof![
        distinct(),
        vec(text(), 1..40),
        (count(), text(), 1..5usize)
            .prop_map(|(n, text, few)| { vec![text; if n < 30 { n } else { n * few }] })
    ]
    .prop_map(Content::List)
}

fn set() -> impl Strategy<Value = Content> {
    distinct().prop_map(Content::Set)
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        any::<i32>().prop_map(f64::from),
        (any::<i64>(), 0..64).prop_map(|(n, shift)| (n >> shift) as f64),
        (any::<i32>(), 0..7).prop_map(|(n, digits)| f64::from(n) / 10f64.powi(digits)),
        select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 1e17, 1e300]),
    ]
}

fn sorted_set() -> impl Strategy<Value = Content> {
    distinct().prop_flat_map(|members| {
        let n = members.len();
        (Just(members), vec(score(), n)).prop_map(|(members, scores)| {
            Content::SortedSet(members.into_iter().zip(scores).collect())
        })
    })
}

fn hash(from: i64) -> impl Strategy<Value = Content> {
    let expiry = move || {
        let late = (1 << 48) - 1;
        let times = prop_oneof![from..from + 100_000, from..=late, Just(late), Just(from)];
        times.prop_map(UnixMillis::new)
    };
    let share = select(vec![0.001, 0.001, 0.5, 0.999]);
    (distinct(), share, any::<bool>()).prop_flat_map(move |(names, share, same)| {
        let n = names.len();
        let expiries = vec(option::weighted(share, expiry()), n);
        let values = vec(text(), if same { 1 } else { n.min(20) });
        (Just(names), values, expiries).prop_map(|(names, values, expiries)| {
            let rows = names.into_iter().zip(values.iter().cycle()).zip(expiries);
            let field = |((name, value), at): ((Bytes, &Bytes), _)| {
                let field = HashField::new(name, value.clone());
                match at {
                    Some(at) => field.expires(at),
                    None => field,
                }
            };
            Content::Hash(rows.map(field).collect())
        })
    })
}

/// IDs that ascend, from anywhere.
fn ids(n: impl Strategy<Value = usize>) -> impl Strategy<Value = Vec<StreamId>> {
    let start = prop_oneof![
        Just(StreamId::new(0, 0)),
        (1_600_000_000_000..1_700_000_000_000u64, 0..3u64)
            .prop_map(|(ms, seq)| StreamId::new(ms, seq)),
        (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| StreamId::new(ms, seq)),
        Just(StreamId::new(u64::MAX, u64::MAX - 40)),
    ];
    let steps =
        n.prop_flat_map(|n| vec((prop_oneof![3 => 0..3u64, 1 => any::<u64>()], 1..4u64), n));
    (start, steps).prop_map(|(start, steps)| {
        let mut ids = Vec::new();
        let mut last = start;
        for (ms, seq) in steps {
            let next = match last.ms.checked_add(ms) {
                Some(ms) if ms > last.ms => StreamId::new(ms, seq),
                _ => StreamId::new(last.ms, last.seq.saturating_add(seq)),
            };
            if next > last {
                ids.push(next);
            }
            last = next;
        }
        ids
    })
}

fn entries() -> impl Strategy<Value = Vec<StreamEntry>> {
    let n = prop_oneof![6 => 0usize..12, 1 => select(vec![99usize, 100, 101, 230])];
    let schema = vec(text(), 1..4);
    (ids(n), vec(schema, 1..3), vec(text(), 1..9), any::<u64>()).prop_map(
        |(ids, schemas, values, seed)| {
            let mut values = values.into_iter().cycle();
            let entry = |(at, id)| {
                let turn = (seed >> (at % 60)) as usize % schemas.len();
                let fields =
                    schemas[turn].iter().map(|name| (name.clone(), values.next().unwrap()));
                StreamEntry::new(id, fields.collect::<Vec<_>>())
            };
            ids.into_iter().enumerate().map(entry).collect()
        },
    )
}

/// Distinct short names.
fn names(most: usize) -> impl Strategy<Value = Vec<Bytes>> {
    proptest::collection::btree_set(
        prop_oneof!["[a-z]{0,8}".prop_map(Bytes::from), integer_text()],
        0..=most,
    )
    .prop_map(|names| names.into_iter().rev().collect())
}

fn time() -> impl Strategy<Value = UnixMillis> {
    (0..1_800_000_000_000i64).prop_map(UnixMillis::new)
}

fn group(name: Bytes) -> impl Strategy<Value = StreamGroup> {
    let pending = ids(0usize..8).prop_flat_map(|ids| {
        let n = ids.len();
        (
            Just(ids),
            vec(
                (time(), prop_oneof![0..5u64, any::<u32>().prop_map(u64::from)], any::<usize>()),
                n,
            ),
        )
    });
    let consumer = (time(), option::of(time())).boxed();
    let consumers = names(3).prop_flat_map(move |names| {
        let n = names.len();
        (Just(names), vec(consumer.clone(), n))
    });
    (pending, consumers, any::<(u64, u64)>(), option::of(0..4u64), any::<bool>()).prop_map(
        move |((ids, times), (names, facts), last, entries_read, nacks)| {
            let mut group = StreamGroup::new(name.clone(), StreamId::new(last.0, last.1));
            group.entries_read = entries_read;
            for (name, (seen, active)) in names.into_iter().zip(facts) {
                let mut consumer = StreamConsumer::new(name, seen);
                consumer.active = active;
                group.consumers.push(consumer);
            }
            for (id, (delivered, deliveries, turn)) in ids.into_iter().zip(times) {
                // The last share is for those that were given back.
                let shares = group.consumers.len() + usize::from(nacks);
                if shares == 0 {
                    break;
                }
                match group.consumers.get_mut(turn % shares) {
                    Some(consumer) => consumer.pending.push(id),
                    None => group.nacked.push(id),
                }
                group.pending.push(StreamPending::new(id, delivered, deliveries));
            }
            group
        },
    )
}

fn idempotence() -> impl Strategy<Value = StreamIdempotence> {
    let used = names(4)
        .prop_flat_map(|names| {
            let n = names.len();
            (Just(names), vec(any::<(u64, u64)>(), n))
        })
        .boxed();
    let producers = names(3).prop_flat_map(move |names| {
        let n = names.len();
        (Just(names), vec(used.clone(), n))
    });
    (1..=86_400u64, 1..=10_000u64, producers, 1..1000u64, any::<u64>()).prop_map(
        |(duration, max, (names, used), added, duplicates)| {
            let mut memory = StreamIdempotence::default();
            (memory.duration, memory.max) = (duration, max);
            (memory.added, memory.duplicates) = (added, duplicates);
            for (name, (ids, entries)) in names.into_iter().zip(used) {
                let mut producer = StreamProducer::new(name);
                let entries = entries.into_iter().map(|(ms, seq)| StreamId::new(ms, seq));
                producer.remembered = ids.into_iter().zip(entries).collect();
                if !producer.remembered.is_empty() {
                    memory.producers.push(producer);
                }
            }
            memory
        },
    )
}

pub(crate) fn stream() -> impl Strategy<Value = StreamContent> {
    let groups = names(3).prop_flat_map(|names| names.into_iter().map(group).collect::<Vec<_>>());
    let more = (0..3u64, option::of((0..5u64, any::<(u64, u64)>())));
    (entries(), more, groups, option::weighted(0.3, idempotence())).prop_map(
        |(entries, (further, counters), groups, idempotence)| {
            let last = entries.last().map_or(StreamId::default(), |entry| entry.id);
            let last = StreamId::new(last.ms, last.seq.saturating_add(further));
            let first = entries.first().map_or(StreamId::default(), |entry| entry.id);
            let length = entries.len() as u64;
            let mut stream = StreamContent::new(last);
            stream.counters = counters.map(|(more, (ms, seq))| {
                StreamCounters::new(first, StreamId::new(ms, seq).min(last), length + more)
            });
            let added = stream.counters.map_or(length, |counters| counters.entries_added);
            stream.entries = entries;
            stream.groups = groups;
            for group in &mut stream.groups {
                group.entries_read = group.entries_read.map(|read| read.min(added));
            }
            stream.idempotence = idempotence;
            stream
        },
    )
}

fn array() -> impl Strategy<Value = Content> {
    let value = prop_oneof![
        text().prop_map(ArrayValue::Text),
        any::<i64>().prop_map(ArrayValue::Int),
        any::<f64>().prop_map(ArrayValue::Float),
    ];
    let index = prop_oneof![0..100u64, 0..u64::MAX, Just(u64::MAX - 1)];
    let elements = proptest::collection::btree_map(index, value, 1..20);
    (elements, option::of(0..u64::MAX)).prop_map(|(elements, cursor): (BTreeMap<_, _>, _)| {
        let mut array = ArrayContent::default();
        array.cursor = cursor;
        array.elements = elements.into_iter().collect();
        Content::Array(array)
    })
}

fn module() -> impl Strategy<Value = Content> {
    let value = prop_oneof![
        any::<i64>().prop_map(ModuleValue::Signed),
        any::<u64>().prop_map(ModuleValue::Unsigned),
        any::<f32>().prop_map(ModuleValue::Float),
        any::<f64>().prop_map(ModuleValue::Double),
        text().prop_map(ModuleValue::Text),
    ];
    (any::<u64>(), vec(value, 0..12))
        .prop_map(|(id, fields)| Content::Module(ModuleContent::new(id, fields)))
}
