//! What a file is, by its first bytes.

use crate::cli::Opened;
use crate::cli::progress::Watched;
use crate::error::Result;
use crate::rdb::{EventKind, SliceReader, StrBuf};
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// So many bytes hold what an RDB says of itself, and the first lines of a manifest.
const HEAD: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An RDB, or what is no log at all.
    Dump,
    Log,
    Manifest,
}

/// Looks at what was opened, which is as if it had not been read then.
pub(crate) fn look(opened: Opened, path: &Path) -> Result<(Kind, Opened)> {
    let mut head = Vec::new();
    Ok(match opened {
        Opened::File(mut file, len) => {
            file.by_ref().take(HEAD).read_to_end(&mut head)?;
            file.seek(SeekFrom::Start(0))?;
            (kind(&head, path), Opened::File(file, len))
        }
        Opened::Stream(mut stream) => {
            stream.by_ref().take(HEAD).read_to_end(&mut head)?;
            let kind = kind(&head, path);
            let whole: Box<dyn Read> = Box::new(Cursor::new(head).chain(stream));
            (kind, Opened::Stream(Watched::new(whole, None)))
        }
    })
}

fn kind(head: &[u8], path: &Path) -> Kind {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let called_log = name.ends_with(".aof");
    if head.starts_with(b"REDIS") || head.starts_with(b"VALKEY") {
        return if called_log || is_preamble(head) { Kind::Log } else { Kind::Dump };
    }
    if name.ends_with(".manifest") {
        return Kind::Manifest;
    }
    match head.first() {
        Some(b'*' | b'#') => Kind::Log,
        _ if called_log => Kind::Log,
        _ => Kind::Dump,
    }
}

/// Whether an RDB says that a log follows: servers note it where they write one (4.0 to 6.2). The
/// base of a log of several parts, which is a file of its own, is as good as a dump.
fn is_preamble(head: &[u8]) -> bool {
    let (mut name, mut value) = (StrBuf::new(), StrBuf::new());
    SliceReader::new(head).map_while(|event| event.ok()).any(|event| match event.kind() {
        EventKind::Aux(aux) => {
            let of_log = aux.name.bytes(&mut name).is_ok_and(|name| name == b"aof-preamble");
            of_log && aux.value.bytes(&mut value).is_ok_and(|value| value == b"1")
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_a_name_only_where_content_does_not() {
        let of = |head: &[u8], name: &str| kind(head, Path::new(name));
        assert_eq!(of(b"REDIS0009\xff", "dump.rdb"), Kind::Dump);
        assert_eq!(of(b"VALKEY080\xff", "appendonly.aof.1.base.rdb"), Kind::Dump);
        assert_eq!(of(b"REDIS0009\xff*1\r\n", "appendonly.aof"), Kind::Log);
        let preamble = b"REDIS0009\xfa\x0caof-preamble\xc0\x01\xff";
        assert_eq!((of(preamble, "-"), of(&preamble[..25], "-")), (Kind::Log, Kind::Log));
        assert_eq!(of(b"REDIS0009\xfa\x0caof-preamble\xc0\x00\xff", "-"), Kind::Dump);
        assert_eq!((of(b"*1\r\n", "x.rdb"), of(b"#TS:1\r\n", "-")), (Kind::Log, Kind::Log));
        assert_eq!((of(b"", "a.aof"), of(b"\0\0", "a.incr.aof")), (Kind::Log, Kind::Log));
        assert_eq!((of(b"", "dump.rdb"), of(b"\0\0", "-")), (Kind::Dump, Kind::Dump));
        assert_eq!(of(b"#\nfile a seq 1 type b\n", "a.manifest"), Kind::Manifest);
        assert_eq!(of(b"*1\r\n$5\r\nfile \r\n", "-"), Kind::Log);
    }
}
