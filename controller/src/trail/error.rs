//! Why there is no answer about the trail.

use std::path::PathBuf;

use jiyun_ledger::StoreError as LedgerStoreError;
use jiyun_trail::{
    heads::HeadError,
    store::{StoreError, check::CheckError},
};
use thiserror::Error;

use crate::{book::BookError, serve::ServeError};

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum TrailError {
    /// A certificate or key.
    #[error("etcd cannot be reached; check --ledger-ca, --ledger-cert and --ledger-key")]
    Certificates(#[source] ServeError),
    /// No connection.
    #[error("etcd cannot be used; check --ledger-endpoints and its certificates")]
    Connection(#[from] LedgerStoreError),
    /// The heads.
    #[error("the heads of the trail cannot be read; check that the certificate's user may read /jiyun/trail/")]
    Heads(#[from] HeadError),
    /// The files.
    #[error("the trail's files cannot be read; check --trail-dir")]
    Files(#[from] StoreError),
    /// A verification.
    #[error("the trail cannot be verified")]
    Check(#[from] CheckError),
    /// Nothing there, and nothing that should be.
    #[error("there is no trail in {} and no head of one; check --trail-dir", folder.display())]
    Nothing {
        /// The folder.
        folder: PathBuf,
    },
    /// A file of heads.
    #[error("{} cannot be read", path.display())]
    HeadFile {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A line that is no head.
    #[error("line {line} of {} is no head of a trail, as `jiyun-controller trail head` prints it", path.display())]
    HeadLine {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A file that is written.
    #[error("the answer cannot be written")]
    Answer(#[from] BookError),
    /// An answer that cannot be encoded.
    #[error("the answer cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
}
