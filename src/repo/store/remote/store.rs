//! An operator of opendal as a store.

use crate::error::{Error, Fault, Result};
use crate::repo::store::contract::{exists, missing, too_big};
use crate::repo::store::remote::wait::Waiter;
use crate::repo::store::remote::{Bucket, RemoteOptions};
use crate::repo::store::{IfExists, Object, ObjectName, ObjectWriter, Store};
use opendal::layers::{ConcurrentLimitLayer, RetryEvent, RetryLayer, TimeoutLayer};
use opendal::options::{ListOptions, ReadOptions, WriteOptions};
use opendal::{EntryMode, ErrorKind, Operator, Writer};
use std::future::Future;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Operations at once: more than any program has.
const UNLIMITED: usize = 1 << 24;
/// Held for an object that is sent in one request, where parts would be left behind.
const SWIFT_OBJECT: usize = 64 << 20;

/// A bucket as a store, driven by a runtime of the caller.
///
/// Its calls block: from async code, make them in `spawn_blocking`. The runtime has to run meanwhile, with
/// timers and I/O; one that does not is an error after [`RemoteOptions::timeout`], as is a call that
/// blocks its only thread. No runtime is made here.
///
/// A put that is tried again after its answer was lost can find its own object there, and then answers
/// `ObjectExists`: compare what is there. Parts of objects that were never finished are removed when
/// their writer is dropped; those of a process that was killed stay, unlisted, until the service's own
/// rule for them (on S3 `AbortIncompleteMultipartUpload`).
///
/// ```
/// use redkeep::repo::store::{Bucket, IfExists, ObjectName, OpendalStore, RemoteOptions, Store};
///
/// let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// let operator = opendal::Operator::new(opendal::services::Memory::default())?;
/// let options = RemoteOptions::default();
/// let store = OpendalStore::new(Bucket::from(operator), runtime.handle().clone(), &options);
///
/// let name = ObjectName::new("prod/note")?;
/// store.put(&name, b"far away", IfExists::Refuse)?;
/// assert_eq!(store.range(&name, 4..100)?, b"away");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct OpendalStore {
    /// Tries once.
    operator: Operator,
    waiter: Waiter,
    /// Whether the service itself refuses to replace an object.
    refuses: bool,
    options: RemoteOptions,
}

impl OpendalStore {
    /// A store in this bucket. Nothing is asked of the service yet.
    #[must_use]
    pub fn new(bucket: Bucket, runtime: Handle, options: &RemoteOptions) -> OpendalStore {
        let timeout = TimeoutLayer::default()
            .with_timeout(options.timeout)
            .with_io_timeout(options.part_timeout);
        // Of requests, not of operations: a writer is one operation from its first part to its commit, and
        // whoever waits for something else before that commit would wait for ever.
        let limit = ConcurrentLimitLayer::new(UNLIMITED)
            .with_http_concurrent_limit(options.requests.max(1));
        let operator = bucket.0.layer(limit).layer(timeout);
        let mut options = options.clone();
        if operator.info().scheme() == "swift" && options.one_request.is_none() {
            options.one_request = Some(SWIFT_OBJECT);
        }
        let refuses = operator.info().capability().write_with_if_not_exists;
        let waiter = Waiter { handle: runtime, patience: options.timeout };
        OpendalStore { operator, waiter, refuses, options }
    }

