//! Whether a wish would have fitted: every site and every pair of pools is tried, then every ceiling and every floor.

use jiyun_ledger::{Meter, Pool, PoolKind, PoolState};

use super::{Amounts, METERS, Recount, meter_index};
use crate::bench::ledger::{ask::Host, city::City};

/// What was wished for, in the recount's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The account's name.
    pub account: jiyun_ledger::AccountId,
    /// The object.
    pub uid: String,
    /// The architecture.
    pub architecture: &'static str,
    /// What the claim is to have in all.
    pub amounts: Amounts,
}

impl Wish {
    /// The wish for this host.
    pub fn of(city: &City, host: &Host) -> Self {
        let amounts = METERS.map(|meter| match meter {
            Meter::Vcpu => host.size.vcpu,
            Meter::Memory => host.size.memory,
            _ => host.size.disk,
        });
        let account = city.department(host.department);
        Self { account, uid: host.uid(), architecture: host.architecture(), amounts }
    }

    fn pool_suits(&self, pool: &Pool) -> bool {
        let is = |architecture: &String| architecture == self.architecture;
        pool.state == PoolState::Open && pool.architecture.as_ref().is_none_or(is)
    }

    fn amount(&self, index: usize) -> u64 {
        self.amounts.get(index).copied().unwrap_or_default()
    }
}

/// More or less of each meter.
type Change = [i128; METERS.len()];

impl Recount {
    /// Whether `wish` could be granted now.
    pub fn fits(&self, wish: &Wish) -> bool {
        let Some(account) = self.names.get(&wish.account).copied() else { return false };
        let had = self.by_uid.get(&wish.uid).and_then(|claim| self.claims.get(claim));
        let in_pool = |pool: &Pool, index: usize| -> u64 {
            let lines = had.into_iter().flat_map(super::Taken::all);
            let same = lines.filter(|line| line.pool == pool.id && meter_index(line.meter) == Some(index));
            same.map(|line| line.quantity).sum()
        };
        let mut change = Change::default();
        for (index, more) in change.iter_mut().enumerate() {
            let before: u64 = self.pools.iter().map(|(pool, _)| in_pool(pool, index)).sum();
            *more = i128::from(wish.amount(index)) - i128::from(before);
        }
        if !self.within_ceilings(account, &change) || !self.leaves_floors(account, &change) {
            return false;
        }
        // A claim does not move: where it lies, there it grows.
        let bound = |kind: PoolKind| {
            let lines = had.into_iter().flat_map(super::Taken::all).filter(|line| line.meter.pool_kind() == kind);
            lines.map(|line| line.pool.clone()).next()
        };
        let has_room = |pool: &Pool, sums: &Amounts| {
            (0..METERS.len()).filter(|index| METERS.get(*index).is_some_and(|meter| pool.kind.gives(*meter))).all(
                |index| {
                    let (before, after) = (in_pool(pool, index), wish.amount(index));
                    let usable = METERS.get(index).and_then(|meter| pool.usable(*meter)).unwrap_or(u64::MAX);
                    let others = sums.get(index).copied().unwrap_or_default().saturating_sub(before);
                    after <= before || others + after <= usable
                },
            )
        };
        let of_kind = |kind: PoolKind| {
            let bound = bound(kind);
            let pools = self
                .pools
                .iter()
                .filter(move |(pool, _)| pool.kind == kind && bound.as_ref().is_none_or(|bound| *bound == pool.id));
            pools.filter(|(pool, sums)| wish.pool_suits(pool) && has_room(pool, sums)).map(|(pool, _)| pool)
        };
        of_kind(PoolKind::Compute).any(|compute| of_kind(PoolKind::Storage).any(|disks| disks.site == compute.site))
    }

    /// What an account and its units take, each unit at least its floor.
    fn occupied(&self, node: usize, index: usize) -> u64 {
        let own = self.own.get(node).and_then(|sums| sums.get(index)).copied().unwrap_or_default();
        let units = self.nodes.get(node).into_iter().flat_map(|node| &node.units);
        own + units.map(|unit| self.demand(*unit, index)).sum::<u64>()
    }

    /// What an account counts as above it.
    fn demand(&self, node: usize, index: usize) -> u64 {
        self.occupied(node, index).max(self.floor(node, index))
    }

    fn floor(&self, node: usize, index: usize) -> u64 {
        self.nodes.get(node).and_then(|node| node.floors.get(index)).copied().unwrap_or_default()
    }

    /// From the account up: its number, what it occupies, and how much more that would be.
    fn upwards(&self, account: usize, index: usize, more: i128) -> Vec<(usize, i128, i128)> {
        let (mut steps, mut next, mut more) = (Vec::new(), Some(account), more);
        while let Some(node) = next {
            let occupied = i128::from(self.occupied(node, index));
            steps.push((node, occupied, more));
            let floor = i128::from(self.floor(node, index));
            more = (occupied + more).max(floor) - occupied.max(floor);
            next = self.nodes.get(node).and_then(|node| node.parent);
        }
        steps.push((usize::MAX, 0, more));
        steps
    }

    fn within_ceilings(&self, account: usize, change: &Change) -> bool {
        change.iter().enumerate().all(|(index, more)| {
            self.upwards(account, index, *more).into_iter().all(|(node, occupied, more)| {
                let ceiling = self.nodes.get(node).and_then(|node| node.ceilings.get(index).copied().flatten());
                ceiling.is_none_or(|ceiling| more <= 0 || occupied + more <= i128::from(ceiling))
            })
        })
    }

    /// Whether what is free still covers what floors have not used, or at least covers no less than before.
    fn leaves_floors(&self, account: usize, change: &Change) -> bool {
        change.iter().enumerate().filter(|(_, more)| **more > 0).all(|(index, more)| {
            let roots =
                (0..self.nodes.len()).filter(|node| self.nodes.get(*node).is_some_and(|node| node.parent.is_none()));
            let kept = roots.map(|root| {
                let used = self.tree(root).get(index).copied().unwrap_or_default();
                i128::from(self.demand(root, index)) - i128::from(used)
            });
            let kept: i128 = kept.sum();
            // What remains of the change above the root is what no floor covers.
            let borrowed = self.upwards(account, index, *more).last().map_or(*more, |(_, _, more)| *more);
            let free: i128 = self
                .pools
                .iter()
                .map(|(pool, sums)| {
                    let usable = METERS.get(index).and_then(|meter| pool.usable(*meter)).unwrap_or_default();
                    i128::from(usable.saturating_sub(sums.get(index).copied().unwrap_or_default()))
                })
                .sum();
            let (before, after) = (kept - free, kept - (*more - borrowed) - (free - *more));
            kept == 0 || after <= 0 || after <= before
        })
    }
}
