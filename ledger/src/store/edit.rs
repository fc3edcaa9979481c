//! Changes of what lies beside the stream of entries, and the removal of old entries.

use super::StoreError;

/// One of several changes that are made together. Making the same again is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Only if this note is what it was when it was read; none: there was none.
    Expect {
        /// The note.
        name: String,
        /// What it was.
        value: Option<Vec<u8>>,
    },
    /// A note gets a value.
    Put {
        /// The note.
        name: String,
        /// Its value: at most a mebibyte, for etcd refuses requests above 1.5 MiB.
        value: Vec<u8>,
    },
    /// A note goes.
    Remove {
        /// The note.
        name: String,
    },
    /// All notes of a folder go.
    RemoveFolder {
        /// The folder, with a slash at its end.
        folder: String,
    },
    /// Entries go, from one to another.
    Prune {
        /// The first to go.
        from: u64,
        /// The last to go.
        to: u64,
    },
}

/// Why edits were not made, or perhaps not.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EditError {
    /// Leadership is lost; nothing was changed.
    #[error("the ledger is led by another process; this one must stop")]
    Fenced,
    /// A note is not what it was expected to be; nothing was changed.
    #[error("somebody else changed what lies beside the ledger's entries")]
    Changed,
    /// The store refused, or it is not known whether they were made.
    #[error("the ledger store did not confirm a change beside the entries")]
    Store(#[from] StoreError),
}
