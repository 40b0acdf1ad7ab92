//! Findings: what was found, and how much it weighs.

use crate::live::preflight::clock::skew;
use crate::live::preflight::cost::cost;
use crate::live::preflight::state::{failures, place};
use crate::live::probe::{Probe, ProbeOptions};
use crate::live::settings::Settings;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It may keep a snapshot from working, or cost the server more than expected.
    Warning,
    /// Something fails now, or data would be lost.
    Problem,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// Its stable name.
    pub code: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// One sentence.
    pub message: String,
}

/// What the facts say without any further right; the worst first.
pub(crate) fn preflight(
    probe: &Probe,
    settings: &Settings,
    options: &ProbeOptions,
) -> Vec<Finding> {
    let mut found = Found::default();
    failures(probe, &mut found);
    place(probe, options.most_behind, &mut found);
    cost(probe, settings, &mut found);
    skew(probe.clock.as_ref(), &mut found);
    found.0.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    found.0
}

#[derive(Default)]
pub(super) struct Found(Vec<Finding>);

impl Found {
    pub(super) fn note(&mut self, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Note, code, message.into());
    }

    pub(super) fn warning(&mut self, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Warning, code, message.into());
    }

    pub(super) fn problem(&mut self, code: &'static str, message: impl Into<String>) {
        self.add(Severity::Problem, code, message.into());
    }

    fn add(&mut self, severity: Severity, code: &'static str, message: String) {
        self.0.push(Finding { code, severity, message });
    }

    #[cfg(test)]
    pub(super) fn codes(&self) -> Vec<&'static str> {
        self.0.iter().map(|finding| finding.code).collect()
    }
}

/// Bytes for people, in MiB, upwards.
pub(super) fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
