//! A plan for people, the outcome first.

use crate::aof::repair::plan::{Doubt, Fate, FilePlan, Loss, LossCause, Mend, Plan, Tally};
use std::fmt;

/// Losses of one file that a person still reads.
const MOST: usize = 20;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_empty(), self.obstacles.is_empty()) {
            (true, _) => writeln!(f, "NOTHING TO REPAIR  {} kept", self.kept())?,
            (_, false) => writeln!(f, "CANNOT BE REPAIRED")?,
            _ => writeln!(f, "PLAN  {} kept, {} lost", self.kept(), self.lost())?,
        }
        for line in &self.obstacles {
            writeln!(f, "  in the way: {line}")?;
        }
        if let Some(manifest) = &self.manifest
            && let Some(why) = &manifest.why
        {
            writeln!(f, "  {}: written anew, since {why}", manifest.name)?;
        }
        self.files.iter().try_for_each(|file| write!(f, "{file}"))?;
        for line in &self.warnings {
            writeln!(f, "  note: {line}")?;
        }
        for trap in &self.traps {
            writeln!(f, "  as it is now: {trap}")?;
        }
        match &self.target {
            Some(target) if target.loads => {
                writeln!(f, "  {} would load the result", target.server)
            }
            Some(target) => {
                writeln!(f, "  {} would not load the result", target.server)?;
                target.because.iter().try_for_each(|why| writeln!(f, "    {why}"))
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for FilePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "the log" } else { &self.name };
        writeln!(f, "  {name}: {}, {} kept, {} lost", self.fate, self.kept, self.lost)?;
        for mend in self.mends.iter().take(MOST) {
            writeln!(f, "    at byte {}: {mend}", mend.at)?;
        }
        for loss in self.losses.iter().take(MOST) {
            writeln!(f, "    {loss}")?;
        }
        match (self.mends.len() + self.losses.len()).checked_sub(2 * MOST) {
            Some(more) if more > 0 => writeln!(f, "    and some more"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes {} to {} go: {}", self.from, self.to, self.cause)?;
        if let Some(before) = &self.before {
            write!(f, "; before them {} at {}", before.name, before.offset)?;
        }
        if let Some(after) = &self.after {
            write!(f, "; behind them {} at {}", after.name, after.offset)?;
        }
        if !self.names.is_empty() {
            write!(f, "; in them {}", self.names.join(", "))?;
        }
        if !self.keys.is_empty() {
            let keys: Vec<_> = self.keys.iter().map(|key| format!("\"{key}\"")).collect();
            write!(f, "; keys {}", keys.join(", "))?;
        }
        let doubts = [(self.select, "a SELECT"), (self.transaction, "a MULTI or EXEC")];
        for (doubt, what) in doubts {
            match doubt {
                Doubt::No => {}
                Doubt::Possible => write!(f, "; {what} may be lost")?,
                Doubt::Seen => write!(f, "; {what} is lost")?,
            }
        }
        if let Some(mend) = &self.suspicious {
            write!(f, "; it would be whole by {mend} at byte {}, which is no proof", mend.at)?;
        }
        Ok(())
    }
}

impl fmt::Display for Mend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (was, now) = ([self.was], [self.now]);
        write!(f, "\"{}\" in place of \"{}\"", now.escape_ascii(), was.escape_ascii())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        write!(f, "{} ({})", several(self.commands, "command"), several(self.bytes, "byte"))
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Unchanged => "stays as it is",
            Fate::Rewritten => "is written anew",
            Fate::Leaves => "leaves the set",
        })
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LossCause::Torn => "the file ends inside a record",
            LossCause::OpenMulti => "a transaction without its EXEC",
            LossCause::Zeros => "zeros up to the end",
            LossCause::Damage => "no record can be read there",
            LossCause::HalfTransaction => "the rest of a transaction that is lost in part",
            LossCause::NoCommand => "a command that no server takes",
            LossCause::Cut => "behind the place where the log is to end",
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::aof::repair::{RepairOptions, plan_log};

    #[test]
    fn a_plan_says_what_goes_and_what_is_around_it() {
        let log = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$2\r\nv\r\n\
                    *1\r\n$8\r\nFLUSHALL\r\n*1\r\n$5\r\nMULTI\r\n";
        let text = plan_log(log, &RepairOptions::default().salvage(true)).unwrap().to_string();
        for part in [
            "the log: is written anew, 2 commands (38 bytes) kept, 2 commands (44 bytes) lost",
            "bytes 20 to 49 go: no record can be read there; before them DEL at 0; behind them FLUSHALL \
             at 49; in them SET; keys \"key\"",
            "by \"1\" in place of \"2\" at byte 43, which is no proof",
            "a transaction without its EXEC",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
