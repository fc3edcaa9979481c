//! Sums of what claims hold and use, each counted from claims; no sum is ever carried on by adding and taking off.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    claim::{Claim, Stage},
    kind::{FactNo, Facts, PlaceNo},
};

/// Claims counted together. A sum is the sum over its blocks, and only the block with the claim that changed is counted
/// anew, so an account of many thousand claims is not counted whole at each entry.
const BLOCK: u64 = 64;

/// How much, in the meter's unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Set aside, not handed over.
    pub(crate) held: u128,
    /// Handed over, or ending.
    pub(crate) used: u128,
}

impl Amount {
    pub(crate) const fn total(self) -> u128 {
        self.held + self.used
    }
}

/// Sums by meter and kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sheet(Vec<(FactNo, Amount)>);

impl Sheet {
    fn add(&mut self, fact: FactNo, more: Amount) {
        match self.0.iter_mut().find(|(of, _)| *of == fact) {
            Some((_, sum)) => {
                sum.held += more.held;
                sum.used += more.used;
            }
            None => self.0.push((fact, more)),
        }
    }

    /// The sheet of these claims, by itself.
    pub(crate) fn of<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Self {
        let mut sheet = Self::default();
        for claim in claims {
            let handed_over = matches!(claim.stage, Stage::Billable | Stage::Ending);
            for (fact, quantity) in claim.lines.iter().filter(|_| claim.is_open()) {
                let quantity = u128::from(*quantity);
                let amount =
                    if handed_over { Amount { held: 0, used: quantity } } else { Amount { held: quantity, used: 0 } };
                sheet.add(*fact, amount);
            }
            for (fact, quantity) in claim.held.iter().filter(|_| claim.is_open()) {
                sheet.add(*fact, Amount { held: u128::from(*quantity), used: 0 });
            }
        }
        sheet
    }

    /// The sum of these sheets.
    pub(crate) fn sum<'a>(sheets: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::default();
        for (fact, amount) in sheets.into_iter().flat_map(|sheet| &sheet.0) {
            all.add(*fact, *amount);
        }
        all
    }

    /// What is held and used of the facts that are selected.
    pub(crate) fn selected(&self, facts: &[bool]) -> Amount {
        let rows = self.0.iter().filter(|(fact, _)| facts.get(*fact).copied().unwrap_or(false));
        rows.fold(Amount::default(), |sum, (_, amount)| Amount {
            held: sum.held + amount.held,
            used: sum.used + amount.used,
        })
    }

    /// What is taken at one place.
    pub(crate) fn at(&self, facts: &Facts, place: PlaceNo) -> u128 {
        let here = self.0.iter().filter(|(fact, _)| facts.place_of(*fact) == Some(place));
        here.map(|(_, amount)| amount.total()).sum()
    }

    /// In one form, for comparing.
    pub(crate) fn canonical(&self) -> BTreeMap<FactNo, (u128, u128)> {
        let rows = self.0.iter().map(|(fact, amount)| (*fact, (amount.held, amount.used)));
        rows.filter(|(_, (held, used))| held + used > 0).collect()
    }
}

/// The claims of one account, and their sum.
#[derive(Clone, Debug, Default)]
pub(crate) struct Own {
    /// Its open claims.
    pub(crate) claims: BTreeSet<u64>,
    blocks: BTreeMap<u64, Sheet>,
    /// What it holds and uses itself.
    pub(crate) sheet: Sheet,
}

impl Own {
    /// Counts anew, after `claim` came, changed or went.
    pub(crate) fn recount(&mut self, claim: u64, claims: &BTreeMap<u64, Claim>) {
        let block = claim / BLOCK;
        let from = block * BLOCK;
        let here = self.claims.range(from..from.saturating_add(BLOCK)).filter_map(|id| claims.get(id));
        self.blocks.insert(block, Sheet::of(here));
        self.sheet = Sheet::sum(self.blocks.values());
    }
}
