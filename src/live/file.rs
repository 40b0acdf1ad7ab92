//! A server's file: whether it is another than before, and when it says that it was made.

use crate::error::{Error, Result};
use crate::rdb::{EventKind, StrBuf, StreamReader};
use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::path::Path;

/// What tells one file from the next under the same name. An inode alone may be used again, and a
/// time alone is coarse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    #[cfg(unix)]
    place: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
    modified: Option<std::time::SystemTime>,
    len: u64,
}

impl Identity {
    pub(crate) fn of(facts: &Metadata) -> Identity {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        Identity {
            #[cfg(unix)]
            place: (facts.dev(), facts.ino()),
            #[cfg(unix)]
            changed: (facts.ctime(), facts.ctime_nsec()),
            modified: facts.modified().ok(),
            len: facts.len(),
        }
    }

    /// That of the file under a name; `None` where there is none.
    pub(crate) fn under(path: &Path) -> Result<Option<Identity>> {
        match path.metadata() {
            Ok(facts) => Ok(Some(Identity::of(&facts))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::from(error).in_file(path.display().to_string())),
        }
    }

    /// Whether nothing was written between the two; names may have come and gone.
    pub(crate) fn has_content_of(&self, other: &Identity) -> bool {
        (self.modified, self.len) == (other.modified, other.len)
    }

    pub(crate) fn len(self) -> u64 {
        self.len
    }
}

/// When a dump says that it was made, in seconds since 1970: the field `ctime` at its head, since
/// Redis 3.2. Leaves the file at its begin.
pub(crate) fn stated_time(mut file: &File) -> Result<Option<u64>> {
    let mut reader = StreamReader::new(file);
    let mut found = None;
    let mut buf = StrBuf::new();
    while let Some(event) = reader.next()? {
        match event.kind() {
            EventKind::Header(_) => {}
            EventKind::Aux(aux) => {
                if aux.name.bytes(&mut buf)? == b"ctime" {
                    let text = String::from_utf8_lossy(aux.value.bytes(&mut buf)?).into_owned();
                    found = text.parse().ok();
                    break;
                }
            }
            _ => break,
        }
    }
    file.rewind()?;
    Ok(found)
}
