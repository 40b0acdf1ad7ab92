//! Writing an RDB: the reader's mirror, name for name.
//!
//! Records pass through as they are: an untouched file comes out byte for byte, and no value is
//! decoded on the way. What a file says of its integrity passes through too: a source that was not
//! read to its end, or whose checksum does not fit, cannot become a file whose checksum does.

use crate::error::{Error, Fault, Result};
use crate::rdb::attribute::Attributes;
use crate::rdb::build::StrWriter;
use crate::rdb::dump::Payload;
use crate::rdb::encode::{Encoded, write_attributes};
use crate::rdb::entry::Entry;
use crate::rdb::event::{Event, EventKind, Footer};
use crate::rdb::loss::Losses;
use crate::rdb::opcode::byte;
use crate::rdb::value_type::ValueType;
use crate::rdb::version::Header;
use crate::wire::crc64::Crc64;
use std::io::Write;

/// Bytes gathered before the target and the checksum see them.
const BLOCK: usize = 256 << 10;

/// Name of the AUX field that says a file was put together from one that failed its check.
pub(crate) const SALVAGED: &str = "redkeep-salvaged";

/// What is known of the file that records came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// There is none: everything was made by the caller.
    Own,
    /// Its end has not been seen.
    Open,
    /// It was read to its end, and its checksum fitted.
    Proven,
    /// It kept no checksum, so this file keeps none either.
    Unproven,
}

/// Writes an RDB to any target.
///
/// Copying records from a reader with [`event`](Writer::event) keeps every byte; leaving events
/// out, or adding records with the other methods, gives a file of its own with a checksum of its
/// own. Nothing is synced or renamed here: that is the business of whoever owns the target.
///
/// ```
/// use redkeep::rdb::{EventKind, SliceReader, Writer};
/// # let dump = b"REDIS0003\xfe\x00\x00\x01a\x01x\x00\x01b\x01y\xff";
/// let mut writer = Writer::new(Vec::new());
/// for event in SliceReader::new(dump) {
///     writer.event(&event?)?;
/// }
/// assert_eq!(writer.finish()?, dump);
/// # Ok::<(), redkeep::Error>(())
/// ```
///
/// A dump of values of one's own takes an [`Encoder`](crate::rdb::Encoder) and
/// [`content`](Writer::content):
///
/// ```
/// use redkeep::UnixMillis;
/// use redkeep::rdb::{Attributes, Content, Encoder, ServerVersion, Writer};
/// use redkeep::rdb::check::{CheckOptions, Verdict, check_slice};
/// let server: ServerVersion = "redis-7.2".parse().unwrap();
/// let mut encoder = Encoder::new(server);
/// let mut writer = Writer::new(Vec::new());
/// writer.header(server.header())?;
/// let users = encoder.encode(&Content::set(["ada", "grace"]))?;
/// writer.content(0, b"users", &Attributes::default(), &users)?;
/// let until = Attributes::default().expires(UnixMillis::new(4_102_444_800_000));
/// let token = encoder.encode(&Content::string("abc"))?;
/// let losses = writer.content(0, b"token", &until, &token)?;
/// assert!(losses.is_empty());
/// let dump = writer.finish()?;
/// let report = check_slice(&dump, &CheckOptions::default().target(server));
/// assert_eq!((report.verdict, report.keys), (Verdict::Sound, 2));
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Writer<W> {
    target: W,
    block: Vec<u8>,
    crc: Crc64,
    offset: u64,
    header: Option<Header>,
    db: Option<u64>,
    source: Source,
    /// A value was opened and not closed yet.
    inside: bool,
}

impl<W: Write> Writer<W> {
    /// A writer; the header has to come first.
    pub fn new(target: W) -> Writer<W> {
        Writer {
            target,
            block: Vec::with_capacity(BLOCK),
            crc: Crc64::new(),
            offset: 0,
            header: None,
            db: None,
            source: Source::Own,
            inside: false,
        }
    }

    /// The offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the bytes go to; up to a block of them is still held back here.
    #[cfg(feature = "live")]
    pub(crate) fn target_mut(&mut self) -> &mut W {
        &mut self.target
    }

    /// How long the file is if it is finished now.
    pub fn ended_len(&self) -> u64 {
        let footer = self.header.is_some_and(Header::has_footer);
        self.offset + 1 + if footer { 8 } else { 0 }
    }

