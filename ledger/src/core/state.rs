//! What the events lead to: accounts, pools, prices, claims, and counters over them.
//!
//! Everything is in persistent maps: a clone costs a few reference counts and shares structure with its source, so the
//! writer's working copy, the committed state and long-running readers do not wait for one another.

use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use self::{
    index::Index,
    lookup::{of_object, of_uid},
};
use super::{
    account::{Account, AccountId, AccountState},
    claim::{Claim, ClaimId, Subject},
    command::CommandError,
    event::Lineage,
    pool::{Pool, PoolId},
    price::PriceBook,
    waiting::{Ticket, Waiting},
};

mod apply;
mod canonical;
mod check;
mod claims;
pub mod counters;
mod floors;
mod index;
mod kinds;
mod line;
mod lookup;
mod record;
pub mod stock;

pub use apply::ApplyError;
pub use counters::{Amount, CounterRow};
pub(super) use floors::Standing;
pub use index::Discrepancy;
pub use record::{Head, Record, RestoreError};
pub use stock::{PoolRecord, StockVersion};

/// How far the Kubernetes store had come when it was last marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerMark {
    /// Its lineage.
    pub lineage: Lineage,
    /// Its high-water mark.
    pub high_water: u64,
}

/// Why and since when nothing is granted, ended or released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Why, for the operator.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// The account book at one revision.
#[derive(Clone, Debug, Default)]
pub struct State {
    seq: u64,
    at: Timestamp,
    lineage: Option<Lineage>,
    peer: Option<PeerMark>,
    quarantine: Option<Quarantine>,
    last_claim: u64,
    accounts: OrdMap<AccountId, Arc<Account>>,
    pools: OrdMap<PoolId, Arc<PoolRecord>>,
    books: OrdMap<Timestamp, Arc<PriceBook>>,
    claims: OrdMap<ClaimId, Arc<Claim>>,
    last_ticket: u64,
    waiting: OrdMap<Ticket, Arc<Waiting>>,
    index: Index,
}

impl State {
    /// The number of the last entry applied; 0 before the first.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// When the last entry was made.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The book's own lineage; none before it was opened.
    pub const fn lineage(&self) -> Option<&Lineage> {
        self.lineage.as_ref()
    }

    /// How far the Kubernetes store had come.
    pub const fn peer(&self) -> Option<&PeerMark> {
        self.peer.as_ref()
    }

    /// The quarantine in force, if any.
    pub const fn quarantine(&self) -> Option<&Quarantine> {
        self.quarantine.as_ref()
    }

    /// The number the next claim will have.
    pub(super) const fn next_claim(&self) -> ClaimId {
        ClaimId(self.last_claim + 1)
    }

    /// One account.
    pub fn account(&self, id: &AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(id)
    }

    /// All accounts, by name.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// The account and those above it, leaf first.
    pub fn path(&self, id: &AccountId) -> Result<Vec<&Arc<Account>>, CommandError> {
        self.ancestry(Some(id))
    }

    /// The account that keeps `id` from being granted anything new: itself or the first one above it that is closed.
    pub fn closed_on_path(&self, id: &AccountId) -> Option<&AccountId> {
        let path = self.path(id).unwrap_or_default();
        path.into_iter().find(|account| account.state == AccountState::Closed).map(|account| &account.id)
    }

    /// The accounts directly below `id`.
    pub fn children(&self, id: &AccountId) -> impl Iterator<Item = &AccountId> {
        self.index.children.get(id).into_iter().flatten()
    }

    /// One pool as it is now.
    pub fn pool(&self, id: &PoolId) -> Option<&Pool> {
        self.pools.get(id).map(|record| &record.pool)
    }

