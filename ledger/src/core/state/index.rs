//! What can be derived from accounts and claims and is kept to answer at once.

use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;
use serde::Serialize;

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
    counters::{Amount, Counters, OutOfRange},
    floors::{Amounts, Kept},
};

/// Kind, namespace and name.
pub(super) type Object = (String, String, String);

/// The object of a claim.
pub(super) fn object(subject: &Subject) -> Object {
    (subject.kind.clone(), subject.namespace.clone(), subject.name.clone())
}

fn by_object<S: serde::Serializer>(objects: &OrdMap<Object, ClaimId>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(objects)
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Index {
    /// Open claims by the UID of their object.
    pub(super) by_subject: OrdMap<String, ClaimId>,
    /// Open claims by kind, namespace and name of their object.
    #[serde(serialize_with = "by_object")]
    pub(super) by_object: OrdMap<Object, ClaimId>,
    /// All claims by account.
    pub(super) by_account: OrdMap<AccountId, OrdSet<ClaimId>>,
    /// Accounts directly below an account.
    pub(super) children: OrdMap<AccountId, BTreeSet<AccountId>>,
    /// What an account itself has.
    pub(super) own: OrdMap<AccountId, Counters>,
    /// What an account and all below it have.
    pub(super) tree: OrdMap<AccountId, Counters>,
    /// What claims take from a pool.
    pub(super) pools: OrdMap<PoolId, BTreeMap<Meter, u64>>,
    /// What is kept free for floors, by account.
    pub(super) kept: OrdMap<AccountId, Kept>,
    /// The same in all accounts together.
    #[serde(serialize_with = "rows")]
    pub(super) kept_in_all: Amounts,
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
pub(super) fn counted(claim: &Claim) -> Result<Counters, OutOfRange> {
    let mut counters = Counters::default();
    let stage = claim.stage();
    if stage == ClaimStage::Released {
        return Ok(counters);
    }
    for line in &claim.lines {
        let amount = match stage {
            ClaimStage::Held | ClaimStage::Reserved => Amount { held: line.quantity, used: 0 },
            ClaimStage::Billable | ClaimStage::Ending => Amount { held: 0, used: line.quantity },
            ClaimStage::Released => Amount::default(),
        };
        counters.add_one(line.meter, &line.fact(), amount)?;
    }
    for line in &claim.held {
        counters.add_one(line.meter, &line.fact(), Amount { held: line.quantity, used: 0 })?;
    }
    Ok(counters)
}

fn rows<S: serde::Serializer>(amounts: &Amounts, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(amounts)
}

impl Index {
    /// Counts a claim in (`add`) or out, for its account and `path` and in its pools.
    pub(super) fn count(&mut self, claim: &Claim, path: &[AccountId], add: bool) -> Result<(), OutOfRange> {
        let counters = counted(claim)?;
        if counters.is_empty() {
            return Ok(());
        }
        shift(&mut self.own, &claim.account, &counters, add)?;
        for account in path {
            shift(&mut self.tree, account, &counters, add)?;
        }
        for line in claim.taken() {
            self.count_in_pool(line, add)?;
        }
        Ok(())
    }

    fn count_in_pool(&mut self, line: &Line, add: bool) -> Result<(), OutOfRange> {
        let meters = self.pools.entry(line.pool.clone()).or_default();
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
        for holder in claim.holders() {
            self.by_account.entry(holder.account).or_default().insert(claim.id);
        }
        if claim.is_open() {
            self.bind(&claim.subject, claim.id);
        }
        self.note_hold(claim, true);
    }

    /// Notes that an object holds an open claim.
    pub(super) fn bind(&mut self, subject: &Subject, claim: ClaimId) {
        self.by_subject.insert(subject.uid.clone(), claim);
        self.by_object.insert(object(subject), claim);
    }

    /// Notes that it holds none any more.
    pub(super) fn unbind(&mut self, subject: &Subject) {
        self.by_subject.remove(&subject.uid);
        self.by_object.remove(&object(subject));
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
        old.iter().try_for_each(|above| shift(&mut self.tree, above, &whole, false))?;
        new.iter().try_for_each(|above| shift(&mut self.tree, above, &whole, true))
    }

    /// Everything derived anew from accounts and claims alone.
    pub(super) fn rebuild(state: &State) -> Result<Self, CommandError> {
        let mut fresh = Self::default();
        for account in state.accounts() {
            if let Some(parent) = &account.parent {
                fresh.children.entry(parent.clone()).or_default().insert(account.id.clone());
            }
        }
        for claim in state.claims() {
            let path: Vec<_> = state.path(&claim.account)?.into_iter().map(|account| account.id.clone()).collect();
            fresh.enter(claim);
            fresh.count(claim, &path, true).map_err(|OutOfRange| CommandError::Counter { claim: claim.id })?;
        }
        let (kept, in_all) = state.keep_from_scratch(&fresh.tree, &fresh.children);
        fresh.kept = kept.into_iter().collect();
        fresh.kept_in_all = in_all;
        fresh.waiting_by_subject =
            state.waiting().map(|waiting| (waiting.request.subject.uid.clone(), waiting.ticket)).collect();
        Ok(fresh)
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
        differ("by_subject", &self.by_subject, &fresh.by_subject, &mut found);
        differ("by_object", &self.by_object, &fresh.by_object, &mut found);
        differ("by_account", &self.by_account, &fresh.by_account, &mut found);
        differ("children", &self.children, &fresh.children, &mut found);
        differ("own", &self.own, &fresh.own, &mut found);
        differ("tree", &self.tree, &fresh.tree, &mut found);
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

fn shift(
    map: &mut OrdMap<AccountId, Counters>,
    account: &AccountId,
    by: &Counters,
    add: bool,
) -> Result<(), OutOfRange> {
    if by.is_empty() {
        return Ok(());
    }
    let counters = map.entry(account.clone()).or_default();
    let counted = if add { counters.add(by) } else { counters.subtract(by) };
    counted?;
    if counters.is_empty() {
        map.remove(account);
    }
    Ok(())
}
