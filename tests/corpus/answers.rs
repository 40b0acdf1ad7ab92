//! What a key holds, in a form in which the export and a server's answers can be compared.

use crate::sha256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use redkeep::rdb::{self, Decoder, Element, SliceReader};
use redkeep::wire::number::Digits;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt;

/// Longer byte strings are told by length and digest in the corpus.
const LONGEST: usize = 4096;

/// A byte string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Text {
    Whole(Vec<u8>),
    Long(usize, String),
}

impl Text {
    /// What a key of the case `lfu` was given for a frequency.
    fn freq_in_name(&self) -> Option<u64> {
        let Text::Whole(name) = self else { return None };
        std::str::from_utf8(name).ok()?.strip_prefix("freq:")?.parse().ok()
    }

    pub(crate) fn of(json: &Json) -> Text {
        match (json.get("len"), json.get("sha256")) {
            (Some(len), Some(digest)) => {
                let len = usize::try_from(len.as_u64().unwrap()).unwrap();
                Text::Long(len, digest.as_str().unwrap().to_owned())
            }
            _ => Text::from(bytes(json)),
        }
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        match bytes.len() {
            0..=LONGEST => Text::Whole(bytes),
            len => Text::Long(len, sha256::hex(&bytes)),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Whole(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Text::Long(len, digest) => write!(f, "({len} bytes, {digest})"),
        }
    }
}

/// The bytes of a JSON string or `{"b64": ...}`.
pub(crate) fn bytes(json: &Json) -> Vec<u8> {
    match json {
        Json::String(text) => text.as_bytes().to_vec(),
        _ => STANDARD.decode(json["b64"].as_str().unwrap()).unwrap(),
    }
}

/// A key's value. Order is kept where it means something, and sorted away where not.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(Text),
    List(Vec<Text>),
    Set(Vec<Text>),
    /// By score, then by member.
    ZSet(Vec<(Text, Score)>),
    Hash(Vec<(Text, Text, Option<i64>)>),
    Stream(Box<Stream>),
    Array {
        items: Vec<(u64, Text)>,
        next: u64,
    },
    /// A module's fields; `None` where not known.
    Module(Option<Vec<String>>),
}

/// A score, and its text from servers that print all scores the same.
#[derive(Debug, Clone)]
pub(crate) struct Score(f64, Option<String>);

impl PartialEq for Score {
    fn eq(&self, other: &Score) -> bool {
        let printed_alike = match (&self.1, &other.1) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.0.to_bits() == other.0.to_bits() && printed_alike
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stream {
    entries: Vec<(String, Vec<Text>)>,
    /// Length, IDs and counters, by name, as JSON.
    numbers: BTreeMap<String, String>,
    groups: Vec<Group>,
}

#[derive(Debug, Clone)]
struct Group {
    name: Text,
    numbers: BTreeMap<String, String>,
    /// ID, consumer, count.
    pending: Vec<(String, Text, u64)>,
    /// By name: the corpus does not list them as the file does.
    consumers: Vec<(Text, Vec<(String, u64)>)>,
    /// Delivery, seen and active times, in the order of these lists.
    times: Vec<i64>,
    times_are_approximate: bool,
}

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        // Redis 5.0 says how long ago only, and the asking takes its time.
        let slack =
            if self.times_are_approximate || other.times_are_approximate { 2_000 } else { 0 };
        let near = |(a, b): (&i64, &i64)| a.abs_diff(*b) <= slack;
        self.name == other.name
            && self.numbers == other.numbers
            && self.pending == other.pending
            && self.consumers == other.consumers
            && self.times.len() == other.times.len()
            && self.times.iter().zip(&other.times).all(near)
    }
}

/// A key, its value and what else is said of it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) kind: String,
    pub(crate) expires: Option<i64>,
    /// By how much the expiry may be off.
    pub(crate) expiry_slack: u64,
    pub(crate) freq: Option<u64>,
    pub(crate) idle: Option<u64>,
    pub(crate) value: Value,
}

