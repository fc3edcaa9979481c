//! What is kept free for floors (保底) nobody uses yet.
//!
//! An account keeps free what its floor exceeds of its use and of what its own units keep free. So a unit's floor lies
//! within that of the account above it, and is not kept twice.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Serialize, Serializer};

use super::{
    super::{
        account::{Account, AccountId, Limit},
        command::CommandError,
        dimensions::Dimensions,
        meter::Meter,
    },
    State,
    counters::{Amount, Counters},
    index::Index,
    kinds::Kinds,
};

/// A floor is told by what it is of.
pub(super) type Key = (Meter, Dimensions);

/// Kept free, in the meter's unit; zeros are not stored.
pub(super) type Amounts = BTreeMap<Key, u64>;

/// The amount of one floor. Accounts have a handful of floors: looking through them copies no key.
fn amount_of(amounts: &Amounts, meter: Meter, floor: &Dimensions) -> u64 {
    let same = amounts.iter().find(|((of, dimensions), _)| *of == meter && dimensions == floor);
    same.map_or(0, |(_, amount)| *amount)
}

/// What counts against an account's limits and floors: what its tree uses, and what is kept free in it.
#[derive(Clone, Copy)]
pub(in super::super) struct Load<'a> {
    kinds: &'a Kinds,
    used: Option<&'a Counters>,
    kept: Option<&'a Kept>,
}

impl Load<'_> {
    /// Held and used of what `selector` matches.
    pub(in super::super) fn used(&self, meter: Meter, selector: &Dimensions) -> Amount {
        self.used.map(|used| used.sum(self.kinds, meter, selector)).unwrap_or_default()
    }

    /// The same, and what is kept free for the account's units: what counts against a limit.
    pub(in super::super) fn occupied(&self, meter: Meter, selector: &Dimensions) -> u64 {
        let units = self.kept.map_or(0, |kept| kept.of_units(meter, selector));
        self.used(meter, selector).total().saturating_add(units)
    }

    /// What the account keeps free for `floor` when its units keep `below`.
    fn free(&self, floor: &Limit, below: u64) -> u64 {
        let taken = self.used(floor.meter, &floor.dimensions).total();
        floor.guaranteed.saturating_sub(taken).saturating_sub(below)
    }

    /// Whether the account keeps just what it should, its units' part left as it is.
    fn keeps_right(&self, account: &Account) -> bool {
        let kept = |of: fn(&Kept) -> &Amounts, floor: &Limit| {
            self.kept.map_or(0, |kept| amount_of(of(kept), floor.meter, &floor.dimensions))
        };
        let mut keeps = 0;
        for floor in account.floors() {
            let own = kept(|kept| &kept.own, floor);
            let below = kept(|kept| &kept.tree, floor).saturating_sub(own);
            if self.free(floor, below) != own {
                return false;
            }
            keeps += usize::from(own > 0);
        }
        keeps == self.kept.map_or(0, |kept| kept.own.len())
    }
}

/// An account with what counts against its limits and floors, looked up once for all that is asked about it.
#[derive(Clone, Copy)]
pub(in super::super) struct Standing<'a> {
    pub(in super::super) account: &'a Account,
    pub(in super::super) load: Load<'a>,
}

/// What is kept free for one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// For the account beyond what its units keep.
    own: Amounts,
    /// For the account and all below it.
    pub(super) tree: Amounts,
}

/// One sum of [`Kept`].
#[derive(Serialize)]
struct Row<'a> {
    meter: Meter,
    dimensions: &'a Dimensions,
    own: u64,
    tree: u64,
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.tree.iter().map(|(key, tree)| self.row(key, *tree)))
    }
}

/// Changes of amounts kept free.
pub(super) type Delta = BTreeMap<Key, i128>;

impl Kept {
    fn row<'a>(&self, key: &'a Key, tree: u64) -> Row<'a> {
        Row { meter: key.0, dimensions: &key.1, own: self.own.get(key).copied().unwrap_or(0), tree }
    }

    /// What the units below keep.
    fn units(&self) -> Amounts {
        let own = |key: &Key| self.own.get(key).copied().unwrap_or(0);
        let units = self.tree.iter().map(|(key, tree)| (key.clone(), tree.saturating_sub(own(key))));
        units.filter(|(_, units)| *units > 0).collect()
    }

    /// What `account` keeps under `load` when its units keep `units`.
    fn of(account: &Account, load: Load<'_>, units: &Amounts) -> Self {
        let mut own = Amounts::new();
        for floor in account.floors() {
            let free = load.free(floor, amount_of(units, floor.meter, &floor.dimensions));
            if free > 0 {
                own.insert((floor.meter, floor.dimensions.clone()), free);
            }
        }
        let mut tree = units.clone();
        add(&mut tree, &own);
        Self { own, tree }
    }

    /// Kept free for the account's units, of what `selector` covers.
    fn of_units(&self, meter: Meter, selector: &Dimensions) -> u64 {
        let within = self.tree.iter().filter(|((of, floor), _)| *of == meter && selector.covers(floor));
        within
            .map(|((_, floor), tree)| tree.saturating_sub(amount_of(&self.own, meter, floor)))
            .fold(0, u64::saturating_add)
    }
}

