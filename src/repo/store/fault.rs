//! A store that fails on purpose.

use crate::error::{Error, Fault, Result};
use crate::repo::store::{IfExists, Object, ObjectName, ObjectWriter, Store};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Another store, of which chosen calls go wrong: for testing what stands on stores.
///
/// Calls are counted from 0 in the order they come, so a test sees a first run through, counts its
/// calls, and then lets each of them go wrong in turn. Nothing is random. A writer's bytes are held in
/// memory until its commit.
///
/// ```
/// use redkeep::repo::store::{FaultStore, IfExists, MemoryStore, ObjectName, Store, Trouble};
///
/// let name = ObjectName::new("note")?;
/// let store = FaultStore::new(MemoryStore::new());
/// store.fail(0, Trouble::LostAnswer);
/// let error = store.put(&name, b"there", IfExists::Refuse).unwrap_err();
/// assert!(error.is_retryable());
/// assert_eq!(store.get(&name, 100)?, b"there");
/// assert_eq!(store.calls().len(), 2);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultStore<S> {
    inner: Arc<S>,
    script: Arc<Mutex<Script>>,
}

#[derive(Debug, Default)]
struct Script {
    calls: Vec<Call>,
    troubles: BTreeMap<usize, Trouble>,
    dead: bool,
    /// What was changed, with the size of what was there before.
    changes: Vec<(ObjectName, Option<u64>)>,
}

/// One call that was made.
///
/// ```
/// use redkeep::repo::store::{FaultStore, MemoryStore, Operation, Store};
/// let store = FaultStore::new(MemoryStore::new());
/// store.list(None)?;
/// assert_eq!(store.calls()[0].operation, Operation::List);
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// What was called.
    pub operation: Operation,
    /// For which object; of a list the folder.
    pub name: Option<ObjectName>,
}

/// What can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// [`Store::stat`].
    Stat,
    /// [`Store::range`], and [`Store::get`] through it.
    Range,
    /// [`Store::put`].
    Put,
    /// [`Store::writer`].
    Writer,
    /// A write to a [writer](ObjectWriter).
    Write,
    /// [`ObjectWriter::commit`].
    Commit,
    /// [`Store::list`].
    List,
    /// [`Store::delete`].
    Delete,
    /// [`Store::clean`].
    Clean,
}

/// How a call goes wrong. Where a way makes no sense for a call, it is [`Unavailable`](Self::Unavailable).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// Nothing is done, and the error is retryable.
    Unavailable,
    /// Nothing is done, and the error is that the store does not allow it.
    Denied,
    /// It is done or refused as usual, but a retryable error is all that is heard of it.
    LostAnswer,
    /// A put or a commit leaves this many bytes under the name and fails, as no store should; a write
    /// takes this many of its bytes, and then the writer fails for good.
    Torn(usize),
    /// A put or a commit keeps only this many bytes and says that all is well; a read gives only this
    /// many.
    Short(usize),
    /// A list or a stat does not know of this many of the last changes.
    Stale(usize),
    /// This call and all later ones do nothing and fail, as after the end of the process.
    Dead,
}

impl<S: Store> FaultStore<S> {
    /// A store that does as `inner` does until told otherwise.
    pub fn new(inner: S) -> FaultStore<S> {
        FaultStore { inner: Arc::new(inner), script: Arc::default() }
    }

    /// Lets a call go wrong, the first being 0.
    pub fn fail(&self, call: usize, trouble: Trouble) {
        self.script().troubles.insert(call, trouble);
    }

    /// Lets the next call go wrong.
    pub fn fail_next(&self, trouble: Trouble) {
        let mut script = self.script();
        let call = script.calls.len();
        script.troubles.insert(call, trouble);
    }

