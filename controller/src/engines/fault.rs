//! Faults of engines: why something does not get on by itself, as one reason for its owner and the engine's own word.

use jiyun_crds::v1alpha1::Reason;

/// What is wrong with something that an engine looks after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it comes to: one of those that [`is_fault`] knows.
    pub reason: Reason,
    /// The engine's one word, or the kind and the status of a request: never its message, which may name nodes and others'
    /// objects, and is for operators.
    pub word: String,
}

impl Fault {
    /// A fault that comes to `reason`.
    pub fn new(reason: Reason, word: impl Into<String>) -> Self {
        Self { reason, word: word.into() }
    }

    /// A fault with no reason of its own: its word is all there is to tell.
    pub fn other(word: impl Into<String>) -> Self {
        Self::new(Reason::EngineError, word)
    }
}

/// Whether a condition with this reason tells of a fault.
pub fn is_fault(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::EngineError
            | Reason::Unschedulable
            | Reason::ImageUnavailable
            | Reason::CrashLoop
            | Reason::NodeLost
            | Reason::SiteUnreachable
            | Reason::EngineMissing
    )
}
