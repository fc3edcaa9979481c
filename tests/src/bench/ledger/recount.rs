//! The book counted again from its events, by code that shares nothing with the book's own counters.
//!
//! It knows ceilings and floors without dimensions, and hosts with their disks: what the bench writes. An event it does
//! not know ends the count.

use std::collections::HashMap;

use jiyun_ledger::{AccountId, ClaimId, Event, Line, Meter, Pool, PoolId};

mod fits;

pub use fits::Wish;

/// What is counted.
pub const METERS: [Meter; 3] = [Meter::Vcpu, Meter::Memory, Meter::BlockStorage];

/// One quantity of each meter.
pub type Amounts = [u64; METERS.len()];

/// The stream holds what cannot be counted.
#[derive(Debug, thiserror::Error)]
#[error("the bench cannot recount this entry: {0}")]
pub struct Uncountable(String);

#[derive(Clone, Debug, Default)]
struct Node {
    parent: Option<usize>,
    units: Vec<usize>,
    ceilings: [Option<u64>; METERS.len()],
    floors: Amounts,
}

#[derive(Clone, Debug)]
struct Taken {
    account: usize,
    uid: String,
    lines: Vec<Line>,
    held: Vec<Line>,
    /// What it will have when its hold is confirmed.
    awaited: Vec<Line>,
}

impl Taken {
    fn all(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().chain(&self.held)
    }
}

/// Accounts, pools and open claims, and what the claims add up to.
#[derive(Clone, Debug, Default)]
pub struct Recount {
    names: HashMap<AccountId, usize>,
    nodes: Vec<Node>,
    /// What each account itself takes.
    own: Vec<Amounts>,
    pools: Vec<(Pool, Amounts)>,
    claims: HashMap<ClaimId, Taken>,
    by_uid: HashMap<String, ClaimId>,
}

fn meter_index(meter: Meter) -> Option<usize> {
    METERS.iter().position(|known| *known == meter)
}

impl Recount {
    /// Counts one event.
    ///
    /// # Errors
    /// When it contradicts what was counted before, or is of a kind the bench does not write.
    pub fn apply(&mut self, event: &Event) -> Result<(), Uncountable> {
        match event {
            Event::Opened { .. }
            | Event::PeerMarked { .. }
            | Event::PricesSet { .. }
            | Event::ClaimBillable { .. }
            | Event::RequestQueued { .. }
            | Event::RequestsOvertaken { .. }
            | Event::RequestUnqueued { .. } => {}
            Event::AccountSet { account } => self.set_account(account)?,
            Event::PoolSet { pool } => match self.pools.iter_mut().find(|(known, _)| known.id == pool.id) {
                Some((known, _)) => known.clone_from(pool),
                None => self.pools.push((pool.clone(), Amounts::default())),
            },
            Event::ClaimGranted { claim } => {
                let account = self.account(&claim.account)?;
                let awaited = claim.hold.as_ref().map(|hold| hold.lines.clone()).unwrap_or_default();
                let (lines, held, uid) = (claim.lines.clone(), claim.held.clone(), claim.subject.uid.clone());
                if self.by_uid.insert(uid.clone(), claim.id).is_some() {
                    return Err(Uncountable(format!("object {uid} has two open claims")));
                }
                self.put(claim.id, Taken { account, uid, lines, held, awaited })?;
            }
            Event::ClaimAmended { claim, lines, .. } => self.change(*claim, |taken| {
                taken.lines.clone_from(lines);
                taken.held.clear();
            })?,
            Event::HoldPlaced { claim, hold, held } => self.change(*claim, |taken| {
                taken.held.clone_from(held);
                taken.awaited.clone_from(&hold.lines);
            })?,
            Event::HoldConfirmed { claim } => self.change(*claim, |taken| {
                taken.lines = std::mem::take(&mut taken.awaited);
                taken.held.clear();
            })?,
            Event::HoldEnded { claim, .. } | Event::ClaimEnding { claim } => {
                self.change(*claim, |taken| taken.held.clear())?;
                if self.claims.get(claim).is_some_and(|taken| taken.lines.is_empty()) {
                    self.take(*claim)?;
                }
            }
            Event::ClaimReleased { claim } => drop(self.take(*claim)?),
            other => return Err(Uncountable(format!("{other:?}"))),
        }
        Ok(())
    }

    fn set_account(&mut self, account: &jiyun_ledger::Account) -> Result<(), Uncountable> {
        let parent = account.parent.as_ref().map(|parent| self.account(parent)).transpose()?;
        let mut node = Node { parent, ..Node::default() };
        for limit in &account.limits {
            let index = meter_index(limit.meter).filter(|_| limit.dimensions.specificity() == 0);
            let index = index.ok_or_else(|| Uncountable(format!("{limit:?}")))?;
            if let (Some(ceiling), Some(floor)) = (node.ceilings.get_mut(index), node.floors.get_mut(index)) {
                (*ceiling, *floor) = (limit.limit, limit.guaranteed);
            }
        }
        if let Some(known) = self.names.get(&account.id).and_then(|number| self.nodes.get_mut(*number)) {
            if known.parent != parent {
                return Err(Uncountable(format!("account {} moves", account.id)));
            }
            (known.ceilings, known.floors) = (node.ceilings, node.floors);
            return Ok(());
        }
        let number = self.nodes.len();
        if let Some(above) = parent.and_then(|parent| self.nodes.get_mut(parent)) {
            above.units.push(number);
        }
        self.names.insert(account.id.clone(), number);
        self.nodes.push(node);
        self.own.push(Amounts::default());
        Ok(())
    }

