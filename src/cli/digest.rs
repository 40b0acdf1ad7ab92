//! `redkeep digest`: what a dump holds, as one number; or whether two dumps hold the same.

use crate::cli::human::several;
use crate::cli::lines::Lines;
use crate::cli::{Exit, Opened, Source, complain, now};
use crate::digest::{
    ContentDigest, Digest20, Digest32, DigestOptions, KeyComparison, LoadNotes, ServerDigest,
};
use crate::error::{Error, Result};
use crate::rdb::{Event, ServerVersion, StreamReader};
use clap::Args;
use serde::Serialize;
use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::io::{self, IsTerminal, Read};

/// Print a digest of what a dump holds, or say whether two dumps hold the same
///
/// Without --server it is our own: the same for the same content, whichever server wrote it, in
/// whatever order and encoding.
#[derive(Debug, Args)]
pub(crate) struct DigestArguments {
    /// The dump, or `-` for standard input
    path: OsString,
    /// Another dump, to be compared with the first
    other: Option<OsString>,
    /// The digest that DEBUG DIGEST of this server gives once it has loaded the dump, as redis-6.2 or
    /// valkey-9.1
    #[arg(long, value_name = "SERVER")]
    server: Option<ServerVersion>,
    /// Also print each key's own digest (with --server that of DEBUG DIGEST-VALUE); of two dumps, the
    /// keys in which they differ
    #[arg(long)]
    keys: bool,
    /// Print lines of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: DigestArguments) -> Exit {
    let DigestArguments { path, other, server, keys, json } = arguments;
    let task = Task { server: server.map(|server| DigestOptions::new(server).now(now())), keys };
    let lines = Lines::new(json, server);
    let path = Source::from(path);
    let done = match other.map(Source::from) {
        None => task.one(&path, lines),
        Some(other) if path.is_stdin() && other.is_stdin() => {
            complain("both dumps cannot come from standard input");
            Err(Exit::Usage)
        }
        Some(other) => task.two([&path, &other], lines),
    };
    done.unwrap_or_else(|exit| exit)
}

struct Task {
    /// For which server; our own digest where none is named.
    server: Option<DigestOptions>,
    keys: bool,
}

/// A digest of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Number {
    Own(Digest32),
    Server(Digest20),
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Number::Own(digest) => digest.fmt(f),
            Number::Server(digest) => digest.fmt(f),
        }
    }
}

/// What is said of a whole dump.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Dataset {
    pub(crate) digest: Number,
    pub(crate) keys: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) notes: Option<LoadNotes>,
}

/// Takes a key with its digest, or without one where it cannot be known.
type See<'k> = Box<dyn FnMut(u64, &[u8], Option<Number>) + 'k>;

