//! The store, and what it asks of the server.

use crate::error::{Error, Fault, Result};
use crate::repo::store::contract::{exists, folder_error, missing};
use crate::repo::store::remote::sftp::session::{PIECE, Session, told};
use crate::repo::store::remote::wait::Waiter;
use crate::repo::store::remote::{RemoteOptions, SftpOptions};
use crate::repo::store::{IfExists, Object, ObjectName, ObjectWriter, Store};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Requests of one part under way at once: 2 MiB.
const WINDOW: usize = 64;
/// How often a folder may vanish that was just made.
const PATIENCE: usize = 100;

/// A folder of a machine that is reached by SSH, as a store, driven by a runtime of the caller.
///
/// It speaks SFTP itself, over a connection that the program `ssh` makes ([`SftpOptions`] says how): that
/// has to be installed, as nothing else of this crate needs it to be.
///
/// Each object is the file that its name says. It is written beside its place under a name that begins
/// with `.redkeep-`, synced where the server offers that (OpenSSH does), and then given its name, which
/// the protocol refuses where there is a file already: of those who put one name at once one wins. That
/// the new name lasts over a power cut is for the server's file system to see to: SFTP cannot sync a
/// folder. To replace an object the server has to offer `posix-rename@openssh.com`, as OpenSSH does.
///
/// All requests of a store and its clones go over one connection, made when it is needed, and made anew
/// where it was lost. Of [`RemoteOptions`] the timeouts, the retries with their pauses, and the size of
/// a part count. Files of writers that were killed stay, unlisted; remove `.redkeep-*` while nobody
/// writes. Folders come with the first object in them and go with the last.
///
/// Its calls block; as with [`OpendalStore`](crate::repo::store), make them from threads that are not the
/// runtime's own, or in `spawn_blocking`.
///
/// ```no_run
/// use redkeep::repo::store::{IfExists, ObjectName, RemoteOptions, SftpOptions, SftpStore, Store};
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let options = SftpOptions::new("backup.example.net", "redis/prod").user("keeper");
/// let store = SftpStore::new(options, runtime.handle().clone(), &RemoteOptions::default());
/// store.put(&ObjectName::new("note")?, b"far away", IfExists::Refuse)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SftpStore {
    link: Arc<Link>,
    waiter: Waiter,
}

struct Link {
    options: SftpOptions,
    remote: RemoteOptions,
    session: Mutex<Option<Arc<Session>>>,
}

impl fmt::Debug for SftpStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SftpStore").field("options", &self.link.options).finish_non_exhaustive()
    }
}

impl SftpStore {
    /// A store in this folder. Nothing is asked of the machine yet.
    #[must_use]
    pub fn new(options: SftpOptions, runtime: Handle, remote: &RemoteOptions) -> SftpStore {
        let (remote, session) = (remote.clone(), Mutex::new(None));
        let waiter = Waiter { handle: runtime, patience: remote.timeout };
        SftpStore { link: Arc::new(Link { options, remote, session }), waiter }
    }

    /// Asks something of the server, more than once where the connection is lost; `call` is told
    /// whether it was asked before. Each try may take so long.
    fn ask<T, F>(
        &self,
        what: &str,
        time: Duration,
        call: impl Fn(Arc<Session>, bool) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let link = self.link.clone();
        let asked = async move {
            let mut pause = link.remote.pause;
            let mut tries = 0;
            loop {
                let done = match link.session().await {
                    Ok(session) => {
                        let done = tokio::time::timeout(time, call(session.clone(), tries > 0));
                        let done = done.await.unwrap_or_else(|_| Err(late()));
                        if done.as_ref().is_err_and(Error::is_retryable) {
                            link.forget(&session).await;
                        }
                        done
                    }
                    Err(error) => Err(error),
                };
                match done {
                    Err(error) if error.is_retryable() && tries < link.remote.retries => {}
                    done => return done,
                }
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                tries += 1;
            }
        };
        self.waiter.wait(asked)?.map_err(|error| error.in_file(what))
    }

