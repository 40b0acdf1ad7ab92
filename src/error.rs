//! The one error type: what went wrong, at which byte, in what.

use std::{fmt, io};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Reading or writing failed below us; the source says how.
    #[error("input or output failed")]
    Io,
    /// The input ends inside something.
    #[error("truncated")]
    Truncated,
    /// Bytes that no writer of this format makes.
    #[error("corrupt")]
    Corrupt,
    /// The stored checksum is not that of the bytes before it.
    #[error("checksum mismatch")]
    Checksum,
    /// Well-formed as far as can be told, but in a form that cannot be read.
    #[error("unsupported")]
    Unsupported,
    /// Reading on would cost more than [`Limits`](crate::Limits) allow.
    #[error("over a limit")]
    Limit,
    /// A running server refused, failed, or changed under us.
    #[error("the server did not do it")]
    Server,
    /// A store of objects refused or failed.
    #[error("the store did not do it")]
    Store,
    /// The caller asked for something that makes no sense.
    #[error("usage")]
    Usage,
}

macro_rules! faults {
    ($($(#[$attr:meta])* $name:ident $kind:ident $code:literal $text:literal,)*) => {
        /// What exactly is wrong with some bytes. Stable: [`code`](Fault::code) never changes.
        ///
        /// ```
        /// use redkeep::{ErrorKind, Fault};
        /// assert_eq!(Fault::ListpackEntry.code(), "listpack_entry");
        /// assert_eq!(Fault::ListpackEntry.kind(), ErrorKind::Corrupt);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Fault { $(#[doc = $text] $(#[$attr])* $name,)* }

        impl Fault {
            /// Its name in reports.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Fault::$name => $code,)* }
            }

            /// The family it belongs to.
            #[must_use]
            pub fn kind(self) -> ErrorKind {
                match self { $(Fault::$name => ErrorKind::$kind,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Fault::$name => $text,)* }
            }
        }
    };
}

faults! {
    Magic Corrupt "magic" "not an RDB file: it begins with neither REDIS nor VALKEY",
    Version Corrupt "version" "the version in the header is not a number above zero",
    CompressedEnvelope Unsupported "compressed_envelope" "the whole file is compressed by Valkey (VCS envelope): decompress it first",
    EndsInside Truncated "ends_inside" "the file ends inside a record",
    Opcode Corrupt "opcode" "no opcode or value type of this lineage has this number",
    Vendor Unsupported "vendor" "an opcode or value type of another product",
    ModulePreGa Unsupported "module_pre_ga" "a module value of the 4.0 release candidates (type 6) has no framing and cannot be read",
    LooseAttributes Corrupt "loose_attributes" "a key's attributes are not followed by its key",
    Length Corrupt "length" "a length was expected",
    StringEncoding Corrupt "string_encoding" "unknown string encoding",
    LzfLength Corrupt "lzf_length" "a compressed string claims more than its bytes can hold",
    LzfData Corrupt "lzf_data" "a compressed string does not yield the length it claims",
    Inflated Limit "inflated_limit" "a compressed string inflates past the limit",
    Held Limit "held_limit" "one indivisible record is bigger than the limit",
    Templates Limit "templates_limit" "more hash templates than the limit",
    Names Limit "names_limit" "more keys than the search for equal names may remember",
    TextNumber Corrupt "text_number" "a number was expected as text",
    ListpackHeader Corrupt "listpack_header" "a listpack's header or end mark does not fit its bytes",
    ListpackEntry Corrupt "listpack_entry" "a listpack entry is malformed or runs past the end",
    ListpackCount Corrupt "listpack_count" "a listpack holds another number of entries than it says",
    ListpackOdd Corrupt "listpack_odd" "a listpack does not hold whole groups of entries",
    ZiplistHeader Corrupt "ziplist_header" "a ziplist's header or end mark does not fit its bytes",
    ZiplistEntry Corrupt "ziplist_entry" "a ziplist entry is malformed or runs past the end",
    ZiplistCount Corrupt "ziplist_count" "a ziplist holds another number of entries than it says",
    ZiplistOdd Corrupt "ziplist_odd" "a ziplist does not hold whole pairs",
    ZipmapFormat Corrupt "zipmap" "a zipmap is malformed",
    ZipmapCount Corrupt "zipmap_count" "a zipmap holds another number of pairs than it says",
    IntsetHeader Corrupt "intset_header" "an intset's width or length does not fit its bytes",
    QuicklistContainer Corrupt "quicklist_container" "a quicklist node is neither plain nor packed",
    StreamNodeKey Corrupt "stream_node_key" "a stream node's key is not 16 bytes",
    StreamNode Corrupt "stream_node" "a stream node's entries are malformed",
    ModuleOpcode Corrupt "module_opcode" "unknown opcode inside a module value",
    ModuleAux Corrupt "module_aux" "module data does not begin with its time of loading",
    ArrayTag Corrupt "array_tag" "unknown tag of an array element",
    ArrayFlag Corrupt "array_flag" "an array's cursor flag is neither 0 nor 1",
    TemplateUnknown Corrupt "template_unknown" "a hash refers to a template that was not declared",
    TemplateFields Corrupt "template_fields" "a hash template's fields do not fit its values",
    TemplateTwice Corrupt "template_twice" "a hash template is declared twice",
    FieldExpiry Corrupt "field_expiry" "a hash field's expiry is not a time",
    KeyMeta Corrupt "key_meta" "a key's metadata is malformed",
    SlotRange Corrupt "slot_range" "a range of slots is not within 0 to 16383",
    LogPrefix Corrupt "log_prefix" "a record of the log begins with neither * nor #",
    LogCount Corrupt "log_count" "a command's number of arguments is not a number above zero",
    LogArgument Corrupt "log_argument" "an argument of a command does not begin with $",
    LogLength Corrupt "log_length" "the length of an argument is not a number",
    LogTerminator Corrupt "log_terminator" "an argument does not end where its length says",
    LogAnnotation Corrupt "log_annotation" "an annotation is longer than any server reads",
    LogOpenMulti Truncated "log_open_multi" "the log ends inside a transaction",
    ManifestEmpty Corrupt "manifest_empty" "the manifest of the log is empty",
    ManifestLine Corrupt "manifest_line" "a line of the manifest is not made of keys and values that name a file, its number and its type",
    ManifestLong Corrupt "manifest_long" "a line of the manifest does not end within 1024 bytes",
    ManifestPath Corrupt "manifest_path" "the manifest names a path instead of a bare file",
    ManifestSeq Corrupt "manifest_seq" "a file's number in the manifest is not above zero",
    ManifestType Corrupt "manifest_type" "a file's type in the manifest is none of b, h and i",
    ManifestTwoBases Corrupt "manifest_two_bases" "the manifest names two bases",
    ManifestOrder Corrupt "manifest_order" "the numbers of increments in the manifest do not ascend",
    LogRefused Corrupt "log_refused" "the files are no log that a server would load",
    NeedsReplay Unsupported "needs_replay" "the log holds commands, which would have to be replayed",
    PayloadTail Corrupt "payload_tail" "a payload goes on after its value",
    NoPlace Unsupported "no_place" "the server has no place for this",
    ChecksumMismatch Checksum "checksum_mismatch" "the stored checksum is not that of the bytes before it",
    Loss Unsupported "loss" "the server has no place for some of it",
    ServerRefused Server "server_refused" "refused",
    ServerDenied Server "server_denied" "this user may not do that",
    ServerBusy Server "server_busy" "not in its present state",
    ServerReply Server "server_reply" "its answer is none that was expected",
    Deadline Server "deadline" "not done before the deadline",
    ServerAuth Server "server_auth" "it wants a login",
    ServerLogin Server "server_login" "it does not accept this login",
    ServerLacks Server "server_lacks" "it does not have this command or option, or not under this name",
    ServerLoading Server "server_loading" "it is loading its dataset",
    ServerNoMaster Server "server_no_master" "it is a replica without a link to its master",
    TransferCut Truncated "transfer_cut" "the connection was closed before the transfer was complete",
    ServerRestarted Server "server_restarted" "it was restarted meanwhile",
    NoServer Server "no_server" "no server was found that fits",
    SlotsUnassigned Server "slots_unassigned" "some slots of the cluster have no master",
    NoDriver Server "no_driver" "no way to a snapshot is open",
    SaveFailed Server "save_failed" "it could not save its data",
    SaveUnproven Server "save_unproven" "nothing proves that the save that was asked for wrote the file",
    KeyExists Server "key_exists" "the target has a key of that name already",
    Cancelled Usage "cancelled" "it was cancelled",
    DamagedValue Corrupt "damaged_value" "its records can be told apart, but a value in it is damaged",
    WouldRefuse Unsupported "would_refuse" "the server would refuse it, or leave out some of it",
    LogUnproven Server "log_unproven" "nothing proves that these files are the log that the server writes",
    DumpBesideLog Usage "dump_beside_log" "the server keeps a log, and would load that and not this dump",
    ChangedMeanwhile Corrupt "changed_meanwhile" "it was written over while it was read",
    ObjectMissing Store "object_missing" "there is no object of that name",
    ObjectExists Store "object_exists" "there is an object of that name already",
    ObjectFolder Store "object_folder" "an object cannot have the name of a folder",
    ObjectBig Limit "object_big" "the object is bigger than was to be expected",
    ObjectName Usage "object_name" "no name for an object",
    StoreDenied Store "store_denied" "the store does not allow it",
    StoreUnavailable Store "store_unavailable" "the store cannot be reached, or not now",
    StoreFailed Store "store_failed" "the store failed",
    PastTheEnd Usage "past_the_end" "the reader was asked for more after its end",
    SealForm Unsupported "seal_form" "neither zstd frames nor a binary age file begin here",
    SealNoKey Usage "seal_no_key" "it is encrypted, and none of the keys given opens it",
    SealPassphrase Unsupported "seal_passphrase" "it is encrypted with a passphrase, and not for keys",
    SealHead Corrupt "seal_head" "the age header is malformed or was changed",
    SealAuth Corrupt "seal_auth" "encrypted bytes were changed, moved or cut",
    SealFrame Corrupt "seal_frame" "a zstd frame is malformed",
    SealFrameForm Unsupported "seal_frame_form" "a zstd frame without content size or checksum, or with a dictionary",
    SealFrameChecksum Checksum "seal_frame_checksum" "a zstd frame does not yield the bytes its checksum was taken of",
    SealWindow Limit "seal_window" "a zstd frame needs a larger window than the limit",
    SealFrameLimit Limit "seal_frame_limit" "a zstd frame is bigger than the limit",
    SealTable Corrupt "seal_table" "the seek table does not fit the frames",
    SealTableLimit Limit "seal_table_limit" "the seek table is bigger than the limit",
    SealCut Truncated "seal_cut" "it ends before its seek table",
    SealOther Corrupt "seal_other" "this is not the part that was recorded, but another one",
    SealRecord Corrupt "seal_record" "what is recorded of the part contradicts itself",
    VolumeShort Truncated "volume_short" "the volume is shorter than recorded",
    VolumeLong Corrupt "volume_long" "the volume is longer than recorded",
    VolumeDigest Checksum "volume_digest" "the volume's bytes are not those that were stored",
    ArchiveNone Store "archive_none" "there is no archive here",
    ArchiveExists Store "archive_exists" "there is an archive here already",
    ArchiveRecord Corrupt "archive_record" "what says which archive this is, is malformed",
    ArchiveOther Usage "archive_other" "this is another archive: copies of backups go where its id is that of the first",
    ArchiveFormat Unsupported "archive_format" "it was written in a newer form than this program knows",
    BackupNone Store "backup_none" "there is no such backup",
    BackupRecord Corrupt "backup_record" "the manifest of the backup is malformed or contradicts itself",
    BackupDigest Checksum "backup_digest" "the manifest of the backup is not what was stored",
    BackupOther Corrupt "backup_other" "this is the manifest of another backup",
    BackupContent Checksum "backup_content" "what is in the backup is not what went into it",
    LockHeld Store "lock_held" "somebody else is at work on this stream",
    LockLost Store "lock_lost" "the lock on this stream was lost to somebody else",
    DrillFailed Server "drill_failed" "the server that was started on it did not load it",
    StoreFull Store "store_full" "the store has no room for it",
    Internal Usage "internal" "the parser contradicted itself: please report this file",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What failed, where, and in what: one word wide, so that results stay in registers.
///
/// `Display` is one sentence for a tired operator. Programs ask [`kind`](Error::kind),
/// [`fault`](Error::fault), [`offset`](Error::offset) and the `is_*` predicates.
///
/// ```
/// use redkeep::rdb::SliceReader;
/// let error = SliceReader::new(b"REDIS0011\x00\x05he").find_map(Result::err).unwrap();
/// assert!(error.is_truncated());
/// assert_eq!(error.offset(), Some(13));
/// ```
pub struct Error(Box<Parts>);

struct Parts {
    kind: ErrorKind,
    fault: Option<Fault>,
    offset: Option<u64>,
    detail: Option<String>,
    file: Option<String>,
    db: Option<u64>,
    key: Option<String>,
    source: Option<io::Error>,
}

impl Error {
    #[cold]
    #[inline(never)]
    fn from_parts(kind: ErrorKind, fault: Option<Fault>, offset: Option<u64>) -> Self {
        Error(Box::new(Parts {
            kind,
            fault,
            offset,
            detail: None,
            file: None,
            db: None,
            key: None,
            source: None,
        }))
    }

    /// A fault seen at an absolute offset.
    #[cold]
    #[inline(never)]
    pub(crate) fn at(fault: Fault, offset: u64) -> Self {
        Self::from_parts(fault.kind(), Some(fault), Some(offset))
    }

    /// A fault whose place is known further up.
    #[cold]
    #[inline(never)]
    pub(crate) fn from_fault(fault: Fault) -> Self {
        Self::from_parts(fault.kind(), Some(fault), None)
    }

    /// Says where, unless that is known more exactly already.
    #[cold]
    pub(crate) fn or_at(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Says where, counted from a place further ahead.
    #[cold]
    pub(crate) fn shifted(mut self, by: u64) -> Self {
        self.0.offset = self.0.offset.map(|offset| offset.saturating_add(by));
        self
    }

    /// A failure of the source or target below us. One that carries an error of ours is that error.
    #[cold]
    #[inline(never)]
    pub(crate) fn io(source: io::Error, offset: Option<u64>) -> Self {
        // One of ours that came through a `Read` or a `Write`.
        let source = match source.downcast::<Error>() {
            Ok(error) => return error,
            Err(source) => source,
        };
        let mut error = Self::from_parts(ErrorKind::Io, None, offset);
        error.0.source = Some(source);
        error
    }

    /// A request that makes no sense, in words.
    #[cold]
    #[inline(never)]
    pub(crate) fn usage(detail: impl Into<String>) -> Self {
        let mut error = Self::from_parts(ErrorKind::Usage, None, None);
        error.0.detail = Some(detail.into());
        error
    }

    /// Adds words to what the fault says.
    #[cold]
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds what failed underneath.
    #[cfg(feature = "repo")]
    #[cold]
    pub(crate) fn caused_by(mut self, source: io::Error) -> Self {
        self.0.source = Some(source);
        self
    }

    /// Adds the database and the key it happened in, the key shortened for printing.
    #[cold]
    pub(crate) fn in_key(mut self, db: u64, key: &[u8]) -> Self {
        if self.0.key.is_none() {
            self.0.db = Some(db);
            self.0.key = Some(printable(key));
        }
        self
    }

    /// Adds the name of the file it happened in.
    #[cold]
    #[must_use]
    pub fn in_file(mut self, name: impl Into<String>) -> Self {
        self.0.file.get_or_insert(name.into());
        self
    }

    /// The family of causes it belongs to.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What is wrong with the bytes, where bytes are the cause.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.0.fault
    }

    /// The absolute offset of the byte that could not be read, from the start of the input.
    #[must_use]
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The database it happened in, where one was being read.
    #[must_use]
    pub fn db(&self) -> Option<u64> {
        self.0.db
    }

    /// The key it happened in, escaped and shortened to what fits a line.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the input ended too early.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.kind() == ErrorKind::Truncated
    }

    /// Whether the bytes themselves are damaged: corrupt, or not those the checksum was taken of.
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        matches!(self.kind(), ErrorKind::Corrupt | ErrorKind::Checksum)
    }

    /// Whether the source or the target failed, not the content.
    #[must_use]
    pub fn is_io(&self) -> bool {
        self.kind() == ErrorKind::Io
    }

    /// Whether the same call may succeed later: interrupted or timed out input and output, servers
    /// and stores that say so, a save that failed or could not be proven, and files that changed meanwhile.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        use Fault::{
            ChangedMeanwhile, Deadline, LockHeld, LogUnproven, NoServer, SaveFailed, SaveUnproven,
            ServerBusy, ServerLoading, ServerNoMaster, ServerRestarted, StoreUnavailable,
            TransferCut,
        };
        use io::ErrorKind::{
            ConnectionAborted, ConnectionReset, Interrupted, TimedOut, WouldBlock,
        };
        let passing = matches!(
            self.0.fault,
            Some(
                ChangedMeanwhile
                    | Deadline
                    | LockHeld
                    | LogUnproven
                    | NoServer
                    | SaveFailed
                    | SaveUnproven
                    | ServerBusy
                    | ServerLoading
                    | ServerNoMaster
                    | ServerRestarted
                    | StoreUnavailable
                    | TransferCut
            )
        );
        let broken = self.0.source.as_ref().is_some_and(|source| {
            matches!(
                source.kind(),
                Interrupted | TimedOut | WouldBlock | ConnectionReset | ConnectionAborted
            )
        });
        passing || broken
    }

    /// The failure of the system underneath, for telling a closed pipe from a full disk.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.0.source.as_ref().map(io::Error::kind)
    }
}

