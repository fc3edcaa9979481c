//! Who gets which addresses: a function of what is given, what is there and who asks, that never gives any twice.

use std::collections::BTreeSet;

use super::{book::AddressBook, ranges::Ranges};
use crate::cidr::{self, Cidr};

/// A subnet of the cluster, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its addresses.
    pub cidr: Cidr,
    /// The department and the zone it was made for, where it is one of ours.
    pub made_for: Option<(String, String)>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allotted {
    /// Somebody got nothing, for nothing is left.
    pub exhausted: bool,
}

/// Enters what every user of `zone` has in it. A subnet that is there and not entered, for the book was lost or restored, is
/// entered as it is; whoever has nothing gets the lowest addresses that nobody has, unless `nothing_new`.
pub fn allot(
    zone: &str,
    ranges: &Ranges,
    users: &BTreeSet<String>,
    there: &[Network],
    nothing_new: bool,
    book: &mut AddressBook,
) -> Allotted {
    for Network { cidr, made_for } in there {
        if let Some((department, of)) = made_for
            && of == zone
            && book.of(department, zone).is_none()
            && !book.given().any(|given| given.overlaps(*cidr))
        {
            book.enter(department, zone, *cidr);
        }
    }
    let mut allotted = Allotted::default();
    let mut taken: Vec<Cidr> = book.given().chain(there.iter().map(|network| network.cidr)).collect();
    for department in users {
        // One of its own that cannot be entered is in somebody's way: operators have to look first.
        let is_theirs = |network: &&Network| network.made_for.as_ref() == Some(&(department.clone(), zone.to_owned()));
        if book.of(department, zone).is_some() || nothing_new || there.iter().any(|network| is_theirs(&network)) {
            continue;
        }
        match cidr::free(&ranges.cidrs, ranges.length, &taken) {
            Some(free) => {
                taken.push(free);
                book.enter(department, zone, free);
            }
            None => allotted.exhausted = true,
        }
    }
    allotted
}

#[cfg(test)]
#[path = "allot_tests.rs"]
mod tests;
