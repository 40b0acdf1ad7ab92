//! The list of what was found: all counted, the worst kept.

use crate::aof::check::report::{Finding, Verdict};
use crate::error::{Error, ErrorKind};
use crate::rdb;
use crate::rdb::check::Severity;
use std::collections::BTreeMap;

/// Findings of a whole set.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    most: usize,
    pub(crate) list: Vec<Finding>,
    pub(crate) counts: BTreeMap<&'static str, u64>,
    worst: Option<Severity>,
}

impl Findings {
    pub(crate) fn new(most: usize) -> Findings {
        Findings { most, ..Findings::default() }
    }

    /// Counts a finding, and lists it while there is room or where none was as bad.
    #[cold]
    pub(crate) fn add(
        &mut self,
        code: &'static str,
        severity: Severity,
        make: impl FnOnce() -> Finding,
    ) {
        *self.counts.entry(code).or_default() += 1;
        let worse = Some(severity) > self.worst;
        self.worst = self.worst.max(Some(severity));
        if self.list.len() >= self.most && worse {
            self.list.pop();
        }
        if self.list.len() < self.most {
            self.list.push(make());
        }
    }

    pub(crate) fn found(&self, code: &str) -> bool {
        self.counts.contains_key(code)
    }

    /// Takes over what was found in the RDB that a file begins with.
    pub(crate) fn add_rdb(&mut self, file: &str, report: &rdb::check::Report) {
        for finding in &report.findings {
            self.add(finding.code, finding.severity, || Finding {
                offset: finding.offset,
                db: finding.db,
                key: finding.key.clone(),
                ..Finding::new(finding.code, finding.severity, Some(file), finding.message.clone())
            });
        }
        // Those past its own cap.
        for (code, count) in &report.counts {
            let listed = report.findings.iter().filter(|finding| finding.code == *code).count();
            *self.counts.entry(code).or_default() += count.saturating_sub(listed as u64);
        }
    }

    /// The outcome as far as findings tell that do not bring a verdict of their own.
    pub(crate) fn verdict(&self) -> Verdict {
        match self.worst {
            Some(severity) if severity >= Severity::Problem => Verdict::Findings,
            _ => Verdict::Sound,
        }
    }

    /// The list, the worst kind first, and the counts.
    pub(crate) fn into_parts(mut self) -> (Vec<Finding>, BTreeMap<&'static str, u64>) {
        self.list.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        (self.list, self.counts)
    }
}

impl Finding {
    pub(crate) fn new(
        code: &'static str,
        severity: Severity,
        file: Option<&str>,
        message: String,
    ) -> Finding {
        let file = file.map(str::to_owned);
        Finding { code, severity, file, offset: None, command: None, db: None, key: None, message }
    }

    /// The end of a reading.
    pub(crate) fn of_error(error: &Error, file: &str) -> Finding {
        let severity = match error.kind() {
            ErrorKind::Unsupported | ErrorKind::Limit => Severity::Unreadable,
            _ => Severity::Damage,
        };
        let code = error.fault().map_or("io", |fault| fault.code());
        let offset = error.offset();
        Finding { offset, ..Finding::new(code, severity, Some(file), error.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_past_the_cap_the_first_of_the_worst_stays() {
        let mut findings = Findings::new(2);
        assert_eq!(findings.verdict(), Verdict::Sound);
        let mut add = |code, severity| {
            findings.add(code, severity, || Finding::new(code, severity, None, String::new()));
        };
        add("a", Severity::Note);
        add("b", Severity::Problem);
        add("b", Severity::Problem);
        add("c", Severity::Damage);
        add("d", Severity::Damage);
        assert_eq!(findings.verdict(), Verdict::Findings);
        assert!(findings.found("d") && !findings.found("e"));
        let (list, counts) = findings.into_parts();
        let codes: Vec<_> = list.iter().map(|finding| finding.code).collect();
        assert_eq!((codes, counts["b"], counts["d"]), (vec!["c", "a"], 2, 1));
    }

    #[test]
    fn notes_leave_a_log_sound() {
        let mut findings = Findings::new(0);
        findings.add("a", Severity::Note, || unreachable!("no room"));
        assert_eq!((findings.verdict(), findings.counts["a"]), (Verdict::Sound, 1));
    }
}