/// Whose lines they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Export,
    Server {
        /// Redis 2.0 writes a minus zero as zero.
        loses_minus_zero: bool,
        /// Redis since 7.2 and Valkey print a score as the export does.
        prints_alike: bool,
    },
}

/// The keys of lines in the corpus' shape.
pub(crate) fn keys(lines: &str, origin: Origin) -> BTreeMap<(u64, Text), Key> {
    let ours = origin == Origin::Export;
    let mut keys = BTreeMap::new();
    for line in lines.lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let Some(name) = line.get("key") else {
            assert!(ours && line.get("fact").is_some(), "{line}");
            continue;
        };
        let name = (line["db"].as_u64().unwrap(), Text::of(name));
        let kind = line["type"].as_str().unwrap().to_owned();
        let value = value(&kind, &line, origin);
        let key = Key {
            kind,
            expires: line["expire_at_ms"].as_i64(),
            expiry_slack: expiry_slack(&line),
            freq: line["freq"].as_u64(),
            idle: line["idle_s"].as_u64(),
            value,
        };
        assert!(keys.insert(name.clone(), key).is_none(), "{name:?} is there twice");
    }
    keys
}

/// Before 7.0 servers say how much time is left only.
fn expiry_slack(line: &Json) -> u64 {
    match line["expire_note"].as_str() {
        None => 0,
        Some(note) if note.starts_with("value that was set") => 0,
        Some("from TIME+PTTL, may be off by a few ms") => 100,
        Some("from TTL, seconds only") => 2_000,
        Some(note) => panic!("unknown note: {note}"),
    }
}

fn value(kind: &str, line: &Json, origin: Origin) -> Value {
    let ours = origin == Origin::Export;
    let value = &line["value"];
    let texts = || array(value).iter().map(Text::of);
    match kind {
        "string" => Value::Text(Text::of(value)),
        "list" => Value::List(texts().collect()),
        "set" => {
            let mut members: Vec<Text> = texts().collect();
            members.sort();
            Value::Set(members)
        }
        "zset" => {
            let mut rows: Vec<(Score, &Json)> =
                array(value).iter().map(|row| (score(&row[1], origin), &row[0])).collect();
            if ours {
                rows.sort_by(|a, b| {
                    let by_score = a.0.0.partial_cmp(&b.0.0).unwrap();
                    by_score.then_with(|| bytes(a.1).cmp(&bytes(b.1)))
                });
            }
            Value::ZSet(rows.into_iter().map(|(score, name)| (Text::of(name), score)).collect())
        }
        "hash" => {
            let mut rows: Vec<_> = array(value)
                .iter()
                .map(|row| {
                    let expires = row.get(2).map(|at| at.as_i64().unwrap());
                    (Text::of(&row[0]), Text::of(&row[1]), expires)
                })
                .collect();
            rows.sort();
            Value::Hash(rows)
        }
        "stream" => Value::Stream(Box::new(stream(value))),
        "array" => {
            let index = |json: &Json| match json {
                Json::String(text) => text.parse().unwrap(),
                _ => json.as_u64().unwrap(),
            };
            let rows = array(&value["items"]).iter();
            let next = match ours {
                true => value.get("cursor").map_or(0, |cursor| cursor.as_u64().unwrap() + 1),
                false => value["info"]["next-insert-index"].as_u64().unwrap(),
            };
            Value::Array {
                items: rows.map(|row| (index(&row[0]), Text::of(&row[1]))).collect(),
                next,
            }
        }
        _ => Value::Module(match ours {
            true => {
                assert_eq!(value["module"].as_str(), Some(kind));
                Some(module(kind, &bytes(value)))
            }
            false => line.get("dump").map(|dump| module(kind, &payload(dump))),
        }),
    }
}

/// What stands between type and footer of a `DUMP` reply.
fn payload(dump: &Json) -> Vec<u8> {
    let dump = STANDARD.decode(dump.as_str().unwrap()).unwrap();
    assert_eq!(dump[0] | 1, 7, "a module's type");
    dump[1..dump.len() - 10].to_vec()
}