    /// All calls so far, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.script().calls.clone()
    }

    /// The store underneath, which never fails on purpose.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    fn same(&self) -> FaultStore<S> {
        FaultStore { inner: self.inner.clone(), script: self.script.clone() }
    }

    /// Counts a call and says how it goes wrong.
    fn begin(&self, operation: Operation, name: Option<&ObjectName>) -> Option<Trouble> {
        let mut script = self.script();
        let trouble = script.troubles.get(&script.calls.len()).copied();
        script.calls.push(Call { operation, name: name.cloned() });
        script.dead |= trouble == Some(Trouble::Dead);
        if script.dead { Some(Trouble::Dead) } else { trouble }
    }

    /// Changes an object below and remembers what was there.
    fn change(&self, name: &ObjectName, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let before = self.inner.stat(name)?;
        change()?;
        self.script().changes.push((name.clone(), before));
        Ok(())
    }

    fn put_inner(&self, name: &ObjectName, bytes: &[u8], if_exists: IfExists) -> Result<()> {
        self.change(name, || self.inner.put(name, bytes, if_exists))
    }

    fn put_with(
        &self,
        trouble: Option<Trouble>,
        name: &ObjectName,
        bytes: &[u8],
        if_exists: IfExists,
    ) -> Result<()> {
        let cut = |n: usize| bytes.get(..n).unwrap_or(bytes);
        match trouble {
            None => self.put_inner(name, bytes, if_exists),
            Some(Trouble::LostAnswer) => {
                let _ = self.put_inner(name, bytes, if_exists);
                Err(refuse(Trouble::LostAnswer, name.as_str()))
            }
            Some(Trouble::Torn(n)) => {
                self.put_inner(name, cut(n), if_exists)?;
                Err(refuse(Trouble::Torn(n), name.as_str()))
            }
            Some(Trouble::Short(n)) => self.put_inner(name, cut(n), if_exists),
            Some(trouble) => Err(refuse(trouble, name.as_str())),
        }
    }

    /// Sizes as they were before the last changes.
    fn before(&self, changes: usize) -> BTreeMap<ObjectName, Option<u64>> {
        let script = self.script();
        // From the newest to the oldest: what was before the oldest stays.
        script.changes.iter().rev().take(changes).cloned().collect()
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refuse(trouble: Trouble, name: &str) -> Error {
    let fault = match trouble {
        Trouble::Denied => Fault::StoreDenied,
        Trouble::Dead => Fault::StoreFailed,
        _ => Fault::StoreUnavailable,
    };
    Error::from_fault(fault).with_detail("made to fail").in_file(name)
}

impl<S: Store + 'static> Store for FaultStore<S> {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        match self.begin(Operation::Stat, Some(name)) {
            None => self.inner.stat(name),
            Some(Trouble::Stale(n)) => match self.before(n).remove(name) {
                Some(before) => Ok(before),
                None => self.inner.stat(name),
            },
            Some(trouble) => Err(refuse(trouble, name.as_str())),
        }
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        match self.begin(Operation::Range, Some(name)) {
            None => self.inner.range(name, range),
            Some(Trouble::Short(n)) => {
                let mut bytes = self.inner.range(name, range)?;
                bytes.truncate(n);
                Ok(bytes)
            }
            Some(trouble) => Err(refuse(trouble, name.as_str())),
        }
    }

    fn put(&self, name: &ObjectName, bytes: &[u8], if_exists: IfExists) -> Result<()> {
        let trouble = self.begin(Operation::Put, Some(name));
        self.put_with(trouble, name, bytes, if_exists)
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        if let Some(trouble) = self.begin(Operation::Writer, Some(name)) {
            return Err(refuse(trouble, name.as_str()));
        }
        // It says now what it would say later, and is dropped again.
        drop(self.inner.writer(name, if_exists)?);
        let (store, name) = (self.same(), name.clone());
        Ok(Box::new(FaultWriter { store, name, if_exists, bytes: Vec::new(), broken: None }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        match self.begin(Operation::List, folder) {
            None => self.inner.list(folder),
            Some(Trouble::Stale(n)) => {
                let listed = self.inner.list(folder)?.into_iter();
                let mut sizes: BTreeMap<_, _> = listed.map(|o| (o.name, Some(o.size))).collect();
                sizes.extend(self.before(n).into_iter().filter(|(name, _)| name.is_below(folder)));
                let there = sizes.into_iter().filter_map(|(name, size)| Some((name, size?)));
                Ok(there.map(|(name, size)| Object::new(name, size)).collect())
            }
            Some(trouble) => Err(refuse(trouble, folder.map_or("list", ObjectName::as_str))),
        }
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        let delete = || self.change(name, || self.inner.delete(name));
        match self.begin(Operation::Delete, Some(name)) {
            None => delete(),
            Some(Trouble::LostAnswer) => {
                let _ = delete();
                Err(refuse(Trouble::LostAnswer, name.as_str()))
            }
            Some(trouble) => Err(refuse(trouble, name.as_str())),
        }
    }

    fn largest_object(&self) -> Option<u64> {
        self.inner.largest_object()
    }

    fn free(&self) -> Result<Option<u64>> {
        self.inner.free()
    }

    fn clean(&self) -> Result<()> {
        match self.begin(Operation::Clean, None) {
            None => self.inner.clean(),
            Some(trouble) => Err(refuse(trouble, "clean")),
        }
    }
}

struct FaultWriter<S> {
    store: FaultStore<S>,
    name: ObjectName,
    if_exists: IfExists,
    bytes: Vec<u8>,
    /// How it failed for good.
    broken: Option<Trouble>,
}

impl<S: Store + 'static> Write for FaultWriter<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let trouble = self.store.begin(Operation::Write, Some(&self.name));
        match self.broken.or(trouble) {
            None => self.bytes.write(bytes),
            Some(Trouble::Torn(n)) if n > 0 && self.broken.is_none() => {
                self.broken = Some(Trouble::Unavailable);
                self.bytes.write(bytes.get(..n).unwrap_or(bytes))
            }
            Some(trouble) => {
                self.broken = Some(trouble);
                Err(refuse(trouble, self.name.as_str()).into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Store + 'static> ObjectWriter for FaultWriter<S> {
    fn commit(self: Box<Self>) -> Result<()> {
        let trouble = self.store.begin(Operation::Commit, Some(&self.name));
        if let Some(broken) = self.broken {
            return Err(refuse(broken, self.name.as_str()));
        }
        self.store.put_with(trouble, &self.name, &self.bytes, self.if_exists)
    }
}
