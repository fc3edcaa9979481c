//! From what an object is called to its claim, by fingerprint.
//!
//! Names are not copied into the index: it holds fingerprints of 64 bits, and the claims themselves tell whether they
//! are meant. So a lookup compares numbers, and a change copies numbers. Names may share a fingerprint, which costs a
//! second look and nothing else.

use std::hash::{DefaultHasher, Hash, Hasher};

use imbl::OrdMap;

use super::super::claim::{ClaimId, Subject};

/// The same for the same name, within one process. It is never written.
fn fingerprint(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Of an object by its UID.
pub(super) fn of_uid(uid: &str) -> u64 {
    fingerprint(uid)
}

/// Of an object by kind, namespace and name.
pub(super) fn of_object(kind: &str, namespace: &str, name: &str) -> u64 {
    fingerprint((kind, namespace, name))
}

/// Of the object of a claim by kind, namespace and name.
pub(super) fn of_subject(subject: &Subject) -> u64 {
    of_object(&subject.kind, &subject.namespace, &subject.name)
}

/// Who has a fingerprint: nearly always one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bearers {
    One(ClaimId),
    Several(Vec<ClaimId>),
}

impl Bearers {
    fn all(&self) -> &[ClaimId] {
        match self {
            Self::One(claim) => std::slice::from_ref(claim),
            Self::Several(claims) => claims,
        }
    }

    fn of(claims: Vec<ClaimId>) -> Option<Self> {
        match claims.as_slice() {
            [] => None,
            [claim] => Some(Self::One(*claim)),
            _ => Some(Self::Several(claims)),
        }
    }
}

/// Claims by fingerprint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lookup(OrdMap<u64, Bearers>);

impl Lookup {
    /// The claims that may be meant.
    pub(super) fn claims(&self, fingerprint: u64) -> impl Iterator<Item = ClaimId> {
        self.0.get(&fingerprint).map(Bearers::all).into_iter().flatten().copied()
    }

    /// All claims in it.
    pub(super) fn all(&self) -> impl Iterator<Item = ClaimId> {
        self.0.values().flat_map(Bearers::all).copied()
    }

    pub(super) fn insert(&mut self, fingerprint: u64, claim: ClaimId) {
        let before = self.0.insert(fingerprint, Bearers::One(claim));
        let others = before.iter().flat_map(Bearers::all).copied().filter(|other| *other != claim);
        let mut bearers: Vec<ClaimId> = others.collect();
        if !bearers.is_empty() {
            bearers.push(claim);
            self.0.insert(fingerprint, Bearers::Several(bearers));
        }
    }

    pub(super) fn remove(&mut self, fingerprint: u64, claim: ClaimId) {
        let Some(bearers) = self.0.remove(&fingerprint) else { return };
        let others = bearers.all().iter().copied().filter(|other| *other != claim).collect();
        if let Some(bearers) = Bearers::of(others) {
            self.0.insert(fingerprint, bearers);
        }
    }

    /// Where two of them differ: fingerprint, and who has it in one and in the other.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let mut fingerprints: Vec<u64> = self.0.keys().chain(other.0.keys()).copied().collect();
        fingerprints.sort_unstable();
        fingerprints.dedup();
        let differs = |fingerprint: &u64| self.0.get(fingerprint) != other.0.get(fingerprint);
        let tell = |fingerprint: u64| {
            let claims = |of: &Self| of.claims(fingerprint).collect::<Vec<_>>();
            format!("{fingerprint:016x}: kept {:?}, counted {:?}", claims(self), claims(other))
        };
        fingerprints.into_iter().filter(differs).map(tell).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_that_share_a_fingerprint_are_all_found_and_leave_one_by_one() {
        let mut lookup = Lookup::default();
        for claim in [1, 2, 3, 2] {
            lookup.insert(7, ClaimId(claim));
        }
        assert_eq!(lookup.claims(7).count(), 3);
        lookup.remove(7, ClaimId(1));
        lookup.remove(7, ClaimId(9));
        lookup.remove(8, ClaimId(2));
        let mut left: Vec<_> = lookup.claims(7).collect();
        left.sort();
        assert_eq!(left, [ClaimId(2), ClaimId(3)]);
        lookup.remove(7, ClaimId(3));
        let mut one = Lookup::default();
        one.insert(7, ClaimId(2));
        assert_eq!(lookup, one, "how a lookup came about does not show");
        lookup.remove(7, ClaimId(2));
        assert_eq!(lookup, Lookup::default());
    }

    #[test]
    fn names_cut_elsewhere_have_another_fingerprint() {
        assert_ne!(of_object("CloudHost", "ab", "c"), of_object("CloudHost", "a", "bc"));
        assert_eq!(of_uid("x"), of_uid("x"));
    }
}
