//! What a file is for: a dump, or the RDB that a log begins with.

use crate::error::Result;
use crate::rdb::event::{Event, EventKind};
use crate::rdb::opcode::byte;
use crate::rdb::record::remade_record;
use crate::rdb::string::Str;

/// The AUX fields that say whether a log follows, by their first release.
const PREAMBLE: &[u8] = b"aof-preamble";
const BASE: &[u8] = b"aof-base";

/// What an RDB is for.
///
/// Servers write it into the file, and load the file the same whatever it says.
///
/// ```
/// use redkeep::rdb::{Role, RoleMarker, SliceReader, Writer};
/// use redkeep::pipe::{Staged, pump};
/// # let dump = b"REDIS0010\xfa\x08aof-base\xc0\x00\xff\0\0\0\0\0\0\0\0";
/// let mut pipe = Staged { stage: RoleMarker::new(Role::Base), to: Writer::new(Vec::new()) };
/// pump(&mut SliceReader::new(dump), &mut pipe)?;
/// assert!(pipe.to.finish()?.starts_with(b"REDIS0010\xfa\x08aof-base\xc0\x01\xff"));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Role {
    /// A dump.
    Dump,
    /// The base of a log of several files, as since Redis 7.0 (`aof-base`).
    Base,
    /// The beginning of a log of one file, as from Redis 4.0 to 6.2 (`aof-preamble`).
    Preamble,
}

impl Role {
    /// What a field says that the file is for; `None` where it is about something else.
    #[must_use]
    pub fn of(event: &Event<'_>) -> Option<Role> {
        match field(event)? {
            (_, false) => Some(Role::Dump),
            (BASE, true) => Some(Role::Base),
            (_, true) => Some(Role::Preamble),
        }
    }
}

/// The name of a field that tells the role, and what it says.
fn field(event: &Event<'_>) -> Option<(&'static [u8], bool)> {
    let EventKind::Aux(aux) = event.kind() else { return None };
    let Str::Plain(name) = aux.name else { return None };
    // As servers do, in any case.
    let name = [BASE, PREAMBLE].into_iter().find(|known| name.eq_ignore_ascii_case(known))?;
    Some((name, !matches!(aux.value, Str::Int(0) | Str::Plain(b"0" | b""))))
}

/// Makes a file say what it is for; all else passes as it is.
///
/// It is a [`Stage`](crate::pipe::Stage). The field is set where it stands, or put behind the other
/// fields; a dump does not get one that it did not have, nor does a file from before RDB 7, which
/// had no fields yet.
#[derive(Debug)]
pub struct RoleMarker {
    role: Role,
    /// The field is written, or not wanted.
    done: bool,
    raw: Vec<u8>,
}

impl RoleMarker {
    /// A marker for one file.
    #[must_use]
    pub fn new(role: Role) -> RoleMarker {
        RoleMarker { role, done: role == Role::Dump, raw: Vec::new() }
    }

    /// Takes one event, and gives what it becomes to `emit`.
    ///
    /// # Errors
    /// Whatever `emit` returns.
    #[inline(always)]
    pub fn event(
        &mut self,
        event: &Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        match event.entry() {
            Some(_) if self.done => emit(event),
            _ => self.rare(event, emit),
        }
    }

    #[inline(never)]
    fn rare(
        &mut self,
        event: &Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        match event.kind() {
            EventKind::Header(header) => self.done |= header.version < 7,
            EventKind::Aux(_) => {
                if let Some((name, _)) = field(event) {
                    return self.write(name, event, emit);
                }
            }
            _ if !self.done => self.write(BASE, event, emit)?,
            _ => {}
        }
        emit(event)
    }

    /// Writes the field in the place of one of this name.
    fn write(
        &mut self,
        known: &[u8],
        event: &Event<'_>,
        emit: &mut impl FnMut(&Event<'_>) -> Result<()>,
    ) -> Result<()> {
        let (name, value) = match self.role {
            Role::Dump => (known, 0),
            Role::Base => (BASE, 1),
            Role::Preamble => (PREAMBLE, 1),
        };
        // Once is enough, whatever the source had.
        if std::mem::replace(&mut self.done, true) && self.role != Role::Dump {
            return Ok(());
        }
        self.raw.clear();
        self.raw.push(byte::AUX);
        crate::rdb::len::write_length(name.len() as u64, &mut self.raw);
        self.raw.extend_from_slice(name);
        // Servers write it as an integer of one byte.
        self.raw.extend_from_slice(&[0xc0, value]);
        emit(&remade_record(&self.raw, false, event.place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{SliceReader, Writer};

    /// A file of this version with these fields and one key, and no checksum.
    fn file(version: &str, fields: &[&[u8]]) -> Vec<u8> {
        let mut file = format!("REDIS{version}").into_bytes();
        file.extend(fields.concat());
        file.extend(b"\xfe\x00\x00\x01k\x01v\xff");
        file.extend([0; 8]);
        file
    }

    fn marked(file: &[u8], role: Role) -> Vec<u8> {
        let (mut marker, mut writer) = (RoleMarker::new(role), Writer::new(Vec::new()));
        for event in SliceReader::new(file) {
            marker.event(&event.unwrap(), &mut |event| writer.event(event)).unwrap();
        }
        writer.finish().unwrap()
    }

    const BITS: &[u8] = b"\xfa\x0aredis-bits\xc0\x40";
    const IS_BASE: &[u8] = b"\xfa\x08aof-base\xc0\x01";
    const NO_BASE: &[u8] = b"\xfa\x08aof-base\xc0\x00";
    const IS_PREAMBLE: &[u8] = b"\xfa\x0caof-preamble\xc0\x01";

    #[test]
    fn the_field_is_set_where_it_stands_and_back_again() {
        let dump = file("0010", &[NO_BASE, BITS]);
        let base = marked(&dump, Role::Base);
        assert_eq!(base, file("0010", &[IS_BASE, BITS]));
        assert_eq!(marked(&base, Role::Preamble), file("0010", &[IS_PREAMBLE, BITS]));
        assert_eq!(marked(&base, Role::Dump), dump);
        let text = b"\xfa\x08AOF-base\x011".as_slice();
        assert_eq!(marked(&file("0010", &[text]), Role::Dump), file("0010", &[NO_BASE]));
    }

    #[test]
    fn a_file_without_the_field_gets_it_behind_the_others_or_needs_none() {
        assert_eq!(marked(&file("0009", &[BITS]), Role::Base), file("0009", &[BITS, IS_BASE]));
        assert_eq!(marked(&file("0009", &[BITS]), Role::Dump), file("0009", &[BITS]));
        assert_eq!(marked(&file("0006", &[]), Role::Base), file("0006", &[]));
        let twice = file("0009", &[IS_PREAMBLE, NO_BASE]);
        assert_eq!(marked(&twice, Role::Base), file("0009", &[IS_BASE]));
    }

    #[test]
    fn what_a_file_is_for_is_read_from_its_field() {
        let role = |field: &[u8]| {
            let file = file("0009", &[field]);
            SliceReader::new(&file).find_map(|event| Role::of(&event.unwrap()))
        };
        assert_eq!(role(IS_BASE), Some(Role::Base));
        assert_eq!(role(IS_PREAMBLE), Some(Role::Preamble));
        assert_eq!(role(NO_BASE), Some(Role::Dump));
        assert_eq!(role(BITS), None);
    }
}