/// The fields of a module's value, in a form in which loading it changes nothing.
fn module(kind: &str, value: &[u8]) -> Vec<String> {
    let mut fields = module_fields(value);
    match kind {
        // This module of the servers' tests keeps 32 bits of the 64 that it loads.
        "test___dt" => {
            if let [ModuleField::Unsigned(n), ..] = &mut fields[..] {
                *n &= u64::from(u32::MAX);
            }
            fields.iter().map(|field| format!("{field:?}")).collect()
        }
        "vectorset" => vector_set(&fields),
        _ => fields.iter().map(|field| format!("{field:?}")).collect(),
    }
}

/// A vector set's elements in any order, and so the links of each: a server turns both round.
fn vector_set(fields: &[ModuleField]) -> Vec<String> {
    let unsigned = |field: &ModuleField| match field {
        ModuleField::Unsigned(n) => *n,
        other => panic!("{other:?} is no number"),
    };
    let flags = unsigned(&fields[3]);
    let (projected, attributes) = (flags & 1 != 0, flags & 2 != 0);
    let (head, mut rest) = fields.split_at(if projected { 6 } else { 4 });
    let mut elements = Vec::new();
    while rest != [ModuleField::End] {
        // Name, attribute, vector, then a count of links and what else is said of the node.
        let before_links = if attributes { 3 } else { 2 };
        let links = usize::try_from(unsigned(&rest[before_links])).unwrap();
        let (element, after) = rest.split_at(before_links + 1 + links);
        let (fixed, links) = element.split_at(before_links + 1);
        let mut links: Vec<u64> = links.iter().map(unsigned).collect();
        links.sort_unstable();
        elements.push(format!("{fixed:?} {links:?}"));
        rest = after;
    }
    elements.sort();
    elements.insert(0, format!("{head:?}"));
    elements
}

#[derive(Debug, Clone, PartialEq)]
enum ModuleField {
    Unsigned(u64),
    Text(String),
    Other(String),
    End,
}

/// Reads a value as that of the only key of a dump.
fn module_fields(value: &[u8]) -> Vec<ModuleField> {
    let dump = [b"REDIS0009\x07\x01k", value, b"\xff\0\0\0\0\0\0\0\0"].concat();
    let (mut decoder, mut fields) = (Decoder::new(), Vec::new());
    for event in SliceReader::new(&dump) {
        let Some(entry) = event.unwrap().entry() else { continue };
        for item in entry.value().items().unwrap() {
            for element in decoder.elements(item.unwrap()).unwrap() {
                let Element::Module(field) = element.unwrap() else { panic!("no module") };
                fields.push(match field {
                    rdb::ModuleField::Unsigned(n) => ModuleField::Unsigned(n),
                    rdb::ModuleField::Text(text) => {
                        let text = text.bytes(&mut Digits::new()).escape_ascii().to_string();
                        ModuleField::Text(text)
                    }
                    rdb::ModuleField::End => ModuleField::End,
                    other => ModuleField::Other(format!("{other:?}")),
                });
            }
        }
    }
    fields
}

fn array(json: &Json) -> &Vec<Json> {
    json.as_array().unwrap_or_else(|| panic!("not an array: {json}"))
}

fn score(json: &Json, origin: Origin) -> Score {
    let text = json.as_str().unwrap();
    match origin {
        Origin::Server { loses_minus_zero: true, .. } if text == "-0" => Score(0.0, None),
        Origin::Server { prints_alike: false, .. } => Score(text.parse().unwrap(), None),
        _ => Score(text.parse().unwrap(), Some(text.to_owned())),
    }
}

fn stream(value: &Json) -> Stream {
    let mut groups: Vec<Group> = array(&value["groups"]).iter().map(group).collect();
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let entry = |row: &Json| {
        let fields = array(&row[1]).iter().map(Text::of).collect();
        (row[0].as_str().unwrap().to_owned(), fields)
    };
    Stream {
        entries: array(&value["entries"]).iter().map(entry).collect(),
        // The radix tree is the server's own affair, and producers are nowhere to be asked for.
        numbers: numbers(value, &["entries", "groups", "producers"], &["radix_tree_"]),
        groups,
    }
}

