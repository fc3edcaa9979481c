//! Segments in files: `<folder>/<writer>/<number of the first record, 20 digits>.jsonl`, appended to by one process.
//!
//! Nothing here waits: the calls are short and blocking, and whoever has a runtime puts them on a thread of their own.

use std::{io, path::Path, path::PathBuf, sync::Arc};

use crate::core::writer::Writer;

pub mod check;
mod cursor;
pub mod disk;
mod end;
pub mod folder;
pub mod gap;
pub mod journal;
pub mod limits;
mod lines;
pub mod lock;
pub mod prune;
pub mod query;
mod recover;
pub mod rows;

pub use cursor::Cursor;

/// A file could not be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The system said no.
    #[error("{} cannot be {what}", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What was to be done with it, as a participle: `read`, `written`.
        what: &'static str,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// Two processes of one name.
    #[error("another process writes the trail of {writer}; every process needs a writer name of its own")]
    Locked {
        /// The name.
        writer: Writer,
    },
    /// A line that cannot be read.
    #[error("line {line} of {} is damaged; `jiyun-controller trail verify` tells more", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A record that is no JSON: a fault of this program.
    #[error("a record cannot be written as JSON")]
    Encode(#[source] Arc<serde_json::Error>),
}

impl StoreError {
    pub(crate) fn file(path: &Path, what: &'static str, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), what, source: Arc::new(source) }
    }

    pub(crate) fn encode(source: serde_json::Error) -> Self {
        Self::Encode(Arc::new(source))
    }

    /// Whether the file was not there.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
