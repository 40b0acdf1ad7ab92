//! Who may write to a stream: one at a time, for a while.

use crate::error::{Error, Fault, Result};
use crate::repo::archive::{Archive, tool};
use crate::repo::names::{StreamName, made_up};
use crate::repo::store::{IfExists, ObjectName, Store};
use crate::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// The folder of a stream's locks, whose names are numbers in eight digits.
const LOCKS: &str = "lock";
/// Bytes of the biggest lock.
const MOST: u64 = 1 << 16;

/// How a stream is locked.
///
/// ```
/// use redkeep::repo::LockOptions;
/// use std::time::Duration;
/// let options = LockOptions::default().owner("backup-7").lease(Duration::from_secs(600));
/// assert_eq!(options.owner, "backup-7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockOptions {
    /// Who it is that writes, for others to read: a host's name, say. Default `redkeep` and its version.
    pub owner: String,
    /// How long it is believed without a sign of life, by everybody's clocks. Default 30 minutes. Volumes
    /// that are slow to store have to be done sooner.
    pub lease: Duration,
}

impl Default for LockOptions {
    fn default() -> Self {
        LockOptions { owner: tool(), lease: Duration::from_secs(1800) }
    }
}

impl LockOptions {
    /// Sets [`owner`](Self::owner).
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = owner.into();
        self
    }

    /// Sets [`lease`](Self::lease).
    #[must_use]
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }
}

/// A stream that nobody else writes to, until this is dropped or its lease is over.
///
/// It is an object beside the backups, `lock/` and a number. Whoever wants the stream puts the next
/// number, which of several at once one can; a lock is void once a higher one is there, and may be passed
/// over once its lease is over. So one that was held by a process that was killed is in the way for the rest of
/// its lease and no longer. In a store that cannot refuse to replace an object, as Swift, two at once may both
/// take it: then it is the later one's, and the other hears so before its backup becomes one.
///
/// ```
/// use redkeep::repo::{Archive, Lock, LockOptions, StreamName, store::MemoryStore};
/// use redkeep::{Fault, UnixMillis};
/// let archive = Archive::create(MemoryStore::new())?;
/// let (prod, now) = (StreamName::new("prod")?, UnixMillis::new(0));
/// let lock = Lock::take(&archive, &prod, &LockOptions::default(), now)?;
/// let error = Lock::take(&archive, &prod, &LockOptions::default(), now).unwrap_err();
/// assert_eq!(error.fault(), Some(Fault::LockHeld));
/// lock.release()?;
/// assert!(Lock::take(&archive, &prod, &LockOptions::default(), now).is_ok());
/// # Ok::<(), redkeep::Error>(())
/// ```
pub struct Lock {
    archive: Archive,
    stream: StreamName,
    number: u64,
    held: Held,
    lease: i64,
    over: bool,
}

/// Who has a stream, by what the lock says.
///
/// See [`Lock::holder`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LockHolder {
    /// Who it is: [`LockOptions::owner`].
    pub owner: String,
    /// Since when, by its clock.
    pub since: UnixMillis,
    /// When its lease is over, unless it gives a sign of life.
    pub until: UnixMillis,
}