fn group(group: &Json) -> Group {
    let mut times = Vec::new();
    let id = |row: &Json| row[0].as_str().unwrap().to_owned();
    let mut time = |json: &Json| times.push(json.as_i64().unwrap());
    let mut pending = Vec::new();
    for row in array(&group["pel"]) {
        time(&row[2]);
        pending.push((id(row), Text::of(&row[1]), row[3].as_u64().unwrap()));
    }
    let mut consumers = Vec::new();
    let mut listed: Vec<_> = array(&group["consumers"]).iter().collect();
    listed.sort_by_key(|consumer| Text::of(&consumer["name"]));
    for consumer in listed {
        time(&consumer["seen_time"]);
        if let Some(active) = consumer.get("active_time") {
            time(active);
        }
        let mut own = Vec::new();
        for row in array(&consumer["pel"]) {
            time(&row[1]);
            own.push((id(row), row[2].as_u64().unwrap()));
        }
        consumers.push((Text::of(&consumer["name"]), own));
    }
    Group {
        name: Text::of(&group["name"]),
        // The lag is computed by the server; which entries were refused shows in the pending ones.
        numbers: numbers(group, &["name", "pel", "consumers", "lag", "nacked", "times"], &[]),
        pending,
        consumers,
        times,
        times_are_approximate: group.get("times").is_some(),
    }
}

/// Everything but these, as JSON text.
fn numbers(object: &Json, but: &[&str], prefixes: &[&str]) -> BTreeMap<String, String> {
    let left_out =
        |name: &str| but.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix));
    let fields = object.as_object().unwrap().iter();
    fields
        .filter(|(name, _)| !left_out(name))
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect()
}

/// How the keys of a file differ from what the server had.
pub(crate) fn differences(
    ours: &BTreeMap<(u64, Text), Key>,
    theirs: &BTreeMap<(u64, Text), Key>,
) -> Vec<String> {
    let mut found = Vec::new();
    for name in ours.keys().filter(|name| !theirs.contains_key(name)) {
        found.push(format!("{name:?} is not on the server"));
    }
    for (name, theirs) in theirs {
        let Some(ours) = ours.get(name) else {
            found.push(format!("{name:?} is missing"));
            continue;
        };
        let mut differs = |what: &str, ours: &dyn fmt::Debug, theirs: &dyn fmt::Debug| {
            let cut = |text: String| text.chars().take(2000).collect::<String>();
            let (ours, theirs) = (cut(format!("{ours:?}")), cut(format!("{theirs:?}")));
            found.push(format!("{name:?}: {what} is {ours}, not {theirs}"));
        };
        if ours.kind != theirs.kind {
            differs("type", &ours.kind, &theirs.kind);
        }
        let off = match (ours.expires, theirs.expires) {
            (Some(ours), Some(theirs)) => ours.abs_diff(theirs),
            (ours, theirs) => u64::from(ours != theirs) * u64::MAX,
        };
        if off > theirs.expiry_slack {
            differs("expiry", &ours.expires, &theirs.expires);
        }
        // All servers let the counter decay, or count the asking, before they can be asked. Some
        // keys were given a counter, and have it in their name.
        let given = theirs.freq.and_then(|_| name.1.freq_in_name());
        let at_least = theirs.freq.map(|after_loading| after_loading.saturating_sub(1));
        if ours.freq < at_least || given.is_some_and(|given| ours.freq != Some(given)) {
            differs("frequency", &ours.freq, &theirs.freq);
        }
        if let Some(after_loading) = theirs.idle {
            let grown = ours.idle.and_then(|idle| after_loading.checked_sub(idle));
            if grown.is_none_or(|seconds| seconds > 2) {
                differs("idle time", &ours.idle, &theirs.idle);
            }
        }
        let unknown = theirs.value == Value::Module(None);
        if !unknown && ours.value != theirs.value {
            differs("value", &ours.value, &theirs.value);
        }
    }
    found
}
