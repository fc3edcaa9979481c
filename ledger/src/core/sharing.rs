//! Pools that serve several floors at once: what is kept free for each may be the same capacity.
//!
//! Floors can all be kept at the same time if and only if, for every set of pools that some of them are confined to, the
//! set has room for all floors confined to it (Hall's theorem for transport). Sets that no two floors share in part need
//! no looking at together.

use std::collections::BTreeSet;

/// The most sets looked at for one meter. Floors by zone, tier and architecture of a city make a few.
const MOST: usize = 64;

/// `sets` without doubles and without the empty one, and every union of those that overlap in part. Where that would be
/// more than [`MOST`], only what hangs together as a whole is joined: the answer never depends on the order of `sets`.
pub(super) fn joined<T: Ord + Copy>(sets: impl IntoIterator<Item = BTreeSet<T>>) -> BTreeSet<BTreeSet<T>> {
    let single: BTreeSet<BTreeSet<T>> = sets.into_iter().filter(|set| !set.is_empty()).collect();
    let mut all = single.clone();
    let mut fresh: Vec<BTreeSet<T>> = single.iter().cloned().collect();
    while let Some(set) = fresh.pop() {
        let partly = |other: &&BTreeSet<T>| !set.is_disjoint(other) && !set.is_subset(other) && !other.is_subset(&set);
        let unions = single.iter().filter(partly).map(|other| &set | other);
        fresh.extend(unions.filter(|union| all.insert(union.clone())));
        if all.len() > MOST {
            return wholes(single);
        }
    }
    all
}

/// `single`, and of those that hang together by overlapping what they are as a whole.
fn wholes<T: Ord + Copy>(mut single: BTreeSet<BTreeSet<T>>) -> BTreeSet<BTreeSet<T>> {
    let mut wholes: Vec<BTreeSet<T>> = Vec::new();
    for set in &single {
        let (apart, touched): (Vec<_>, Vec<_>) = wholes.into_iter().partition(|whole| whole.is_disjoint(set));
        wholes = apart;
        wholes.push(touched.into_iter().fold(set.clone(), |whole, part| &whole | &part));
    }
    single.extend(wholes);
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[u8]) -> BTreeSet<u8> {
        of.iter().copied().collect()
    }

    fn sets(of: &[&[u8]]) -> BTreeSet<BTreeSet<u8>> {
        of.iter().map(|of| set(of)).collect()
    }

    #[test]
    fn sets_that_overlap_in_part_are_joined_and_others_are_not() {
        assert_eq!(joined([set(&[1]), set(&[2]), set(&[])]), sets(&[&[1], &[2]]));
        assert_eq!(joined([set(&[1, 2]), set(&[1]), set(&[1, 2])]), sets(&[&[1, 2], &[1]]));
        assert_eq!(joined([set(&[1, 2]), set(&[2, 3])]), sets(&[&[1, 2], &[2, 3], &[1, 2, 3]]));
        let chain = joined([set(&[1, 2]), set(&[3, 4]), set(&[2, 3])]);
        let all = sets(&[&[1, 2], &[2, 3], &[3, 4], &[1, 2, 3], &[2, 3, 4], &[1, 2, 3, 4]]);
        assert_eq!(chain, all);
    }

    #[test]
    fn where_they_would_be_too_many_only_wholes_are_joined() {
        let many = || (0..64_u8).map(|number| set(&[number, number + 1]));
        let mut expected: BTreeSet<BTreeSet<u8>> = many().collect();
        expected.insert((0..=64).collect());
        assert_eq!(joined(many()), expected);
        assert_eq!(joined(many().rev()), expected);
    }
}
