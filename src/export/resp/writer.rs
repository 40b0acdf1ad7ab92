//! The writer of commands as its users see it.

use super::events::Export;
use super::options::CommandsOptions;
use super::outcome::CommandsOutcome;
use crate::error::Result;
use crate::pipe::{EntrySink, pump};
use crate::rdb::{Event, StreamReader};
use std::io::{Read, Write};

/// Writes the keys of an RDB as commands in the servers' protocol, for `redis-cli --pipe`, a socket,
/// or a log.
///
/// It is fed with the events of either reader. Only whole commands are written. Memory is bounded:
/// in plain form by one command, which is at most 1 MiB or one element, and by what a stream needs
/// to be built (the IDs of its entries, at two bytes or so each, and the pending entries of one
/// group); in the form of `RESTORE` by one value. All of these have their limit in
/// [`Limits::held`](crate::Limits::held).
///
/// The output in plain form is also an append-only file, for a server that has nothing else. It begins
/// with `SELECT`, and adds to what is there unless told to [replace](CommandsOptions::replace).
///
/// # What has no command
///
/// | content | plain | `RESTORE` |
/// |---|---|---|
/// | types that the server does not have at all | lost | lost |
/// | layouts that the server cannot read | written | an error |
/// | values of modules | as `RESTORE`, for nothing else builds them | written |
/// | expiries of fields | written, where the server has them | written |
/// | expiries of members (KeyDB) | lost | lost |
/// | idle times and frequencies | forgotten | written since Redis 5.0, forgotten before |
/// | metadata that modules keep with keys | lost | written since Redis 8.6, lost before |
/// | counters of streams and groups | written since Redis 7.0, lost before | written |
/// | when consumers were last active, counts of idempotent adding | forgotten | written |
/// | pending entries that the stream no longer holds | lost | written |
/// | idle consumers | written since Redis 6.2, lost before | written |
/// | negative acknowledgements, remembered IDs of producers | written, where the server has them | written |
/// | function libraries | since Redis 7.0, if [asked for](CommandsOptions::functions) | likewise |
/// | data of modules outside keys | lost | lost |
///
/// What is lost makes it fail, or is counted: [`OnLoss`](crate::rdb::OnLoss). What is forgotten is
/// counted only. Hints and facts about the file (sizes, slots, versions) are not content.
///
/// ```
/// use redkeep::export::{Commands, CommandsOptions};
/// use redkeep::rdb::SliceReader;
/// let dump = b"REDIS0003\xfe\x02\x02\x01s\x02\x01a\xc0\x07\xff";
/// let mut out = Vec::new();
/// let mut commands = Commands::new(&mut out, CommandsOptions::plain("redis-7.0".parse()?))?;
/// for event in SliceReader::new(dump) {
///     commands.event(&event?)?;
/// }
/// assert_eq!(commands.finish()?.commands, 2);
/// let sadd = b"*4\r\n$4\r\nSADD\r\n$1\r\ns\r\n$1\r\na\r\n$1\r\n7\r\n";
/// assert_eq!(out, [&b"*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n"[..], sadd].concat());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Commands<W: Write> {
    to: W,
    export: Export,
}

impl<W: Write> Commands<W> {
    /// A writer to `to`, in blocks of at least 256 KiB: it needs no buffer of its own.
    ///
    /// # Errors
    /// `Usage` for `RESTORE` on a server before Redis 2.6, which does not have it, and on one before
    /// Redis 5.0 without the [time](CommandsOptions::now).
    pub fn new(to: W, options: CommandsOptions) -> Result<Self> {
        Ok(Commands { to, export: Export::new(options)? })
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// `Corrupt` when something in the key cannot be read; `Unsupported` for a layout that the server
    /// cannot restore; `Limit` for what is too big for one command, or for memory; `Io` when the
    /// target fails. Commands of that key may have been written before, and none can follow.
    pub fn event(&mut self, event: &Event<'_>) -> Result<()> {
        self.export.event(event, &mut self.to)
    }

    /// Writes out what waits, and says what was written.
    ///
    /// # Errors
    /// `Unsupported` when something was lost and that was to make it fail: it names all that was
    /// lost. `Truncated` when a value was not closed, `Usage` after an event that failed, `Io` when
    /// the target fails.
    pub fn finish(mut self) -> Result<CommandsOutcome> {
        self.export.finish(&mut self.to)
    }
}

impl<W: Write> EntrySink for Commands<W> {
    fn event(&mut self, event: &Event<'_>) -> Result<()> {
        Commands::event(self, event)
    }
}

/// Writes an RDB from any source as commands, its checksum verified.
///
/// The checksum stands at the end: commands are written before it is known, and an error of kind
/// `Checksum` says that any of them may be wrong.
///
/// ```
/// use redkeep::export::{CommandsOptions, export_commands};
/// let dump = b"REDIS0003\x00\x01k\xc0\x0c\xff";
/// let mut out = Vec::new();
/// export_commands(&dump[..], &mut out, CommandsOptions::restore("redis-6.2".parse()?))?;
/// let restore = b"*4\r\n$7\r\nRESTORE\r\n$1\r\nk\r\n$1\r\n0\r\n$13\r\n\x00\xc0\x0c\x09\x00";
/// assert!(out.windows(restore.len()).any(|window| window == restore));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first one that the reader or the [writer](Commands) meets.
pub fn export_commands(
    source: impl Read,
    to: impl Write,
    options: CommandsOptions,
) -> Result<CommandsOutcome> {
    let mut reader = StreamReader::with_limits(source, &options.limits);
    let mut commands = Commands::new(to, options)?;
    pump(&mut reader, &mut commands)?;
    commands.finish()
}
