//! librdb 2.3 (C): through the crate `librdb`, and through its bindings with callbacks in C style,
//! which spares it what the crate adds to every callback.

use std::error::Error;
use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use librdb::{KeyInfo, Parser, RdbHandlers, StreamId};
use librdb_sys as sys;

use crate::contenders::{Delivered, Outcome};

// ---- the crate ----------------------------------------------------------------------------------

#[derive(Default)]
struct Counter(Delivered);

impl Counter {
    fn element(&mut self, bytes: &[u8]) -> librdb::Result<()> {
        self.0.elements += 1;
        self.0.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl RdbHandlers for Counter {
    fn handle_new_key(&mut self, _key: &[u8], _info: &KeyInfo) -> librdb::Result<()> {
        self.0.keys += 1;
        Ok(())
    }
    fn handle_string_value(&mut self, value: &[u8]) -> librdb::Result<()> {
        self.element(value)
    }
    fn handle_list_item(&mut self, item: &[u8]) -> librdb::Result<()> {
        self.element(item)
    }
    fn handle_hash_field(&mut self, field: &[u8], value: &[u8], _: i64) -> librdb::Result<()> {
        self.element(field)?;
        self.element(value)
    }
    fn handle_set_member(&mut self, member: &[u8]) -> librdb::Result<()> {
        self.element(member)
    }
    fn handle_zset_member(&mut self, member: &[u8], _score: f64) -> librdb::Result<()> {
        self.element(member)
    }
    fn handle_stream_item(
        &mut self,
        _id: &StreamId,
        field: &[u8],
        value: &[u8],
        _left: i64,
    ) -> librdb::Result<()> {
        self.element(field)?;
        self.element(value)
    }
}

pub fn crate_file(file: &Path) -> Outcome {
    let mut parser = Parser::new(Counter::default())?;
    parser.parse_file(file)?;
    Ok(parser.into_handler().0)
}

// ---- the bindings -------------------------------------------------------------------------------

enum Source<'a> {
    File(&'a Path),
    /// The file is read whole, then handed over in one call.
    Memory(&'a Path),
}

pub fn raw_file(file: &Path) -> Outcome {
    run(Source::File(file), attach_raw)
}

pub fn raw_memory(file: &Path) -> Outcome {
    run(Source::Memory(file), attach_raw)
}

pub fn data_file(file: &Path) -> Outcome {
    run(Source::File(file), attach_data)
}

pub fn data_memory(file: &Path) -> Outcome {
    run(Source::Memory(file), attach_data)
}

/// The deep integrity check, on by default, walks every packed value once more.
pub fn data_file_light(file: &Path) -> Outcome {
    run(Source::File(file), |parser, seen| {
        // SAFETY: `run` gives a live parser that has not begun.
        unsafe { sys::RDB_setDeepIntegCheck(parser, 0) };
        attach_data(parser, seen)
    })
}

pub fn json(file: &Path) -> Outcome {
    run(Source::File(file), |parser, _| {
        let mut options = sys::RdbxToJsonConf {
            level: sys::RdbHandlersLevel_RDB_LEVEL_DATA,
            encoding: sys::RdbxToJsonEnc_RDBX_CONV_JSON_ENC_PLAIN,
            includeDbInfo: 0,
            includeAuxField: 0,
            includeFunc: 0,
            includeStreamMeta: 0,
            includeStreamIdmp: 0,
            flatten: 0,
        };
        // SAFETY: `run` gives a live parser that has not begun; librdb copies path and options.
        !unsafe { sys::RDBX_createHandlersToJson(parser, c"/dev/null".as_ptr(), &mut options) }
            .is_null()
    })
}

/// Keys that end in 7, as RESTORE commands that are only counted: what it has that is nearest to a
/// new dump.
pub fn filter(file: &Path) -> Outcome {
    run(Source::File(file), |parser, seen| {
        let mut options = sys::RdbxToRespConf {
            supportRestore: 1,
            dstRedisVersion: c"7.0".as_ptr(),
            ..sys::RdbxToRespConf::default()
        };
        let mut writer = sys::RdbxRespWriter {
            ctx: seen.cast(),
            destroy: None,
            writev: Some(commands),
            flush: Some(flush),
        };
        // SAFETY: `run` gives a live parser that has not begun; librdb copies pattern, options and
        // writer; `seen` outlives the parser.
        unsafe {
            let resp = sys::RDBX_createHandlersToResp(parser, &mut options);
            if resp.is_null() {
                return false;
            }
            sys::RDBX_attachRespWriter(resp, &mut writer);
            // What is made later is asked earlier.
            if sys::RDBX_createHandlersFilterKey(parser, c"7$".as_ptr(), 0).is_null() {
                return false;
            }
        }
        true
    })
}

unsafe extern "C" fn commands(
    seen: *mut c_void,
    parts: *mut sys::iovec,
    count: c_int,
    start: *mut sys::RdbxRespWriterStartCmd,
    _: c_int,
) -> c_int {
    // SAFETY: `filter` gave a `Delivered` that nobody else touches, librdb so many parts.
    unsafe {
        let seen = &mut *seen.cast::<Delivered>();
        seen.keys += u64::from(!start.is_null());
        for part in 0..usize::try_from(count).unwrap_or(0) {
            seen.bytes += (*parts.add(part)).iov_len as u64;
        }
    }
    0
}

unsafe extern "C" fn flush(_: *mut c_void) -> c_int {
    0
}

/// Runs one parse with the handlers that `attach` registers; `attach` tells whether it could.
fn run(
    source: Source<'_>,
    attach: impl FnOnce(*mut sys::RdbParser, *mut Delivered) -> bool,
) -> Outcome {
    let mut seen = Delivered::default();
    let counted: *mut Delivered = &mut seen;
    // SAFETY: a null allocator asks for malloc.
    let parser = unsafe { sys::RDB_createParserRdb(ptr::null_mut()) };
    if parser.is_null() {
        return Err("librdb could not make a parser".into());
    }
    // SAFETY: the parser is live, and `seen` outlives it.
    let done = unsafe { parse(parser, source, || attach(parser, counted)) };
    // SAFETY: this is the last use of the parser.
    unsafe { sys::RDB_deleteParser(parser) };
    done?;
    Ok(seen)
}

/// # Safety
///
/// The parser must be live, and not have been used before.
unsafe fn parse(
    parser: *mut sys::RdbParser,
    source: Source<'_>,
    attach: impl FnOnce() -> bool,
) -> Result<(), Box<dyn Error>> {
    let status = match source {
        Source::File(file) => {
            let name = CString::new(file.as_os_str().as_bytes())?;
            // SAFETY: the parser is live; librdb copies the name.
            if unsafe { sys::RDBX_createReaderFile(parser, name.as_ptr()) }.is_null() || !attach() {
                // SAFETY: the parser is live.
                return Err(unsafe { message(parser) });
            }
            // SAFETY: the parser is live and has its reader and handlers.
            unsafe { sys::RDB_parse(parser) }
        }
        Source::Memory(file) => {
            let mut bytes = std::fs::read(file)?;
            if !attach() {
                // SAFETY: the parser is live.
                return Err(unsafe { message(parser) });
            }
            // SAFETY: the parser is live and has its handlers; the buffer lives through the call.
            unsafe { sys::RDB_parseBuff(parser, bytes.as_mut_ptr(), bytes.len(), 1) }
        }
    };
    if status == sys::RdbStatus_RDB_STATUS_OK {
        Ok(())
    } else {
        // SAFETY: the parser is live.
        Err(unsafe { message(parser) })
    }
}

/// # Safety
///
/// The parser must be live.
unsafe fn message(parser: *mut sys::RdbParser) -> Box<dyn Error> {
    // SAFETY: the text belongs to the parser, which is live.
    let text = unsafe { sys::RDB_getErrorMessage(parser) };
    if text.is_null() {
        return "librdb failed without a message".into();
    }
    // SAFETY: librdb ends it with a zero byte.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned().into()
}

fn attach_raw(parser: *mut sys::RdbParser, seen: *mut Delivered) -> bool {
    let mut callbacks = sys::RdbHandlersRawCallbacks {
        handleNewKey: Some(new_key),
        handleFrag: Some(fragment),
        ..sys::RdbHandlersRawCallbacks::default()
    };
    // SAFETY: `run` gives a live parser; librdb copies the callbacks; `seen` outlives the parser.
    !unsafe { sys::RDB_createHandlersRaw(parser, &mut callbacks, seen.cast(), None) }.is_null()
}

fn attach_data(parser: *mut sys::RdbParser, seen: *mut Delivered) -> bool {
    let mut callbacks = sys::RdbHandlersDataCallbacks {
        handleNewKey: Some(new_key),
        handleStringValue: Some(element),
        handleListItem: Some(element),
        handleHashField: Some(field),
        handleSetMember: Some(element),
        handleZsetMember: Some(member),
        handleStreamItem: Some(stream_item),
        ..sys::RdbHandlersDataCallbacks::default()
    };
    // SAFETY: `run` gives a live parser; librdb copies the callbacks; `seen` outlives the parser.
    !unsafe { sys::RDB_createHandlersData(parser, &mut callbacks, seen.cast(), None) }.is_null()
}

// In all callbacks: `user` is the `Delivered` of `run`, which nobody else touches during the parse,
// and a bulk is valid until the callback returns.

const OK: sys::RdbRes = sys::RdbRes_RDB_OK;

unsafe extern "C" fn new_key(
    _: *mut sys::RdbParser,
    user: *mut c_void,
    _key: sys::RdbBulk,
    _info: *mut sys::RdbKeyInfo,
) -> sys::RdbRes {
    // SAFETY: see above.
    unsafe { (*user.cast::<Delivered>()).keys += 1 };
    OK
}

unsafe extern "C" fn fragment(
    parser: *mut sys::RdbParser,
    user: *mut c_void,
    bulk: sys::RdbBulk,
) -> sys::RdbRes {
    // SAFETY: see above.
    unsafe { (*user.cast::<Delivered>()).bytes += sys::RDB_bulkLen(parser, bulk) as u64 };
    OK
}

unsafe extern "C" fn element(
    parser: *mut sys::RdbParser,
    user: *mut c_void,
    bulk: sys::RdbBulk,
) -> sys::RdbRes {
    // SAFETY: see above.
    let (seen, length) =
        unsafe { (&mut *user.cast::<Delivered>(), sys::RDB_bulkLen(parser, bulk)) };
    seen.elements += 1;
    seen.bytes += length as u64;
    OK
}

unsafe extern "C" fn field(
    parser: *mut sys::RdbParser,
    user: *mut c_void,
    field: sys::RdbBulk,
    value: sys::RdbBulk,
    _expires: i64,
) -> sys::RdbRes {
    // SAFETY: see above.
    unsafe { element(parser, user, field) };
    // SAFETY: see above.
    unsafe { element(parser, user, value) }
}

unsafe extern "C" fn member(
    parser: *mut sys::RdbParser,
    user: *mut c_void,
    member: sys::RdbBulk,
    _score: f64,
) -> sys::RdbRes {
    // SAFETY: see above.
    unsafe { element(parser, user, member) }
}

unsafe extern "C" fn stream_item(
    parser: *mut sys::RdbParser,
    user: *mut c_void,
    _id: *mut sys::RdbStreamID,
    field: sys::RdbBulk,
    value: sys::RdbBulk,
    _left: i64,
) -> sys::RdbRes {
    // SAFETY: see above.
    unsafe { element(parser, user, field) };
    // SAFETY: see above.
    unsafe { element(parser, user, value) }
}
