//! What every store is held to.

use crate::error::{Error, Fault, Result};
use crate::repo::store::{IfExists, ObjectName, Store};
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What to hold a store to.
///
/// ```
/// use redkeep::repo::store::ConformanceOptions;
/// let options = ConformanceOptions::default().big(1 << 20).writers(2);
/// assert!(options.exclusive);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConformanceOptions {
    /// Bytes of the big object, which is written as a stream. Default 32 MiB.
    pub big: usize,
    /// Threads that put one name at once. Default 8.
    pub writers: usize,
    /// Whether exactly one of them has to win. Default true; some services cannot promise that.
    pub exclusive: bool,
}

impl Default for ConformanceOptions {
    fn default() -> Self {
        ConformanceOptions { big: 32 << 20, writers: 8, exclusive: true }
    }
}

impl ConformanceOptions {
    /// Sets [`big`](Self::big).
    #[must_use]
    pub fn big(mut self, bytes: usize) -> Self {
        self.big = bytes;
        self
    }

    /// Sets [`writers`](Self::writers).
    #[must_use]
    pub fn writers(mut self, threads: usize) -> Self {
        self.writers = threads;
        self
    }

    /// Sets [`exclusive`](Self::exclusive).
    #[must_use]
    pub fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }
}

/// A promise that a store did not keep.
///
/// ```
/// use redkeep::repo::store::{
///     ConformanceOptions, FaultStore, MemoryStore, ObjectName, Trouble, conformance,
/// };
/// let lossy = FaultStore::new(MemoryStore::new());
/// lossy.fail(1, Trouble::Short(0));
/// let breaches = conformance(&lossy, &ObjectName::new("try")?, &ConformanceOptions::default());
/// assert_eq!(breaches[0].law, "what was put comes back");
/// # Ok::<(), redkeep::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Breach {
    /// What must hold.
    pub law: &'static str,
    /// What happened.
    pub seen: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.seen)
    }
}

/// Holds a store to all that stores promise, in a folder that nothing is in and that is empty again
/// afterwards. An empty answer means that it kept every promise.
///
/// ```
/// use redkeep::repo::store::{ConformanceOptions, MemoryStore, ObjectName, conformance};
/// let store = MemoryStore::new();
/// let breaches = conformance(&store, &ObjectName::new("try")?, &ConformanceOptions::default());
/// assert!(breaches.is_empty(), "{breaches:?}");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn conformance(
    store: &dyn Store,
    folder: &ObjectName,
    options: &ConformanceOptions,
) -> Vec<Breach> {
    let trial = Trial { store, folder, options };
    let mut breaches = Vec::new();
    for (law, holds) in LAWS {
        let held = holds(&trial);
        let cleared = trial.clear().map_err(|error| format!("clearing up: {error}"));
        if let Err(seen) = held.and(cleared) {
            breaches.push(Breach { law, seen });
        }
    }
    breaches
}

type Held = Result<(), String>;

type Law = (&'static str, fn(&Trial<'_>) -> Held);

const LAWS: [Law; 10] = [
    ("what was put comes back", |trial| trial.puts()),
    ("a range is cut at the end", |trial| trial.ranges()),
    ("what is absent is missing, and deleting it is no error", |trial| trial.absent()),
    ("nothing is overwritten unasked", |trial| trial.refuses()),
    ("what is to be replaced is replaced", |trial| trial.replaces()),
    ("a stream is seen when it is committed", |trial| trial.streams()),
    ("of a stream that is dropped nothing stays", |trial| trial.drops()),
    ("a list has what is below a folder, in order", |trial| trial.lists()),
    ("of those who put one name at once one wins", |trial| trial.races()),
    ("a big object comes back", |trial| trial.big()),
];

struct Trial<'a> {
    store: &'a dyn Store,
    folder: &'a ObjectName,
    options: &'a ConformanceOptions,
}

fn hold(truth: bool, seen: impl FnOnce() -> String) -> Held {
    if truth { Ok(()) } else { Err(seen()) }
}

/// That a call failed, and failed with this.
fn fails<T>(done: Result<T>, fault: Fault, what: &str) -> Held {
    match done {
        Ok(_) => Err(format!("{what} succeeded")),
        Err(error) if error.fault() == Some(fault) => Ok(()),
        Err(error) => Err(format!("{what} failed, but with: {error}")),
    }
}

fn text(error: Error) -> String {
    error.to_string()
}

