//! What a dataset is a mix of.

use crate::rdb::{
    Content, HashField, StreamConsumer, StreamContent, StreamCounters, StreamEntry, StreamGroup,
    StreamId, StreamPending,
};
use crate::synth::random::Random;
use crate::time::UnixMillis;
use bytes::Bytes;
use std::fmt::{self, Write};
use std::str::FromStr;

/// What keys a dataset has.
///
/// ```
/// use redkeep::synth::Mix;
/// assert_eq!("mixed".parse(), Ok(Mix::Mixed));
/// assert_eq!(Mix::Json.to_string(), "json");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Mix {
    /// Strings of 32 to 100 letters that do not compress.
    Strings,
    /// Of all that services keep: sessions, counters, documents, profiles, carts, queues, sets of
    /// numbers and of tags, rankings, streams with consumer groups, binary blobs; three in ten expire.
    #[default]
    Mixed,
    /// A few values of several megabytes each: strings, hashes, sorted sets, lists and sets in turn.
    Big,
    /// JSON documents of 2 to 16 KB, which compress well.
    Json,
}

impl Mix {
    /// Every mix.
    pub const ALL: &'static [Mix] = &[Mix::Strings, Mix::Mixed, Mix::Big, Mix::Json];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mix::Strings => "strings",
            Mix::Mixed => "mixed",
            Mix::Big => "big",
            Mix::Json => "json",
        }
    }

    /// The key with this number.
    pub(super) fn key(self, number: u64, streams: bool, random: &mut Random) -> (String, Content) {
        match self {
            Mix::Strings => {
                let key = format!("user:{:011}", number.wrapping_mul(7919) % 99_999_999_977);
                (key, text(random, 32, 100))
            }
            Mix::Mixed => mixed(number, streams, random),
            Mix::Big => big(number, random),
            Mix::Json => (format!("doc:{number:09}"), document(random, 2000, 16_000)),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A mix's name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a mix: {0:?} (strings, mixed, big or json)")]
pub struct UnknownMix(String);

impl FromStr for Mix {
    type Err = UnknownMix;

    fn from_str(text: &str) -> Result<Mix, UnknownMix> {
        let found = Mix::ALL.iter().find(|mix| mix.name() == text);
        found.copied().ok_or_else(|| UnknownMix(text.to_owned()))
    }
}

fn text(random: &mut Random, least: u64, most: u64) -> Content {
    let length = random.length(least, most);
    Content::string(random.text(length))
}

/// So many texts, none twice.
fn names(random: &mut Random, count: u64, least: u64, most: u64) -> Vec<Bytes> {
    // Short ones are told apart by their number; long ones meet by chance once in an age.
    let name = |number: u64| {
        let length = random.length(least, most);
        let mut name = random.text(length);
        if length < 10 {
            name.extend_from_slice(format!(":{number}").as_bytes());
        }
        Bytes::from(name)
    };
    (0..count).map(name).collect()
}

/// Members and scores: whole numbers below a limit, divided.
fn scored(random: &mut Random, members: Vec<Bytes>, below: u64, divisor: f64) -> Content {
    let score = |member| {
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let whole = random.below(below) as f64;
        (member, whole / divisor)
    };
    Content::SortedSet(members.into_iter().map(score).collect())
}

fn mixed(number: u64, streams: bool, random: &mut Random) -> (String, Content) {
    match random.below(1000) {
        0..400 => (format!("user:{number}:session"), text(random, 16, 120)),
        400..450 => {
            let n = random.next_u64() >> random.range(20, 62);
            (format!("counter:{number}"), Content::string(n.to_string()))
        }
        450..550 => (format!("doc:{number}"), document(random, 1024, 4096)),
        550..700 => (format!("user:{number}:profile"), profile(random)),
        700..708 => (format!("cart:{number}"), cart(random)),
        708..780 => {
            let count = random.range(5, 60);
            let element = |_| match random.below(4) {
                0 => Bytes::from(random.below(1 << 30).to_string()),
                _ => {
                    let length = random.length(8, 60);
                    random.text(length).into()
                }
            };
            (format!("queue:{number}"), Content::List((0..count).map(element).collect()))
        }
        780..782 => {
            let count = random.range(500, 2000);
            (format!("biglist:{number}"), Content::List(names(random, count, 10, 80)))
        }
        782..830 => {
            let count = random.range(4, 200);
            let mut members: Vec<u64> = (0..count).map(|_| random.below(1 << 31)).collect();
            members.sort_unstable();
            members.dedup();
            let members = members.into_iter().map(|n| n.to_string());
            (format!("friends:{number}"), Content::set(members))
        }
        830..860 => {
            let count = random.range(3, 30);
            (format!("tags:{number}"), Content::Set(names(random, count, 4, 16)))
        }
        860..940 => {
            let count = random.range(3, 60);
            let members = names(random, count, 6, 20);
            let divisor = if random.below(2) == 0 { 1.0 } else { 100.0 };
            (format!("rank:{number}"), scored(random, members, 10_000_000, divisor))
        }
        940..948 => {
            let count = random.range(200, 600);
            let members = names(random, count, 10, 24);
            (format!("leaderboard:{number}"), scored(random, members, 10_000_000_000, 1000.0))
        }
        948..975 if streams => (format!("stream:{number}"), Content::Stream(stream(random))),
        _ => {
            let length = random.length(256, 1024);
            (format!("blob:{number}"), Content::string(random.bytes(length)))
        }
    }
}

fn profile(random: &mut Random) -> Content {
    let names = ["name", "email", "country", "created", "last_login", "visits", "score", "plan"];
    let field = |name: &'static str| {
        let value = match name {
            "visits" => random.below(100_000).to_string().into_bytes(),
            "created" | "last_login" => {
                (1_600_000_000 + random.below(1 << 27)).to_string().into_bytes()
            }
            "score" => format!("{}.{:03}", random.below(1000), random.below(1000)).into_bytes(),
            _ => {
                let length = random.length(4, 24);
                random.text(length)
            }
        };
        HashField::new(name, value)
    };
    Content::Hash(names.map(field).into())
}

fn cart(random: &mut Random) -> Content {
    let count = random.range(150, 400);
    let field = |n: u64| {
        let length = random.length(10, 40);
        HashField::new(format!("sku:{}", n * 13), random.text(length))
    };
    Content::Hash((0..count).map(field).collect())
}

fn document(random: &mut Random, least: u64, most: u64) -> Content {
    let length = random.length(least, most);
    let mut text = String::from(r#"{"schema":"order/v3","tenant":"acme-eu-west","items":["#);
    while text.len() < length {
        let comma = if text.ends_with('[') { "" } else { "," };
        let words = [0; 2].map(|_| random.pick(WORDS, "zulu"));
        let [id, quantity] = [random.range(100_000, 999_999), random.range(1, 9)];
        let [euros, cents] = [random.range(1, 999), random.below(100)];
        let [stock, place] = [random.below(2), random.range(1, 9)];
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            r#"{comma}{{"product_id":{id},"description":"{} {} standard edition","quantity":{quantity},"unit_price":{euros}.{cents:02},"currency":"EUR","in_stock":{},"warehouse":"ams-{place}"}}"#,
            words[0],
            words[1],
            stock == 1,
        );
    }
    text.push_str(r#"],"status":"shipped"}"#);
    Content::string(text)
}

const WORDS: &[&str] = &[
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet",
    "kilo", "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango",
    "uniform", "victor", "whiskey", "xray", "yankee", "zulu",
];

/// Measurements in the order of their time; every other stream has a group that has read some.
fn stream(random: &mut Random) -> StreamContent {
    let mut id = StreamId::new(1_700_000_000_000 + random.below(1 << 34), 0);
    let mut stream = StreamContent::new(id);
    for seq in 0..random.range(5, 150) {
        id = StreamId::new(id.ms + random.range(1, 500), seq);
        let length = random.length(8, 40);
        let event = random.text(length);
        let degrees = random.below(1000).to_string().into_bytes();
        stream.entries.push(StreamEntry::new(id, [("event", event), ("temp", degrees)]));
    }
    stream.last_id = id;
    let length = stream.entries.len();
    let first = stream.entries.first().map(|entry| entry.id).unwrap_or_default();
    stream.counters = Some(StreamCounters::new(first, StreamId::default(), length as u64));
    if random.below(2) == 0 {
        let read = random.length(1, 20).min(length);
        let delivered = UnixMillis::new(id.ms.cast_signed() + 1000);
        let ids = || stream.entries.iter().take(read).map(|entry| entry.id);
        let mut group = StreamGroup::new("workers", ids().next_back().unwrap_or_default());
        group.entries_read = Some(read as u64);
        group.pending = ids().map(|id| StreamPending::new(id, delivered, 1)).collect();
        let mut consumer = StreamConsumer::new("w1", delivered);
        consumer.pending = ids().collect();
        group.consumers.push(consumer);
        stream.groups.push(group);
    }
    stream
}

fn big(number: u64, random: &mut Random) -> (String, Content) {
    match number % 5 {
        0 => (format!("blob:{number}"), Content::string(random.bytes(8 << 20))),
        1 => {
            let field = |n: u64| {
                let length = random.length(32, 160);
                HashField::new(format!("field:{n}"), random.text(length))
            };
            (format!("bighash:{number}"), Content::Hash((0..50_000).map(field).collect()))
        }
        2 => {
            let members = names(random, 75_000, 24, 24);
            (format!("bigzset:{number}"), scored(random, members, 1 << 40, 1000.0))
        }
        3 => (format!("biglist:{number}"), Content::List(names(random, 75_000, 20, 100))),
        _ => (format!("bigset:{number}"), Content::Set(names(random, 75_000, 12, 40))),
    }
}