    /// All pools with their history, by name.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<PoolRecord>> {
        self.pools.values()
    }

    /// How much of `meter` claims take from a pool now.
    pub fn pool_use(&self, pool: &PoolId, meter: super::meter::Meter) -> u64 {
        self.index.pools.get(pool).and_then(|meters| meters.get(&meter)).copied().unwrap_or(0)
    }

    /// One claim, open or released.
    pub fn claim(&self, id: ClaimId) -> Option<&Arc<Claim>> {
        self.claims.get(&id)
    }

    /// All claims, open and released, by number.
    pub fn claims(&self) -> impl Iterator<Item = &Arc<Claim>> {
        self.claims.values()
    }

    /// All claims an account ever had, by number.
    pub fn claims_of(&self, account: &AccountId) -> impl Iterator<Item = &Arc<Claim>> {
        self.index.by_account.get(account).into_iter().flatten().filter_map(|id| self.claims.get(id))
    }

    /// Claims this account holds now: not those it handed over.
    pub fn open_claims_of(&self, account: &AccountId) -> impl Iterator<Item = &Arc<Claim>> {
        self.claims_of(account).filter(move |claim| claim.is_open() && claim.account == *account)
    }

    /// The open claim of the object with this UID.
    pub fn claim_of_subject(&self, uid: &str) -> Option<&Arc<Claim>> {
        let mut may_be_it = self.index.by_subject.claims(of_uid(uid)).filter_map(|id| self.claims.get(&id));
        may_be_it.find(|claim| claim.subject.uid == uid)
    }

    /// Requests that wait for room, first come first.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values().map(Arc::as_ref)
    }

    /// Whether anybody waits for room: mostly not, and then there is nobody to give way to.
    pub(super) fn somebody_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The request of the object with this UID that waits.
    pub fn waiting_of(&self, uid: &str) -> Option<&Waiting> {
        self.index.waiting_by_subject.get(uid).and_then(|ticket| self.waiting.get(ticket)).map(Arc::as_ref)
    }

    /// The place the next request in line will have.
    pub(super) const fn next_ticket(&self) -> Ticket {
        Ticket(self.last_ticket + 1)
    }

    /// Claims whose hold ends at `at` or before, the first to end first.
    pub fn holds_ended_by(&self, at: Timestamp) -> impl Iterator<Item = ClaimId> {
        self.holds().take_while(move |(until, _)| *until <= at).map(|(_, claim)| claim)
    }

    /// Open claims with a hold and its deadline, the earliest first.
    pub(crate) fn holds(&self) -> impl Iterator<Item = (Timestamp, ClaimId)> {
        self.index.holds.iter().copied()
    }

    /// When the next hold ends.
    pub fn next_hold_end(&self) -> Option<Timestamp> {
        self.index.holds.get_min().map(|(until, _)| *until)
    }

    /// The open claim of the object called so; the object may be another one by now (another UID).
    pub fn claim_of_object(&self, kind: &str, namespace: &str, name: &str) -> Option<&Arc<Claim>> {
        let is_it = |Subject { kind: of, namespace: within, name: called, .. }: &Subject| {
            (of.as_str(), within.as_str(), called.as_str()) == (kind, namespace, name)
        };
        let mut may_be_it = self.index.by_object.claims(of_object(kind, namespace, name));
        may_be_it.find_map(|id| self.claims.get(&id).filter(|claim| is_it(&claim.subject)))
    }

    /// What an account itself holds and uses, by meter and dimensions.
    pub fn own_use(&self, account: &AccountId) -> Vec<CounterRow> {
        self.index.own.get(account).map(|counters| counters.rows(&self.index.kinds)).unwrap_or_default()
    }

    /// What an account and all below it hold and use, by meter and dimensions.
    pub fn tree_use(&self, account: &AccountId) -> Vec<CounterRow> {
        self.index.tree.get(account).map(|counters| counters.rows(&self.index.kinds)).unwrap_or_default()
    }

    /// What an account and all below it hold and use of `meter`, where `selector` matches.
    pub fn tree_total(
        &self,
        account: &AccountId,
        meter: super::meter::Meter,
        selector: &super::dimensions::Dimensions,
    ) -> Amount {
        self.load(account).used(meter, selector)
    }

    /// The price book in force at a moment.
    pub fn book_at(&self, at: Timestamp) -> Option<&Arc<PriceBook>> {
        self.books.get_prev(&at).map(|(_, book)| book)
    }

    /// All price books, in the order they come into force.
    pub fn books(&self) -> impl Iterator<Item = &Arc<PriceBook>> {
        self.books.values()
    }

    /// The whole state, counters included, in one form: two states are equal if and only if these bytes are.
    pub fn canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// SHA-256 of [`State::canonical`], in hex.
    pub fn digest(&self) -> Result<String, serde_json::Error> {
        let mut hash = Sha256::new();
        serde_json::to_writer(&mut hash, self)?;
        Ok(hex::encode(hash.finalize()))
    }

    /// Counts everything again from the claims and compares; empty when the counters are right.
    pub fn verify(&self) -> Vec<Discrepancy> {
        match Index::rebuild(self) {
            Ok(fresh) => self.index.compare(&fresh),
            Err(error) => vec![Discrepancy { what: "index", detail: error.to_string() }],
        }
    }
}
