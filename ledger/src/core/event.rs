//! What the book records: entries of events, each entry one key of the store.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::Account,
    claim::{Claim, ClaimId, Line},
    pool::Pool,
    price::PriceBook,
};

/// The identity of a store, made once when it is created; a restored or replaced store is told apart by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub String);

impl Lineage {
    /// The lineage named `id`.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
}

impl std::fmt::Display for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Event {
    /// The book was opened for the first time.
    Opened {
        /// This book's own lineage.
        lineage: Lineage,
        /// The lineage of the Kubernetes store it was opened beside.
        peer_lineage: Lineage,
    },
    /// An account was made or changed.
    AccountSet {
        /// As it is from now on.
        account: Account,
    },
    /// A pool was made or changed.
    PoolSet {
        /// As it is from now on.
        pool: Pool,
    },
    /// A price book was added.
    PricesSet {
        /// The book; it never changes.
        book: PriceBook,
    },
    /// A claim was admitted.
    ClaimGranted {
        /// As admitted.
        claim: Box<Claim>,
    },
    /// A claim was changed; growth was decided, shrinking was not.
    ClaimAmended {
        /// Which.
        claim: ClaimId,
        /// What the statement calls it from now on.
        item: String,
        /// What it holds from now on.
        lines: Vec<Line>,
        /// Digest of the spec decided now.
        spec_digest: String,
        /// The spec decided now.
        approved_spec: serde_json::Value,
    },
    /// A claim was handed over: billing starts.
    ClaimBillable {
        /// Which.
        claim: ClaimId,
    },
    /// A claim's end was decided, before anything is destroyed: billing stops.
    ClaimEnding {
        /// Which.
        claim: ClaimId,
    },
    /// A claim's capacity came back.
    ClaimReleased {
        /// Which.
        claim: ClaimId,
    },
    /// A claim's object was made anew, e.g. by a restore.
    ClaimRebound {
        /// Which.
        claim: ClaimId,
        /// The object's UID from now on.
        uid: String,
    },
    /// How far the Kubernetes store had come.
    PeerMarked {
        /// Its lineage.
        lineage: Lineage,
        /// Its high-water mark; never goes back within one lineage.
        high_water: u64,
    },
    /// Nothing is granted, ended or released until lifted.
    Quarantined {
        /// Why, for the operator.
        reason: String,
    },
    /// An operator put things right.
    QuarantineLifted {
        /// Who.
        by: String,
        /// What was reviewed and done.
        note: String,
    },
}

/// The most bytes an entry may take in the store. etcd refuses requests above 1.5 MiB
/// (`server/embed/config.go`, `DefaultMaxRequestBytes`).
pub const MAX_ENTRY_BYTES: usize = 1024 * 1024;

/// Events that came into force together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number; the first is 1 and none is missing.
    pub seq: u64,
    /// When, in whole seconds UTC; never before the entry ahead of it.
    pub at: Timestamp,
    /// Under which leadership: the create revision of the leader key.
    pub epoch: i64,
    /// What happened, in order.
    pub events: Vec<Event>,
}
