//! Price books: they never change, and none gives another price to what was used.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use crate::{
    book::Book,
    entry::PriceBook,
    finding::{Findings, Rule},
};

pub(crate) fn set(book: &mut Book, prices: &PriceBook, findings: &mut Findings) {
    let subject = format!("price book {}", prices.id);
    check(prices, &subject, findings);
    if let Some(there) = book.prices.iter().find(|there| there.id == prices.id) {
        if there != prices {
            findings.add(Rule::Prices, subject, "the contents it was recorded with first", "other contents");
        }
        return;
    }
    if let Some(other) = book.prices.iter().find(|other| other.valid_from == prices.valid_from) {
        let expected = format!("a beginning of its own, other than {}", prices.valid_from);
        findings.add(Rule::Prices, &subject, expected, format!("that of {}", other.id));
    }
    let replaces = book.prices.iter().any(|other| other.valid_from <= prices.valid_from);
    let used = book.claims.values().find(|claim| {
        let Some(from) = claim.billable.0 else { return false };
        from.max(prices.valid_from) < claim.billable.1.unwrap_or(book.at).min(book.at)
    });
    if let Some(claim) = used.filter(|_| replaces) {
        let expected = format!("nothing used since {} under other prices", prices.valid_from);
        findings.add(Rule::Prices, &subject, expected, format!("use by {}", claim.name()));
    }
    book.prices.push(prices.clone());
}

fn check(prices: &PriceBook, subject: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for rate in &prices.rates {
        if rate.price.is_sign_negative() && rate.price != Decimal::ZERO {
            findings.add(Rule::Prices, subject, format!("a price of {} of 0 or more", rate.meter), rate.price);
        }
        if !seen.insert((rate.meter, rate.dimensions.clone())) {
            let expected = format!("one price of {} ({})", rate.meter, rate.dimensions);
            findings.add(Rule::Prices, subject, expected, "two");
        }
    }
}