pub(super) fn add(to: &mut Amounts, more: &Amounts) {
    for (key, amount) in more {
        let sum = to.entry(key.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

fn changed(amounts: &Amounts, by: &Delta) -> Amounts {
    let mut sums: Delta = amounts.iter().map(|(key, amount)| (key.clone(), i128::from(*amount))).collect();
    for (key, delta) in by {
        *sums.entry(key.clone()).or_default() += delta;
    }
    sums.into_iter().filter_map(|(key, sum)| Some((key, u64::try_from(sum).ok().filter(|sum| *sum > 0)?))).collect()
}

/// From one amount to another.
pub(super) fn difference(from: &Amounts, to: &Amounts) -> Delta {
    let mut delta: Delta = to.iter().map(|(key, amount)| (key.clone(), i128::from(*amount))).collect();
    for (key, amount) in from {
        *delta.entry(key.clone()).or_default() -= i128::from(*amount);
    }
    delta.retain(|_, by| *by != 0);
    delta
}

impl State {
    /// The account and those above it, leaf first.
    pub(in super::super) fn standings(&self, id: &AccountId) -> Result<Vec<Standing<'_>>, CommandError> {
        let path = self.ancestry(Some(id))?;
        Ok(path.into_iter().map(|account| Standing { account, load: self.load(&account.id) }).collect())
    }

    /// What counts against the limits and floors of `account`.
    pub(in super::super) fn load(&self, account: &AccountId) -> Load<'_> {
        Load {
            kinds: &self.index.kinds,
            used: self.index.tree.get(account).map(Arc::as_ref),
            kept: self.index.kept.get(account).map(Arc::as_ref),
        }
    }

    /// Works out anew what one account keeps, its units keeping `by` more. Gives the change for the account above.
    fn keep_for(&mut self, id: &AccountId, by: &Delta) -> Delta {
        let Some(account) = self.accounts.get(id) else { return Delta::new() };
        let load = self.load(id);
        if by.is_empty() && load.keeps_right(account) {
            return Delta::new();
        }
        let old = load.kept.cloned().unwrap_or_default();
        let new = Kept::of(account, load, &changed(&old.units(), by));
        let delta = difference(&old.tree, &new.tree);
        if new.tree.is_empty() {
            self.index.kept.remove(id);
        } else if new != old {
            self.index.kept.insert(id.clone(), Arc::new(new));
        }
        delta
    }

    /// Works out anew what the accounts of `path`, leaf first, keep after their use changed; the units of the first keep
    /// `by` more.
    pub(super) fn keep_along(&mut self, path: &[AccountId], by: Delta) {
        let delta = path.iter().fold(by, |by, id| self.keep_for(id, &by));
        if !delta.is_empty() {
            self.index.kept_in_all = Arc::new(changed(&self.index.kept_in_all, &delta));
        }
    }

    /// What is kept free for `id` and all below it.
    pub(super) fn kept_by(&self, id: &AccountId) -> Amounts {
        self.index.kept.get(id).map(|kept| kept.tree.clone()).unwrap_or_default()
    }

    /// Forgets that `id` keeps anything, its units' part left as it is: before it is hung elsewhere.
    pub(super) fn keep_anew(&mut self, id: &AccountId) -> Amounts {
        self.keep_for(id, &Delta::new());
        self.kept_by(id)
    }

    /// What counts against a limit of `account`: its tree's use and what is kept free for its units.
    pub fn occupied(&self, account: &AccountId, meter: Meter, selector: &Dimensions) -> u64 {
        self.load(account).occupied(meter, selector)
    }

    /// Everything kept free in all accounts, by floor.
    pub(in super::super) fn kept_in_all(&self) -> &BTreeMap<(Meter, Dimensions), u64> {
        &self.index.kept_in_all
    }

    /// What is kept free, worked out from the accounts, and what their trees use and which lie below which as `fresh`
    /// has it: the index kept so far is not looked at.
    pub(super) fn keep_from_scratch(&self, fresh: &Index) -> (Vec<(AccountId, Kept)>, Amounts) {
        let mut kept = Vec::new();
        let mut all = Amounts::new();
        for root in self.accounts().filter(|account| account.parent.is_none()) {
            add(&mut all, &self.keep_below(root, fresh, &mut kept));
        }
        (kept, all)
    }

    fn keep_below(&self, account: &Account, fresh: &Index, kept: &mut Vec<(AccountId, Kept)>) -> Amounts {
        let mut units = Amounts::new();
        for unit in fresh.children.get(&account.id).into_iter().flatten().filter_map(|unit| self.account(unit)) {
            add(&mut units, &self.keep_below(unit, fresh, kept));
        }
        let used = fresh.tree.get(&account.id).map(Arc::as_ref);
        let own = Kept::of(account, Load { kinds: &fresh.kinds, used, kept: None }, &units);
        let sum = own.tree.clone();
        if !sum.is_empty() {
            kept.push((account.id.clone(), own));
        }
        sum
    }
}