    /// The operator that tries again, and where it is to be seen that it gave up.
    fn patient(&self) -> (Operator, Arc<AtomicBool>) {
        let gave_up = Arc::new(AtomicBool::new(false));
        let retries = self.options.retries;
        if retries == 0 {
            return (self.operator.clone(), gave_up);
        }
        // The errors of this layer do not say any more whether another try would have made sense.
        let (last, seen) = (u32::try_from(retries).unwrap_or(u32::MAX), gave_up.clone());
        let notify = move |event: RetryEvent<'_>| {
            if event.attempt >= last {
                seen.store(true, Ordering::Relaxed);
            }
        };
        let retry = RetryLayer::default()
            .with_max_times(retries)
            .with_min_delay(self.options.pause)
            .with_max_delay(LONGEST_PAUSE)
            .with_jitter()
            .with_notify(notify);
        // Outside of the timeouts: each try has its own time.
        (self.operator.clone().layer(retry), gave_up)
    }

    /// Waits for what the operator does; None where that is an error of this kind.
    fn ask<T: Send + 'static, F: Future<Output = opendal::Result<T>> + Send + 'static>(
        &self,
        what: &str,
        none: Option<ErrorKind>,
        call: impl FnOnce(Operator) -> F,
    ) -> Result<Option<T>> {
        let (operator, gave_up) = self.patient();
        match self.waiter.wait(call(operator))? {
            Ok(done) => Ok(Some(done)),
            Err(error) if Some(error.kind()) == none => Ok(None),
            Err(error) => Err(told(&error, what, &gave_up)),
        }
    }

    fn look(&self, name: &ObjectName, if_exists: IfExists) -> Result<()> {
        if if_exists == IfExists::Refuse && self.stat(name)?.is_some() {
            return Err(exists(name));
        }
        Ok(())
    }
}

