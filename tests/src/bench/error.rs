//! Why something could not be measured.

use std::path::PathBuf;

use jiyun_lab::{LabError, NotInTime};

use super::{audit::AuditError, requests::ReadError};
use crate::{WorldError, faults::FaultError};

/// Why something could not be measured. A missed goal is not among the reasons.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The system under test.
    #[error("the system under test did not work")]
    World(#[source] Box<WorldError>),
    /// The lab.
    #[error("the lab failed")]
    Lab(#[source] Box<LabError>),
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// Kubernetes refused.
    #[error("kubernetes refused")]
    Kubernetes(#[source] Box<kube::Error>),
    /// A request over HTTP did not come through.
    #[error("a request failed")]
    Http(#[from] reqwest::Error),
    /// The audit log cannot be understood.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The API server's figures cannot be understood.
    #[error(transparent)]
    Metrics(#[from] ReadError),
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A figure cannot be written as JSON.
    #[error("a figure cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The API did not take an order.
    #[error("the API answered {status} to the order of host {host}: {text}")]
    Refused {
        /// The host.
        host: String,
        /// Status code.
        status: u16,
        /// The answer's body.
        text: String,
    },
    /// A replayed request was refused, so the replay is not the same work.
    #[error("the API server answered {status} to the replayed {request}: {text}")]
    ReplayRefused {
        /// Method and address.
        request: String,
        /// Status code.
        status: u16,
        /// The answer's body.
        text: String,
    },
    /// A host did not become ready.
    #[error("host {host} was not ready within {seconds} s; last seen: {seen}")]
    NeverReady {
        /// The host.
        host: String,
        /// How long it was given.
        seconds: u64,
        /// Its status then.
        seen: String,
    },
    /// The account book did not take what it should have taken.
    #[error("the account book did not take {what}")]
    Ledger {
        /// What.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is tried with faults does not work without one, or the system was not sound.
    #[error("the system is not as it was without a fault")]
    Fault(#[source] Box<FaultError>),
    /// Nothing was measured.
    #[error("nothing was measured: {0}")]
    Nothing(&'static str),
    /// A task ended in a panic.
    #[error("a task ended unexpectedly")]
    Task(#[from] tokio::task::JoinError),
}

impl From<kube::Error> for BenchError {
    fn from(source: kube::Error) -> Self {
        Self::Kubernetes(Box::new(source))
    }
}

impl From<WorldError> for BenchError {
    fn from(source: WorldError) -> Self {
        Self::World(Box::new(source))
    }
}

impl From<LabError> for BenchError {
    fn from(source: LabError) -> Self {
        Self::Lab(Box::new(source))
    }
}

impl From<FaultError> for BenchError {
    fn from(source: FaultError) -> Self {
        Self::Fault(Box::new(source))
    }
}

impl BenchError {
    /// For `map_err` at the account book or its etcd.
    pub fn ledger<E: std::error::Error + Send + Sync + 'static>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Ledger { what, source: Box::new(source) }
    }

    /// For `map_err` at a file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
