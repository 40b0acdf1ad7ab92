//! A source that shows on stderr how far it has been read.

#[cfg(feature = "live")]
use crate::cli::human::count;
use crate::cli::stop;
use crate::error::{Error, Fault};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

const OF_KNOWN_LENGTH: &str =
    "{msg} [{wide_bar}] {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}  {eta} left";
const OF_UNKNOWN_LENGTH: &str = "{msg} {spinner}  {bytes}  {bytes_per_sec}";

/// A bar, or a spinner where the length is not known; nothing at all unless stderr is a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    since: Instant,
    shown: bool,
}

impl Bar {
    pub(crate) fn new(verb: &'static str, len: Option<u64>) -> Bar {
        let bar = ProgressBar::with_draw_target(len, ProgressDrawTarget::hidden());
        let template = if len.is_some() { OF_KNOWN_LENGTH } else { OF_UNKNOWN_LENGTH };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(verb);
        Bar { bar, since: Instant::now(), shown: !io::stderr().is_terminal() }
    }

    /// Says how many keys there were so far, beside the bytes.
    #[cfg(feature = "live")]
    pub(crate) fn key_count(&self, verb: &'static str) -> KeyCount {
        KeyCount { bar: self.bar.clone(), verb, since: self.since, keys: 0 }
    }

    pub(crate) fn read(&mut self, bytes: u64) {
        self.bar.inc(bytes);
        if !self.shown && self.since.elapsed() >= PATIENCE {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        }
    }
}

/// Keys so far and how many there were in each second, in front of a bar wherever that is.
#[cfg(feature = "live")]
pub(crate) struct KeyCount {
    bar: ProgressBar,
    verb: &'static str,
    since: Instant,
    keys: u64,
}

#[cfg(feature = "live")]
impl KeyCount {
    pub(crate) fn tell(&mut self, keys: u64) {
        if keys > 0 && keys != self.keys {
            self.keys = keys;
            let each = keys.checked_div(self.since.elapsed().as_secs()).unwrap_or(keys);
            let said = format!("{}, {} keys, {} keys/s", self.verb, count(keys), count(each));
            self.bar.set_message(said);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Reads from a source and counts.
pub(crate) struct Watched<R> {
    source: R,
    bar: Option<Bar>,
}

impl<R> Watched<R> {
    pub(crate) fn new(source: R, bar: Option<Bar>) -> Watched<R> {
        Watched { source, bar }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if stop::is_asked() {
            return Err(io::Error::other(Error::from_fault(Fault::Cancelled)));
        }
        let bytes = self.source.read(buf)?;
        if let Some(bar) = &mut self.bar {
            bar.read(bytes as u64);
        }
        Ok(bytes)
    }
}

impl<R: Seek> Seek for Watched<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.source.seek(to)?;
        if let Some(Bar { bar, .. }) = &self.bar {
            if at < bar.position() {
                bar.set_message("once more, to name duplicate keys");
            }
            bar.set_position(at);
        }
        Ok(at)
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        self.source.stream_position()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_bar_counts_what_was_read_and_starts_anew_after_a_seek() {
        let bar = Bar::new("checking", Some(10));
        let mut source = Watched::new(Cursor::new(vec![7; 10]), Some(bar));
        let mut all = Vec::new();
        source.read_to_end(&mut all).unwrap();
        assert_eq!(all, [7; 10]);
        assert_eq!(source.bar.as_ref().unwrap().bar.position(), 10);
        source.rewind().unwrap();
        assert_eq!(source.bar.as_ref().unwrap().bar.position(), 0);
        assert_eq!(source.stream_position().unwrap(), 0);
    }
}
