//! What the API server's refusals mean to our caller.

use std::time::Duration;

use super::{Code, Problem, invalid};
use crate::{extract::bearer, store::KubernetesError};

/// When to ask again after the API server did not answer. It restarts within seconds.
const RETRY: Duration = Duration::from_secs(5);

impl Problem {
    /// The problem that `error` is for a caller who asked about `what`. What is forbidden looks like what is missing:
    /// names of others must not be found out by trying.
    pub fn from_kubernetes(error: KubernetesError, what: impl Into<String>) -> Self {
        if let KubernetesError::Unasked(inner) = error {
            // Everybody may ask who they are: a refusal of that is no refusal of what they wanted.
            let known = !inner.is_invisible();
            return if known {
                Self::from_kubernetes(*inner, what)
            } else {
                Self::bare(Code::Internal).because(*inner)
            };
        }
        let what = [("what", what.into())];
        let problem = match &error {
            KubernetesError::Unauthenticated => bearer::refused(),
            KubernetesError::Forbidden(_) | KubernetesError::NotFound(_) => Self::new(Code::NotFound, what),
            KubernetesError::AlreadyExists(_) => Self::new(Code::AlreadyExists, what),
            KubernetesError::Conflict(_) => Self::new(Code::Conflict, what),
            KubernetesError::Gone(_) => Self::bare(Code::ContinueExpired),
            KubernetesError::Invalid(status) => invalid::problem(status),
            KubernetesError::Busy(status) => {
                let named = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
                let wait = if named == 0 { RETRY } else { Duration::from_secs(u64::from(named.min(60))) };
                Self::bare(Code::KubernetesUnavailable).retry_after(wait)
            }
            KubernetesError::Unreachable { .. } | KubernetesError::TimedOut { .. } => {
                Self::bare(Code::KubernetesUnavailable).retry_after(RETRY)
            }
            KubernetesError::Unrecorded(_) => Self::bare(Code::AuditUnwritable).retry_after(RETRY),
            KubernetesError::BadRequest(_)
            | KubernetesError::Unasked(_)
            | KubernetesError::Nobody
            | KubernetesError::Decode { .. }
            | KubernetesError::Build { .. }
            | KubernetesError::Address { .. } => Self::bare(Code::Internal),
        };
        problem.because(error)
    }
}