    /// The same of something small.
    fn small<T, F>(
        &self,
        what: &str,
        call: impl Fn(Arc<Session>, bool) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.ask(what, self.link.remote.timeout, call)
    }

    fn path(&self, name: &ObjectName) -> String {
        format!("{}/{name}", self.root())
    }

    fn root(&self) -> &str {
        match self.link.options.root.trim_end_matches('/') {
            "" if self.link.options.root.is_empty() => ".",
            root => root,
        }
    }

    /// The folders of an object, from the outermost in.
    fn folders(&self, name: &ObjectName) -> Vec<String> {
        let parts = name.as_str().match_indices('/');
        let below = parts.filter_map(|(at, _)| name.as_str().get(..at));
        below.map(|folder| format!("{}/{folder}", self.root())).collect()
    }

    fn look(&self, name: &ObjectName, if_exists: IfExists) -> Result<()> {
        let path = self.path(name);
        match self.small(name.as_str(), move |session, _| kind(session, path.clone()))? {
            Kind::File(_) if if_exists == IfExists::Refuse => Err(exists(name)),
            Kind::Other => Err(folder_error(name)),
            Kind::File(_) | Kind::Absent => Ok(()),
        }
    }

    /// Folders that nothing is in any more are removed.
    fn remove_empty(&self, name: &ObjectName) {
        let folders = self.folders(name);
        let _ = self.small(name.as_str(), move |session, _| {
            let folders = folders.clone();
            async move {
                for folder in folders.into_iter().rev() {
                    // One that is not empty stays, which ends it.
                    if session.sftp.rmdir(folder).await.is_err() {
                        break;
                    }
                }
                Ok(())
            }
        });
    }
}

impl Link {
    async fn session(&self) -> Result<Arc<Session>> {
        let mut kept = self.session.lock().await;
        if let Some(session) = &*kept {
            return Ok(session.clone());
        }
        let patience = self.remote.timeout.max(self.remote.part_timeout);
        let opened =
            tokio::time::timeout(self.remote.timeout, Session::open(&self.options, patience));
        let session = Arc::new(opened.await.unwrap_or_else(|_| Err(late()))?);
        *kept = Some(session.clone());
        Ok(session)
    }

    /// That the next one needs a connection of its own.
    async fn forget(&self, session: &Arc<Session>) {
        let mut kept = self.session.lock().await;
        if kept.as_ref().is_some_and(|other| Arc::ptr_eq(other, session)) {
            *kept = None;
        }
    }
}

fn late() -> Error {
    Error::from_fault(Fault::StoreUnavailable).with_detail("no answer in time")
}

/// What has a name.
enum Kind {
    Absent,
    File(u64),
    Other,
}

async fn kind(session: Arc<Session>, path: String) -> Result<Kind> {
    match session.sftp.lstat(path).await {
        Ok(facts) if is_file(&facts.attrs) => Ok(Kind::File(facts.attrs.size.unwrap_or(0))),
        Ok(_) => Ok(Kind::Other),
        Err(error) if is_absent(&error) => Ok(Kind::Absent),
        Err(error) => Err(told(error)),
    }
}

/// By the bits of `st_mode`, which servers give.
fn is_file(facts: &FileAttributes) -> bool {
    facts.permissions.is_some_and(|mode| mode & 0o170_000 == 0o100_000)
}

fn is_folder(facts: &FileAttributes) -> bool {
    facts.permissions.is_some_and(|mode| mode & 0o170_000 == 0o040_000)
}

fn is_absent(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile)
}

fn is_end(error: &SftpError) -> bool {
    matches!(error, SftpError::Status(status) if status.status_code == StatusCode::Eof)
}

