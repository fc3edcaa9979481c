//! What can be derived from accounts and claims and is kept to answer at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

use super::{
    super::{
        account::{Account, AccountId},
        claim::{Claim, ClaimId, ClaimStage, Line, Subject},
        command::CommandError,
        meter::Meter,
        pool::PoolId,
        waiting::Ticket,
    },
    State,
    counters::{Amount, CounterRow, Counters, OutOfRange, Sum},
    floors::{Amounts, Kept},
    kinds::Kinds,
    lookup::{Lookup, of_subject, of_uid},
};

/// Sums by account. Shared, so that a change of one account copies the sums of no other.
pub(super) type Sums = OrdMap<AccountId, Arc<Counters>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// What the kinds in the counters stand for.
    pub(super) kinds: Kinds,
    /// Open claims by the UID of their object.
    pub(super) by_subject: Lookup,
    /// Open claims by kind, namespace and name of their object.
    pub(super) by_object: Lookup,
    /// All claims by account.
    pub(super) by_account: OrdMap<AccountId, OrdSet<ClaimId>>,
    /// Accounts directly below an account.
    pub(super) children: OrdMap<AccountId, BTreeSet<AccountId>>,
    /// What an account itself has.
    pub(super) own: Sums,
    /// What an account and all below it have.
    pub(super) tree: Sums,
    /// What claims take from a pool.
    pub(super) pools: OrdMap<PoolId, BTreeMap<Meter, u64>>,
    /// What is kept free for floors, by account.
    pub(super) kept: OrdMap<AccountId, Arc<Kept>>,
    /// The same in all accounts together.
    pub(super) kept_in_all: Arc<Amounts>,
    /// Claims with an open hold, by its end.
    pub(super) holds: OrdSet<(Timestamp, ClaimId)>,
    /// Requests that wait, by the UID of their object.
    pub(super) waiting_by_subject: OrdMap<String, Ticket>,
}

/// A counter that is not what the claims add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which index.
    pub what: &'static str,
    /// Kept and recounted value.
    pub detail: String,
}

/// What a claim counts as; a released one counts nothing, and what is held on top is held at any stage.
fn counted(claim: &Claim, kinds: &mut Kinds) -> Vec<Sum> {
    let stage = claim.stage();
    if stage == ClaimStage::Released {
        return Vec::new();
    }
    let held = |line: &Line| Amount { held: line.quantity, used: 0 };
    let own = |line: &Line| match stage {
        ClaimStage::Billable | ClaimStage::Ending => Amount { held: 0, used: line.quantity },
        ClaimStage::Held | ClaimStage::Reserved | ClaimStage::Released => held(line),
    };
    let own = claim.lines.iter().map(|line| (line, own(line)));
    let lines = own.chain(claim.held.iter().map(|line| (line, held(line))));
    lines.map(|(line, amount)| Sum { meter: line.meter, kind: kinds.of(line), amount }).collect()
}

