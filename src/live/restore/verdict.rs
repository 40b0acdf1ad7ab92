//! What an answer to a command that restores a key means.

use crate::error::Result;
use crate::live::commands::{Access, denial};
use crate::live::reply::{Refusal, settle};
use redis::Value;

/// What becomes of the key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// There is a key of that name.
    Exists,
    /// The slot is at another node, from now on.
    Moved {
        slot: u16,
        address: String,
    },
    /// The key is at another node, just now.
    Ask {
        address: String,
    },
    /// Not in its present state, which passes.
    Later(Refusal),
    /// This key failed.
    Failed(Refusal),
    /// This key failed, and so would every other.
    Stop(Refusal),
}

/// The verdict over a key from the answers to its commands: the first that is no success.
pub(super) fn verdict(answers: impl Iterator<Item = Value>) -> Result<Verdict> {
    let mut found = Verdict::Done;
    for answer in answers {
        if found == Verdict::Done
            && let Err(refusal) = settle(Ok(answer))?
        {
            found = of_refusal(refusal);
        }
    }
    Ok(found)
}

fn of_refusal(refusal: Refusal) -> Verdict {
    match refusal.code.as_str() {
        "BUSYKEY" => Verdict::Exists,
        // Redis before 3.0.
        "ERR" if refusal.text.starts_with("Target key name is busy") => Verdict::Exists,
        "MOVED" => match place(&refusal.text) {
            Some((slot, address)) => Verdict::Moved { slot, address },
            None => Verdict::Failed(refusal),
        },
        "ASK" => match place(&refusal.text) {
            Some((_, address)) => Verdict::Ask { address },
            None => Verdict::Failed(refusal),
        },
        "LOADING" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "MASTERDOWN" | "NOREPLICAS" => {
            Verdict::Later(refusal)
        }
        "OOM" | "READONLY" | "MISCONF" | "NOAUTH" => Verdict::Stop(refusal),
        "NOPERM" if denial(&refusal.text) != Access::SomeKeys => Verdict::Stop(refusal),
        _ => Verdict::Failed(refusal),
    }
}

/// A slot and who has it, as `3300 127.0.0.1:6379`.
pub(super) fn place(text: &str) -> Option<(u16, String)> {
    let (slot, address) = text.split_once(' ')?;
    Some((slot.parse().ok()?, address.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, text: &str) -> Verdict {
        of_refusal(Refusal { code: code.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn refusals_are_told_apart_by_what_can_be_done_about_them() {
        assert_eq!(of("BUSYKEY", "Target key name already exists."), Verdict::Exists);
        assert_eq!(of("ERR", "Target key name is busy."), Verdict::Exists);
        let address = "127.0.0.1:7".to_owned();
        assert_eq!(
            of("MOVED", "12182 127.0.0.1:7"),
            Verdict::Moved { slot: 12182, address: address.clone() }
        );
        assert_eq!(of("ASK", "3300 127.0.0.1:7"), Verdict::Ask { address });
        assert!(matches!(of("MOVED", "x"), Verdict::Failed(_)));
        assert!(matches!(of("LOADING", ""), Verdict::Later(_)));
        assert!(matches!(of("OOM", ""), Verdict::Stop(_)));
        assert!(matches!(of("NOPERM", "No permissions to access a key"), Verdict::Failed(_)));
        assert!(matches!(
            of("NOPERM", "User x has no permissions to run the 'restore' command"),
            Verdict::Stop(_)
        ));
        assert!(matches!(of("ERR", "Bad data format"), Verdict::Failed(_)));
    }

    #[test]
    fn of_several_answers_the_first_that_fails_counts() {
        assert_eq!(verdict([Value::Okay, Value::Int(1)].into_iter()).unwrap(), Verdict::Done);
    }
}