/// Key names are user data and may hold anything: escaped, and cut to 48 bytes.
pub(crate) fn printable(key: &[u8]) -> String {
    const SHOWN: usize = 48;
    let shown = key.get(..SHOWN).unwrap_or(key);
    let dots = if shown.len() < key.len() { "..." } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        if let Some(file) = &parts.file {
            write!(f, "{file}: ")?;
        }
        match (parts.fault, &parts.detail) {
            (Some(fault), Some(detail)) => write!(f, "{}: {fault}: {detail}", parts.kind)?,
            (Some(fault), None) => write!(f, "{}: {fault}", parts.kind)?,
            (None, Some(detail)) => f.write_str(detail)?,
            (None, None) => write!(f, "{}", parts.kind)?,
        }
        if let Some(source) = &parts.source {
            write!(f, ": {source}")?;
        }
        if let Some(offset) = parts.offset {
            write!(f, ", at byte {offset}")?;
        }
        if let (Some(db), Some(key)) = (parts.db, &parts.key) {
            write!(f, ", in db {db}, key \"{key}\"")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        f.debug_struct("Error")
            .field("kind", &parts.kind)
            .field("fault", &parts.fault)
            .field("offset", &parts.offset)
            .field("detail", &parts.detail)
            .field("file", &parts.file)
            .field("db", &parts.db)
            .field("key", &parts.key)
            .field("source", &parts.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| source as _)
    }
}

impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Error::io(source, None)
    }
}

/// Goes through a `Read` or a `Write` and comes back as it was.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::new(error.io_kind().unwrap_or(io::ErrorKind::Other), error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_word_and_says_where() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
        let error = Error::at(Fault::ListpackEntry, 77).in_key(3, b"a\xff").in_file("dump.rdb");
        assert_eq!(
            error.to_string(),
            "dump.rdb: corrupt: a listpack entry is malformed or runs past the end, \
             at byte 77, in db 3, key \"a\\xff\""
        );
    }

    #[test]
    fn an_error_of_ours_keeps_its_cause_through_a_reader() {
        let error = Error::from(io::Error::other(Error::at(Fault::SealAuth, 7)));
        assert_eq!((error.fault(), error.offset()), (Some(Fault::SealAuth), Some(7)));
        assert!(error.is_corrupt() && !error.is_io());
    }

    #[test]
    fn a_long_key_is_shortened() {
        let error = Error::at(Fault::Length, 0).in_key(0, &[b'k'; 5000]);
        assert_eq!(error.key().map(str::len), Some(48 + 3));
    }

    #[test]
    fn an_error_comes_back_from_input_and_output_as_it_was() {
        let error = Error::from_fault(Fault::StoreUnavailable).in_file("a/b");
        let shown = error.to_string();
        let back = Error::from(io::Error::from(error));
        assert_eq!((back.fault(), back.to_string()), (Some(Fault::StoreUnavailable), shown));
        assert!(back.is_retryable());
    }
}