/// What a lock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    owner: String,
    token: String,
    since: UnixMillis,
    until: UnixMillis,
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("number", &self.number)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Lock {
    /// Takes the lock, or says who has it.
    ///
    /// # Errors
    /// `Store`: `LockHeld`, which is retryable; those of the store.
    pub fn take(
        archive: &Archive,
        stream: &StreamName,
        options: &LockOptions,
        now: UnixMillis,
    ) -> Result<Lock> {
        let locks = locks(archive, stream)?;
        let mut number = 1;
        if let Some(last) = locks.last() {
            if let Some(held) = read(archive.store(), &name(stream, *last)?)?
                && held.until > now
            {
                return Err(held_by(&held));
            }
            number = last.saturating_add(1);
        }
        let lease = i64::try_from(options.lease.as_millis()).unwrap_or(i64::MAX);
        let until = UnixMillis::new(now.get().saturating_add(lease));
        let token = format!("{:016x}{:016x}", made_up(), made_up());
        let held = Held { owner: options.owner.clone(), token, since: now, until };
        let own = name(stream, number)?;
        let put = archive.store.put(&own, &json(&held), IfExists::Refuse);
        if let Err(error) = put {
            // It may have been put all the same.
            match read(archive.store(), &own) {
                Ok(Some(found)) if found == held => {}
                Ok(Some(other)) => return Err(held_by(&other)),
                _ => return Err(error),
            }
        }
        let (archive, stream) = (archive.clone(), stream.clone());
        let lock = Lock { archive, stream, number, held, lease, over: false };
        for old in locks {
            // Void already; whoever comes next removes what stays.
            let _ = lock.archive.store.delete(&name(&lock.stream, old)?);
        }
        lock.look()?;
        Ok(lock)
    }

    /// Says who has a stream, or had it and was killed: then the lease is over, or soon will be.
    ///
    /// ```
    /// use redkeep::UnixMillis;
    /// use redkeep::repo::{Archive, Lock, LockOptions, StreamName, store::MemoryStore};
    /// let (archive, prod) = (Archive::create(MemoryStore::new())?, StreamName::new("prod")?);
    /// assert_eq!(Lock::holder(&archive, &prod)?, None);
    /// let options = LockOptions::default().owner("backup-7");
    /// let _lock = Lock::take(&archive, &prod, &options, UnixMillis::new(0))?;
    /// assert_eq!(Lock::holder(&archive, &prod)?.unwrap().owner, "backup-7");
    /// # Ok::<(), redkeep::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the store.
    pub fn holder(archive: &Archive, stream: &StreamName) -> Result<Option<LockHolder>> {
        let Some(last) = locks(archive, stream)?.last().copied() else { return Ok(None) };
        let held = read(archive.store(), &name(stream, last)?)?;
        Ok(held.map(|Held { owner, since, until, .. }| LockHolder { owner, since, until }))
    }

    /// Says that its holder lives, once half of the lease is over; nothing before.
    ///
    /// # Errors
    /// `Store`: `LockLost` where somebody else has the stream now; those of the store.
    pub fn keep(&mut self, now: UnixMillis) -> Result<()> {
        if self.held.until.get().saturating_sub(now.get()) > self.lease / 2 {
            return Ok(());
        }
        self.look()?;
        let mut held = self.held.clone();
        held.until = UnixMillis::new(now.get().saturating_add(self.lease));
        self.archive.store.put(&self.name()?, &json(&held), IfExists::Replace)?;
        self.held = held;
        self.look()
    }

    /// Looks whether it still holds.
    ///
    /// # Errors
    /// `Store`: `LockLost`; those of the store.
    pub fn look(&self) -> Result<()> {
        let last = locks(&self.archive, &self.stream)?.last().copied();
        let held = read(self.archive.store(), &self.name()?)?;
        let ours = held.is_some_and(|held| held.token == self.held.token);
        if last == Some(self.number) && ours {
            return Ok(());
        }
        Err(Error::from_fault(Fault::LockLost).in_file(self.stream.as_str()))
    }

    /// Gives it back. Dropping it does too, without saying how that went.
    ///
    /// # Errors
    /// Those of the store: it is in the way then until its lease is over.
    pub fn release(mut self) -> Result<()> {
        self.over = true;
        self.give_back()
    }

    fn name(&self) -> Result<ObjectName> {
        name(&self.stream, self.number)
    }

    fn give_back(&self) -> Result<()> {
        let name = self.name()?;
        match read(self.archive.store(), &name)? {
            Some(held) if held.token == self.held.token => self.archive.store.delete(&name),
            // Somebody else's.
            _ => Ok(()),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.over {
            let _ = self.give_back();
        }
    }
}

fn name(stream: &StreamName, number: u64) -> Result<ObjectName> {
    stream.folder().join(&format!("{LOCKS}/{number:08}"))
}

/// The numbers of the locks that are there, the highest last.
fn locks(archive: &Archive, stream: &StreamName) -> Result<Vec<u64>> {
    let objects = archive.store.list(Some(&stream.folder().join(LOCKS)?))?;
    let numbers = objects.iter().filter_map(|object| {
        let (_, number) = object.name.as_str().rsplit_once('/')?;
        number.parse().ok()
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// What a lock says; None where it is gone. One that is malformed was held by nobody we know.
fn read(store: &dyn Store, name: &ObjectName) -> Result<Option<Held>> {
    match store.get(name, MOST) {
        Ok(json) => Ok(serde_json::from_slice(&json).ok()),
        Err(error) if error.fault() == Some(Fault::ObjectMissing) => Ok(None),
        Err(error) => Err(error),
    }
}

fn json(held: &Held) -> Vec<u8> {
    serde_json::to_vec(held).unwrap_or_default()
}

fn held_by(held: &Held) -> Error {
    let Held { owner, since, until, .. } = held;
    Error::from_fault(Fault::LockHeld).with_detail(format!(
        "{owner}, since {since} and until {until} since 1970, or a sign of life"
    ))
}
