//! Objects in memory.

use crate::error::Result;
use crate::repo::store::contract::{exists, folder_error, missing};
use crate::repo::store::{IfExists, Object, ObjectName, ObjectWriter, Store};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A store in memory. Clones are the same store. It is as strict as a [folder](super::LocalStore): no
/// object has the name of a folder.
///
/// ```
/// use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
/// let store = MemoryStore::new();
/// let same = store.clone();
/// store.put(&ObjectName::new("a/b")?, b"1", IfExists::Refuse)?;
/// assert!(same.stat(&ObjectName::new("a/b")?)?.is_some());
/// assert!(same.put(&ObjectName::new("a")?, b"1", IfExists::Refuse).is_err());
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Objects>>);

type Objects = BTreeMap<ObjectName, Vec<u8>>;

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        // Each change is one call on the map, so none is ever half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("objects", &self.objects().len()).finish()
    }
}

/// Whether an object of this name may be put.
fn may_be(objects: &Objects, name: &ObjectName, if_exists: IfExists) -> Result<()> {
    if objects.contains_key(name) {
        return if if_exists == IfExists::Replace { Ok(()) } else { Err(exists(name)) };
    }
    let clash = |other: &ObjectName| other.is_below(Some(name)) || name.is_below(Some(other));
    if objects.keys().any(clash) { Err(folder_error(name)) } else { Ok(()) }
}

impl Store for MemoryStore {
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
        Ok(self.objects().get(name).map(|bytes| bytes.len() as u64))
    }

    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
        let objects = self.objects();
        let bytes = objects.get(name).ok_or_else(|| missing(name))?;
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.get(at(range.start)..at(range.end)).unwrap_or_default().to_vec())
    }

    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>> {
        may_be(&self.objects(), name, if_exists)?;
        let (store, name) = (self.clone(), name.clone());
        Ok(Box::new(MemoryWriter { store, name, if_exists, bytes: Vec::new() }))
    }

    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
        let objects = self.objects();
        let below = objects.iter().filter(|(name, _)| name.is_below(folder));
        Ok(below.map(|(name, bytes)| Object::new(name.clone(), bytes.len() as u64)).collect())
    }

    fn delete(&self, name: &ObjectName) -> Result<()> {
        self.objects().remove(name);
        Ok(())
    }
}

struct MemoryWriter {
    store: MemoryStore,
    name: ObjectName,
    if_exists: IfExists,
    bytes: Vec<u8>,
}

impl Write for MemoryWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ObjectWriter for MemoryWriter {
    fn commit(self: Box<Self>) -> Result<()> {
        let mut objects = self.store.objects();
        may_be(&objects, &self.name, self.if_exists)?;
        objects.insert(self.name, self.bytes);
        Ok(())
    }
}
