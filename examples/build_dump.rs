//! Builds a dump of values of one's own, for a server to load.
//!
//!     cargo run --example build_dump -- redis-7.2 dump.rdb

use redkeep::UnixMillis;
use redkeep::rdb::{
    Attributes, Content, Encoder, Losses, ServerVersion, StreamContent, StreamEntry, StreamId,
    Writer,
};
use std::error::Error;
use std::fs::File;
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: build_dump SERVER FILE".into());
    };
    let server: ServerVersion = server.parse()?;

    let mut events = StreamContent::new(StreamId::new(1_700_000_000_000, 1));
    events.entries.push(StreamEntry::new(events.last_id, [("kind", "login"), ("user", "7")]));
    let values = [
        ("greeting", Content::string("hello")),
        ("queue", Content::list(["first", "second"])),
        ("online", Content::set(["7", "12"])),
        ("ranking", Content::sorted_set([("ada", 36.5), ("grace", 85.0)])),
        ("user:7", Content::hash([("name", "Ada"), ("born", "1815")])),
        ("events", Content::Stream(events)),
    ];

    let mut encoder = Encoder::new(server);
    let mut writer = Writer::new(File::create(path)?);
    writer.header(server.header())?;
    let mut losses = Losses::default();
    for (key, content) in &values {
        let lasting = Attributes::default();
        let encoded = encoder.encode(content)?;
        losses.merge(&writer.content(0, key.as_bytes(), &lasting, &encoded)?);
    }
    // In another database, until the year 2100.
    let token = encoder.encode(&Content::string("secret"))?;
    let until = Attributes::default().expires(UnixMillis::from_seconds(4_102_444_800));
    losses.merge(&writer.content(1, b"token", &until, &token)?);
    writer.finish()?.sync_all()?;
    if !losses.is_empty() {
        writeln!(io::stdout(), "without {losses}")?;
    }
    Ok(())
}