/// Makes an empty file and, where they are missing, the folders that it is in.
async fn create(session: Arc<Session>, folders: Vec<String>, path: String) -> Result<()> {
    let flags = OpenFlags::CREATE | OpenFlags::WRITE | OpenFlags::TRUNCATE;
    // Somebody may delete the last object of the folder meanwhile, and the folder with it.
    for _ in 0..PATIENCE {
        match session.sftp.open(path.as_str(), flags, FileAttributes::empty()).await {
            Ok(opened) => return session.sftp.close(opened.handle).await.map(drop).map_err(told),
            Err(error) if is_absent(&error) && !folders.is_empty() => {}
            Err(error) => return Err(told(error)),
        }
        for (depth, folder) in folders.iter().enumerate() {
            let made = session.sftp.mkdir(folder.as_str(), FileAttributes::empty()).await;
            let Err(error) = made else { continue };
            let denied = matches!(&error, SftpError::Status(status)
                if status.status_code == StatusCode::PermissionDenied);
            // Where the outermost one has nothing to be in, the root is not there.
            if denied || depth == 0 && is_absent(&error) {
                return Err(told(error));
            }
            if let Kind::File(_) = kind(session.clone(), folder.clone()).await? {
                return Err(Error::from_fault(Fault::ObjectFolder).with_detail(error.to_string()));
            }
        }
    }
    Err(Error::from_fault(Fault::StoreUnavailable).with_detail("its folder cannot be made"))
}

/// Writes at an offset of a file; the last one makes all of the file last.
async fn write_at(
    session: Arc<Session>,
    path: String,
    offset: u64,
    part: Arc<Vec<u8>>,
    last: bool,
) -> Result<()> {
    let opened = session.sftp.open(path, OpenFlags::WRITE, FileAttributes::empty()).await;
    let handle = opened.map_err(told)?.handle;
    let (mut under_way, mut at) = (JoinSet::new(), offset);
    for piece in part.chunks(PIECE as usize) {
        if under_way.len() >= WINDOW {
            joined(under_way.join_next().await)?;
        }
        let (session, handle, piece, from) = (session.clone(), handle.clone(), piece.to_vec(), at);
        at += piece.len() as u64;
        under_way.spawn(async move { session.sftp.write(handle, from, piece).await.map(drop) });
    }
    while let Some(done) = under_way.join_next().await {
        joined(Some(done))?;
    }
    if last && session.syncs {
        session.sftp.fsync(handle.as_str()).await.map_err(told)?;
    }
    session.sftp.close(handle).await.map(drop).map_err(told)
}

fn joined<T>(
    done: Option<Result<Result<T, SftpError>, tokio::task::JoinError>>,
) -> Result<Option<T>> {
    match done {
        None => Ok(None),
        Some(Ok(done)) => done.map(Some).map_err(told),
        Some(Err(_)) => Err(Error::from_fault(Fault::StoreFailed).with_detail("it was stopped")),
    }
}

