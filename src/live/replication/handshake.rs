//! The words before the dump.

use crate::error::{Error, Fault, Result};
use crate::live::clock::Timer;
use crate::live::replication::ending::MARK;
use crate::live::replication::link::Link;
use crate::live::replication::options::{Portion, ReplicationOptions};
use crate::live::replication::refusal::{fault, login_refusal, refusal, shown, unexpected};
use crate::wire::number::parse_integer;
use std::io::{Read, Write};

/// What the server said before the dump: where in its history the dump stands, and what it granted.
///
/// See [`snapshot_into`](super::snapshot_into) for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TransferFacts {
    /// The history's ID, 40 characters; `None` with servers before Redis 2.8.
    pub replid: Option<String>,
    /// How many bytes of that history the dump contains: what follows begins at the next one.
    pub offset: Option<u64>,
    /// How the dump is sent.
    pub form: Form,
    /// Whether the server granted that no commands follow.
    pub rdb_only: bool,
    /// Whether the server took notice of the version we claim, as Valkey does.
    pub version_heard: bool,
    /// All its answers, in order.
    pub answers: Vec<Answer>,
}

/// How a dump is sent.
///
/// ```
/// use redkeep::live::replication::Form;
/// assert_ne!(Form::Length(19), Form::EndMark);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Form {
    /// From the server's disk, so many bytes.
    Length(u64),
    /// From its memory, up to a mark.
    EndMark,
}

/// One question of ours and the server's answer.
///
/// See [`snapshot_into`](super::snapshot_into) for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Answer {
    /// What was asked, without secrets.
    pub asked: String,
    /// The answer's line, escaped, and cut to 160 bytes.
    pub answer: String,
}

/// What is known when the first byte of the dump may come.
pub(super) struct Agreed {
    pub(super) facts: TransferFacts,
    pub(super) ends: Ends,
}

/// A replication ID, and an offset in what it names.
type History = (String, u64);

/// What ends the dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    After(u64),
    With([u8; MARK]),
}

struct Handshake<'l, S, C: Timer> {
    link: &'l mut Link<S, C>,
    answers: Vec<Answer>,
}

/// Everything up to the first byte of the dump.
pub(super) fn shake<S: Read + Write, C: Timer>(
    link: &mut Link<S, C>,
    options: &ReplicationOptions,
) -> Result<Agreed> {
    let functions = options.portion == Portion::Functions;
    if functions && !options.diskless {
        return Err(Error::usage("functions alone are only sent from memory: allow diskless"));
    }
    let mut shake = Handshake { link, answers: Vec::new() };
    if let Some(password) = &options.password {
        shake.login(options.user.as_deref(), password)?;
    }
    let eof: &[&str] = &["capa", "eof", "capa", "psync2"];
    shake.option(if options.diskless { eof } else { &["capa", "psync2"] })?;
    let rdb_only = !options.follow && shake.option(&["rdb-only", "1"])?;
    if functions && !shake.option(&["rdb-filter-only", "functions"])? {
        return Err(Error::from_fault(Fault::ServerLacks)
            .with_detail("it sends functions alone from Redis 7.0 on"));
    }
    let version_heard = match &options.version {
        Some(version) => shake.option(&["version", version])?,
        None => false,
    };
    if let Some(port) = options.listening_port {
        shake.option(&["listening-port", &port.to_string()])?;
    }
    let (history, line) = shake.psync()?;
    let ends = ends(&line)?;
    let form = match ends {
        Ends::After(length) => Form::Length(length),
        Ends::With(_) => Form::EndMark,
    };
    let (replid, offset) = history.unzip();
    let answers = shake.answers;
    Ok(Agreed {
        facts: TransferFacts { replid, offset, form, rdb_only, version_heard, answers },
        ends,
    })
}

