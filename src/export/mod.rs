//! Writers of other formats, fed with RDB events.
//!
//! [`JsonLines`] writes one JSON object a line, one line a key, which any tool can read by line:
//! `jq`, a log pipeline, a database's bulk loader. Nothing is shortened and no byte is replaced, so
//! the lines can be compared with those of another dump, or turned back into commands.
//!
//! ```
//! let dump = b"REDIS0003\xfe\x00\x02\x01s\x02\x01a\xc0\x07\x00\x01k\x02\xff\xfe\xff";
//! let mut lines = Vec::new();
//! let outcome = redkeep::export::export_json(&dump[..], &mut lines, false)?;
//! assert_eq!(outcome.keys, 2);
//! assert_eq!(
//!     String::from_utf8(lines).unwrap(),
//!     r#"{"db":0,"key":"s","type":"set","encoding":"SET","expire_at_ms":null,"value":["a","7"]}
//! {"db":0,"key":"k","type":"string","encoding":"STRING","expire_at_ms":null,"value":{"b64":"//4="}}
//! "#
//! );
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! # What a line holds
//!
//! A byte string (key, member, field, element, name) is a JSON string where it is valid UTF-8, and
//! `{"b64": "..."}` where it is not.
//!
//! | field | meaning |
//! |---|---|
//! | `db`, `key` | where the key is |
//! | `type` | the answer of `TYPE`; for a module's value the module's own name |
//! | `encoding` | the layout in the file, as [`ValueType::code`](crate::rdb::ValueType::code) names it. `OBJECT ENCODING` is another thing: a server chooses it anew when it loads |
//! | `expire_at_ms` | absolute, or null |
//! | `freq`, `idle_s`, `slot` | access counter, seconds of idling, cluster slot: where the file has them |
//! | `mvcc`, `metadata` | KeyDB's version stamp; key metadata of modules, as in the file: where it has them |
//! | `value` | by type, as below |
//!
//! | `type` | `value` |
//! |---|---|
//! | `string` | the string |
//! | `list` | array of elements |
//! | `set` | array of members, in the order of the file, which means nothing |
//! | `zset` | array of `[member, score]` in the order of the file: some layouts ascend, others descend. The score is text as Redis since 7.2 and Valkey print it (`-0` and `inf` occur) |
//! | `hash` | array of `[field, value]`, or `[field, value, expire_at_ms]` where the field expires |
//! | `stream` | `entries` (`[id, [field, value, ...]]`), `length`, `last_id`; since 7.0 `max_deleted_id`, `first_id`, `entries_added`; `groups`; since 8.6 `idmp_*`, `producers`, `pids_tracked`, `iids_*` |
//! | `array` | `items` (`[index, element]`, an index from 2^63 on as text), and `cursor`, the last index inserted at, where there is one |
//! | a module's | `module`, `version`, and `b64`: the value as it lies in the file |
//! | `cron` | KeyDB's scheduled script: `script`, `start_ms`, `interval_ms`, `keys`, `args` |
//!
//! A stream's group has `name`, `last_delivered_id`, `entries_read` (7.0), `nacked_count` and
//! `nacked` (8.8), `pel` of `[id, consumer, delivery_time_ms, delivery_count]` and `consumers`, each
//! with `name`, `seen_time`, `active_time` (7.2; -1 = never) and `pel` of `[id, time, count]`. An
//! entry that was negatively acknowledged has an empty consumer; null stands for what the file does
//! not say.
//!
//! KeyDB keeps expiries of members and fields behind the key. Such a one is a line of its own:
//! `{"db", "of_key", "subkey", "expire_at_ms"}`.
//!
//! With [`facts`](JsonLines::facts) come lines that tell of the file and not of a key. They have
//! `fact`, and by its value:
//!
//! | `fact` | with |
//! |---|---|
//! | `header` | `magic`, the first nine bytes |
//! | `aux` | `name`, `value` |
//! | `function` | `code`; those of the 7.0 release candidates also `name`, `engine`, `description` |
//! | `module_aux` | `module`, `version`, `when` (1 = before the keys, 2 = after), `b64` |
//! | `slot_info` | `slot`, `keys`, `expires` |
//! | `slot_import` | `job`, `ranges` of `[first, last]` |
//! | `hash_template` | `id`, `fields` |
//!
//! Left out are hints of size, which say nothing that the keys do not, and the checksum.
//!
//! # Records of logs
//!
//! [`RecordLines`] writes the records of append-only files likewise, one a line:
//!
//! | field | meaning |
//! |---|---|
//! | `file` | the file's name |
//! | `offset`, `record` | the offset of its first byte, and its number in the file, from 0 |
//! | `db` | the database that a command works on; of a SELECT the one it chooses |
//! | `ts` | seconds since 1970 as last noted in the log, or null |
//! | `tx` | in a transaction `begin`, `inside` or `commit`; `stray_exec`, `nested_multi`; or null |
//! | `args` | the command: byte strings, its name first |
//! | `annotation` | in place of `db` and `args`: a line that servers skip, without `#` |
//! | `rdb` | in place of all but `file`: what the file begins with, by `header`, `bytes` and `keys` |

mod json;

pub use json::{JsonLines, JsonOutcome, RecordLines, export_json};