    /// Passes an event of a reader through, its bytes untouched. Where a key's database is not the
    /// one selected last, as after events that were left out, it is selected first.
    ///
    /// The source's end and footer are not written, but have to pass as well: they are what proves
    /// the records before them. [`finish`](Self::finish) then ends the file.
    ///
    /// # Errors
    /// `Checksum` for a footer that does not fit its file; `Usage` for one that was not computed, for
    /// a second header, a record before the header, and a value cut in two; `Io` where the target
    /// fails.
    #[inline(always)]
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        match event.entry() {
            Some(entry) if !self.inside => {
                if self.db != Some(entry.db()) {
                    self.select_for(entry)?;
                }
                self.raw(event.raw())
            }
            _ => self.rare_event(*event),
        }
    }

    /// Selects a key's database, unless none was selected and none needs to be, or its own record
    /// does.
    #[inline(never)]
    fn select_for(&mut self, entry: Entry<'_>) -> Result<()> {
        if entry.db() == self.db.unwrap_or_default() {
            return Ok(());
        }
        if entry.selects_db() {
            self.db = Some(entry.db());
            return Ok(());
        }
        self.select_db(entry.db())
    }

    #[inline(never)]
    fn rare_event(&mut self, event: Event<'_>) -> Result<()> {
        match event.kind() {
            EventKind::Header(header) => {
                self.source = Source::Open;
                self.header(header)
            }
            EventKind::Open(entry) => {
                self.between_values()?;
                self.select_for(entry)?;
                self.inside = true;
                self.raw(event.raw())
            }
            EventKind::ModuleAux(aux) => {
                self.between_values()?;
                self.inside = !aux.whole;
                self.raw(event.raw())
            }
            EventKind::Run(_) | EventKind::Piece(_) if self.inside => self.raw(event.raw()),
            EventKind::Run(_) | EventKind::Piece(_) => {
                Err(Error::usage("a part of a value without its beginning"))
            }
            EventKind::Close => {
                self.inside = false;
                Ok(())
            }
            EventKind::SelectDb(db) => {
                self.between_values()?;
                self.db = Some(db);
                self.raw(event.raw())
            }
            EventKind::Eof => {
                self.between_values()?;
                // Before RDB 5 the end is all the proof there is; later the footer is to come, and
                // without it the source stays open.
                if !event.expects_footer() {
                    self.source = Source::Proven;
                }
                Ok(())
            }
            EventKind::Footer(footer) => self.footer(footer, event.offset()),
            EventKind::Entry(_)
            | EventKind::Aux(_)
            | EventKind::ResizeDb { .. }
            | EventKind::SlotInfo { .. }
            | EventKind::SlotImport(_)
            | EventKind::Function(_)
            | EventKind::HashTemplate(_)
            | EventKind::EnterpriseSkip => {
                self.between_values()?;
                self.raw(event.raw())
            }
        }
    }

    /// What the source's checksum says of all that came through.
    fn footer(&mut self, footer: Footer, offset: u64) -> Result<()> {
        self.source = match (footer.stored, footer.computed) {
            (0, _) => Source::Unproven,
            (_, None) => {
                return Err(Error::usage(
                    "the source's checksum was not computed: what it holds is not proven",
                ));
            }
            (stored, Some(computed)) if stored == computed => Source::Proven,
            (stored, Some(computed)) => {
                return Err(Error::at(Fault::ChecksumMismatch, offset).with_detail(format!(
                    "{stored:016x} is stored, {computed:016x} was computed"
                )));
            }
        };
        Ok(())
    }

    /// Writes magic and version.
    ///
    /// # Errors
    /// `Usage` when there is one already, `Io` where the target fails.
    pub fn header(&mut self, header: Header) -> Result<()> {
        if self.header.is_some() {
            return Err(Error::usage("a second header"));
        }
        self.header = Some(header);
        self.put(header.to_string().as_bytes())
    }

    /// Writes an AUX field.
    ///
    /// # Errors
    /// `Usage` before the header, `Io` where the target fails.
    pub fn aux(&mut self, name: &[u8], value: &[u8]) -> Result<()> {
        self.between_values()?;
        self.raw(&[byte::AUX])?;
        self.string(name)?;
        self.string(value)
    }

    /// Writes a function library.
    ///
    /// # Errors
    /// `Usage` before the header, `Io` where the target fails.
    pub fn function(&mut self, code: &[u8]) -> Result<()> {
        self.between_values()?;
        self.raw(&[byte::FUNCTION2])?;
        self.string(code)
    }

    /// Selects the database of the keys that follow, where it is not selected already.
    ///
    /// # Errors
    /// `Usage` before the header, `Io` where the target fails.
    #[inline]
    pub fn select_db(&mut self, db: u64) -> Result<()> {
        self.between_values()?;
        if self.db == Some(db) {
            return Ok(());
        }
        self.db = Some(db);
        self.raw(&[byte::SELECT_DB])?;
        self.length(db)
    }

    /// Writes the hint of how many keys, and keys with an expiry, the database has.
    ///
    /// # Errors
    /// `Usage` before the header, `Io` where the target fails.
    pub fn resize_db(&mut self, keys: u64, expires: u64) -> Result<()> {
        self.between_values()?;
        self.raw(&[byte::RESIZE_DB])?;
        self.length(keys)?;
        self.length(expires)
    }

    /// Writes a whole key as it stands in its file, after selecting its database.
    ///
    /// The file it is from has to be proven before [`finish`](Self::finish): pass its end and footer
    /// to [`event`](Self::event).
    ///
    /// # Errors
    /// `Usage` before the header, `Io` where the target fails.
    #[inline]
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<()> {
        if self.inside || self.db != Some(entry.db()) {
            self.select_db(entry.db())?;
        }
        self.source = Source::Open;
        self.raw(entry.raw_attributes())?;
        self.raw(&[entry.value_type().byte()])?;
        self.raw(entry.raw_key())?;
        self.raw(entry.value().bytes())
    }

    /// Writes a key with a content, after selecting its database.
    ///
    /// What the server that it was encoded for has no place for is left out: the answer is all of
    /// that, the content's own [losses](Encoded::losses) and those of the attributes. KeyDB's stamp
    /// is not written, since it belongs to the value that the key had.
    ///
    /// # Errors
    /// `Usage` before the header, and for a layout that has no place in a file that begins so;
    /// `Unsupported` for an expiry that Redis 2.4 cannot keep; `Io` where the target fails.
    pub fn content(
        &mut self,
        db: u64,
        key: &[u8],
        attributes: &Attributes<'_>,
        encoded: &Encoded<'_>,
    ) -> Result<Losses> {
        let kind = encoded.value_type();
        let meant = |header: Header| ValueType::from_byte(header.lineage, kind.byte());
        if self.header.and_then(meant) != Some(kind) {
            let target = encoded.target();
            return Err(Error::usage(format!("{kind} for {target} in a file of another header")));
        }
        let mut head = Vec::new();
        let mut losses = write_attributes(attributes, encoded.target(), &mut head)?;
        losses.merge(&encoded.losses);
        head.push(kind.byte());
        StrWriter::new(false).write_bytes(key, &mut head);
        self.select_db(db)?;
        self.raw(&head)?;
        self.raw(encoded.value().bytes())?;
        Ok(losses)
    }

    /// Writes a key with a value as DUMP gave it, after selecting its database.
    ///
    /// The payload's own metadata goes with it, and that of `attributes` is not looked at.
    ///
    /// # Errors
    /// `Usage` before the header, and for a layout that has no place in a file that begins so; `Io`
    /// where the target fails.
    ///
    /// ```
    /// use redkeep::rdb::{Attributes, Payload, ServerVersion, Writer};
    /// let server: ServerVersion = "redis-7.0".parse().unwrap();
    /// let payload = Payload::parse(b"\x00\xc0\x0c\x0a\x00\x3c\x2a\xf8\x51\x5c\x04\xbc\xd5")?;
    /// let mut writer = Writer::new(Vec::new());
    /// writer.header(server.header())?;
    /// writer.payload(0, b"a", &Attributes::default(), &payload)?;
    /// assert!(writer.finish()?.starts_with(b"REDIS0010\xfe\x00\x00\x01a\xc0\x0c\xff"));
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    pub fn payload(
        &mut self,
        db: u64,
        key: &[u8],
        attributes: &Attributes<'_>,
        payload: &Payload<'_>,
    ) -> Result<()> {
        let value = payload.value();
        let kind = value.value_type();
        let meant = |header: Header| ValueType::from_byte(header.lineage, kind.byte());
        if self.header.and_then(meant) != Some(kind) {
            return Err(Error::usage(format!("{kind} in a file of another header")));
        }
        let mut head = Vec::new();
        Attributes { metadata: payload.metadata(), ..*attributes }.write(&mut head);
        head.push(kind.byte());
        StrWriter::new(false).write_bytes(key, &mut head);
        self.select_db(db)?;
        self.raw(&head)?;
        self.raw(value.bytes())
    }

    /// Ends the file: the end opcode, and the checksum where the header's version has one.
    ///
    /// A file with records of a source that kept no checksum keeps none either.
    ///
    /// # Errors
    /// `Usage` when a source was not read to its end, when a value is cut, or without a header;
    /// `Io` where the target fails.
    pub fn finish(mut self) -> Result<W> {
        self.between_values()?;
        if self.source == Source::Open {
            return Err(Error::usage("the source was not read to its end: nothing proves it"));
        }
        let Some(header) = self.header else { return Err(Error::usage("a file without header")) };
        self.put(&[byte::EOF])?;
        self.flush_block()?;
        if header.has_footer() {
            let sum = match self.source {
                Source::Unproven => 0,
                _ => self.crc.value(),
            };
            self.put(&sum.to_le_bytes())?;
            self.flush_block()?;
        }
        self.target.flush().map_err(|error| Error::io(error, Some(self.offset)))?;
        Ok(self.target)
    }

    /// Ends a file whose source failed its check or could not be read to its end, knowing that: an
    /// AUX field `redkeep-salvaged` says so to whoever opens it.
    ///
    /// # Errors
    /// As [`finish`](Self::finish), but for the proof.
    pub fn finish_salvaged(mut self) -> Result<W> {
        self.aux(SALVAGED.as_bytes(), b"1")?;
        self.source = Source::Own;
        self.finish()
    }

    fn between_values(&self) -> Result<()> {
        if self.inside {
            return Err(Error::usage("the value before is not complete"));
        }
        Ok(())
    }

    fn length(&mut self, length: u64) -> Result<()> {
        let mut bytes = Vec::with_capacity(9);
        crate::rdb::len::write_length(length, &mut bytes);
        self.raw(&bytes)
    }

    fn string(&mut self, bytes: &[u8]) -> Result<()> {
        self.length(bytes.len() as u64)?;
        self.raw(bytes)
    }

    /// Bytes of a record.
    #[inline]
    fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        if self.header.is_none() {
            return Err(Error::usage("a record before the header"));
        }
        self.put(bytes)
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        if self.block.len() + bytes.len() > BLOCK {
            return self.put_past_the_block(bytes);
        }
        self.block.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    #[inline(never)]
    fn put_past_the_block(&mut self, bytes: &[u8]) -> Result<()> {
        self.flush_block()?;
        self.offset += bytes.len() as u64;
        if bytes.len() < BLOCK {
            self.block.extend_from_slice(bytes);
            return Ok(());
        }
        self.crc.update(bytes);
        self.target.write_all(bytes).map_err(|error| Error::io(error, Some(self.offset)))
    }

    #[inline(never)]
    fn flush_block(&mut self) -> Result<()> {
        self.crc.update(&self.block);
        let written = self.target.write_all(&self.block);
        self.block.clear();
        written.map_err(|error| Error::io(error, Some(self.offset)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{ChecksumMode, SliceReader};

    /// Version 9, one key, with the right checksum.
    fn sound() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        writer.header(Header::parse(b"REDIS0009").unwrap()).unwrap();
        writer.aux(b"ctime", b"1").unwrap();
        writer.select_db(300).unwrap();
        writer.resize_db(1, 0).unwrap();
        writer.function(&[b'f'; 70]).unwrap();
        writer.finish().unwrap()
    }

    fn copy(dump: &[u8], mode: ChecksumMode) -> Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new());
        for event in SliceReader::new(dump).checksum(mode) {
            writer.event(&event?)?;
        }
        writer.finish()
    }

    #[test]
    fn an_untouched_copy_is_the_same_file() {
        let dump = sound();
        assert_eq!(copy(&dump, ChecksumMode::Verify).unwrap(), dump);
        let mut unkept = dump.clone();
        let body = unkept.len() - 8;
        unkept[body..].fill(0);
        assert_eq!(copy(&unkept, ChecksumMode::Verify).unwrap(), unkept);
    }

    #[test]
    fn a_content_stands_only_where_its_layout_is_known() {
        use crate::rdb::{Content, Encoder, HashField};
        let field = HashField::new("f", "v").expires(crate::UnixMillis::new(1));
        let content = Content::Hash(vec![field]);
        for (server, header, fits) in [
            ("valkey-9.0", b"VALKEY080", true),
            ("valkey-9.0", b"REDIS0011", false),
            ("redis-7.4", b"REDIS0012", true),
            ("redis-7.4", b"VALKEY080", false),
        ] {
            let mut encoder = Encoder::new(server.parse().unwrap());
            let encoded = encoder.encode(&content).unwrap();
            let mut writer = Writer::new(Vec::new());
            let none = Attributes::default();
            assert!(writer.content(0, b"k", &none, &encoded).is_err(), "before the header");
            writer.header(Header::parse(header).unwrap()).unwrap();
            assert_eq!(writer.content(0, b"k", &none, &encoded).is_ok(), fits, "{server}");
        }
    }

    #[test]
    fn damage_does_not_come_out_with_a_clean_face() {
        let mut dump = sound();
        dump[20] ^= 1;
        for mode in [ChecksumMode::Verify, ChecksumMode::Report, ChecksumMode::Skip] {
            assert!(copy(&dump, mode).is_err(), "{mode:?}");
        }
        let mut cut = Writer::new(Vec::new());
        for event in SliceReader::new(&dump).take(3) {
            cut.event(&event.unwrap()).unwrap();
        }
        assert_eq!(cut.finish().unwrap_err().kind(), crate::ErrorKind::Usage);
    }
}
