//! Lines of claims: whether they can be, and what they add up to.

use crate::{
    book::Book,
    claim::{Quantities, total},
    entry::Line,
    finding::{Findings, Rule},
    kind::Kind,
    pools::MOST,
};

/// The quantities of `lines`, by meter and kind; what cannot be is told as a finding about `subject`.
pub(crate) fn read(book: &mut Book, subject: &str, lines: &[Line], findings: &mut Findings) -> Quantities {
    let mut quantities = Quantities::new();
    let mut site: Option<&str> = None;
    for line in lines {
        let Line { meter, pool, dimensions, quantity } = line;
        let mut wrong = |expected: String, found: String| findings.add(Rule::Line, subject, expected, found);
        if !(1..=MOST).contains(quantity) {
            wrong(format!("from 1 to {MOST} {meter} in a line"), quantity.to_string());
        }
        match book.pools.get(pool) {
            None => wrong(format!("{meter} in a pool that is in the book"), pool.clone()),
            Some(is) => {
                if meter.pool_kind() != is.kind {
                    wrong(format!("{meter} in a pool that gives it out"), format!("{pool}, a {} pool", is.kind));
                }
                let facts = (&dimensions.architecture, &dimensions.tier);
                if facts != (&is.architecture, &is.tier) {
                    wrong(format!("{meter} of the kind of {pool}"), dimensions.to_string());
                }
                match site {
                    Some(site) if site != is.site => wrong(format!("all lines at {site}"), is.site.clone()),
                    _ => site = Some(&is.site),
                }
            }
        }
        let kind = Kind { pool: Some(pool.clone()), ..dimensions.clone() };
        let fact = book.facts.number(*meter, &kind);
        if total(&quantities, fact) > 0 {
            wrong(format!("one line for {meter} in {pool}"), "two".to_owned());
        }
        quantities.push((fact, *quantity));
    }
    quantities
}

/// Whether two lists of quantities say the same.
pub(crate) fn equal(one: &Quantities, other: &Quantities) -> bool {
    let facts = || one.iter().chain(other).map(|(fact, _)| *fact);
    facts().all(|fact| total(one, fact) == total(other, fact))
}

/// What `wanted` has beyond `present`.
pub(crate) fn beyond(wanted: &Quantities, present: &Quantities) -> Quantities {
    let more = wanted.iter().map(|(fact, quantity)| {
        let has = total(present, *fact);
        (*fact, u64::try_from(u128::from(*quantity).saturating_sub(has)).unwrap_or(0))
    });
    more.filter(|(_, quantity)| *quantity > 0).collect()
}
