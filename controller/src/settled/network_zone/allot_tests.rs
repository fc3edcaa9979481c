//! Addresses are never given twice, whoever comes and goes; what was given stays.

use proptest::prelude::*;

use super::*;

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn ranges(cidrs: &[&str], length: u8) -> Ranges {
    Ranges { cidrs: cidrs.iter().map(|text| cidr(text)).collect(), length }
}

fn users(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn departments_get_the_lowest_free_addresses_in_their_order_and_keep_them() {
    let (ranges, mut book) = (ranges(&["10.64.0.0/24"], 26), AddressBook::default());
    allot("z", &ranges, &users(&["tax", "finance"]), &[], false, &mut book);
    assert_eq!(book.of("finance", "z"), Some(cidr("10.64.0.0/26")));
    assert_eq!(book.of("tax", "z"), Some(cidr("10.64.0.64/26")));
    let before = book.clone();
    assert_eq!(allot("z", &ranges, &users(&["tax", "finance"]), &[], false, &mut book), Allotted { exhausted: false });
    assert_eq!(book, before, "nothing is written where nothing changed");
    allot("z", &ranges, &users(&["archive", "tax", "finance"]), &[], false, &mut book);
    assert_eq!(book.of("archive", "z"), Some(cidr("10.64.0.128/26")), "nobody is moved for one who comes later");
}

#[test]
fn a_subnet_that_is_there_is_entered_as_it_is_and_others_are_kept_clear_of() {
    let (ranges, mut book) = (ranges(&["10.64.0.0/24"], 26), AddressBook::default());
    let theirs = Some(("tax".to_owned(), "z".to_owned()));
    let there = [
        Network { cidr: cidr("10.64.0.0/28"), made_for: None },
        Network { cidr: cidr("10.64.0.64/26"), made_for: theirs.clone() },
    ];
    allot("z", &ranges, &users(&["finance", "tax"]), &there, false, &mut book);
    assert_eq!(book.of("tax", "z"), Some(cidr("10.64.0.64/26")));
    assert_eq!(book.of("finance", "z"), Some(cidr("10.64.0.128/26")));

    // Entered for another one meanwhile: whose it is, is for operators to say; it gets no second one.
    let mut book = AddressBook::default();
    book.enter("archive", "z", cidr("10.64.0.64/26"));
    allot(
        "z",
        &ranges,
        &users(&["tax"]),
        &[Network { cidr: cidr("10.64.0.64/26"), made_for: theirs }],
        false,
        &mut book,
    );
    assert_eq!(book.of("tax", "z"), None);
}

#[test]
fn nothing_is_given_while_nothing_may_be_and_where_nothing_is_left_somebody_is_told() {
    let (ranges, mut book) = (ranges(&["10.64.0.0/26"], 26), AddressBook::default());
    assert_eq!(allot("z", &ranges, &users(&["tax"]), &[], true, &mut book), Allotted::default());
    assert_eq!(book, AddressBook::default());
    assert_eq!(allot("z", &ranges, &users(&["finance", "tax"]), &[], false, &mut book), Allotted { exhausted: true });
    assert_eq!((book.of("finance", "z"), book.of("tax", "z")), (Some(cidr("10.64.0.0/26")), None));
}

/// One look of a zone: who uses it by then, and whether its subnets are still known to the book.
#[derive(Clone, Debug)]
struct Look {
    zone: usize,
    users: BTreeSet<String>,
    forgotten: bool,
}

fn look() -> impl Strategy<Value = Look> {
    let users = prop::collection::btree_set((0..12_u8).prop_map(|number| format!("d{number}")), 0..10);
    (0..2_usize, users, prop::bool::weighted(0.1)).prop_map(|(zone, users, forgotten)| Look { zone, users, forgotten })
}

proptest! {
    #[test]
    fn no_two_departments_ever_have_an_address_in_common_and_none_is_moved(looks in prop::collection::vec(look(), 1..24)) {
        // They overlap: the API server cannot tell two zones that.
        let zones = [("a", ranges(&["10.0.0.0/25", "10.9.0.0/26"], 27)), ("b", ranges(&["10.0.0.64/26", "10.1.0.0/24"], 28))];
        let mut book = AddressBook::default();
        // Made of what is entered, and gone only with its department.
        let mut made: Vec<Network> = Vec::new();
        for Look { zone, users, forgotten } in looks {
            let (name, ranges) = &zones[zone];
            if forgotten {
                book = AddressBook::default();
            }
            let left = |network: &Network| network.made_for.as_ref().is_some_and(|(who, of)| of == name && !users.contains(who));
            for network in made.iter().filter(|network| left(network)) {
                book.strike(&network.made_for.as_ref().unwrap().0, name);
            }
            made.retain(|network| !left(network));
            allot(name, ranges, &users, &made, false, &mut book);
            for network in &made {
                let (who, of) = network.made_for.as_ref().unwrap();
                if of == name {
                    prop_assert_eq!(book.of(who, of), Some(network.cidr), "{} was moved", who);
                }
            }
            for department in &users {
                let Some(cidr) = book.of(department, name) else { continue };
                let made_for = Some((department.clone(), (*name).to_owned()));
                if !made.iter().any(|network| network.made_for == made_for) {
                    prop_assert!(ranges.cidrs.iter().any(|range| range.overlaps(cidr)), "{cidr} is out of range");
                    made.push(Network { cidr, made_for });
                }
            }
            for (number, one) in made.iter().enumerate() {
                let others = made.iter().skip(number + 1);
                prop_assert!(!others.into_iter().any(|other| other.cidr.overlaps(one.cidr)), "{:?}", made);
            }
        }
    }
}
