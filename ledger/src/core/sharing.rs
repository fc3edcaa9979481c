//! Pools that serve several floors at once: what is kept free for each may be the same capacity.
//!
//! Floors can all be kept at the same time if and only if, for every set of pools that some of them are confined to, the
//! set has room for all floors confined to it (Hall's theorem for transport). Sets that no two floors share in part need
//! no looking at together.

use std::collections::BTreeSet;

/// The most sets looked at for one meter. Floors by zone, tier and architecture of a city make a few; beyond this number
/// the largest unions go unlooked at, and the smaller ones still hold.
const MOST: usize = 128;

/// `sets` without doubles and without the empty one, and every union of those that overlap in part.
pub(super) fn joined<T: Ord + Copy>(sets: impl IntoIterator<Item = BTreeSet<T>>) -> Vec<BTreeSet<T>> {
    let mut all: Vec<BTreeSet<T>> = Vec::new();
    for set in sets.into_iter().filter(|set| !set.is_empty()) {
        if !all.contains(&set) {
            all.push(set);
        }
    }
    let mut at = 0;
    while let Some(set) = all.get(at).cloned() {
        let partly = |other: &&BTreeSet<T>| !set.is_disjoint(other) && !set.is_subset(other) && !other.is_subset(&set);
        let unions: Vec<BTreeSet<T>> = all.iter().take(at).filter(partly).map(|other| &set | other).collect();
        for union in unions {
            if all.len() < MOST && !all.contains(&union) {
                all.push(union);
            }
        }
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(of: &[u8]) -> BTreeSet<u8> {
        of.iter().copied().collect()
    }

    #[test]
    fn sets_that_overlap_in_part_are_joined_and_others_are_not() {
        assert_eq!(joined([set(&[1]), set(&[2]), set(&[])]), [set(&[1]), set(&[2])]);
        assert_eq!(joined([set(&[1, 2]), set(&[1]), set(&[1, 2])]), [set(&[1, 2]), set(&[1])]);
        assert_eq!(joined([set(&[1, 2]), set(&[2, 3])]), [set(&[1, 2]), set(&[2, 3]), set(&[1, 2, 3])]);
        let chain = joined([set(&[1, 2]), set(&[2, 3]), set(&[3, 4])]);
        assert!(chain.contains(&set(&[1, 2, 3, 4])), "{chain:?}");
    }

    #[test]
    fn floors_without_end_do_not_take_for_ever() {
        let many = (0..64_u8).map(|number| set(&[number, number + 1, 200 - number]));
        assert_eq!(joined(many).len(), MOST);
    }
}
