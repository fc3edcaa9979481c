//! Snapshots: the state after some entry, beside the entries, so that a start need not read them all.
//!
//! A snapshot is a folder of notes, `snapshots/<seq, 20 digits>/`: the parts, numbered, and the manifest, written last.
//! Without its manifest it is none. The parts, joined, are gzip over one JSON record a line.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    core::{
        event::{Entry, Lineage},
        state::RestoreError,
    },
    store::{EditError, StoreError},
};

mod encode;
mod load;
mod take;

pub(crate) use load::{Loaded, listed, load, newest, unfinished};
pub(crate) use take::take;

/// The form described above. A program that knows another one only passes the snapshot over.
const FORMAT: u32 = 1;
/// The most bytes of a part: etcd refuses requests above 1.5 MiB (`server/embed/config.go`, `DefaultMaxRequestBytes`).
pub const MAX_PART_BYTES: usize = 1024 * 1024;
const FOLDER: &str = "snapshots/";

/// What a snapshot is, written once all of it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The form of the parts.
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The last entry in it.
    pub seq: u64,
    /// That entry's time.
    pub at: Timestamp,
    /// The book's lineage.
    pub lineage: Lineage,
    /// SHA-256 of that entry, in hex: a snapshot of another stream is told by it.
    pub entry: String,
    /// How many parts.
    pub parts: u32,
    /// Their bytes together.
    pub bytes: u64,
    /// SHA-256 of the records before they were packed, in hex.
    pub records: String,
    /// The state's digest, in hex. What is derived is part of it, so only the same version of the program compares it.
    pub state: String,
}

/// When snapshots are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// After so many entries.
    pub entries: u64,
    /// After so many bytes of entries.
    pub bytes: u64,
    /// Bytes of a part, at most [`MAX_PART_BYTES`].
    pub part_bytes: usize,
}

impl Default for SnapshotOptions {
    /// 10,000 entries or 32 MiB: what a start reads in a second or two.
    fn default() -> Self {
        Self { entries: 10_000, bytes: 32 * 1024 * 1024, part_bytes: MAX_PART_BYTES }
    }
}

/// Why there is no snapshot, or none that can be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store did not answer.
    #[error("the snapshot cannot be read or written")]
    Store(#[from] StoreError),
    /// It was not written.
    #[error("the snapshot cannot be written")]
    Edit(#[from] EditError),
    /// It was begun and never finished.
    #[error("the snapshot of entry {seq} was not finished")]
    Unfinished {
        /// Of which entry.
        seq: u64,
    },
    /// A part is not there.
    #[error("the snapshot of entry {seq} lacks part {part}")]
    Missing {
        /// Of which entry.
        seq: u64,
        /// Which part.
        part: u32,
    },
    /// Written in a form this program does not know.
    #[error("the snapshot of entry {seq} has format {format}, this program reads {FORMAT}")]
    Format {
        /// Of which entry.
        seq: u64,
        /// Its form.
        format: u32,
    },
    /// What is there is not what was written.
    #[error("the snapshot of entry {seq} is damaged: {what} differs")]
    Damaged {
        /// Of which entry.
        seq: u64,
        /// What differs.
        what: &'static str,
    },
    /// It cannot be unpacked or packed.
    #[error("the snapshot of entry {seq} cannot be packed or unpacked")]
    Packing {
        /// Of which entry.
        seq: u64,
        /// Why.
        #[source]
        source: std::sync::Arc<std::io::Error>,
    },
    /// A record is none.
    #[error("a record of a snapshot cannot be read or written")]
    Record(#[source] std::sync::Arc<serde_json::Error>),
    /// Its records make no state.
    #[error("the records of a snapshot make no state")]
    Restore(#[from] RestoreError),
    /// Its entry is not in the stream: the entries were replaced beneath it.
    #[error("entry {seq} of the snapshot is not in the stream")]
    OtherStream {
        /// Of which entry.
        seq: u64,
    },
    /// The book is empty.
    #[error("there is nothing yet to take a snapshot of")]
    Empty,
    /// The process stops.
    #[error("the ledger stopped before the snapshot was finished")]
    Stopped,
}

impl From<serde_json::Error> for SnapshotError {
    fn from(source: serde_json::Error) -> Self {
        Self::Record(std::sync::Arc::new(source))
    }
}

fn folder(seq: u64) -> String {
    format!("{FOLDER}{seq:020}/")
}

fn part_name(seq: u64, part: u32) -> String {
    format!("{}{part:06}", folder(seq))
}

fn manifest_name(seq: u64) -> String {
    format!("{}manifest", folder(seq))
}

fn fingerprint(entry: &Entry) -> Result<String, serde_json::Error> {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    serde_json::to_writer(&mut hash, entry)?;
    Ok(hex::encode(hash.finalize()))
}
