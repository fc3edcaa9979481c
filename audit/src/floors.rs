//! Floors (保底): how much of what is kept free for them cannot be had from the pools at once.
//!
//! A largest flow from floors to pools, level by level (Dinic). A pool serves floors of several kinds, and its room is
//! promised once.

use std::collections::{BTreeMap, VecDeque};

use crate::{book::Book, entry::Pool, growth::taken, kind::Kind, meter::Meter};

/// What is kept free of `meter` for floors, and not to be had.
pub(crate) fn lacking(book: &Book, meter: Meter) -> u128 {
    let kept: Vec<(Kind, u128)> =
        book.tree.kept_free(&book.facts, meter).into_iter().filter(|(_, free)| *free > 0).collect();
    if kept.is_empty() {
        return 0;
    }
    let gives = |pool: &&Pool| pool.is_open() && pool.kind == meter.pool_kind();
    let pools: Vec<&Pool> = book.pools.values().filter(gives).collect();
    // A pool over its capacity has nothing free, and owes nothing to the others; one that does not bound it has enough.
    let free = |pool: &&Pool| match pool.usable(meter) {
        Some(usable) => usable.saturating_sub(taken(book, &pool.id, meter)),
        None => u128::from(u64::MAX),
    };
    let mut network = Network {
        unmet: kept.iter().map(|(_, free)| *free).collect(),
        free: pools.iter().map(free).collect(),
        serving: kept.iter().map(|(kind, _)| serving(kind, &pools)).collect(),
        had: BTreeMap::new(),
    };
    while network.round() {}
    network.unmet.iter().sum()
}

/// The pools, by number, that serve floors of `kind`. One kept apart for systems of level 4 serves only those that name it.
fn serving(kind: &Kind, pools: &[&Pool]) -> Vec<usize> {
    let serves = |pool: &Pool| pool.can_hold(kind) && (!pool.is_apart() || kind.pool.is_some());
    pools.iter().enumerate().filter(|(_, pool)| serves(pool)).map(|(number, _)| number).collect()
}

struct Network {
    /// What floors have not got yet.
    unmet: Vec<u128>,
    /// What pools have not given yet.
    free: Vec<u128>,
    /// The pools of each floor.
    serving: Vec<Vec<usize>>,
    /// What a floor has of a pool.
    had: BTreeMap<(usize, usize), u128>,
}

/// How far floors and pools are from a floor that wants more.
#[derive(Default)]
struct Levels {
    floors: BTreeMap<usize, usize>,
    pools: BTreeMap<usize, usize>,
}

impl Network {
    /// Gives all that can be given along shortest ways; false if there is none.
    fn round(&mut self) -> bool {
        let mut levels = self.levels();
        let mut given = 0;
        for floor in 0..self.unmet.len() {
            loop {
                let wants = self.unmet.get(floor).copied().unwrap_or(0);
                let got = if wants > 0 { self.give(floor, wants, &mut levels) } else { 0 };
                if got == 0 {
                    break;
                }
                if let Some(unmet) = self.unmet.get_mut(floor) {
                    *unmet -= got;
                }
                given += got;
            }
        }
        given > 0
    }

    fn levels(&self) -> Levels {
        let mut levels = Levels::default();
        let wanting = self.unmet.iter().enumerate().filter(|(_, unmet)| **unmet > 0);
        let mut next: VecDeque<usize> = wanting.map(|(floor, _)| floor).collect();
        levels.floors.extend(next.iter().map(|floor| (*floor, 0)));
        while let Some(floor) = next.pop_front() {
            let level = levels.floors.get(&floor).copied().unwrap_or(0);
            for pool in self.serving.get(floor).into_iter().flatten() {
                if levels.pools.contains_key(pool) {
                    continue;
                }
                levels.pools.insert(*pool, level + 1);
                for other in self.having(*pool) {
                    levels.floors.entry(other).or_insert_with(|| {
                        next.push_back(other);
                        level + 2
                    });
                }
            }
        }
        levels
    }

    /// The floors that have some of a pool.
    fn having(&self, pool: usize) -> Vec<usize> {
        let has = |((_, of), had): &(&(usize, usize), &u128)| *of == pool && **had > 0;
        self.had.iter().filter(has).map(|((floor, _), _)| *floor).collect()
    }

    /// Gives a floor at most `wanted` of its pools; how much.
    fn give(&mut self, floor: usize, wanted: u128, levels: &mut Levels) -> u128 {
        let level = levels.floors.get(&floor).copied();
        for pool in self.serving.get(floor).cloned().unwrap_or_default() {
            if level.is_none() || levels.pools.get(&pool).copied() != level.map(|level| level + 1) {
                continue;
            }
            let got = self.free_up(pool, wanted, levels);
            if got > 0 {
                *self.had.entry((floor, pool)).or_default() += got;
                return got;
            }
        }
        levels.floors.remove(&floor);
        0
    }

    /// Frees at most `wanted` of a pool: what it has left, or what another floor can have elsewhere; how much.
    fn free_up(&mut self, pool: usize, wanted: u128, levels: &mut Levels) -> u128 {
        if let Some(left) = self.free.get_mut(pool).filter(|left| **left > 0) {
            let got = wanted.min(*left);
            *left -= got;
            return got;
        }
        let level = levels.pools.get(&pool).copied();
        for other in self.having(pool) {
            if level.is_none() || levels.floors.get(&other).copied() != level.map(|level| level + 1) {
                continue;
            }
            let has = self.had.get(&(other, pool)).copied().unwrap_or(0);
            let got = self.give(other, wanted.min(has), levels);
            if got > 0 {
                if let Some(had) = self.had.get_mut(&(other, pool)) {
                    *had -= got;
                }
                return got;
            }
        }
        levels.pools.remove(&pool);
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(wanted: &[u128], free: &[u128], serving: &[&[usize]]) -> u128 {
        let serving = serving.iter().map(|pools| pools.to_vec()).collect();
        let mut network = Network { unmet: wanted.to_vec(), free: free.to_vec(), serving, had: BTreeMap::new() };
        while network.round() {}
        network.unmet.iter().sum()
    }

    #[test]
    fn room_is_promised_once_and_left_to_whoever_has_no_other() {
        assert_eq!(unmet(&[10, 8], &[20], &[&[0], &[0]]), 0);
        assert_eq!(unmet(&[10, 8], &[17], &[&[0], &[0]]), 1);
        assert_eq!(unmet(&[5, 5], &[5, 5], &[&[0, 1], &[0]]), 0);
        assert_eq!(unmet(&[5, 5, 5], &[5, 5, 5], &[&[0, 1], &[1, 2], &[0]]), 0);
        assert_eq!(unmet(&[5, 5], &[5, 9], &[&[0], &[0]]), 5);
    }
}