impl Trial<'_> {
    fn name(&self, rest: &str) -> Result<ObjectName, String> {
        self.folder.join(rest).map_err(text)
    }

    fn put(&self, name: &ObjectName, bytes: &[u8]) -> Held {
        self.store.put(name, bytes, IfExists::Refuse).map_err(text)
    }

    fn has(&self, name: &ObjectName, bytes: &[u8]) -> Held {
        let limit = bytes.len() as u64;
        let got = self.store.get(name, limit).map_err(text)?;
        hold(got == bytes, || format!("{name}: {} bytes came, not those put", got.len()))?;
        let size = self.store.stat(name).map_err(text)?;
        hold(size == Some(limit), || format!("{name}: a stat says {size:?}, not {limit}"))
    }

    fn clear(&self) -> Result<()> {
        let left = self.store.list(Some(self.folder))?;
        left.iter().try_for_each(|object| self.store.delete(&object.name))
    }

    fn puts(&self) -> Held {
        for (rest, bytes) in [("one", &b"1"[..]), ("empty", b""), ("deep/er/still", b"\0\xff\r\n")]
        {
            let name = self.name(rest)?;
            self.put(&name, bytes)?;
            self.has(&name, bytes)?;
        }
        let name = self.name("one")?;
        fails(self.store.get(&name, 0), Fault::ObjectBig, "reading more than is allowed")
    }

    fn ranges(&self) -> Held {
        let (name, empty) = (self.name("ten")?, self.name("empty")?);
        self.put(&name, b"0123456789")?;
        self.put(&empty, b"")?;
        let cases: [(u64, u64, &[u8]); 8] = [
            (0, 10, b"0123456789"),
            (0, 1, b"0"),
            (9, 10, b"9"),
            (3, 3, b""),
            (4, 100, b"456789"),
            (10, 20, b""),
            (1000, 2000, b""),
            (0, u64::MAX, b"0123456789"),
        ];
        for (from, to, want) in cases {
            let got = self.store.range(&name, from..to).map_err(text)?;
            hold(got == want, || format!("{from}..{to} of ten gave {}", got.escape_ascii()))?;
        }
        let got = self.store.range(&empty, 0..10).map_err(text)?;
        hold(got.is_empty(), || format!("an empty object gave {} bytes", got.len()))
    }

    fn absent(&self) -> Held {
        self.put(&self.name("beside")?, b"1")?;
        for rest in ["absent", "no/folder/absent"] {
            let name = self.name(rest)?;
            let size = self.store.stat(&name).map_err(text)?;
            hold(size.is_none(), || format!("a stat says {size:?}"))?;
            fails(self.store.get(&name, 10), Fault::ObjectMissing, "reading it")?;
            fails(self.store.range(&name, 0..0), Fault::ObjectMissing, "reading none of it")?;
            self.store.delete(&name).map_err(text)?;
        }
        let name = self.name("beside")?;
        self.store.delete(&name).map_err(text)?;
        self.store.delete(&name).map_err(text)?;
        fails(self.store.get(&name, 10), Fault::ObjectMissing, "reading what was deleted")?;
        self.put(&name, b"again")?;
        self.has(&name, b"again")
    }

    fn refuses(&self) -> Held {
        let name = self.name("kept")?;
        let late = self.store.writer(&name, IfExists::Refuse);
        let mut late = late.map_err(text)?;
        late.write_all(b"late").map_err(|error| error.to_string())?;
        self.put(&name, b"first")?;
        fails(late.commit(), Fault::ObjectExists, "a commit over another")?;
        let again = self.store.put(&name, b"second", IfExists::Refuse);
        fails(again, Fault::ObjectExists, "a put over another")?;
        let begun = self.store.writer(&name, IfExists::Refuse);
        fails(begun, Fault::ObjectExists, "a stream over another")?;
        self.has(&name, b"first")
    }

    fn replaces(&self) -> Held {
        let name = self.name("changing")?;
        for bytes in [&b"first, and long"[..], b"second", b""] {
            self.store.put(&name, bytes, IfExists::Replace).map_err(text)?;
            self.has(&name, bytes)?;
        }
        let mut writer = self.store.writer(&name, IfExists::Replace).map_err(text)?;
        writer.write_all(b"third").map_err(|error| error.to_string())?;
        self.has(&name, b"")?;
        writer.commit().map_err(text)?;
        self.has(&name, b"third")
    }

    fn streams(&self) -> Held {
        for (rest, pieces) in [("pieces", &[&b"one "[..], b"", b"two"][..]), ("none", &[])] {
            let name = self.name(rest)?;
            let mut writer = self.store.writer(&name, IfExists::Refuse).map_err(text)?;
            for piece in pieces {
                writer.write_all(piece).map_err(|error| error.to_string())?;
            }
            writer.flush().map_err(|error| error.to_string())?;
            self.sees_nothing(&name)?;
            writer.commit().map_err(text)?;
            self.has(&name, &pieces.concat())?;
        }
        Ok(())
    }

    fn drops(&self) -> Held {
        let name = self.name("dropped/part")?;
        // More than any buffer on the way, so that some of it has left.
        let piece = vec![7; 1 << 20];
        for pieces in [0, 1, 12] {
            let mut writer = self.store.writer(&name, IfExists::Refuse).map_err(text)?;
            for _ in 0..pieces {
                writer.write_all(&piece).map_err(|error| error.to_string())?;
            }
            self.sees_nothing(&name)?;
            drop(writer);
            self.sees_nothing(&name)?;
        }
        self.put(&self.name("dropped")?, b"its folder is gone, too")?;
        Ok(())
    }

    fn sees_nothing(&self, name: &ObjectName) -> Held {
        let size = self.store.stat(name).map_err(text)?;
        hold(size.is_none(), || format!("{name} is there before its commit"))?;
        let listed = self.store.list(Some(self.folder)).map_err(text)?;
        hold(!listed.iter().any(|object| object.name == *name), || format!("{name} is listed"))
    }

    fn lists(&self) -> Held {
        let rests = ["a/b/c", "a/b.d", "a-b/c", "ab", "a/+=@,_-.x/1", "A/1", "0", "a/b0/c"];
        for rest in rests {
            self.put(&self.name(rest)?, rest.as_bytes())?;
        }
        for below in ["", "a", "a/b", "a/+=@,_-.x", "ab", "absent", "a/absent/x"] {
            let folder = if below.is_empty() { self.folder.clone() } else { self.name(below)? };
            let mut want = Vec::new();
            for rest in rests {
                let name = self.name(rest)?;
                if name.is_below(Some(&folder)) {
                    want.push((name, rest.len() as u64));
                }
            }
            want.sort();
            let got = self.store.list(Some(&folder)).map_err(text)?;
            let got: Vec<_> = got.into_iter().map(|object| (object.name, object.size)).collect();
            hold(got == want, || format!("below \"{below}\" came {got:?}, not {want:?}"))?;
        }
        let all = self.store.list(None).map_err(text)?;
        let ours = all.iter().filter(|object| object.name.is_below(Some(self.folder))).count();
        hold(ours == rests.len(), || format!("of all {} came {ours}", rests.len()))
    }

    fn races(&self) -> Held {
        for (round, stream) in [false, true, false, true].into_iter().enumerate() {
            let name = self.name(&format!("race-{round}"))?;
            let (won, other) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let content = |n: usize| format!("writer {n}").repeat(1000 + n).into_bytes();
            let run = |n: usize| {
                let done = if stream {
                    self.store.writer(&name, IfExists::Refuse).and_then(|mut writer| {
                        writer.write_all(&content(n))?;
                        writer.commit()
                    })
                } else {
                    self.store.put(&name, &content(n), IfExists::Refuse)
                };
                match done {
                    Ok(()) => won.fetch_add(1, Ordering::Relaxed),
                    Err(error) if error.fault() == Some(Fault::ObjectExists) => 0,
                    Err(_) => other.fetch_add(1, Ordering::Relaxed),
                };
            };
            let run = &run;
            std::thread::scope(|scope| {
                for n in 0..self.options.writers {
                    scope.spawn(move || run(n));
                }
            });
            let (won, other) = (won.into_inner(), other.into_inner());
            hold(other == 0, || format!("{other} failed for another reason"))?;
            let fair = if self.options.exclusive { won == 1 } else { won > 0 };
            hold(fair, || format!("{won} of {} won", self.options.writers))?;
            let got = self.store.range(&name, 0..u64::MAX).map_err(text)?;
            let whole = (0..self.options.writers).any(|n| got == content(n));
            hold(whole, || "what is there is of no single writer".to_owned())?;
        }
        Ok(())
    }

    fn big(&self) -> Held {
        let name = self.name("big")?;
        // Differs from place to place, so that a piece that is lost or doubled shows.
        let pieces = || (0u64..).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        let bytes: Vec<u8> = pieces().flatten().take(self.options.big).collect();
        let mut writer = self.store.writer(&name, IfExists::Refuse).map_err(text)?;
        for piece in bytes.chunks(300_007) {
            writer.write_all(piece).map_err(|error| error.to_string())?;
        }
        writer.commit().map_err(text)?;
        self.has(&name, &bytes)?;
        let (from, to) = (bytes.len() / 3, bytes.len() / 3 + bytes.len() / 4);
        let got = self.store.range(&name, from as u64..to as u64).map_err(text)?;
        hold(bytes.get(from..to) == Some(&got[..]), || format!("{from}..{to} is not what was put"))
    }
}
