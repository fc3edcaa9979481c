//! What can be derived from accounts and claims and is kept to answer at once.

use std::collections::{BTreeMap, BTreeSet};

use imbl::{OrdMap, OrdSet};
use serde::Serialize;

use super::{
    super::{
        account::{Account, AccountId},
        claim::{Claim, ClaimId, ClaimStage, Line},
        command::CommandError,
        meter::Meter,
        pool::PoolId,
    },
    State,
    counters::{Amount, Counters, OutOfRange},
};

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Index {
    /// Open claims by the UID of their object.
    pub(super) by_subject: OrdMap<String, ClaimId>,
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
}

/// A counter that is not what the claims add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    /// Which index.
    pub what: &'static str,
    /// Kept and recounted value.
    pub detail: String,
}

/// What `lines` count as at `stage`; a released claim counts nothing.
pub(super) fn counted(lines: &[Line], stage: ClaimStage) -> Result<Counters, OutOfRange> {
    let mut counters = Counters::default();
    for line in lines {
        let amount = match stage {
            ClaimStage::Reserved => Amount { held: line.quantity, used: 0 },
            ClaimStage::Billable | ClaimStage::Ending => Amount { held: 0, used: line.quantity },
            ClaimStage::Released => Amount::default(),
        };
        counters.add_one(line.meter, &line.dimensions, amount)?;
    }
    Ok(counters)
}

impl Index {
    /// Counts a claim in (`add`) or out, for its account and `path` and in its pools.
    pub(super) fn count(&mut self, claim: &Claim, path: &[AccountId], add: bool) -> Result<(), OutOfRange> {
        let counters = counted(&claim.lines, claim.stage())?;
        if counters.is_empty() {
            return Ok(());
        }
        shift(&mut self.own, &claim.account, &counters, add)?;
        for account in path {
            shift(&mut self.tree, account, &counters, add)?;
        }
        for line in &claim.lines {
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

    /// Enters a claim under its account and, while open, under its object's UID.
    pub(super) fn enter(&mut self, claim: &Claim) {
        self.by_account.entry(claim.account.clone()).or_default().insert(claim.id);
        if claim.is_open() {
            self.by_subject.insert(claim.subject.uid.clone(), claim.id);
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
        differ("by_account", &self.by_account, &fresh.by_account, &mut found);
        differ("children", &self.children, &fresh.children, &mut found);
        differ("own", &self.own, &fresh.own, &mut found);
        differ("tree", &self.tree, &fresh.tree, &mut found);
        differ("pools", &self.pools, &fresh.pools, &mut found);
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