impl Index {
    /// Counts what an account (the first of `path`, which leads to the root) has less and more, for all of `path` and in
    /// the pools: the claim as it was and as it is.
    pub(super) fn count<'c>(
        &mut self,
        path: &[AccountId],
        was: Option<&'c Claim>,
        is: Option<&'c Claim>,
    ) -> Result<(), OutOfRange> {
        let mut counted =
            |claim: Option<&Claim>| claim.map(|claim| counted(claim, &mut self.kinds)).unwrap_or_default();
        let (less, more) = (counted(was), counted(is));
        for account in path.iter().take(1) {
            shift(&mut self.own, account, &less, &more)?;
        }
        for account in path {
            shift(&mut self.tree, account, &less, &more)?;
        }
        let taken = |claim: Option<&'c Claim>| claim.filter(|claim| claim.is_open()).into_iter().flat_map(Claim::taken);
        taken(was).try_for_each(|line| self.count_in_pool(line, false))?;
        taken(is).try_for_each(|line| self.count_in_pool(line, true))
    }

    fn count_in_pool(&mut self, line: &Line, add: bool) -> Result<(), OutOfRange> {
        let meters = match self.pools.get_mut(&line.pool) {
            Some(meters) => meters,
            None => self.pools.entry(line.pool.clone()).or_default(),
        };
        let sum = meters.entry(line.meter).or_default();
        *sum = if add { sum.checked_add(line.quantity) } else { sum.checked_sub(line.quantity) }.ok_or(OutOfRange)?;
        if *sum == 0 {
            meters.remove(&line.meter);
        }
        if meters.is_empty() {
            self.pools.remove(&line.pool);
        }
        Ok(())
    }

    /// Enters a claim under everyone who ever held it and, while open, under its object's UID.
    pub(super) fn enter(&mut self, claim: &Claim) {
        let before = claim.history.iter().filter_map(|version| version.holder.as_ref());
        for account in before.map(|holder| &holder.account).chain([&claim.account]) {
            self.by_account.entry(account.clone()).or_default().insert(claim.id);
        }
        if claim.is_open() {
            self.bind(&claim.subject, claim.id);
        }
        self.note_hold(claim, true);
    }

    /// Notes that an object holds an open claim.
    pub(super) fn bind(&mut self, subject: &Subject, claim: ClaimId) {
        self.by_subject.insert(of_uid(&subject.uid), claim);
        self.by_object.insert(of_subject(subject), claim);
    }

    /// Notes that it does not any more.
    pub(super) fn unbind(&mut self, subject: &Subject, claim: ClaimId) {
        self.by_subject.remove(of_uid(&subject.uid), claim);
        self.by_object.remove(of_subject(subject), claim);
    }

    /// Enters (`add`) or takes out the end of a claim's open hold.
    pub(super) fn note_hold(&mut self, claim: &Claim, add: bool) {
        let Some(hold) = claim.hold.as_ref().filter(|_| claim.is_open()) else { return };
        if add {
            self.holds.insert((hold.until, claim.id));
        } else {
            self.holds.remove(&(hold.until, claim.id));
        }
    }

    /// Moves an account from below `old` to below `new`, with what its whole tree has.
    pub(super) fn hang(
        &mut self,
        account: &Account,
        previous: Option<&Account>,
        old: &[AccountId],
        new: &[AccountId],
    ) -> Result<(), OutOfRange> {
        if let Some(parent) = previous.and_then(|previous| previous.parent.as_ref()) {
            let siblings = self.children.entry(parent.clone()).or_default();
            siblings.remove(&account.id);
            if siblings.is_empty() {
                self.children.remove(parent);
            }
        }
        if let Some(parent) = &account.parent {
            self.children.entry(parent.clone()).or_default().insert(account.id.clone());
        }
        let whole = self.tree.get(&account.id).cloned().unwrap_or_default();
        old.iter().try_for_each(|above| shift(&mut self.tree, above, whole.sums(), &[]))?;
        new.iter().try_for_each(|above| shift(&mut self.tree, above, &[], whole.sums()))
    }

    /// Everything derived anew from accounts and claims alone.
    pub(super) fn rebuild(state: &State) -> Result<Self, CommandError> {
        // Numbers of kinds mean the same here and there: what they stand for is taken from no claim.
        let mut fresh = Self { kinds: state.index.kinds.clone(), ..Self::default() };
        for account in state.accounts() {
            if let Some(parent) = &account.parent {
                fresh.children.entry(parent.clone()).or_default().insert(account.id.clone());
            }
        }
        for claim in state.claims() {
            let path: Vec<_> = state.path(&claim.account)?.into_iter().map(|account| account.id.clone()).collect();
            fresh.enter(claim);
            fresh.count(&path, None, Some(claim)).map_err(|OutOfRange| CommandError::Counter { claim: claim.id })?;
        }
        let (kept, in_all) = state.keep_from_scratch(&fresh);
        fresh.kept = kept.into_iter().map(|(account, kept)| (account, Arc::new(kept))).collect();
        fresh.kept_in_all = Arc::new(in_all);
        fresh.waiting_by_subject =
            state.waiting().map(|waiting| (waiting.request.subject.uid.clone(), waiting.ticket)).collect();
        Ok(fresh)
    }

    /// Sums with what they are of.
    pub(super) fn rows<'a>(&self, sums: &'a Sums) -> OrdMap<&'a AccountId, Vec<CounterRow>> {
        sums.iter().map(|(account, counters)| (account, counters.rows(&self.kinds))).collect()
    }

    /// Where this differs from a recount.
    pub(super) fn compare(&self, fresh: &Self) -> Vec<Discrepancy> {
        fn differ<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
            what: &'static str,
            kept: &OrdMap<K, V>,
            fresh: &OrdMap<K, V>,
            found: &mut Vec<Discrepancy>,
        ) {
            let keys: BTreeSet<&K> = kept.keys().chain(fresh.keys()).collect();
            for key in keys.into_iter().filter(|key| kept.get(*key) != fresh.get(*key)) {
                let detail = format!("{key:?}: kept {:?}, counted {:?}", kept.get(key), fresh.get(key));
                found.push(Discrepancy { what, detail });
            }
        }
        let mut found = Vec::new();
        for (what, kept, fresh) in
            [("by_subject", &self.by_subject, &fresh.by_subject), ("by_object", &self.by_object, &fresh.by_object)]
        {
            found.extend(kept.differences(fresh).into_iter().map(|detail| Discrepancy { what, detail }));
        }
        differ("by_account", &self.by_account, &fresh.by_account, &mut found);
        differ("children", &self.children, &fresh.children, &mut found);
        differ("own", &self.rows(&self.own), &fresh.rows(&fresh.own), &mut found);
        differ("tree", &self.rows(&self.tree), &fresh.rows(&fresh.tree), &mut found);
        differ("pools", &self.pools, &fresh.pools, &mut found);
        differ("kept", &self.kept, &fresh.kept, &mut found);
        differ("waiting_by_subject", &self.waiting_by_subject, &fresh.waiting_by_subject, &mut found);
        if self.kept_in_all != fresh.kept_in_all {
            let detail = format!("kept {:?}, counted {:?}", self.kept_in_all, fresh.kept_in_all);
            found.push(Discrepancy { what: "kept_in_all", detail });
        }
        if self.holds != fresh.holds {
            found.push(Discrepancy {
                what: "holds",
                detail: format!("kept {:?}, counted {:?}", self.holds, fresh.holds),
            });
        }
        found
    }
}

/// Takes `less` off an account's sums and adds `more`.
fn shift(map: &mut Sums, account: &AccountId, less: &[Sum], more: &[Sum]) -> Result<(), OutOfRange> {
    if less.is_empty() && more.is_empty() {
        return Ok(());
    }
    let counters = match map.get_mut(account) {
        Some(counters) => counters,
        None => map.entry(account.clone()).or_default(),
    };
    let counters = Arc::make_mut(counters);
    less.iter().try_for_each(|sum| counters.subtract(sum))?;
    more.iter().try_for_each(|sum| counters.add(sum))?;
    if counters.is_empty() {
        map.remove(account);
    }
    Ok(())
}
