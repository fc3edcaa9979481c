//! The audit trail's files, read: all chains that lie in the folder, those of other programs too.

use std::{path::PathBuf, sync::Arc};

use jiyun_trail::store::{StoreError, query::Query, rows};
use tokio::sync::Semaphore;

/// Pages read at once: each may look at 200,000 lines, which takes a core about a second.
const AT_ONCE: usize = 2;

/// Why a page could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// This program was not told of any.
    #[error("no audit trail is kept: --trail-dir is not given")]
    None,
    /// The files.
    #[error("the audit trail cannot be read")]
    Files(#[from] StoreError),
    /// The program is ending, or has a fault.
    #[error("reading the audit trail was broken off")]
    BrokenOff,
}

/// Reads records; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Records(Option<Files>);

#[derive(Clone, Debug)]
struct Files {
    folder: Arc<PathBuf>,
    places: Arc<Semaphore>,
}

impl Records {
    /// Of the chains in `folder`.
    pub fn of(folder: PathBuf) -> Self {
        Self(Some(Files { folder: Arc::new(folder), places: Arc::new(Semaphore::new(AT_ONCE)) }))
    }

    /// A page of at most `limit` records.
    ///
    /// # Errors
    /// When there are no files, or they cannot be read.
    pub async fn page(&self, query: Query, limit: u32) -> Result<rows::Page, RecordsError> {
        let Some(Files { folder, places }) = self.0.clone() else { return Err(RecordsError::None) };
        let place = places.acquire_owned().await.map_err(|_| RecordsError::BrokenOff)?;
        // The place is given back when the files are read, even if nobody waits for the page any more.
        let reading = tokio::task::spawn_blocking(move || {
            let _place = place;
            rows::page(&folder, query, usize::try_from(limit).unwrap_or(usize::MAX))
        });
        Ok(reading.await.map_err(|_| RecordsError::BrokenOff)??)
    }
}