/// Reads a range of a file, up to its end.
async fn read_at(session: Arc<Session>, path: String, range: Range<u64>) -> Result<Vec<u8>> {
    let opened = session.sftp.open(path, OpenFlags::READ, FileAttributes::empty()).await;
    let handle = opened.map_err(told)?.handle;
    let size = session.sftp.fstat(handle.as_str()).await.map_err(told)?.attrs.size.unwrap_or(0);
    let end = range.end.min(size);
    let (mut under_way, mut pieces, mut at) = (JoinSet::new(), Vec::new(), range.start);
    while at < end || !under_way.is_empty() {
        if at < end && under_way.len() < WINDOW {
            let len = u32::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            under_way.spawn(read_piece(session.clone(), handle.clone(), at, len));
            at += u64::from(len);
        } else if let Some(piece) = joined(under_way.join_next().await)? {
            pieces.push(piece);
        }
    }
    session.sftp.close(handle).await.map_err(told)?;
    pieces.sort_unstable_by_key(|(from, _)| *from);
    let mut bytes = Vec::new();
    for (from, piece) in pieces {
        // A file that was cut meanwhile ends where the first piece is short.
        if from == range.start + bytes.len() as u64 {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}

/// So many bytes, which servers may give in more than one answer.
async fn read_piece(
    session: Arc<Session>,
    handle: String,
    from: u64,
    len: u32,
) -> Result<(u64, Vec<u8>), SftpError> {
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let got = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let left = len.saturating_sub(got);
        if left == 0 {
            return Ok((from, bytes));
        }
        match session.sftp.read(handle.as_str(), from + u64::from(got), left).await {
            Ok(data) if data.data.is_empty() => return Ok((from, bytes)),
            Ok(data) => bytes.extend_from_slice(&data.data),
            Err(error) if is_end(&error) => return Ok((from, bytes)),
            Err(error) => return Err(error),
        }
    }
}

/// Gives a file its name.
async fn place(
    session: Arc<Session>,
    from: String,
    to: String,
    if_exists: IfExists,
    again: bool,
) -> Result<Placed> {
    let refused = match if_exists {
        IfExists::Refuse => session.sftp.rename(from.as_str(), to.as_str()).await.err(),
        IfExists::Replace if session.replaces => over(&session, &from, &to).await.err(),
        IfExists::Replace => match session.sftp.rename(from.as_str(), to.as_str()).await {
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Failure => {
                return Ok(Placed::Cannot);
            }
            done => done.err(),
        },
    };
    let Some(error) = refused else { return Ok(Placed::Done) };
    if !matches!(error, SftpError::Status(_)) {
        return Err(told(error));
    }
    match kind(session, to).await? {
        // Nobody else gives this file a name: it was the try whose answer was lost.
        Kind::File(_) if again && is_absent(&error) => Ok(Placed::Done),
        Kind::File(_) if if_exists == IfExists::Refuse => Ok(Placed::Exists),
        Kind::Other => Ok(Placed::Folder),
        Kind::File(_) | Kind::Absent => Err(told(error)),
    }
}

enum Placed {
    Done,
    Exists,
    Folder,
    Cannot,
}

/// Renames over what is there, in one step.
async fn over(session: &Session, from: &str, to: &str) -> Result<(), SftpError> {
    let mut data = Vec::new();
    for path in [from, to] {
        let len = u32::try_from(path.len()).unwrap_or(u32::MAX);
        data.extend_from_slice(&len.to_be_bytes());
        data.extend_from_slice(path.as_bytes());
    }
    match session.sftp.extended("posix-rename@openssh.com", data).await? {
        Packet::Status(status) if status.status_code == StatusCode::Ok => Ok(()),
        Packet::Status(status) => Err(SftpError::Status(status)),
        _ => Err(SftpError::UnexpectedPacket),
    }
}

async fn list(session: Arc<Session>, top: String, prefix: String) -> Result<Vec<Object>> {
    let mut found = Vec::new();
    let mut folders = vec![(top, prefix)];
    while let Some((path, prefix)) = folders.pop() {
        let handle = match session.sftp.opendir(path.as_str()).await {
            Ok(opened) => opened.handle,
            // Of the root, it is for the caller to say what that means.
            Err(error) if is_absent(&error) && !prefix.is_empty() => continue,
            Err(error) => return Err(told(error)),
        };
        loop {
            let entries = match session.sftp.readdir(handle.as_str()).await {
                Ok(entries) => entries,
                Err(error) if is_end(&error) => break,
                Err(error) => return Err(told(error)),
            };
            for entry in entries.files {
                let separator = if prefix.is_empty() { "" } else { "/" };
                let name = ObjectName::new(format!("{prefix}{separator}{}", entry.filename));
                let Ok(name) = name else { continue };
                if is_folder(&entry.attrs) {
                    folders.push((format!("{path}/{}", entry.filename), name.as_str().to_owned()));
                } else if is_file(&entry.attrs) {
                    found.push(Object::new(name, entry.attrs.size.unwrap_or(0)));
                }
            }
        }
        session.sftp.close(handle).await.map_err(told)?;
    }
    found.sort();
    Ok(found)
}

impl Store for SftpStore {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        let path = self.path(name);
        match self.small(name.as_str(), move |session, _| kind(session, path.clone()))? {
            Kind::File(size) => Ok(Some(size)),
            Kind::Absent | Kind::Other => Ok(None),
        }
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        // First of all, since a folder can be opened, too.
        self.stat(name)?.ok_or_else(|| missing(name))?;
        let path = self.path(name);
        let len = range.end.saturating_sub(range.start);
        let parts = len.div_ceil(self.link.remote.part.max(1) as u64).clamp(1, 1 << 16);
        let time = self.link.remote.part_timeout.saturating_mul(u32::try_from(parts).unwrap_or(1));
        self.ask(name.as_str(), time, move |session, _| {
            read_at(session, path.clone(), range.clone())
        })
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        self.look(name, if_exists)?;
        let (folders, random) = (self.folders(name), RandomState::new());
        let (one, two) = (random.hash_one(1), random.hash_one(2));
        let folder = folders.last().map_or(self.root(), String::as_str);
        let path = format!("{folder}/.redkeep-{one:016x}{two:016x}");
        let written = path.clone();
        self.small(name.as_str(), move |session, _| {
            create(session, folders.clone(), path.clone())
        })?;
        Ok(Box::new(SftpWriter {
            store: self.clone(),
            name: name.clone(),
            if_exists,
            path: written,
            offset: 0,
            part: Vec::new(),
            state: State::Open,
        }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        let top = folder.map_or(self.root().to_owned(), |folder| self.path(folder));
        let prefix = folder.map_or("", ObjectName::as_str).to_owned();
        let what = prefix.clone();
        let call = move |session, _| list(session, top.clone(), prefix.clone());
        self.ask(if what.is_empty() { "/" } else { &what }, self.link.remote.part_timeout, call)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        if self.stat(name)?.is_none() {
            return Ok(());
        }
        let path = self.path(name);
        self.small(name.as_str(), move |session, _| {
            let path = path.clone();
            async move {
                match session.sftp.remove(path).await {
                    Err(error) if !is_absent(&error) => Err(told(error)),
                    _ => Ok(()),
                }
            }
        })?;
        self.remove_empty(name);
        Ok(())
    }
}

#[derive(PartialEq)]
enum State {
    Open,
    Failed,
    Placed,
}

struct SftpWriter {
    store: SftpStore,
    name: ObjectName,
    if_exists: IfExists,
    /// The file that is written.
    path: String,
    /// Bytes of it that the server has.
    offset: u64,
    part: Vec<u8>,
    state: State,
}

impl SftpWriter {
    fn send(&mut self, last: bool) -> Result<()> {
        if self.state != State::Open {
            let error = Error::from_fault(Fault::StoreFailed);
            return Err(error.with_detail("it failed before").in_file(self.name.as_str()));
        }
        let (path, offset, part) =
            (self.path.clone(), self.offset, Arc::new(std::mem::take(&mut self.part)));
        let len = part.len() as u64;
        let time = self.store.link.remote.part_timeout;
        let sent = self.store.ask(self.name.as_str(), time, move |session, _| {
            write_at(session, path.clone(), offset, part.clone(), last)
        });
        match sent {
            Ok(()) => self.offset += len,
            Err(_) => self.state = State::Failed,
        }
        sent
    }
}

impl Write for SftpWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.store.link.remote.part.max(1);
        let taken = bytes.get(..size.saturating_sub(self.part.len())).unwrap_or(bytes);
        self.part.extend_from_slice(taken);
        if self.part.len() >= size {
            self.send(false)?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for SftpWriter {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.send(true)?;
        let (from, to, if_exists) =
            (self.path.clone(), self.store.path(&self.name), self.if_exists);
        let placed = self.store.small(self.name.as_str(), move |session, again| {
            place(session, from.clone(), to.clone(), if_exists, again)
        });
        match placed? {
            Placed::Done => {
                self.state = State::Placed;
                Ok(())
            }
            Placed::Exists => Err(exists(&self.name)),
            Placed::Folder => Err(folder_error(&self.name)),
            Placed::Cannot => {
                let why = "the server cannot replace a file in one step";
                let error = Error::from_fault(Fault::StoreFailed).with_detail(why);
                Err(error.in_file(self.name.as_str()))
            }
        }
    }
}

impl Drop for SftpWriter {
    fn drop(&mut self) {
        if self.state == State::Placed {
            return;
        }
        let path = self.path.clone();
        let _ = self.store.small(self.name.as_str(), move |session, _| {
            let path = path.clone();
            async move { session.sftp.remove(path).await.map(drop).map_err(told) }
        });
        self.store.remove_empty(&self.name);
    }
}
