//! How far a chain has come: what is kept in etcd, and what an auditor keeps elsewhere.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{hash::Digest, writer::Writer};

/// A record and its hash: whoever holds it can tell any chain that is not the one it was taken of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// The number of the last record.
    pub sequence: u64,
    /// Its line's hash.
    pub hash: Digest,
    /// The time in that record, UTC.
    pub at: Timestamp,
}

/// Up to where segments were deleted because they were older than the retention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pruned {
    /// The number of the last record that is gone.
    pub sequence: u64,
    /// The hash of the closing line after it: the next segment's header names it.
    pub hash: Digest,
    /// The latest time of a record that is gone, UTC.
    pub until: Timestamp,
}

/// What is kept elsewhere of one chain, a line of JSON: whoever could change files and etcd alike cannot change this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptHead {
    /// Whose chain.
    pub writer: Writer,
    /// Its head.
    pub head: Head,
    /// Up to where it was pruned then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Pruned>,
}
