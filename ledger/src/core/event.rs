//! What the book records: entries of events, each entry one key of the store.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::{Account, AccountId},
    claim::{Claim, ClaimId, Hold, Line, Subject},
    pool::Pool,
    price::PriceBook,
    request::ClaimRequest,
    waiting::{Ticket, Unqueued},
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
        claim: Arc<Claim>,
    },
    /// A claim that the book had lost was booked again, by an operator in quarantine: nothing was decided.
    ClaimAdopted {
        /// As it is from now on.
        claim: Arc<Claim>,
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
        approved_spec: Arc<serde_json::Value>,
    },
    /// Capacity for a change of a claim was set aside until a deadline, in place of an earlier hold.
    HoldPlaced {
        /// Which.
        claim: ClaimId,
        /// What for, and until when.
        hold: Box<Hold>,
        /// What it sets aside on top of the claim's lines.
        held: Vec<Line>,
    },
    /// What was held is granted.
    HoldConfirmed {
        /// Which.
        claim: ClaimId,
    },
    /// What was held is free again. A claim that was nothing but a hold is released with it.
    HoldEnded {
        /// Which.
        claim: ClaimId,
        /// Why.
        why: HoldEnd,
    },
    /// A request waits for room in the pools.
    RequestQueued {
        /// Its place: lower numbers came first.
        ticket: Ticket,
        /// What is asked for.
        request: Box<ClaimRequest>,
    },
    /// Requests that waited were passed by a later one.
    RequestsOvertaken {
        /// Which.
        tickets: Vec<Ticket>,
    },
    /// A request waits no more.
    RequestUnqueued {
        /// Which.
        ticket: Ticket,
        /// Why.
        why: Unqueued,
    },
    /// A claim belongs to another account or system from now on; nothing moved.
    ClaimTransferred {
        /// Which.
        claim: ClaimId,
        /// The account from now on.
        account: AccountId,
        /// The system from now on.
        system: String,
        /// The object from now on.
        subject: Box<Subject>,
        /// Where its engine objects lie: they stay.
        engine_namespace: String,
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

/// Why a hold ended without a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum HoldEnd {
    /// Its deadline passed.
    Expired,
    /// Whoever asked gave it up, or it was refused.
    Withdrawn,
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
