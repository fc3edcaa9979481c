//! How it ended.

use serde::{Deserialize, Serialize};

use super::text::bounded;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is")]
pub enum Outcome {
    /// It is about to be done: written before what cannot be undone. What became of it follows; if nothing follows, the
    /// program ended in between and nobody knows.
    Begun,
    /// It was done.
    Succeeded,
    /// It was decided against.
    Refused {
        /// The code of the refusal, as in the catalogue of messages: `ExceedsLimit`, `Forbidden`.
        code: String,
    },
    /// It was to be done and was not, or nobody knows.
    Failed {
        /// What went wrong, without values of the request.
        reason: String,
    },
}

impl Outcome {
    /// Decided against by this code.
    pub fn refused(code: impl Into<String>) -> Self {
        Self::Refused { code: code.into() }
    }

    /// Not done for this reason.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into() }
    }

    /// Cuts every text to its bound.
    pub(crate) fn bound(&mut self) {
        match self {
            Self::Begun | Self::Succeeded => {}
            Self::Refused { code: text } | Self::Failed { reason: text } => bounded(text),
        }
    }
}

impl std::fmt::Display for Outcome {
    /// `Succeeded`, `Refused ExceedsLimit`, `Failed engine is silent`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begun => f.write_str("Begun"),
            Self::Succeeded => f.write_str("Succeeded"),
            Self::Refused { code } => write!(f, "Refused {code}"),
            Self::Failed { reason } => write!(f, "Failed {reason}"),
        }
    }
}
