//! Which commands there are, and which of them this user may run.
//!
//! A command may have been renamed or removed, and a user may lack the right to it. Neither shows in
//! the product or its version, so it is asked for: by `COMMAND INFO`, by `ACL DRYRUN`, and where those
//! are missing by calls that change nothing: with a wrong number of arguments (does it exist?) or
//! with arguments that mean nothing (may we?).

use crate::error::Result;
use crate::live::reply::{Refusal, ask, bytes, list, text};
use redis::{ConnectionLike, Value};

/// Whether a command can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Access {
    /// It was tried, or the server says that this user may.
    Allowed,
    /// For some keys only.
    SomeKeys,
    /// It exists; whether this user may run it cannot be found out without running it.
    Exists,
    /// This user may not.
    Denied,
    /// There is no command of this name: it was renamed or removed, or came later.
    Absent,
}

impl Access {
    /// Whether trying it makes sense.
    #[must_use]
    pub fn may_work(self) -> bool {
        matches!(self, Access::Allowed | Access::SomeKeys | Access::Exists)
    }
}

/// A command and whether it can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CommandAccess {
    /// Its usual name.
    pub command: &'static str,
    /// Whether it can be used by that name.
    pub access: Access,
}

/// A key that nobody has.
pub(crate) const NO_KEY: &str = "redkeep:no-such-key";

/// How a command is asked about.
struct Question {
    name: &'static str,
    /// A call with a wrong number of arguments, which is never run.
    arity: &'static [&'static str],
    /// A call that is run and changes nothing, where there is one.
    harmless: Option<&'static [&'static str]>,
    /// Arguments of a call as it is meant.
    meant: &'static [&'static str],
}

const QUESTIONS: [Question; 10] = [
    Question {
        name: "BGSAVE",
        arity: &["BGSAVE", "x", "x", "x", "x"],
        harmless: Some(&["BGSAVE", "NOSUCHWORD"]),
        meant: &[],
    },
    Question { name: "SAVE", arity: &["SAVE", "x"], harmless: None, meant: &[] },
    Question {
        name: "LASTSAVE",
        arity: &["LASTSAVE", "x"],
        harmless: Some(&["LASTSAVE"]),
        meant: &[],
    },
    Question {
        name: "CONFIG",
        arity: &["CONFIG"],
        harmless: Some(&["CONFIG", "GET", "dir"]),
        meant: &["GET", "dir"],
    },
    Question { name: "PSYNC", arity: &["PSYNC"], harmless: None, meant: &["?", "-1"] },
    Question {
        name: "REPLCONF",
        arity: &["REPLCONF", "x"],
        harmless: Some(&["REPLCONF", "capa", "eof"]),
        meant: &["capa", "eof"],
    },
    Question {
        name: "SCAN",
        arity: &["SCAN"],
        harmless: Some(&["SCAN", "0", "COUNT", "1"]),
        meant: &["0"],
    },
    Question {
        name: "DUMP",
        arity: &["DUMP"],
        harmless: Some(&["DUMP", NO_KEY]),
        meant: &[NO_KEY],
    },
    Question {
        name: "PTTL",
        arity: &["PTTL"],
        harmless: Some(&["PTTL", NO_KEY]),
        meant: &[NO_KEY],
    },
    Question {
        name: "FUNCTION",
        arity: &["FUNCTION"],
        harmless: Some(&["FUNCTION", "LIST", "LIBRARYNAME", NO_KEY]),
        meant: &["DUMP"],
    },
];

/// What is known of each command that a snapshot may need.
pub(crate) fn find_out(
    connection: &mut (impl ConnectionLike + ?Sized),
) -> Result<Vec<CommandAccess>> {
    let there = existing(connection)?;
    let user = match ask(connection, &["ACL", "WHOAMI"])? {
        Ok(name) => text(&name),
        Err(_) => None,
    };
    let mut found = Vec::new();
    for question in &QUESTIONS {
        let exists = match &there {
            Some(names) => names.contains(&question.name),
            None => exists(connection, question)?,
        };
        let access = match exists {
            false => Access::Absent,
            true => may(connection, question, user.as_deref())?,
        };
        found.push(CommandAccess { command: question.name, access });
    }
    Ok(found)
}

