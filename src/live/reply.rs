//! One command, one answer: what the server said, and how its refusals become errors.

use crate::error::{Error, Fault, Result};
use redis::{ConnectionLike, RedisError, Value};
use std::io;

/// An error that the server answered with: the first word, and the rest.
///
/// Only the first word is the same in all versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) text: String,
}

impl Refusal {
    /// Whether there is no such command, by that name.
    pub(crate) fn is_unknown_command(&self) -> bool {
        self.code == "ERR" && self.text.starts_with("unknown command")
    }

    /// Whether it is the user who may not.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.code.as_str(), "NOPERM" | "NOAUTH" | "WRONGPASS")
    }

    pub(crate) fn is_busy(&self) -> bool {
        let codes = ["LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "MISCONF"];
        codes.contains(&self.code.as_str())
    }

    /// The error it is, when that command had to succeed.
    pub(crate) fn into_error(self, command: &str) -> Error {
        let fault = if self.is_denied() {
            Fault::ServerDenied
        } else if self.is_busy() {
            Fault::ServerBusy
        } else {
            Fault::ServerRefused
        };
        Error::from_fault(fault).with_detail(format!("{command}: {}", self.words()))
    }

    /// All of it on one line.
    pub(crate) fn words(&self) -> String {
        const SHOWN: usize = 160;
        let mut text = String::new();
        for c in self.text.chars().take(SHOWN) {
            match c {
                '\'' | '"' => text.push(c),
                c => text.extend(c.escape_debug()),
            }
        }
        format!("{} {text}", self.code).trim_end().to_owned()
    }
}

/// Sends a command; the inner error is the server's own.
pub(crate) fn ask(
    connection: &mut (impl ConnectionLike + ?Sized),
    words: &[&str],
) -> Result<Result<Value, Refusal>> {
    settle(connection.req_command(&command(words)))
}

/// Sends a command that has to succeed.
pub(crate) fn demand(
    connection: &mut (impl ConnectionLike + ?Sized),
    words: &[&str],
) -> Result<Value> {
    let name = words.first().copied().unwrap_or_default();
    ask(connection, words)?.map_err(|refusal| refusal.into_error(name))
}

pub(crate) fn command(words: &[&str]) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    words.iter().for_each(|word| {
        command.arg(word);
    });
    command
}

/// Tells the server's own errors from those of the way to it.
pub(crate) fn settle(answer: redis::RedisResult<Value>) -> Result<Result<Value, Refusal>> {
    match answer {
        Ok(Value::ServerError(error)) => Ok(Err(Refusal {
            code: error.code().to_owned(),
            text: error.details().unwrap_or_default().to_owned(),
        })),
        Ok(value) => Ok(Ok(value)),
        Err(error) => match (error.code(), error.is_io_error()) {
            (Some(code), false) => Ok(Err(Refusal {
                code: code.to_owned(),
                text: error.detail().unwrap_or_default().to_owned(),
            })),
            _ => Err(broken(&error)),
        },
    }
}

/// A failure of the way to the server.
pub(crate) fn broken(error: &RedisError) -> Error {
    if !error.is_io_error() && !error.is_connection_dropped() {
        return Error::from_fault(Fault::ServerReply).with_detail(error.category().to_owned());
    }
    let kind = if error.is_timeout() {
        io::ErrorKind::TimedOut
    } else if error.is_connection_refusal() {
        io::ErrorKind::ConnectionRefused
    } else if error.is_connection_dropped() {
        io::ErrorKind::ConnectionReset
    } else {
        io::ErrorKind::Other
    };
    Error::io(io::Error::new(kind, error.to_string()), None)
}

/// The error of an answer that makes no sense.
pub(crate) fn unexpected(command: &str) -> Error {
    Error::from_fault(Fault::ServerReply).with_detail(command.to_owned())
}

/// An answer's bytes, where it is a string of any kind.
pub(crate) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.as_bytes()),
        Value::Okay => Some(b"OK"),
        _ => None,
    }
}

/// An answer as text, lossily: names and paths for people.
pub(crate) fn text(value: &Value) -> Option<String> {
    Some(String::from_utf8_lossy(bytes(value)?).into_owned())
}

/// An answer as a number.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        other => std::str::from_utf8(bytes(other)?).ok()?.parse().ok(),
    }
}

/// The elements of a list; a map's keys and values in turn, as older protocols have it.
pub(crate) fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        Value::Map(pairs) => Some(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
        _ => None,
    }
}

/// An answer to TIME, in milliseconds.
pub(crate) fn millis(answer: &Value) -> Option<i64> {
    let Value::Array(parts) = answer else { return None };
    let mut parts = parts.iter().map(number);
    let (seconds, micros) = (parts.next()??, parts.next()??);
    Some(seconds.saturating_mul(1000).saturating_add(micros / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: &str, text: &str) -> Refusal {
        Refusal { code: code.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn refusals_are_told_by_their_first_word() {
        let error = refusal("NOPERM", "this user").into_error("BGSAVE");
        assert_eq!(error.fault(), Some(Fault::ServerDenied));
        assert!(!error.is_retryable());
        let error = refusal("LOADING", "Valkey is loading").into_error("DUMP");
        assert!(error.is_retryable() && !error.is_io());
        assert!(refusal("ERR", "unknown command 'X'").is_unknown_command());
    }

    #[test]
    fn what_a_server_says_stays_on_one_line() {
        assert_eq!(refusal("ERR", "a\nb 'c'").words(), "ERR a\\nb 'c'");
        assert_eq!(refusal("ERR", "").words(), "ERR");
    }
}