    fn account(&self, id: &AccountId) -> Result<usize, Uncountable> {
        self.names.get(id).copied().ok_or_else(|| Uncountable(format!("no account {id}")))
    }

    fn change(&mut self, claim: ClaimId, edit: impl FnOnce(&mut Taken)) -> Result<(), Uncountable> {
        let uid = self.claims.get(&claim).map(|taken| taken.uid.clone());
        let mut taken = self.take(claim)?;
        edit(&mut taken);
        if let Some(uid) = uid {
            self.by_uid.insert(uid, claim);
        }
        self.put(claim, taken)
    }

    fn put(&mut self, claim: ClaimId, taken: Taken) -> Result<(), Uncountable> {
        self.count(&taken, u64::checked_add)?;
        self.claims.insert(claim, taken);
        Ok(())
    }

    fn take(&mut self, claim: ClaimId) -> Result<Taken, Uncountable> {
        let taken = self.claims.remove(&claim).ok_or_else(|| Uncountable(format!("{claim} is not open")))?;
        self.by_uid.remove(&taken.uid);
        self.count(&taken, u64::checked_sub)?;
        Ok(taken)
    }

    fn count(&mut self, taken: &Taken, with: fn(u64, u64) -> Option<u64>) -> Result<(), Uncountable> {
        let wrong = || Uncountable(format!("the sums of {} do not add up", taken.uid));
        let own = self.own.get_mut(taken.account).ok_or_else(wrong)?;
        for line in taken.all() {
            // Hosts are counted by the book and bounded by nobody.
            let Some(index) = meter_index(line.meter) else { continue };
            let in_pool = pool_sums(&mut self.pools, &line.pool).ok_or_else(wrong)?;
            for sums in [&mut *own, in_pool] {
                let sum = sums.get_mut(index).ok_or_else(wrong)?;
                *sum = with(*sum, line.quantity).ok_or_else(wrong)?;
            }
        }
        Ok(())
    }

    /// What an account and all below it take.
    fn tree(&self, node: usize) -> Amounts {
        let mut sums = self.own.get(node).copied().unwrap_or_default();
        for unit in self.nodes.get(node).into_iter().flat_map(|node| &node.units) {
            let of_unit = self.tree(*unit);
            sums.iter_mut().zip(of_unit).for_each(|(sum, more)| *sum += more);
        }
        sums
    }

    /// Units above any ceiling or any pool's capacity now, of all meters together.
    pub fn over(&self) -> u64 {
        let mut over = 0;
        for (number, node) in self.nodes.iter().enumerate() {
            let pairs = node.ceilings.iter().zip(self.tree(number));
            over += pairs.filter_map(|(ceiling, sum)| Some(sum.saturating_sub((*ceiling)?))).sum::<u64>();
        }
        for (pool, sums) in &self.pools {
            let pairs = METERS.iter().zip(sums);
            over += pairs.filter_map(|(meter, sum)| Some(sum.saturating_sub(pool.usable(*meter)?))).sum::<u64>();
        }
        over
    }

    /// Cores an object holds in lines, by its UID; nothing if it has no open claim, zero if it is only held.
    pub fn cores_of(&self, uid: &str) -> Option<u64> {
        let taken = self.claims.get(self.by_uid.get(uid)?)?;
        Some(taken.lines.iter().filter(|line| line.meter == Meter::Vcpu).map(|line| line.quantity).sum())
    }

    /// UIDs of all objects with open claims.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.claims.values().map(|taken| taken.uid.as_str())
    }

    /// Whether the sums kept are those of the open claims.
    pub fn adds_up(&self) -> bool {
        let mut own = vec![Amounts::default(); self.own.len()];
        let mut pools = vec![Amounts::default(); self.pools.len()];
        for taken in self.claims.values() {
            for line in taken.all() {
                let Some(index) = meter_index(line.meter) else { continue };
                let pool = self.pools.iter().position(|(pool, _)| pool.id == line.pool);
                let sums = [own.get_mut(taken.account), pool.and_then(|pool| pools.get_mut(pool))];
                sums.into_iter().flatten().filter_map(|sums| sums.get_mut(index)).for_each(|sum| *sum += line.quantity);
            }
        }
        own == self.own && pools.iter().eq(self.pools.iter().map(|(_, sums)| sums))
    }
}

fn pool_sums<'a>(pools: &'a mut [(Pool, Amounts)], id: &PoolId) -> Option<&'a mut Amounts> {
    pools.iter_mut().find(|(pool, _)| pool.id == *id).map(|(_, sums)| sums)
}

#[cfg(test)]
mod tests {
    use jiyun_ledger::{Account, AccountState, Dimensions, Limit, Preference};

    use super::*;

    fn set(parent: Option<&str>, cores: u64) -> Event {
        let limit = Limit { meter: Meter::Vcpu, dimensions: Dimensions::default(), limit: Some(cores), guaranteed: 0 };
        let account = Account {
            id: "tax".into(),
            display_name: String::new(),
            parent: parent.map(Into::into),
            billing_account: String::new(),
            limits: vec![limit],
            preference: Preference::default(),
            state: AccountState::Open,
        };
        Event::AccountSet { account }
    }

    #[test]
    fn an_account_that_is_set_again_has_its_new_ceiling_and_one_that_moves_cannot_be_counted() {
        let mut recount = Recount::default();
        recount.apply(&set(None, 4)).unwrap();
        recount.own[0][0] = 6;
        assert_eq!(recount.over(), 2);
        recount.apply(&set(None, 5)).unwrap();
        assert_eq!(recount.over(), 1);
        assert!(recount.apply(&set(Some("tax"), 5)).is_err());
    }
}
