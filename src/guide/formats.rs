//! What a dump is made of, and how to walk it at three levels.
//!
//! A dump (an RDB file) is a header, a flat row of records, an end mark and a checksum. Most
//! records are keys; the others select a database, tell facts about the file, or hold function
//! libraries. No record says how long it is, and there is no index: to find the tenth key, nine
//! have to be passed. Passing is quick, since most of a value can be stepped over without looking
//! at it.
//!
//! Choose the lowest level that tells you enough; each costs more than the one before.
//!
//! | you want | level | begin with |
//! |---|---|---|
//! | names, types, expiries, sizes; to copy or filter whole keys | raw | [`Entry`](crate::rdb::Entry) |
//! | to know how values are stored, or to inflate as little as possible | encoding | [`Value::items`](crate::rdb::Value::items) |
//! | what a client would see | logical | [`Decoder`](crate::rdb::Decoder) |
//!
//! # First level: raw
//!
//! A reader hands out [events](crate::rdb::Event), one after the other. An
//! [`Entry`](crate::rdb::Entry) is a key, its attributes and its value as a window of bytes that
//! nobody has looked into.
//!
//! ```
//! use redkeep::rdb::{EventKind, SliceReader, StrBuf};
//!
//! // RDB 3: database 0, the string `k`, and a list `l` packed the way Redis 7 does it.
//! let dump = b"REDIS0003\xfe\x00\
//!     \x00\x01k\x01v\
//!     \x12\x01l\x01\x02\x16\x16\x00\x00\x00\x05\x00\x81a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\x82bb\x03\xff\
//!     \xff";
//! let mut lines = Vec::new();
//! let mut buf = StrBuf::new();
//! for event in SliceReader::new(dump) {
//!     if let EventKind::Entry(entry) = event?.kind() {
//!         let key = entry.key().bytes(&mut buf)?.escape_ascii().to_string();
//!         let value = entry.value();
//!         lines.push(format!("{key} {} {} {}", value.data_type(), value.value_type(), value.len()));
//!     }
//! }
//! assert_eq!(lines, ["k string STRING 2", "l list LIST_QUICKLIST_2 25"]);
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! Keys are bytes, not text, so they are escaped for printing. The [`StrBuf`](crate::rdb::StrBuf)
//! is the place that a key is decoded into when it is stored as an integer or compressed; a plain
//! one is borrowed from the dump and costs nothing.
//!
//! Every event knows its raw bytes, and those of all events, end to end, are the file. So a record
//! can be carried to another file without understanding it.
//!
//! # Second level: the encoding
//!
//! A value is made of items: strings, pairs, or packed blobs (listpack, ziplist, intset, zipmap)
//! that hold many elements in one string. [`Value::items`](crate::rdb::Value::items) gives them as
//! the file groups them, and the iterators in [`encoding`](crate::rdb::encoding) walk the blobs.
//!
//! ```
//! use redkeep::rdb::{EventKind, Item, SliceReader, StrBuf};
//! use redkeep::rdb::encoding::{Origin, Scalar, listpack::Listpack};
//! # let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\x12\x01l\x01\x02\x16\x16\x00\x00\x00\x05\x00\x81a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\x82bb\x03\xff\xff";
//! let (mut integers, mut buf) = (0, StrBuf::new());
//! for event in SliceReader::new(dump) {
//!     let EventKind::Entry(entry) = event?.kind() else { continue };
//!     for located in entry.value().items()? {
//!         let located = located?;
//!         // Container 2 of a list is a listpack; container 1 would be one big element.
//!         if let Item::Node(2, blob) = located.item {
//!             let blob = blob.bytes(&mut buf)?;
//!             let origin = Origin::plain(located.end - blob.len() as u64);
//!             for entry in Listpack::new(blob, origin)? {
//!                 integers += u32::from(matches!(entry?, Scalar::Int(_)));
//!             }
//!         }
//!     }
//! }
//! assert_eq!(integers, 3); // 1, -1 and 300; "a" and "bb" are bytes
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! # Third level: what a client would see
//!
//! A [`Decoder`](crate::rdb::Decoder) makes [elements](crate::rdb::Element) of items. All encodings
//! of a type give the same elements, so nothing here depends on which server wrote the file.
//!
//! ```
//! use redkeep::rdb::{Decoder, Element, EventKind, SliceReader};
//! use redkeep::wire::number::Digits;
//! # let dump = b"REDIS0003\xfe\x00\x00\x01k\x01v\x12\x01l\x01\x02\x16\x16\x00\x00\x00\x05\x00\x81a\x02\x01\x01\xdf\xff\x02\xc1\x2c\x02\x82bb\x03\xff\xff";
//! let mut decoder = Decoder::new();
//! let mut members = Vec::new();
//! for event in SliceReader::new(dump) {
//!     match event?.kind() {
//!         EventKind::HashTemplate(template) => decoder.learn(&template)?, // Redis 8.10
//!         EventKind::Entry(entry) => {
//!             for item in entry.value().items()? {
//!                 for element in decoder.elements(item?)? {
//!                     if let Element::Member(member) = element? {
//!                         members.push(member.bytes(&mut Digits::new()).escape_ascii().to_string());
//!                     }
//!                 }
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! assert_eq!(members, ["a", "1", "-1", "300", "bb"]);
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! Where every element of every value is wanted,
//! [`Decoder::visit_value`](crate::rdb::Decoder::visit_value) shows them to a
//! [`Visit`](crate::rdb::Visit) of yours, which is quicker.
//!
//! # From a stream, in bounded memory
//!
//! [`StreamReader`](crate::rdb::StreamReader) reads from anything that is [`Read`](std::io::Read)
//! and holds one window of it, 1 MiB by default. It lends each event until the next call, so it is
//! no `Iterator`; [`into_owned`](crate::rdb::Event::into_owned) makes a copy to keep. A value
//! bigger than the window arrives in parts: `Open`, then `Run`s of whole items (and `Piece`s of an
//! item that is itself too big), then `Close`.
//!
//! ```
//! use redkeep::Limits;
//! use redkeep::rdb::{EventKind, StreamReader};
//!
//! // A set of 100 members, read through a window of 64 bytes.
//! let mut dump = b"REDIS0003\xfe\x00\x02\x01s\x40\x64".to_vec();
//! for n in 0..100 {
//!     dump.extend([2, b'0' + n / 10, b'0' + n % 10]);
//! }
//! dump.push(0xff);
//!
//! let mut reader = StreamReader::with_limits(&dump[..], &Limits::default().window(64));
//! let (mut runs, mut members) = (0, 0);
//! while let Some(event) = reader.next()? {
//!     if let EventKind::Run(run) = event.kind() {
//!         runs += 1;
//!         for item in run.items() {
//!             item?; // a `Located`, as at the second level
//!             members += 1;
//!         }
//!     }
//! }
//! assert_eq!(members, 100);
//! assert!(runs > 1);
//! # Ok::<(), redkeep::Error>(())
//! ```
//!
//! # Damage, and what may be trusted
//!
//! An error ends the reading: with no lengths to go by, nothing tells where the next record begins.
//! It says the [offset](crate::Error::offset), and database and key where one was being read. What
//! was handed out before is readable but not proven: the checksum stands at the end of the file,
//! and a [`SliceReader`](crate::rdb::SliceReader) or [`StreamReader`](crate::rdb::StreamReader)
//! reports a mismatch there, as its last item. Act on what you read only once the end was reached
//! without error.
//!
//! ```
//! use redkeep::rdb::{EventKind, SliceReader};
//! let cut = b"REDIS0003\xfe\x00\x00\x01a\x011\x00\x01b\x0522";
//! let (mut keys, mut stopped) = (0, None);
//! for event in SliceReader::new(cut) {
//!     match event {
//!         Ok(event) => keys += u32::from(matches!(event.kind(), EventKind::Entry(_))),
//!         Err(error) => stopped = Some(error),
//!     }
//! }
//! assert_eq!(keys, 1);
//! assert!(stopped.is_some_and(|error| error.is_truncated()));
//! ```
//!
//! # Families and versions
//!
//! The same number can mean two layouts: type 22 is one hash to Redis and another to Valkey 9. The
//! magic at the beginning decides ([`Lineage`](crate::rdb::Lineage)), never the version: a known
//! layout is read under any version number, as servers do too.
