//! What must hold before an account, pool or price book is recorded.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    super::{
        account::{Account, AccountId, Limit, MAX_DEPTH},
        claim::{Claim, ClaimId},
        command::CommandError,
        meter::MAX_QUANTITY,
        pool::Pool,
        price::PriceBook,
    },
    State,
};

impl State {
    /// `from` and the accounts above it, leaf first.
    pub(super) fn ancestry(&self, from: Option<&AccountId>) -> Result<Vec<&Arc<Account>>, CommandError> {
        // Most trees are not deeper.
        let mut path = Vec::with_capacity(4);
        let mut next = from;
        while let Some(id) = next {
            if path.len() == MAX_DEPTH {
                return Err(CommandError::TooDeep { account: from.unwrap_or(id).clone() });
            }
            let account = self.accounts.get(id).ok_or_else(|| CommandError::UnknownAccount { account: id.clone() })?;
            next = account.parent.as_ref();
            path.push(account);
        }
        Ok(path)
    }

    /// The names of `from` and the accounts above it, leaf first.
    pub(super) fn ancestry_ids(&self, from: Option<&AccountId>) -> Result<Vec<AccountId>, CommandError> {
        Ok(self.ancestry(from)?.into_iter().map(|account| account.id.clone()).collect())
    }

    /// How many levels the tree below and including `id` has.
    fn height(&self, id: &AccountId, bound: usize) -> usize {
        if bound == 0 {
            return 1;
        }
        1 + self.children(id).map(|child| self.height(child, bound - 1)).max().unwrap_or(0)
    }

    pub(in super::super) fn check_account(&self, account: &Account) -> Result<(), CommandError> {
        let above = self.ancestry(account.parent.as_ref())?;
        if above.iter().any(|ancestor| ancestor.id == account.id) || account.parent.as_ref() == Some(&account.id) {
            let parent = account.parent.clone().unwrap_or_else(|| account.id.clone());
            return Err(CommandError::Cycle { account: account.id.clone(), parent });
        }
        if above.len() + self.height(&account.id, MAX_DEPTH) > MAX_DEPTH {
            return Err(CommandError::TooDeep { account: account.id.clone() });
        }
        self.check_floors(account)
    }

    /// Floors lie below ceilings, do not overlap, and fit into the floors above and around those below.
    fn check_floors(&self, account: &Account) -> Result<(), CommandError> {
        for limit in &account.limits {
            let (meter, guaranteed) = (limit.meter, limit.guaranteed);
            if let Some(quantity) = [limit.limit, Some(guaranteed)].into_iter().flatten().find(|of| *of > MAX_QUANTITY)
            {
                return Err(CommandError::TooLargeALimit { account: account.id.clone(), meter, quantity });
            }
            if let Some(ceiling) = limit.limit.filter(|ceiling| guaranteed > *ceiling) {
                let account = account.id.clone();
                return Err(CommandError::FloorAboveLimit { account, meter, guaranteed, limit: ceiling });
            }
        }
        let floors: Vec<&Limit> = account.floors().collect();
        for (index, one) in floors.iter().enumerate() {
            let overlaps = |other: &&&Limit| other.meter == one.meter && other.dimensions.compatible(&one.dimensions);
            if let Some(other) = floors.iter().skip(index + 1).find(overlaps) {
                return Err(CommandError::FloorsOverlap {
                    account: account.id.clone(),
                    meter: one.meter,
                    first: Box::new(one.dimensions.clone()),
                    second: Box::new(other.dimensions.clone()),
                });
            }
        }
        let units: Vec<&Account> =
            self.children(&account.id).filter_map(|unit| self.account(unit)).map(Arc::as_ref).collect();
        covers(account, &units)?;
        let Some(parent) = account.parent.as_ref().and_then(|parent| self.account(parent)) else { return Ok(()) };
        let beside = self.children(&parent.id).filter(|unit| **unit != account.id);
        let mut siblings: Vec<&Account> = beside.filter_map(|unit| self.account(unit)).map(Arc::as_ref).collect();
        siblings.push(account);
        covers(parent, &siblings)
    }

    pub(in super::super) fn check_pool(&self, pool: &Pool) -> Result<(), CommandError> {
        let id = || pool.id.clone();
        if !(1..=4).contains(&pool.max_protection_level) {
            return Err(CommandError::ProtectionLevel { pool: id(), level: pool.max_protection_level });
        }
        for (&meter, &quantity) in pool.capacity.iter().chain(&pool.reserve) {
            if !pool.kind.gives(meter) || quantity > MAX_QUANTITY {
                return Err(CommandError::Capacity { pool: id(), meter, quantity });
            }
        }
        for (&meter, &percent) in &pool.overcommit_percent {
            if !(100..=1000).contains(&percent) {
                return Err(CommandError::Overcommit { pool: id(), meter, percent });
            }
        }
        let Some(is) = self.pool(&pool.id) else { return Ok(()) };
        let field = match () {
            () if is.kind != pool.kind => "kind",
            () if is.site != pool.site => "site",
            () if is.architecture != pool.architecture => "architecture",
            () if is.tier != pool.tier => "tier",
            () => return Ok(()),
        };
        Err(CommandError::ImmutablePool { pool: id(), field })
    }

    /// Whether a book fits the books that are there.
    pub(in super::super) fn check_book(&self, book: &PriceBook) -> Result<(), CommandError> {
        book.validate()?;
        if self.books().any(|is| is.id == book.id && **is != *book) {
            return Err(CommandError::ImmutableBook { book: book.id.clone() });
        }
        match self.books.get(&book.valid_from) {
            Some(is) if is.id != book.id => {
                Err(CommandError::SameValidFrom { book: book.id.clone(), other: is.id.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Whether a book may be added at this moment. A book of the past may fill a time without prices, but not replace
    /// prices that somebody has used something under: a statement once read would change. A rule for new wishes, not for
    /// entries: what was recorded under other rules must still be read.
    pub(in super::super) fn check_repricing(&self, book: &PriceBook, at: Timestamp) -> Result<(), CommandError> {
        if self.book_at(book.valid_from).is_some() && self.used_between(book.valid_from, at) {
            return Err(CommandError::Repricing { book: book.id.clone(), valid_from: book.valid_from });
        }
        Ok(())
    }

    /// Whether any department paid for anything in `from..to`.
    fn used_between(&self, from: Timestamp, to: Timestamp) -> bool {
        self.claims().any(|claim| {
            let ended = claim.billable_until.is_some_and(|until| until <= from);
            claim.billable_from.is_some_and(|since| since < to && !ended) && from < to
        })
    }

    /// One claim, open or released.
    pub(in super::super) fn known_claim(&self, id: ClaimId) -> Result<&Arc<Claim>, CommandError> {
        self.claims.get(&id).ok_or(CommandError::UnknownClaim { claim: id })
    }
}

/// Whether the floors of `units` fit into those of the account above them, kind by kind.
fn covers(above: &Account, units: &[&Account]) -> Result<(), CommandError> {
    for floor in units.iter().flat_map(|unit| unit.floors()) {
        let same = |other: &&Limit| other.meter == floor.meter && other.dimensions == floor.dimensions;
        let below = units.iter().flat_map(|unit| unit.floors()).filter(same).map(|floor| floor.guaranteed);
        let promised = below.fold(0, u64::saturating_add);
        let own = above.floors().find(same).map_or(0, |floor| floor.guaranteed);
        if promised > own {
            return Err(CommandError::FloorNotCovered {
                account: above.id.clone(),
                meter: floor.meter,
                dimensions: Box::new(floor.dimensions.clone()),
                promised,
                own,
            });
        }
    }
    Ok(())
}