/// Those that `COMMAND INFO` knows; `None` where it may not be asked.
fn existing(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<Option<Vec<&'static str>>> {
    let mut words = vec!["COMMAND", "INFO"];
    words.extend(QUESTIONS.iter().map(|question| question.name));
    let Ok(answer) = ask(connection, &words)? else { return Ok(None) };
    let Some(rows) = list(answer).filter(|rows| rows.len() == QUESTIONS.len()) else {
        return Ok(None);
    };
    let known = QUESTIONS.iter().zip(rows).filter(|(_, row)| *row != Value::Nil);
    Ok(Some(known.map(|(question, _)| question.name).collect()))
}

/// The number of arguments is looked at before the user's rights.
fn exists(connection: &mut (impl ConnectionLike + ?Sized), question: &Question) -> Result<bool> {
    Ok(match ask(connection, question.arity)? {
        Ok(_) => true,
        Err(refusal) => !refusal.is_unknown_command(),
    })
}

fn may(
    connection: &mut (impl ConnectionLike + ?Sized),
    question: &Question,
    user: Option<&str>,
) -> Result<Access> {
    if let Some(user) = user {
        let mut words = vec!["ACL", "DRYRUN", user, question.name];
        words.extend(question.meant);
        if let Ok(answer) = ask(connection, &words)? {
            return Ok(match bytes(&answer) {
                Some(b"OK") => Access::Allowed,
                answer => denial(&String::from_utf8_lossy(answer.unwrap_or_default())),
            });
        }
    }
    let Some(call) = question.harmless else { return Ok(Access::Exists) };
    Ok(match ask(connection, call)? {
        Ok(_) => Access::Allowed,
        Err(refusal) if refusal.is_unknown_command() => Access::Absent,
        Err(Refusal { code, text }) if code == "NOPERM" => denial(&text),
        Err(refusal) if refusal.is_denied() => Access::Denied,
        Err(refusal) if refusal.code == "ERR" => Access::Allowed,
        // Loading, say: the right to it was not looked at.
        Err(_) => Access::Exists,
    })
}

/// The key that was tried is one of which the user cannot know anything; others may be theirs.
pub(crate) fn denial(text: &str) -> Access {
    match text.contains("key") && !text.contains("command") {
        true => Access::SomeKeys,
        false => Access::Denied,
    }
}

/// Whether expiries can be asked for as they are, which is since Redis 7.0, and not only what is left.
pub(crate) fn tells_expiries(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<bool> {
    is_there(connection, &["PEXPIRETIME", NO_KEY], false)
}

/// Whether RESTORE is there, and for us: one with a payload that is none is always refused.
pub(crate) fn restores(connection: &mut (impl ConnectionLike + ?Sized)) -> Result<bool> {
    is_there(connection, &["RESTORE", NO_KEY, "0", "x"], true)
}

/// Whether the command of a call that changes nothing is there, and for us; `refused` says what other
/// refusals mean than those of the command or of a right.
fn is_there(
    connection: &mut (impl ConnectionLike + ?Sized),
    call: &[&str],
    refused: bool,
) -> Result<bool> {
    Ok(match ask(connection, call)? {
        Ok(_) => true,
        Err(refusal) if refusal.is_unknown_command() => false,
        // The right to that key may be missing, and not the one to the command.
        Err(refusal) if refusal.code == "NOPERM" => denial(&refusal.text) == Access::SomeKeys,
        Err(_) => refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_to_a_command_is_told_from_that_to_a_key() {
        let of_command = "User bk has no permissions to run the 'bgsave' command";
        assert_eq!(denial(of_command), Access::Denied);
        assert_eq!(denial("This user has no permissions to access the 'b' key"), Access::SomeKeys);
        assert_eq!(denial("No permissions to access a key"), Access::SomeKeys);
    }
}
