//! The book outside the store: entries as JSON Lines, between a header and a trailer that make any gap or edit known.
//!
//! The header is `{"archive":{"format":1,"lineage":...,"first":...,"previous":...}}`, the trailer
//! `{"end":{"last":...,"chain":...}}`, and every line between is one entry. The chain is a running SHA-256 over all
//! entries from the first: an archive that goes on where another ended begins with the chain that one ended with, so
//! archives may be joined by putting them one after the other. Plain entries without header and trailer are read too;
//! then nothing tells that the end was cut off.

use std::{io, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    core::{event::Lineage, state::ApplyError},
    store::{EditError, StoreError},
};

mod chain;
mod export;
mod import;
mod reader;

pub use chain::Chain;
pub use export::{export, note_exported};
pub(crate) use import::under_way;
pub use import::{Imported, import};
pub use reader::{Reader, Summary, sealed, verify};

/// The form described above.
const FORMAT: u32 = 1;

/// What an archive holds, and proof of it: what its trailer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The book's lineage.
    pub lineage: Lineage,
    /// The first entry.
    pub first: u64,
    /// The chain before the first entry.
    pub previous: Chain,
    /// The last entry.
    pub last: u64,
    /// The chain after the last entry.
    pub chain: Chain,
}

/// A line of an archive that is no entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Frame {
    Archive { format: u32, lineage: Lineage, first: u64, previous: Chain },
    End { last: u64, chain: Chain },
}

/// Whether a line is a header or trailer.
pub fn is_frame(line: &str) -> bool {
    serde_json::from_str::<Frame>(line).is_ok()
}

/// Why an archive cannot be written, read or imported.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file.
    #[error("the archive cannot be read or written")]
    Io(#[source] Arc<io::Error>),
    /// A line is neither an entry nor a header nor a trailer.
    #[error("line {line} of the archive is no entry")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// An entry cannot be written down.
    #[error("an entry cannot be written down")]
    Encode(#[source] Arc<serde_json::Error>),
    /// Written in a form this program does not know.
    #[error("the archive has format {format}, this program reads {FORMAT}")]
    Format {
        /// Its form.
        format: u32,
    },
    /// An entry is missing, comes twice or is out of order.
    #[error("line {line} of the archive holds entry {found} where entry {expected} belongs")]
    Gap {
        /// Where.
        line: u64,
        /// What belongs there.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// The trailer or the next header does not fit what came before.
    #[error("the archive was changed: its seal at line {line} does not fit the entries before it")]
    Broken {
        /// Where.
        line: u64,
    },
    /// A header has no trailer.
    #[error("the archive ends after entry {last} without its trailer: the end was cut off")]
    Truncated {
        /// The last entry there is.
        last: u64,
    },
    /// An entry stands outside header and trailer.
    #[error("entry {seq} of the archive is not sealed: it stands between no header and trailer")]
    Unsealed {
        /// Which.
        seq: u64,
    },
    /// There is no entry in it.
    #[error("the archive holds no entry")]
    Empty,
    /// It begins later than the book; the archives before it are needed too.
    #[error("the archive begins with entry {first}; put the archives before it in front")]
    NotFromTheStart {
        /// Its first entry.
        first: u64,
    },
    /// Its first entry does not open a book.
    #[error("the archive's first entry does not open a book")]
    NotOpened,
    /// Its entries make no book.
    #[error("the archive's entries contradict each other")]
    Apply(#[from] ApplyError),
    /// There is nothing to export.
    #[error("the ledger holds no entry from {first} on")]
    Nothing {
        /// From where on.
        first: u64,
    },
    /// There is a book already.
    #[error("the ledger is not empty; an archive is imported into an empty store only")]
    NotEmpty,
    /// Another archive is being imported.
    #[error("the import of another archive was begun here and not finished; finish it or empty the store")]
    OtherImport,
    /// The store holds something else under this number.
    #[error("entry {seq} of the store is not the archive's")]
    Differs {
        /// Which.
        seq: u64,
    },
    /// What was imported is not what the archive leads to.
    #[error("the imported book differs from the archive; empty the store and import again")]
    Digest,
    /// It is no seal of this book.
    #[error("the receipt is of another book or does not follow the one before it")]
    Receipt,
    /// Another process leads, or leadership ended on the way.
    #[error("the ledger is led by another process; this one must stop")]
    Fenced,
    /// The store did not answer or refused.
    #[error("the ledger's store failed")]
    Store(#[from] StoreError),
    /// The store did not confirm a note.
    #[error("the ledger's store did not take a note")]
    Edit(#[from] EditError),
}

impl From<io::Error> for ArchiveError {
    fn from(source: io::Error) -> Self {
        Self::Io(Arc::new(source))
    }
}
