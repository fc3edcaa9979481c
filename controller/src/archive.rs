//! `ledger archive`, `ledger archived`, `ledger import`: the book in files.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use jiyun_ledger::{
    ArchiveError, Campaign, ElectionError, StoreError, archive, export, import, note_exported,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    args::{Archive, ArchiveFile},
    input::Input,
    serve::{ServeError, ledger_config},
};

/// How long an import waits for another leader to go: the lease of one that crashed, twice over.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why it was not done.
#[derive(Debug, Error)]
pub enum ArchivingError {
    /// A certificate cannot be read.
    #[error("the ledger's etcd cannot be reached as configured")]
    Configuration(#[from] ServeError),
    /// etcd cannot be reached.
    #[error("the ledger's etcd cannot be used; check --ledger-endpoints and its certificates")]
    Store(#[from] StoreError),
    /// The file.
    #[error("{} cannot be opened or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The archive or the ledger.
    #[error("{}: not done", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: ArchiveError,
    },
    /// There is no election.
    #[error("the election failed")]
    Election(#[from] ElectionError),
    /// An operator runs.
    #[error("another process leads the ledger; stop every controller first")]
    Led,
}

/// Says that an archive is kept somewhere safe.
///
/// # Errors
/// See [`ArchivingError`]; nothing was changed then.
pub async fn note(file: &ArchiveFile) -> Result<(), ArchivingError> {
    let path = &file.path;
    let source = open(path)?.again().map_err(|source| ArchivingError::File { path: path.clone(), source })?;
    let receipt = archive::sealed(source).map_err(|source| refused(path, source))?;
    let store = EtcdStore::new(ledger_config(&file.ledger)?.connect().await?, DEFAULT_PREFIX);
    note_exported(&store, &receipt).await.map_err(|source| refused(path, source))?;
    tracing::info!(first = receipt.first, last = receipt.last, chain = %receipt.chain, "noted as archived");
    Ok(())
}

/// Writes an archive into an empty ledger.
///
/// # Errors
/// See [`ArchivingError`]; it can be run again.
pub async fn read(file: &ArchiveFile) -> Result<(), ArchivingError> {
    let path = &file.path;
    let input = open(path)?;
    let client = ledger_config(&file.ledger)?.connect().await?;
    let store = EtcdStore::new(client.clone(), DEFAULT_PREFIX);
    let withdraw = CancellationToken::new();
    let campaign = Campaign::new(DEFAULT_PREFIX, "ledger-import");
    let leadership = tokio::time::timeout(PATIENCE, campaign.win(&client, &withdraw)).await;
    let leadership = leadership.map_err(|_| ArchivingError::Led)??;
    let gone = leadership.lost();
    let imported = Box::pin(import(&store, leadership.fence(), &gone, || input.again())).await;
    leadership.resign().await;
    let imported = imported.map_err(|source| refused(path, source))?;
    let (last, resumed, sealed) = (imported.last, imported.resumed, imported.sealed);
    tracing::info!(last, resumed, sealed, digest = imported.digest, chain = %imported.chain, "imported");
    Ok(())
}

fn open(path: &Path) -> Result<Input, ArchivingError> {
    Input::open(path).map_err(|source| ArchivingError::File { path: path.to_owned(), source })
}

/// Writes an archive, under another name first, so that a file of this name is whole; or to standard output, where its trailer
/// shows that it is.
///
/// # Errors
/// See [`ArchivingError`].
pub async fn write(flags: &Archive) -> Result<(), ArchivingError> {
    let Archive { file, first, last } = flags;
    let path = &file.path;
    let failed = |source| ArchivingError::File { path: path.clone(), source };
    let is_file = path != Path::new("-");
    if is_file && path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let store = EtcdStore::new(ledger_config(&file.ledger)?.connect().await?, DEFAULT_PREFIX);
    if !is_file {
        let mut out = BufWriter::new(io::stdout());
        let receipt = export(&store, *first, *last, &mut out).await.map_err(|source| refused(path, source))?;
        out.flush().map_err(failed)?;
        tracing::info!(first = receipt.first, last = receipt.last, chain = %receipt.chain, "archived");
        return Ok(());
    }
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let mut out = BufWriter::new(File::create(&part).map_err(failed)?);
    let receipt = export(&store, *first, *last, &mut out).await.map_err(|source| refused(path, source))?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    fs::rename(&part, path).map_err(failed)?;
    tracing::info!(first = receipt.first, last = receipt.last, chain = %receipt.chain, "archived");
    Ok(())
}

fn refused(path: &Path, source: ArchiveError) -> ArchivingError {
    ArchivingError::Archive { path: path.to_owned(), source }
}