impl Task {
    fn one(&self, path: &Source, lines: Lines) -> Result<Exit, Exit> {
        // A bar would only disturb the lines where they are looked at.
        let bar = !(self.keys && io::stdout().is_terminal());
        let lines = RefCell::new(lines);
        let see = |db, key: &[u8], digest| lines.borrow_mut().key(db, key, digest);
        let see = self.keys.then(|| Box::new(see) as See<'_>);
        let read = self.read(path, bar, see, || !lines.borrow().failed());
        let mut lines = lines.into_inner();
        match read? {
            Ok(Some(dataset)) => {
                lines.dataset(&dataset, path);
                lines.finish()?;
                self.say(&dataset, path);
                Ok(Exit::Done)
            }
            // Nobody reads on, or the disk is full.
            Ok(None) => lines.finish(),
            Err(error) => {
                lines.finish()?;
                Err(no_digest(path, error))
            }
        }
    }

    fn two(&self, paths: [&Source; 2], mut lines: Lines) -> Result<Exit, Exit> {
        let [one, other] = paths;
        let comparison = RefCell::new(KeyComparison::new());
        let whole = |read: Result<Result<Option<Dataset>>, Exit>, path| match read? {
            Ok(Some(dataset)) => Ok(dataset),
            Ok(None) => Err(Exit::Failed),
            Err(error) => Err(no_digest(path, error)),
        };
        let see = |db, key: &[u8], digest: Option<Number>| {
            digest.into_iter().for_each(|digest| comparison.borrow_mut().first(db, key, digest));
        };
        let see = self.keys.then(|| Box::new(see) as See<'_>);
        let first = whole(self.read(one, true, see, || true), one)?;
        let see = |db, key: &[u8], digest: Option<Number>| {
            digest.into_iter().for_each(|digest| comparison.borrow_mut().second(db, key, digest));
        };
        let see = self.keys.then(|| Box::new(see) as See<'_>);
        let second = whole(self.read(other, true, see, || true), other)?;
        let same = first.digest == second.digest;
        let comparison = (self.keys && !same).then(|| comparison.into_inner());
        lines.compared([&first, &second], paths, comparison.as_ref());
        lines.finish()?;
        self.say(&first, one);
        self.say(&second, other);
        if comparison.is_some_and(|keys| keys.twice() > 0) {
            complain("a key comes twice, so the names may not be all: `redkeep check` says more");
        }
        Ok(if same { Exit::Done } else { Exit::Findings })
    }

    /// Reads a dump to its end, or until nobody is there any more who wants to see its keys.
    fn read(
        &self,
        path: &Source,
        bar: bool,
        see: Option<See<'_>>,
        wanted: impl Fn() -> bool,
    ) -> Result<Result<Option<Dataset>>, Exit> {
        Ok(match path.open("digesting", bar)? {
            Opened::File(file, _) => self.digest(file, see, wanted),
            Opened::Stream(stream) => self.digest(stream, see, wanted),
        })
    }

    fn digest(
        &self,
        source: impl Read,
        see: Option<See<'_>>,
        wanted: impl Fn() -> bool,
    ) -> Result<Option<Dataset>> {
        let Some(options) = &self.server else {
            let mut digest = ContentDigest::default();
            if let Some(mut see) = see {
                digest =
                    digest.digest_keys(move |db, key, own| see(db, key, Some(Number::Own(own))));
            }
            if !each_event(source, wanted, |event| digest.event(event))? {
                return Ok(None);
            }
            let keys = digest.keys();
            let digest = Number::Own(digest.finish()?);
            return Ok(Some(Dataset { digest, keys, notes: None }));
        };
        let mut digest = ServerDigest::new(options.clone());
        if let Some(mut see) = see {
            digest = digest.digest_values(move |db, key, value| {
                see(db, key, value.map(Number::Server));
            });
        }
        if !each_event(source, wanted, |event| digest.event(event))? {
            return Ok(None);
        }
        let notes = digest.notes();
        let digest = Number::Server(digest.finish()?);
        Ok(Some(Dataset { digest, keys: notes.keys, notes: Some(notes) }))
    }

    /// What loading changes, on stderr: the digest is that of the keys that the server then has.
    fn say(&self, dataset: &Dataset, path: &Source) {
        let (Some(notes), Some(options)) = (&dataset.notes, &self.server) else { return };
        let server = options.server;
        let left_out = [
            (notes.expired_keys, "key that has expired", "keys that have expired"),
            (notes.expired_fields, "field that has expired", "fields that have expired"),
            (notes.empty_keys, "key with nothing in it", "keys with nothing in them"),
        ];
        for (n, one, many) in left_out.into_iter().filter(|(n, ..)| *n > 0) {
            let what = several(n, one, many);
            complain(format_args!("{path}: {what} left out, as a master that loads it does"));
        }
        if notes.depends_on_settings > 0 {
            let sets = several(notes.depends_on_settings, "sorted set", "sorted sets");
            complain(format_args!(
                "{path}: {sets} with a score of -0: the digest is that of {server} with its \
                 default zset-max-listpack-entries and -value"
            ));
        }
    }
}

fn each_event(
    source: impl Read,
    wanted: impl Fn() -> bool,
    mut see: impl FnMut(&Event<'_>) -> Result<()>,
) -> Result<bool> {
    let mut reader = StreamReader::new(source);
    while let Some(event) = reader.next()? {
        see(&event)?;
        if !wanted() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn no_digest(path: &Source, error: Error) -> Exit {
    let exit = if error.is_io() { Exit::Failed } else { Exit::Findings };
    path.complain(error);
    if exit == Exit::Findings {
        complain("so there is no digest of this dump; `redkeep check` says more");
    }
    exit
}
