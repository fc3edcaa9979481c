//! The book as the entries so far have made it: recounted where an entry touches it, never trusted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    claim::{Claim, Stage, Stretch},
    entry::{Pool, PriceBook},
    kind::{Facts, PlaceNo},
    queue::Waiting,
    tree::Tree,
};

/// A level from a moment on.
pub(crate) type Steps = Vec<(Timestamp, u128)>;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
    pub(crate) epoch: i64,
    pub(crate) opened: bool,
    /// Lineage and mark of the Kubernetes store.
    pub(crate) peer: Option<(String, u64)>,
    pub(crate) quarantine: Option<String>,
    pub(crate) facts: Facts,
    pub(crate) tree: Tree,
    pub(crate) pools: BTreeMap<String, Pool>,
    pub(crate) prices: Vec<PriceBook>,
    pub(crate) claims: BTreeMap<u64, Claim>,
    pub(crate) last_claim: u64,
    /// Open claims with an open hold.
    pub(crate) holding: BTreeSet<u64>,
    /// Open claims by the UID of their object, to find them by.
    pub(crate) by_uid: BTreeMap<String, u64>,
    /// Open claims by kind, namespace and name of their object.
    pub(crate) by_object: BTreeMap<String, u64>,
    pub(crate) waiting: BTreeMap<u64, Waiting>,
    pub(crate) last_ticket: u64,
    /// Whether only the present is kept: neither time nor what is over.
    pub(crate) present_only: bool,
    /// What claims held, stretch by stretch, as far as it is over.
    pub(crate) stretches: Vec<Stretch>,
    /// What was taken at each place, over time: counted from sheets, not from stretches.
    pub(crate) levels: BTreeMap<PlaceNo, Steps>,
    /// The capacity of each place with over-commit, over time.
    pub(crate) gross: BTreeMap<PlaceNo, Steps>,
}

impl Book {
    /// Puts a claim as it is from now on, or takes it away, and counts its account anew.
    pub(crate) fn put(&mut self, id: u64, claim: Option<Claim>) {
        let is = claim.as_ref().map(|claim| claim.account);
        let was = match claim {
            Some(claim) => self.claims.insert(id, claim).map(|claim| claim.account),
            None => self.claims.remove(&id).map(|claim| claim.account),
        };
        let open = self.claims.get(&id).is_some_and(Claim::is_open);
        let mut accounts: Vec<usize> = was.into_iter().chain(is).collect();
        accounts.dedup();
        for account in accounts {
            let Some(node) = self.tree.nodes.get_mut(account) else { continue };
            if open && is == Some(account) {
                node.own.claims.insert(id);
            } else {
                node.own.claims.remove(&id);
            }
            node.own.recount(id, &self.claims);
        }
    }

    /// Closes the stretch a claim has been on and changes it with `edit`; gives it as it was.
    pub(crate) fn turn(&mut self, id: u64, edit: impl FnOnce(&mut Claim)) -> Option<Claim> {
        let before = self.claims.get(&id)?.clone();
        self.end_stretch(&before, self.at);
        let mut after = before.clone();
        edit(&mut after);
        after.since = self.at;
        if before.uid != after.uid || !after.is_open() {
            self.by_uid.remove(&before.uid);
        }
        if before.object != after.object || !after.is_open() {
            self.by_object.remove(&before.object);
        }
        self.note(&after);
        self.put(id, Some(after));
        self.step(before.taken().map(|(fact, _)| *fact).collect());
        self.step_of(id);
        Some(before)
    }

    /// Enters a claim for the first time.
    pub(crate) fn enter(&mut self, claim: Claim) {
        let id = claim.id;
        self.note(&claim);
        self.put(id, Some(claim));
        self.step_of(id);
    }

    fn note(&mut self, claim: &Claim) {
        if claim.is_open() {
            self.by_uid.insert(claim.uid.clone(), claim.id);
            self.by_object.insert(claim.object.clone(), claim.id);
        }
        if claim.is_open() && claim.hold.is_some() {
            self.holding.insert(claim.id);
        } else {
            self.holding.remove(&claim.id);
        }
    }

    /// Notes what `claim` held since it last changed, up to `to`.
    pub(crate) fn end_stretch(&mut self, claim: &Claim, to: Timestamp) {
        if self.present_only {
            return;
        }
        let billable = claim.stage == Stage::Billable;
        let own = claim.lines.iter().map(|line| (line, billable));
        for ((fact, quantity), department) in own.chain(claim.held.iter().map(|line| (line, false))) {
            let Some(place) = self.facts.place_of(*fact).filter(|_| claim.since < to) else { continue };
            let (account, from) = (claim.account, claim.since);
            self.stretches.push(Stretch { account, place, quantity: *quantity, from, to, department });
        }
    }

    fn step_of(&mut self, id: u64) {
        self.step(self.claims.get(&id).into_iter().flat_map(Claim::taken).map(|(fact, _)| *fact).collect());
    }

    /// Notes what is taken from now on at the places of `facts`.
    fn step(&mut self, facts: Vec<usize>) {
        if self.present_only {
            return;
        }
        let mut places: Vec<_> = facts.into_iter().filter_map(|fact| self.facts.place_of(fact)).collect();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let level = self.taken_at(place);
            push_step(self.levels.entry(place).or_default(), self.at, level);
        }
    }

    /// What claims take at a place, in all accounts.
    pub(crate) fn taken_at(&self, place: PlaceNo) -> u128 {
        self.tree.nodes.iter().map(|node| node.own.sheet.at(&self.facts, place)).sum()
    }
}

/// Goes on at `level` from `at`.
pub(crate) fn push_step(steps: &mut Steps, at: Timestamp, level: u128) {
    match steps.last_mut() {
        Some((when, last)) if *when == at => *last = level,
        Some((_, last)) if *last == level => {}
        _ => steps.push((at, level)),
    }
}