impl<S: Read + Write, C: Timer> Handshake<'_, S, C> {
    fn note(&mut self, asked: &str, line: &[u8]) {
        self.answers.push(Answer { asked: asked.to_owned(), answer: shown(line) });
    }

    fn login(&mut self, user: Option<&str>, password: &str) -> Result<()> {
        let line = match user {
            Some(user) => {
                self.link.send(&[b"AUTH", user.as_bytes(), password.as_bytes()])?;
                let line = self.link.line()?;
                // Before Redis 6.0 there is one user, who has no name.
                if user == "default" && line.starts_with(b"-ERR wrong number of arguments") {
                    self.link.send(&[b"AUTH", password.as_bytes()])?;
                    self.link.line()?
                } else {
                    line
                }
            }
            None => {
                self.link.send(&[b"AUTH", password.as_bytes()])?;
                self.link.line()?
            }
        };
        match line.first() {
            Some(b'+') => {
                self.note("AUTH", b"+OK"); // none of its own words
                Ok(())
            }
            Some(b'-') => Err(login_refusal(&line)),
            _ => Err(Error::from_fault(Fault::ServerReply).with_detail("AUTH")),
        }
    }

    /// Asks for something that not every server has; whether it is granted.
    fn option(&mut self, words: &[&str]) -> Result<bool> {
        let command: Vec<&[u8]> =
            std::iter::once(&b"REPLCONF"[..]).chain(words.iter().map(|w| w.as_bytes())).collect();
        self.link.send(&command)?;
        let line = self.link.line()?;
        let asked = format!("REPLCONF {}", words.join(" "));
        self.note(&asked, &line);
        match (line.first(), fault(&line)) {
            (Some(b'+'), _) => Ok(true),
            (Some(b'-'), Fault::ServerRefused | Fault::ServerLacks) => Ok(false),
            (Some(b'-'), _) => Err(refusal(&asked, &line)),
            _ => Err(unexpected(&asked, &line)),
        }
    }

    /// Asks for the dump: where it stands, and the line that says how it is sent.
    fn psync(&mut self) -> Result<(Option<History>, Vec<u8>)> {
        self.link.send(&[b"PSYNC", b"?", b"-1"])?;
        let line = self.link.line()?;
        self.note("PSYNC", &line);
        if line.starts_with(b"-") {
            let refused = refusal("PSYNC", &line);
            if refused.fault() != Some(Fault::ServerLacks) {
                return Err(refused);
            }
            // Before Redis 2.8 there is SYNC, which says nothing of histories.
            self.link.send(&[b"SYNC"])?;
            let line = self.link.line()?;
            self.note("SYNC", &line);
            return match line.first() {
                Some(b'-') => Err(refusal("SYNC", &line)),
                _ => Ok((None, line)),
            };
        }
        let history = fullresync(&line).ok_or_else(|| unexpected("PSYNC", &line))?;
        let line = self.link.line()?;
        self.note("PSYNC", &line);
        match line.first() {
            Some(b'-') => Err(refusal("PSYNC", &line)),
            _ => Ok((Some(history), line)),
        }
    }
}

/// `+FULLRESYNC <40 characters> <offset>`
fn fullresync(line: &[u8]) -> Option<History> {
    let rest = line.strip_prefix(b"+FULLRESYNC ")?;
    let (id, rest) = rest.split_at_checked(MARK)?;
    let offset = number(rest.strip_prefix(b" ")?)?;
    let id =
        std::str::from_utf8(id).ok().filter(|id| id.bytes().all(|c| c.is_ascii_alphanumeric()));
    Some((id?.to_owned(), offset))
}

/// `$<length>` or `$EOF:<mark>`
fn ends(line: &[u8]) -> Result<Ends> {
    let text = line.strip_prefix(b"$");
    if let Some(mark) = text.and_then(|text| text.strip_prefix(b"EOF:")) {
        if let Some((mark, [])) = mark.split_first_chunk::<MARK>() {
            return Ok(Ends::With(*mark));
        }
    } else if let Some(length) = text.and_then(number) {
        return Ok(Ends::After(length));
    }
    Err(unexpected("the dump", line))
}

fn number(text: &[u8]) -> Option<u64> {
    parse_integer(text).and_then(|number| u64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_and_forms_are_read_strictly() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let ok = format!("+FULLRESYNC {id} 78");
        assert_eq!(fullresync(ok.as_bytes()), Some((id.to_owned(), 78)));
        for bad in [
            format!("+FULLRESYNC {id}"),
            format!("+FULLRESYNC {id} -1"),
            format!("+FULLRESYNC {id}8 78"),
            format!("+CONTINUE {id}"),
            format!("+FULLRESYNC {} 78", id.replace('a', "\n")),
        ] {
            assert_eq!(fullresync(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ends(b"$0").unwrap(), Ends::After(0));
        let marked = ends(format!("$EOF:{id}").as_bytes()).unwrap();
        assert_eq!(marked, Ends::With(id.as_bytes().try_into().unwrap()));
        for bad in ["$-1", "$", "$1x", "$EOF:", "$EOF:abc", "$ENDOFF:1 2 3", "+OK", "$ 1", "12"] {
            let error = ends(bad.as_bytes()).unwrap_err();
            assert_eq!(error.fault(), Some(Fault::ServerReply), "{bad}");
        }
        assert!(ends(format!("$EOF:{id}0").as_bytes()).is_err());
    }
}
