//! What a server's error line means.

use crate::error::{Error, Fault};

/// The error that an error line stands for, its `-` included or not, `asked` being what it answers.
///
/// Servers change their sentences and keep their codes: only the first word counts, but for commands
/// that they do not have, which have no code of their own.
pub(super) fn refusal(asked: &str, line: &[u8]) -> Error {
    let fault = fault(line);
    Error::from_fault(fault).with_detail(format!("{asked}: {}", shown(line)))
}

/// The error for an answer to `AUTH`, without its words: a server that does not know the command
/// repeats the password in them.
pub(super) fn login_refusal(line: &[u8]) -> Error {
    match fault(line) {
        // Old servers have no code for a wrong password, or for one where none is set.
        Fault::ServerRefused | Fault::ServerAuth => {
            Error::from_fault(Fault::ServerLogin).with_detail("AUTH")
        }
        other => Error::from_fault(other).with_detail("AUTH"),
    }
}

pub(super) fn fault(line: &[u8]) -> Fault {
    let text = line.strip_prefix(b"-").unwrap_or(line);
    let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    match code {
        b"NOAUTH" => Fault::ServerAuth,
        b"WRONGPASS" => Fault::ServerLogin,
        b"NOPERM" => Fault::ServerDenied,
        b"LOADING" => Fault::ServerLoading,
        b"BUSY" | b"MISCONF" | b"TRYAGAIN" | b"CLUSTERDOWN" => Fault::ServerBusy,
        b"NOMASTERLINK" | b"MASTERDOWN" => Fault::ServerNoMaster,
        b"ERR" if text.starts_with(b"ERR unknown command") => Fault::ServerLacks,
        b"ERR" if text.starts_with(b"ERR Unrecognized REPLCONF option") => Fault::ServerLacks,
        _ => Fault::ServerRefused,
    }
}

/// An answer that is none of those that may come here.
pub(super) fn unexpected(asked: &str, line: &[u8]) -> Error {
    Error::from_fault(Fault::ServerReply).with_detail(format!("{asked}: \"{}\"", shown(line)))
}

/// A line for people: escaped, and cut to what fits two lines of a terminal.
pub(super) fn shown(line: &[u8]) -> String {
    const LONGEST: usize = 160;
    let line = line.strip_prefix(b"-").unwrap_or(line);
    let head = line.get(..LONGEST).unwrap_or(line);
    let dots = if head.len() < line.len() { "..." } else { "" };
    format!("{}{dots}", head.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_decides() {
        let cases: [(&[u8], Fault, bool); 10] = [
            (b"-NOAUTH Authentication required.", Fault::ServerAuth, false),
            (b"-WRONGPASS invalid username-password pair", Fault::ServerLogin, false),
            (b"-NOPERM this user has no permissions", Fault::ServerDenied, false),
            (b"-LOADING Redis is loading the dataset in memory", Fault::ServerLoading, true),
            (b"-BUSY Valkey is busy running a script.", Fault::ServerBusy, true),
            (b"-NOMASTERLINK Can't SYNC while not connected", Fault::ServerNoMaster, true),
            (b"-MASTERDOWN Link with MASTER is down", Fault::ServerNoMaster, true),
            (b"-ERR unknown command `PSYNC`, with args", Fault::ServerLacks, false),
            (b"-MISCONF Errors writing to the AOF file", Fault::ServerBusy, true),
            (b"-", Fault::ServerRefused, false),
        ];
        for (line, fault, retryable) in cases {
            let error = refusal("PSYNC", line);
            assert_eq!((error.fault(), error.is_retryable()), (Some(fault), retryable));
            assert!(error.to_string().contains(&shown(line)), "{error}");
        }
    }

    #[test]
    fn a_login_that_fails_repeats_nothing_that_the_server_said() {
        let renamed = b"-ERR unknown command 'AUTH', with args beginning with: 'secret'";
        let error = login_refusal(renamed);
        assert_eq!(error.fault(), Some(Fault::ServerLacks));
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert_eq!(login_refusal(b"-ERR invalid password").fault(), Some(Fault::ServerLogin));
    }

    #[test]
    fn a_line_is_escaped_and_cut() {
        assert_eq!(shown(b"-a\x1b[2J"), "a\\x1b[2J");
        assert_eq!(shown(&[b'x'; 500]).len(), 163);
    }
}
