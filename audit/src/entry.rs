//! Entries and events as they are read: only what is checked, anything else is passed over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::{kind::Kind, meter::Meter};

/// One line of the stream; its events are read one by one, so that one that cannot be read hides no other.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) epoch: i64,
    pub(crate) events: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    Opened { peer_lineage: String },
    AccountSet { account: Account },
    PoolSet { pool: Pool },
    PricesSet { book: PriceBook },
    ClaimGranted { claim: Box<Granted> },
    ClaimAdopted { claim: Box<Granted> },
    ClaimAmended { claim: u64, lines: Vec<Line>, spec_digest: String },
    HoldPlaced { claim: u64, hold: Hold, held: Vec<Line> },
    HoldConfirmed { claim: u64 },
    HoldEnded { claim: u64, why: String },
    RequestQueued { ticket: u64, request: Box<Request> },
    RequestsOvertaken { tickets: Vec<u64> },
    RequestUnqueued { ticket: u64 },
    ClaimTransferred { claim: u64, account: String, subject: Subject },
    ClaimBillable { claim: u64 },
    ClaimEnding { claim: u64 },
    ClaimReleased { claim: u64 },
    ClaimRebound { claim: u64, uid: String },
    PeerMarked { lineage: String, high_water: u64 },
    Quarantined { reason: String },
    QuarantineLifted {},
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) parent: Option<String>,
    #[serde(default)]
    pub(crate) limits: Vec<Limit>,
    #[serde(default = "open")]
    pub(crate) state: String,
}

fn open() -> String {
    "Open".to_owned()
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limit {
    pub(crate) meter: Meter,
    #[serde(default)]
    pub(crate) dimensions: Kind,
    #[serde(default, rename = "limit")]
    pub(crate) ceiling: Option<u64>,
    #[serde(default)]
    pub(crate) guaranteed: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pool {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) site: String,
    pub(crate) zones: BTreeSet<String>,
    #[serde(default)]
    pub(crate) architecture: Option<String>,
    #[serde(default)]
    pub(crate) tier: Option<String>,
    pub(crate) max_protection_level: u8,
    pub(crate) capacity: BTreeMap<Meter, u64>,
    #[serde(default)]
    pub(crate) overcommit_percent: BTreeMap<Meter, u32>,
    #[serde(default)]
    pub(crate) reserve: BTreeMap<Meter, u64>,
    #[serde(default = "open")]
    pub(crate) state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PriceBook {
    pub(crate) id: String,
    pub(crate) valid_from: Timestamp,
    pub(crate) rates: Vec<Rate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Rate {
    pub(crate) meter: Meter,
    #[serde(default)]
    pub(crate) dimensions: Kind,
    pub(crate) unit: String,
    pub(crate) price: Decimal,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted {
    pub(crate) id: u64,
    pub(crate) account: String,
    pub(crate) subject: Subject,
    pub(crate) lines: Vec<Line>,
    #[serde(default)]
    pub(crate) held: Vec<Line>,
    #[serde(default)]
    pub(crate) hold: Option<Hold>,
    #[serde(default)]
    pub(crate) spec_digest: String,
    pub(crate) reserved_at: Timestamp,
    #[serde(default)]
    pub(crate) billable_from: Option<Timestamp>,
    #[serde(default)]
    pub(crate) billable_until: Option<Timestamp>,
    #[serde(default)]
    pub(crate) released_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) history: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Subject {
    #[serde(default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) namespace: String,
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) uid: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) meter: Meter,
    pub(crate) pool: String,
    #[serde(default)]
    pub(crate) dimensions: Kind,
    pub(crate) quantity: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hold {
    pub(crate) until: Timestamp,
    pub(crate) lines: Vec<Line>,
    #[serde(default)]
    pub(crate) spec_digest: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) subject: Subject,
    pub(crate) zone: String,
    pub(crate) protection_level: u8,
    pub(crate) placements: Vec<Placement>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Placement {
    pub(crate) pool_kind: String,
    #[serde(default)]
    pub(crate) architecture: Option<String>,
    #[serde(default)]
    pub(crate) tier: Option<String>,
    #[serde(default)]
    pub(crate) site: Option<String>,
    #[serde(default)]
    pub(crate) pool: Option<String>,
    pub(crate) quantities: BTreeMap<Meter, u64>,
}
