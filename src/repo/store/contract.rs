//! What every store does.

use crate::error::{Error, Fault, Result};
use crate::repo::store::ObjectName;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// A place for objects, used from any thread; see the [module](crate::repo::store) for what it
/// promises.
///
/// ```
/// use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
/// let store: Box<dyn Store> = Box::new(MemoryStore::new());
/// let name = ObjectName::new("prod/note")?;
/// store.put(&name, b"0123456789", IfExists::Refuse)?;
/// assert_eq!(store.range(&name, 8..100)?, b"89");
/// assert_eq!(store.list(None)?.len(), 1);
/// store.delete(&name)?;
/// assert_eq!(store.stat(&name)?, None);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait Store: Send + Sync {
    /// Says how many bytes an object has; None if it is not there.
    ///
    /// # Errors
    /// Those of the store.
    fn stat(&self, name: &ObjectName) -> Result<Option<u64>>;

    /// Reads the bytes of an object from the first offset up to the second. What is past its end is
    /// left out, so the answer is shorter or empty there. Takes as much memory as bytes come.
    ///
    /// # Errors
    /// `ObjectMissing`, and those of the store.
    fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>>;

    /// Reads a whole object of at most `limit` bytes.
    ///
    /// # Errors
    /// `ObjectBig` when there are more; `ObjectMissing`, and those of the store.
    fn get(&self, name: &ObjectName, limit: u64) -> Result<Vec<u8>> {
        let bytes = self.range(name, 0..limit.saturating_add(1))?;
        if bytes.len() as u64 > limit {
            return Err(too_big(name, limit));
        }
        Ok(bytes)
    }

    /// Puts an object in one piece.
    ///
    /// # Errors
    /// `ObjectExists`, and those of the store. A store that tries again by itself may have been the
    /// one whose object is there: its own name is no proof against that, so compare the content.
    fn put(&self, name: &ObjectName, bytes: &[u8], if_exists: IfExists) -> Result<()> {
        let mut writer = self.writer(name, if_exists)?;
        writer.write_all(bytes)?;
        writer.commit()
    }

    /// Begins an object that is written piece by piece.
    ///
    /// # Errors
    /// `ObjectExists` when it is there already, which [`commit`](ObjectWriter::commit) looks for
    /// again; those of the store.
    fn writer(&self, name: &ObjectName, if_exists: IfExists) -> Result<Box<dyn ObjectWriter>>;

    /// Lists what is below a folder at any depth, or everything, in the order of names. Things whose
    /// names are no [`ObjectName`] are not ours, and left out. A folder that is not there is empty.
    ///
    /// # Errors
    /// Those of the store.
    fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>>;

    /// Deletes an object. That it is not there is no error.
    ///
    /// # Errors
    /// Those of the store.
    fn delete(&self, name: &ObjectName) -> Result<()>;

    /// Bytes of the biggest object that this store takes; None if no object of an archive comes near.
    fn largest_object(&self) -> Option<u64> {
        None
    }

    /// Bytes that can still be written; None where the store does not say. A service has no such number.
    ///
    /// # Errors
    /// Those of the store.
    fn free(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Removes what writers left that were killed, where the store can tell it from what is being
    /// written. Nothing of it was ever listed.
    ///
    /// # Errors
    /// Those of the store.
    fn clean(&self) -> Result<()> {
        Ok(())
    }
}

/// A store that is shared, or whose kind shows only when the program runs.
macro_rules! behind {
    ($($pointer:ident)*) => {$(
        impl<S: Store + ?Sized> Store for $pointer<S> {
            fn stat(&self, name: &ObjectName) -> Result<Option<u64>> {
                (**self).stat(name)
            }

            fn range(&self, name: &ObjectName, range: Range<u64>) -> Result<Vec<u8>> {
                (**self).range(name, range)
            }

            fn get(&self, name: &ObjectName, limit: u64) -> Result<Vec<u8>> {
                (**self).get(name, limit)
            }

            fn put(&self, name: &ObjectName, bytes: &[u8], if_exists: IfExists) -> Result<()> {
                (**self).put(name, bytes, if_exists)
            }

            fn writer(
                &self,
                name: &ObjectName,
                if_exists: IfExists,
            ) -> Result<Box<dyn ObjectWriter>> {
                (**self).writer(name, if_exists)
            }

            fn list(&self, folder: Option<&ObjectName>) -> Result<Vec<Object>> {
                (**self).list(folder)
            }

            fn delete(&self, name: &ObjectName) -> Result<()> {
                (**self).delete(name)
            }

            fn largest_object(&self) -> Option<u64> {
                (**self).largest_object()
            }

            fn free(&self) -> Result<Option<u64>> {
                (**self).free()
            }

            fn clean(&self) -> Result<()> {
                (**self).clean()
            }
        }
    )*};
}
behind!(Arc Box);

/// An object that is being written. Dropped without a [`commit`](Self::commit), it never was.
///
/// ```
/// use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
/// use std::io::Write;
/// let (store, name) = (MemoryStore::new(), ObjectName::new("part")?);
/// let mut writer = store.writer(&name, IfExists::Refuse)?;
/// writer.write_all(b"half")?;
/// drop(writer);
/// assert_eq!(store.stat(&name)?, None);
/// # Ok::<(), redkeep::Error>(())
/// ```
pub trait ObjectWriter: Write + Send {
    /// Puts all that was written in its place, to last.
    ///
    /// # Errors
    /// `ObjectExists` if somebody was quicker and the object is not to be replaced; those of the
    /// store. The object is then as it was before, unless the error [is
    /// retryable](crate::Error::is_retryable): then it is that or the new one.
    fn commit(self: Box<Self>) -> Result<()>;
}

/// What becomes of an object that is there already.
///
/// ```
/// use redkeep::repo::store::{IfExists, MemoryStore, ObjectName, Store};
/// let (store, name) = (MemoryStore::new(), ObjectName::new("lock")?);
/// store.put(&name, b"1", IfExists::Refuse)?;
/// assert!(store.put(&name, b"2", IfExists::Refuse).is_err());
/// store.put(&name, b"2", IfExists::Replace)?;
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IfExists {
    /// It stays, and the caller hears of it.
    Refuse,
    /// It is replaced: a reader sees the old one or the new one, whole.
    Replace,
}

/// One line of a list.
///
/// ```
/// use redkeep::repo::store::{Object, ObjectName};
/// let object = Object::new(ObjectName::new("prod/note")?, 10);
/// assert_eq!((object.name.as_str(), object.size), ("prod/note", 10));
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Object {
    /// Its name.
    pub name: ObjectName,
    /// Its bytes.
    pub size: u64,
}

impl Object {
    /// For stores of one's own.
    #[must_use]
    pub fn new(name: ObjectName, size: u64) -> Object {
        Object { name, size }
    }
}

/// The error of a name that is a folder's, or is in a folder whose name is an object's.
pub(super) fn folder_error(name: &ObjectName) -> Error {
    Error::from_fault(Fault::ObjectFolder).in_file(name.as_str())
}

pub(super) fn missing(name: &ObjectName) -> Error {
    Error::from_fault(Fault::ObjectMissing).in_file(name.as_str())
}

pub(super) fn exists(name: &ObjectName) -> Error {
    Error::from_fault(Fault::ObjectExists).in_file(name.as_str())
}

pub(super) fn too_big(name: &ObjectName, limit: u64) -> Error {
    Error::from_fault(Fault::ObjectBig)
        .with_detail(format!("more than {limit} bytes"))
        .in_file(name.as_str())
}
