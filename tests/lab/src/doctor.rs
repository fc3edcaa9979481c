//! What this machine can run: each profile's needs held against what the machine has, with what to do about the rest.

mod facts;
mod needs;

pub(crate) use facts::room;
pub use facts::{Facts, Found, Hierarchy, Reading};
pub use needs::examine;

use std::fmt;

/// How one need of a profile is met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Met,
    /// It could not be found out; the lab tries.
    Unknown,
    /// It is not there; the profile cannot run.
    Missing {
        /// What a person does about it.
        remedy: String,
    },
}

/// One need of a profile on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is needed, in a few words.
    pub need: &'static str,
    /// What was seen.
    pub seen: String,
    /// Whether that is enough.
    pub verdict: Verdict,
}

impl Finding {
    /// Whether the profile cannot run because of it.
    pub fn is_missing(&self) -> bool {
        matches!(self.verdict, Verdict::Missing { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { need, seen, verdict } = self;
        match verdict {
            Verdict::Met => write!(f, "ok       {need}: {seen}"),
            Verdict::Unknown => write!(f, "unknown  {need}: {seen}"),
            Verdict::Missing { remedy } => write!(f, "missing  {need}: {seen}; {remedy}"),
        }
    }
}

/// A profile cannot run on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this machine cannot run profile `{profile}` (`jiyun-lab doctor` shows everything):\n{}", lines(missing))]
pub struct CannotRun {
    /// The profile's name.
    pub profile: String,
    /// What is missing.
    pub missing: Vec<Finding>,
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("  {finding}")).collect::<Vec<_>>().join("\n")
}
