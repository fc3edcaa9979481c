//! `jiyun-controller ledger`: exports the account book, verifies it, explains what it says, and brings it back.

mod compare;
mod explain;
pub(crate) mod export;
mod read;
pub(crate) mod table;
mod users;
mod verify;

use std::{path::PathBuf, process::ExitCode};

use jiyun_ledger::{ApplyError, StoreError};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    adopt::{self, AdoptError},
    archive::{self, ArchivingError},
    args::LedgerCommand,
    error::chain,
    serve::{ServeError, stop_on_signal},
};

/// The exit code when there are findings.
const FINDINGS: u8 = 1;
/// The exit code when there is no answer.
const NO_ANSWER: u8 = 2;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum BookError {
    /// A certificate or key.
    #[error("the ledger's etcd cannot be reached; check --ledger-ca, --ledger-cert and --ledger-key")]
    Certificates(#[source] ServeError),
    /// etcd.
    #[error(
        "the book cannot be read; check --ledger-endpoints, and that the certificate's user may read /jiyun/ledger/"
    )]
    Store(#[from] StoreError),
    /// etcd's users.
    #[error(
        "etcd did not make the users; check --ledger-endpoints, and that --ledger-cert is the user root's (its common name)"
    )]
    Users(#[source] etcd_client::Error),
    /// A file.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        what: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Nothing there.
    #[error("the book has no entry from {from} on; its last is {last}")]
    NoEntry {
        /// The first that was asked for.
        from: u64,
        /// The last there is.
        last: u64,
    },
    /// A part of a book.
    #[error("the input begins with entry {first}; export the book from entry 1 on (without --from)")]
    NotFromTheBeginning {
        /// Its first entry.
        first: u64,
    },
    /// Not `SEQ:FINGERPRINT`.
    #[error("--expect {text:?} is not an entry and its fingerprint, as in 1200:9f86d0..., 64 hexadecimal digits")]
    Expect {
        /// What was given.
        text: String,
    },
    /// An entry that is none.
    #[error("line {line} is no entry of a book; `jiyun-controller ledger verify` tells more")]
    Line {
        /// Which, from 1.
        line: usize,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// Entries that contradict each other.
    #[error("the entries do not make a book; `jiyun-controller ledger verify` tells where")]
    Apply(#[from] ApplyError),
    /// No such account.
    #[error("account {account:?} is not in the book at entry {revision}{near}")]
    UnknownAccount {
        /// What was asked for.
        account: String,
        /// The entry.
        revision: u64,
        /// Names that are alike.
        near: String,
    },
    /// An archive was not written, noted or read.
    #[error("the archive was not dealt with")]
    Archive(#[from] ArchivingError),
    /// Nothing could tell it to stop.
    #[error("it would not notice when it is told to stop")]
    Hold(#[source] ServeError),
    /// The two stores were not brought together.
    #[error("the stores were not brought together")]
    Adopt(#[from] Box<AdoptError>),
    /// Before the book.
    #[error("the book begins at {begins}; choose a later moment or revision")]
    BeforeTheBook {
        /// Its first moment.
        begins: String,
    },
    /// An answer that cannot be encoded.
    #[error("the answer cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
}

/// Does what was asked, answers on standard output, and complains on standard error.
pub async fn run(command: &LedgerCommand) -> ExitCode {
    let done = match command {
        LedgerCommand::Export(arguments) => export::run(arguments).await.map(|()| ExitCode::SUCCESS),
        LedgerCommand::Verify(arguments) => verify::run(arguments).await,
        LedgerCommand::Explain(arguments) => explain::run(arguments).await.map(|()| ExitCode::SUCCESS),
        LedgerCommand::Archive(flags) => {
            archive::write(flags).await.map(|()| ExitCode::SUCCESS).map_err(BookError::from)
        }
        LedgerCommand::Archived(file) => archive::note(file).await.map(|()| ExitCode::SUCCESS).map_err(BookError::from),
        LedgerCommand::Import(file) => {
            Box::pin(archive::read(file)).await.map(|()| ExitCode::SUCCESS).map_err(BookError::from)
        }
        LedgerCommand::Users(arguments) => users::run(arguments).await.map(|()| ExitCode::SUCCESS),
        LedgerCommand::Hold => hold().await,
        LedgerCommand::Adopt(arguments) => {
            Box::pin(adopt::run(arguments)).await.map_err(|error| BookError::Adopt(Box::new(error)))
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {}", chain(&error));
        ExitCode::from(NO_ANSWER)
    })
}

/// Stands ready until it is told to stop.
async fn hold() -> Result<ExitCode, BookError> {
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone()).map_err(BookError::Hold)?;
    stop.cancelled().await;
    Ok(ExitCode::SUCCESS)
}

/// Writes an answer to standard output. Whoever closes the pipe has read enough.
pub(crate) fn answer(text: &str) -> Result<(), BookError> {
    use std::io::Write;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(BookError::File { path: "standard output".into(), what: "written", source })
        }
        _ => Ok(()),
    }
}
