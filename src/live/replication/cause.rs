//! Why a server closed the connection: it says so to nobody but its own counters.

use crate::error::Error;
use std::fmt;

/// What probably made a server close the connection in the middle of a transfer.
///
/// ```
/// use redkeep::live::replication::{CutCause, cut_cause};
/// let before = "run_id:a\r\nclient_output_buffer_limit_disconnections:0\r\n";
/// let after = "run_id:a\r\nclient_output_buffer_limit_disconnections:1\r\n";
/// assert_eq!(cut_cause(before, after), Some(CutCause::OutputBufferLimit));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CutCause {
    /// It is another process now than it was.
    Restarted,
    /// It kept more commands back for us than `client-output-buffer-limit` allows: reading was too
    /// slow.
    OutputBufferLimit,
    /// Its own saving failed.
    SavingFailed,
}

impl fmt::Display for CutCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CutCause::Restarted => "the server was restarted",
            CutCause::OutputBufferLimit => {
                "the server dropped a client over client-output-buffer-limit, probably this one: \
                 read faster or raise the limit for replicas"
            }
            CutCause::SavingFailed => "the server's own saving failed: see its log",
        })
    }
}

/// What two answers to `INFO` tell of the time between them, taken over another connection before the
/// transfer and after it was cut; `None` where they tell nothing.
///
/// Servers count disconnections over the limit from Redis 8.0 and Valkey 8.1 on.
#[must_use]
pub fn cut_cause(before: &str, after: &str) -> Option<CutCause> {
    let both = |name| Some((field(before, name)?, field(after, name)?));
    let grew = |name| {
        let (before, after) = both(name)?;
        Some(after.parse::<u64>().ok()? > before.parse::<u64>().ok()?)
    };
    if both("run_id").is_some_and(|(before, after)| before != after) {
        Some(CutCause::Restarted)
    } else if grew("client_output_buffer_limit_disconnections") == Some(true) {
        Some(CutCause::OutputBufferLimit)
    } else if both("rdb_last_bgsave_status") == Some(("ok", "err")) {
        Some(CutCause::SavingFailed)
    } else {
        None
    }
}

/// The error of a cut transfer with its probable cause added to what it says; other errors stay as
/// they are.
///
/// ```
/// use redkeep::live::replication::{CutCause, explain_cut};
/// # let error = redkeep::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
/// # let as_it_was = error.to_string();
/// let error = explain_cut(error, CutCause::Restarted); // a timeout, in this example
/// # assert_eq!(error.to_string(), as_it_was);
/// assert!(error.is_retryable());
/// ```
#[must_use]
pub fn explain_cut(error: Error, cause: CutCause) -> Error {
    if error.fault() == Some(crate::Fault::TransferCut) {
        error.with_detail(cause.to_string())
    } else {
        error
    }
}

/// The value of a line `name:value`.
fn field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn only_what_changed_between_the_two_tells_something() {
        let info = |id: &str, dropped: u32, status: &str| {
            format!(
                "# Server\r\nrun_id:{id}\r\nclient_output_buffer_limit_disconnections:{dropped}\r\n\
                 rdb_last_bgsave_status:{status}\r\n"
            )
        };
        let before = info("a", 7, "ok");
        let after = |id, dropped, status| cut_cause(&before, &info(id, dropped, status));
        assert_eq!(after("a", 7, "ok"), None);
        assert_eq!(after("b", 0, "ok"), Some(CutCause::Restarted));
        assert_eq!(after("a", 8, "ok"), Some(CutCause::OutputBufferLimit));
        assert_eq!(after("a", 7, "err"), Some(CutCause::SavingFailed));
        assert_eq!(cut_cause("", ""), None);
        assert_eq!(cut_cause("run_id:a\n", "x_run_id:b\n"), None);
    }

    #[test]
    fn a_cut_is_explained_and_stays_retryable() {
        let error = Error::at(Fault::TransferCut, 7);
        let error = explain_cut(error, CutCause::OutputBufferLimit);
        assert!(error.is_retryable() && error.to_string().contains("client-output-buffer-limit"));
        let other = Error::at(Fault::ServerBusy, 7);
        assert!(!explain_cut(other, CutCause::Restarted).to_string().contains("restarted"));
    }
}
