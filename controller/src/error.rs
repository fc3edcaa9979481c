//! Why a reconciliation did not end; every kind is a bounded word for metrics and a chain of causes for the log.

use jiyun_ledger::{CommandError, LedgerError};
use jiyun_trail::Unwritable;
use strum::IntoStaticStr;
use thiserror::Error;

use crate::{host::plan::Obstacle, settled::UnreadableEntry, write::WriteError};

/// Why a reconciliation failed. All of these pass: the object is tried again.
#[derive(Debug, Error, IntoStaticStr)]
pub enum ReconcileError {
    /// A changing request to Kubernetes failed.
    #[error("kubernetes did not take a change")]
    Write(#[from] WriteError),
    /// A reading request to Kubernetes failed.
    #[error("{what} could not be read")]
    Read {
        /// What was read.
        what: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// The ledger did not answer, or this replica no longer leads.
    #[error("the ledger did not record it")]
    Ledger(#[from] LedgerError),
    /// What is to be done could not be recorded.
    #[error("the audit trail cannot be written; nothing is changed until it can")]
    Trail(#[from] Unwritable),
    /// A value could not be encoded.
    #[error("a value could not be written as JSON")]
    Encode(#[from] serde_json::Error),
    /// It took too long.
    #[error("it did not end in time; it is begun anew")]
    Timeout,
    /// What is given to whom cannot be understood.
    #[error("no addresses are given out: what is given already cannot be read")]
    Addresses(#[from] UnreadableEntry),
    /// Nobody can be asked who has a volume: its pool or its site cannot be looked up, or its site not be reached.
    #[error("it cannot be found out which machine has it")]
    Holder,
    /// A key pair cannot be made.
    #[error("no key pair is made: the system gave no random numbers")]
    Randomness,
    /// Something is in the way on the engines.
    #[error("the engines are not free yet")]
    Obstacle(#[from] Obstacle),
}

impl ReconcileError {
    /// A failed read of `what`.
    pub fn read(what: impl Into<String>, source: kube::Error) -> Self {
        Self::Read { what: what.into(), source: Box::new(source) }
    }

    /// The reason for metrics.
    pub fn reason(&self) -> &'static str {
        self.into()
    }

    /// What the ledger has against it, where that is the cause: something to tell the object's owner.
    pub fn command(&self) -> Option<&CommandError> {
        match self {
            Self::Ledger(LedgerError::Command(command)) => Some(command),
            _ => None,
        }
    }
}

/// The error and its causes in one line, for logs. kube's errors print their own source, so the walk ends there.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = if next.is::<kube::Error>() { None } else { next.source() };
    }
    text
}
