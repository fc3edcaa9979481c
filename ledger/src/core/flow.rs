//! How much of several wishes can be met at once from several stocks, where not every stock serves every wish.
//!
//! A largest flow, found by augmenting along shortest paths (Edmonds and Karp). There are as many wishes as kinds of
//! floors and as many stocks as pools: a few of each.

use std::collections::{BTreeMap, VecDeque};

/// The most that can be had of `wanted` out of `there` when wish `w` may be met from stock `s` where `serves(w, s)`.
pub(super) fn most(wanted: &[u128], there: &[u128], serves: impl Fn(usize, usize) -> bool) -> u128 {
    if let [wanted] = wanted {
        let serving = there.iter().enumerate().filter(|(stock, _)| serves(0, *stock));
        return serving.map(|(_, left)| *left).fold(0, u128::saturating_add).min(*wanted);
    }
    let mut flow = Flow { left: there.to_vec(), given: BTreeMap::new(), serves };
    // What has found its place never loses it to what comes later: it is only moved.
    wanted.iter().enumerate().map(|(wish, wanted)| flow.meet(wish, *wanted)).sum()
}

/// By stock and wish: in the order of stocks, so that whoever has a part of one is found at once.
type Given = BTreeMap<(usize, usize), u128>;

struct Flow<F> {
    left: Vec<u128>,
    given: Given,
    serves: F,
}

/// A way to one more unit: each wish takes from its stock, which the wish before it gives up for another one. The stock of
/// the first has something left.
type Way = Vec<(usize, usize)>;

impl<F: Fn(usize, usize) -> bool> Flow<F> {
    /// Meets as much of a wish as can be; how much that is.
    fn meet(&mut self, wish: usize, wanted: u128) -> u128 {
        let mut missing = wanted;
        while missing > 0
            && let Some(way) = self.way(wish)
        {
            missing -= self.go(&way, missing);
        }
        wanted - missing
    }

    fn way(&self, origin: usize) -> Option<Way> {
        let mut taken_by: BTreeMap<usize, usize> = BTreeMap::new();
        let mut gives_up: BTreeMap<usize, usize> = BTreeMap::new();
        let mut asking = VecDeque::from([origin]);
        while let Some(wish) = asking.pop_front() {
            for (stock, left) in self.left.iter().enumerate() {
                if !(self.serves)(wish, stock) || taken_by.contains_key(&stock) {
                    continue;
                }
                taken_by.insert(stock, wish);
                if *left > 0 {
                    return Some(traced(stock, &taken_by, &gives_up));
                }
                for &(_, other) in self.given.range((stock, 0)..=(stock, usize::MAX)).map(|(key, _)| key) {
                    if other != origin && !gives_up.contains_key(&other) {
                        gives_up.insert(other, stock);
                        asking.push_back(other);
                    }
                }
            }
        }
        None
    }

    /// Moves as much along `way` as it bears, at most `wanted`.
    fn go(&mut self, way: &Way, wanted: u128) -> u128 {
        let bears = way.windows(2).filter_map(|pair| match pair {
            [(giver, _), (_, stock)] => self.given.get(&(*stock, *giver)).copied(),
            _ => None,
        });
        let first = way.first().and_then(|(_, stock)| self.left.get(*stock)).copied().unwrap_or(0);
        let amount = bears.fold(first.min(wanted), u128::min);
        if let Some(left) = way.first().and_then(|(_, stock)| self.left.get_mut(*stock)) {
            *left -= amount;
        }
        for (wish, stock) in way {
            *self.given.entry((*stock, *wish)).or_default() += amount;
        }
        for pair in way.windows(2) {
            if let [(giver, _), (_, stock)] = pair
                && let Some(given) = self.given.get_mut(&(*stock, *giver))
            {
                *given -= amount;
            }
        }
        self.given.retain(|_, given| *given > 0);
        amount
    }
}

/// From the stock with something left back to the wish that asked.
fn traced(end: usize, taken_by: &BTreeMap<usize, usize>, gives_up: &BTreeMap<usize, usize>) -> Way {
    let mut way = Way::new();
    let mut next = Some(end);
    while let Some(stock) = next {
        let Some(&wish) = taken_by.get(&stock) else { break };
        way.push((wish, stock));
        next = gives_up.get(&wish).copied();
    }
    way
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_serves_only_one_wish_is_left_to_it() {
        // The first wish would take the second's only stock, and finds another one.
        assert_eq!(most(&[5, 5], &[5, 5], |wish, stock| wish == 0 || stock == 0), 10);
        assert_eq!(most(&[5, 5], &[5, 5], |_, stock| stock == 0), 5);
        assert_eq!(most(&[3], &[1, 9, 1], |_, stock| stock != 1), 2);
        assert_eq!(most(&[], &[7], |_, _| true), 0);
    }

    /// Hall: what cannot be met is the most that some wishes want beyond what serves any of them.
    fn lacking(wanted: &[u128], there: &[u128], serves: &dyn Fn(usize, usize) -> bool) -> u128 {
        let subsets = 0..1_usize << wanted.len();
        let lacks = subsets.map(|subset| {
            let within = |wish: &usize| subset >> wish & 1 == 1;
            let wants: u128 = (0..wanted.len()).filter(within).map(|wish| wanted[wish]).sum();
            let serving =
                (0..there.len()).filter(|stock| (0..wanted.len()).filter(within).any(|wish| serves(wish, *stock)));
            wants.saturating_sub(serving.map(|stock| there[stock]).sum())
        });
        lacks.max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn the_flow_is_as_large_as_can_be(
            wanted in prop::collection::vec(0..12_u128, 0..6),
            there in prop::collection::vec(0..12_u128, 0..6),
            served in any::<u64>(),
        ) {
            let serves = |wish: usize, stock: usize| served >> (wish * 6 + stock) & 1 == 1;
            let met = most(&wanted, &there, serves);
            prop_assert_eq!(wanted.iter().sum::<u128>() - met, lacking(&wanted, &there, &serves));
        }
    }
}
