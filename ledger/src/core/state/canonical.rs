//! The one form of a state: everything in it, what is derived included, in an order that says nothing of how it came
//! about. States are equal if and only if these bytes are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{
    super::{
        account::{Account, AccountId},
        claim::{Claim, ClaimId},
        event::Lineage,
        meter::Meter,
        pool::PoolId,
        price::PriceBook,
        waiting::{Ticket, Waiting},
    },
    PeerMark, PoolRecord, Quarantine, State,
    counters::CounterRow,
    floors::{Kept, Key},
    index::Index,
    lookup::Lookup,
};

/// What a state is written as; names and order of the fields are part of the form.
#[derive(Serialize)]
struct Canonical<'a> {
    seq: u64,
    at: Timestamp,
    lineage: Option<&'a Lineage>,
    peer: Option<&'a PeerMark>,
    quarantine: Option<&'a Quarantine>,
    last_claim: u64,
    accounts: &'a OrdMap<AccountId, Arc<Account>>,
    pools: &'a OrdMap<PoolId, Arc<PoolRecord>>,
    books: &'a OrdMap<Timestamp, Arc<PriceBook>>,
    claims: &'a OrdMap<ClaimId, Arc<Claim>>,
    last_ticket: u64,
    waiting: &'a OrdMap<Ticket, Arc<Waiting>>,
    index: Derived<'a>,
}

/// Kind, namespace and name.
type Object<'a> = (&'a str, &'a str, &'a str);

/// The index with names and facts in place of fingerprints and numbers. Where keys are no texts, pairs stand for a map.
#[derive(Serialize)]
struct Derived<'a> {
    by_subject: BTreeMap<&'a str, ClaimId>,
    by_object: Vec<(Object<'a>, ClaimId)>,
    by_account: &'a OrdMap<AccountId, OrdSet<ClaimId>>,
    children: &'a OrdMap<AccountId, BTreeSet<AccountId>>,
    own: OrdMap<&'a AccountId, Vec<CounterRow>>,
    tree: OrdMap<&'a AccountId, Vec<CounterRow>>,
    pools: &'a OrdMap<PoolId, BTreeMap<Meter, u64>>,
    kept: &'a OrdMap<AccountId, Arc<Kept>>,
    kept_in_all: Vec<(&'a Key, &'a u64)>,
    holds: &'a OrdSet<(Timestamp, ClaimId)>,
    waiting_by_subject: &'a OrdMap<String, Ticket>,
}

impl State {
    /// The claims of a lookup, each under its name.
    fn named<'a, N: Ord>(&'a self, lookup: &Lookup, name: impl Fn(&'a Claim) -> N) -> BTreeMap<N, ClaimId> {
        let claims = lookup.all().filter_map(|id| self.claims.get(&id));
        claims.map(|claim| (name(claim), claim.id)).collect()
    }

    fn derived(&self) -> Derived<'_> {
        // All fields by name: one that is added later must find its place here.
        let Index {
            kinds: _,
            by_subject,
            by_object,
            by_account,
            children,
            own,
            tree,
            pools,
            kept,
            kept_in_all,
            holds,
            waiting_by_subject,
        } = &self.index;
        let object = |claim| {
            let Claim { subject, .. }: &Claim = claim;
            (subject.kind.as_str(), subject.namespace.as_str(), subject.name.as_str())
        };
        Derived {
            by_subject: self.named(by_subject, |claim| claim.subject.uid.as_str()),
            by_object: self.named(by_object, object).into_iter().collect(),
            by_account,
            children,
            own: self.index.rows(own),
            tree: self.index.rows(tree),
            pools,
            kept,
            kept_in_all: kept_in_all.iter().collect(),
            holds,
            waiting_by_subject,
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let canonical = Canonical {
            seq: self.seq,
            at: self.at,
            lineage: self.lineage.as_ref(),
            peer: self.peer.as_ref(),
            quarantine: self.quarantine.as_ref(),
            last_claim: self.last_claim,
            accounts: &self.accounts,
            pools: &self.pools,
            books: &self.books,
            claims: &self.claims,
            last_ticket: self.last_ticket,
            waiting: &self.waiting,
            index: self.derived(),
        };
        canonical.serialize(serializer)
    }
}
