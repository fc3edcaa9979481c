//! `ledger archive`, `ledger archived`, `ledger import`: the book in files.

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write},
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

/// `ledger archived`.
///
/// # Errors
/// When the file is no sealed archive of this ledger.
pub async fn note(file: &ArchiveFile) -> Result<(), ArchivingError> {
    let path = &file.path;
    let source = File::open(path).map_err(|source| ArchivingError::File { path: path.clone(), source })?;
    let receipt = archive::sealed(BufReader::new(source)).map_err(|source| refused(path, source))?;
    let store = EtcdStore::new(ledger_config(&file.ledger)?.connect().await?, DEFAULT_PREFIX);
    note_exported(&store, &receipt).await.map_err(|source| refused(path, source))?;
    eprintln!("entries {} to {} are noted as archived", receipt.first, receipt.last);
    Ok(())
}

/// `ledger import`.
///
/// # Errors
/// When the archive does not hold, or the ledger is not empty or led; it can be run again.
pub async fn read(file: &ArchiveFile) -> Result<(), ArchivingError> {
    let path = &file.path;
    let client = ledger_config(&file.ledger)?.connect().await?;
    let store = EtcdStore::new(client.clone(), DEFAULT_PREFIX);
    let withdraw = CancellationToken::new();
    let campaign = Campaign::new(DEFAULT_PREFIX, "ledger-import");
    let leadership = tokio::time::timeout(PATIENCE, campaign.win(&client, &withdraw)).await;
    let leadership = leadership.map_err(|_| ArchivingError::Led)??;
    let source = || File::open(path).map(BufReader::new);
    let imported = Box::pin(import(&store, leadership.fence(), &leadership.lost(), source)).await;
    leadership.resign().await;
    let imported = imported.map_err(|source| refused(path, source))?;
    eprintln!(
        "imported up to entry {}, {} of them were there; chain {}",
        imported.last, imported.resumed, imported.chain
    );
    if !imported.sealed {
        eprintln!("not all entries stood between header and trailer: whether any are missing at the end is not known");
    }
    Ok(())
}

/// `ledger archive`. Written under another name first, so that a file of this name is whole.
///
/// # Errors
/// When the entries cannot be read or the file cannot be written.
pub async fn write(flags: &Archive) -> Result<(), ArchivingError> {
    let Archive { file: ArchiveFile { path, ledger }, from, to } = flags;
    let failed = |source| ArchivingError::File { path: path.clone(), source };
    if path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let store = EtcdStore::new(ledger_config(ledger)?.connect().await?, DEFAULT_PREFIX);
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let mut out = BufWriter::new(File::create(&part).map_err(failed)?);
    let receipt = export(&store, *from, *to, &mut out).await.map_err(|source| refused(path, source))?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    fs::rename(&part, path).map_err(failed)?;
    eprintln!("entries {} to {} archived; chain {}", receipt.first, receipt.last, receipt.chain);
    Ok(())
}

fn refused(path: &Path, source: ArchiveError) -> ArchivingError {
    ArchivingError::Archive { path: path.to_owned(), source }
}