impl Store for OpendalStore {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        let path = name.as_str().to_owned();
        let stat = |operator: Operator| async move { operator.stat(&path).await };
        let facts = self.ask(name.as_str(), Some(ErrorKind::NotFound), stat)?;
        let file = facts.filter(|facts| facts.mode() == EntryMode::FILE);
        Ok(file.map(|facts| facts.content_length()))
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        // No request can ask for nothing, nor need servers understand an end that no file has.
        if range.start < range.end && i64::try_from(range.end).is_ok() {
            let (operator, path) = (self.operator.clone(), name.as_str().to_owned());
            let options = ReadOptions { range: range.clone().into(), ..ReadOptions::default() };
            let read = async move { operator.read_options(&path, options).await };
            // That the object ends before looks like a failure worth another try, so this is one.
            match self.waiter.wait(read)? {
                Ok(bytes) => return Ok(bytes.to_vec()),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(missing(name)),
                Err(_) => {}
            }
        }
        let size = self.stat(name)?.ok_or_else(|| missing(name))?;
        let range = range.start..range.end.min(size);
        if range.start >= range.end {
            return Ok(Vec::new());
        }
        let path = name.as_str().to_owned();
        let options = ReadOptions { range: range.into(), ..ReadOptions::default() };
        let read = |operator: Operator| async move { operator.read_options(&path, options).await };
        Ok(self.ask(name.as_str(), None, read)?.unwrap_or_default().to_vec())
    }

    fn get(&self, name: &ObjectName, limit: u64) -> Result<Vec<u8>> {
        // Asked for exactly what is there, a service answers at once.
        match self.stat(name)?.ok_or_else(|| missing(name))? {
            size if size > limit => Err(too_big(name, limit)),
            size => self.range(name, 0..size),
        }
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        // Also where the service refuses by itself: it does that only at the end.
        self.look(name, if_exists)?;
        let one = self.options.one_request.is_some();
        let options = WriteOptions {
            if_not_exists: if_exists == IfExists::Refuse && self.refuses,
            concurrent: self.options.concurrency.max(1),
            chunk: (!one).then_some(self.options.part.max(1)),
            ..WriteOptions::default()
        };
        let (operator, gave_up) = self.patient();
        let path = name.as_str().to_owned();
        let open = async move { operator.writer_options(&path, options).await };
        let opened = self.waiter.wait(open)?.map_err(|e| told(&e, name.as_str(), &gave_up))?;
        let (store, name, writer) = (self.clone(), name.clone(), Some(opened));
        Ok(Box::new(RemoteWriter { store, name, if_exists, writer, gave_up, part: Vec::new() }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        let path = folder.map_or(String::new(), |folder| format!("{folder}/"));
        let options = ListOptions { recursive: true, ..ListOptions::default() };
        let list = |operator: Operator| async move { operator.list_options(&path, options).await };
        let entries = self.ask(folder.map_or("/", ObjectName::as_str), None, list)?;
        let mut found: Vec<Object> = entries
            .unwrap_or_default()
            .into_iter()
            .filter(|entry| entry.metadata().mode() == EntryMode::FILE)
            .filter_map(|entry| {
                let size = entry.metadata().content_length();
                Some(Object::new(ObjectName::new(entry.path()).ok()?, size))
            })
            .filter(|object| object.name.is_below(folder))
            .collect();
        found.sort();
        Ok(found)
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        let path = name.as_str().to_owned();
        let delete = |operator: Operator| async move { operator.delete(&path).await };
        self.ask(name.as_str(), Some(ErrorKind::NotFound), delete).map(|_| ())
    }

    fn largest_object(&self) -> Option<u64> {
        self.options.one_request.map(|bytes| bytes as u64)
    }
}

struct RemoteWriter {
    store: OpendalStore,
    name: ObjectName,
    if_exists: IfExists,
    /// None once it is committed, or has failed for good.
    writer: Option<Writer>,
    gave_up: Arc<AtomicBool>,
    part: Vec<u8>,
}

impl RemoteWriter {
    /// Hands over what was gathered; the service's answer may come with a later part.
    fn send(&mut self) -> Result<()> {
        let mut writer = self.writer.take().ok_or_else(|| failed_before(&self.name))?;
        let part = std::mem::take(&mut self.part);
        let send = async move {
            let sent = writer.write(part).await;
            (writer, sent)
        };
        let (writer, sent) = self.store.waiter.wait(send)?;
        self.writer = Some(writer);
        sent.map_err(|error| told(&error, self.name.as_str(), &self.gave_up))
    }

    fn close(&mut self) -> Result<()> {
        if !self.store.refuses {
            self.store.look(&self.name, self.if_exists)?;
        }
        if !self.part.is_empty() {
            self.send()?;
        }
        let mut writer = self.writer.take().ok_or_else(|| failed_before(&self.name))?;
        let close = async move {
            let closed = writer.close().await;
            (writer, closed)
        };
        let (writer, closed) = self.store.waiter.wait(close)?;
        match closed {
            Ok(_) => Ok(()),
            Err(error) => {
                self.writer = Some(writer);
                Err(told(&error, self.name.as_str(), &self.gave_up))
            }
        }
    }
}

impl Write for RemoteWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(limit) = self.store.options.one_request {
            if bytes.len() > limit.saturating_sub(self.part.len()) {
                return Err(too_big(&self.name, limit as u64).into());
            }
            self.part.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let size = self.store.options.part.max(1);
        let taken = bytes.get(..size.saturating_sub(self.part.len())).unwrap_or(bytes);
        self.part.extend_from_slice(taken);
        if self.part.len() >= size {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for RemoteWriter {
    fn commit(mut self: Box<Self>) -> Result<()> {
        self.close()
    }
}

impl Drop for RemoteWriter {
    fn drop(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            // Of services that cannot, nothing is seen either before the end.
            let _ = self.store.waiter.wait(async move { writer.abort().await });
        }
    }
}

fn failed_before(name: &ObjectName) -> Error {
    Error::from_fault(Fault::StoreFailed)
        .with_detail("it failed before, and cannot go on")
        .in_file(name.as_str())
}

/// An error of a service, said of an object: its message only, since what stands around it is long.
fn told(error: &opendal::Error, what: &str, gave_up: &AtomicBool) -> Error {
    let fault = match error.kind() {
        ErrorKind::NotFound => Fault::ObjectMissing,
        ErrorKind::AlreadyExists | ErrorKind::ConditionNotMatch => Fault::ObjectExists,
        ErrorKind::PermissionDenied => Fault::StoreDenied,
        ErrorKind::IsADirectory | ErrorKind::NotADirectory => Fault::ObjectFolder,
        // Two at once: of those that S3 refuses so, none was told that it won.
        ErrorKind::RateLimited | ErrorKind::Conflict => Fault::StoreUnavailable,
        _ if error.is_temporary() || gave_up.load(Ordering::Relaxed) => Fault::StoreUnavailable,
        _ => Fault::StoreFailed,
    };
    let detail = format!("{}: {}", error.kind(), error.message());
    Error::from_fault(fault).with_detail(detail).in_file(what)
}
