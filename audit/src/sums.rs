//! Sums at the end: counted once more from all claims, and given away to be compared with the book's own.

use std::collections::BTreeMap;

use crate::{
    book::Book,
    claim::Claim,
    finding::{Findings, Rule},
    kind::Kind,
    meter::Meter,
    report::{AccountSum, PoolSum},
    sheet::Sheet,
};

/// Every account's sum from all its claims, against the one that was kept block by block.
pub(crate) fn recount(book: &Book, findings: &mut Findings) {
    let mut claims: BTreeMap<usize, Vec<&Claim>> = BTreeMap::new();
    for claim in book.claims.values().filter(|claim| claim.is_open()) {
        claims.entry(claim.account).or_default().push(claim);
    }
    for (number, node) in book.tree.nodes.iter().enumerate() {
        let fresh = Sheet::of(claims.get(&number).into_iter().flatten().copied()).canonical();
        if fresh != node.own.sheet.canonical() {
            findings.add(Rule::Replay, &node.name, "sums that its claims add up to", "other sums");
        }
    }
}

/// What accounts and pools add up to at the end; only what is above zero.
pub(crate) fn of(book: &Book) -> (Vec<AccountSum>, Vec<PoolSum>) {
    let mut meters: Vec<Meter> = book.facts.meters().collect();
    meters.sort_unstable();
    meters.dedup();
    let mut accounts = Vec::new();
    for meter in meters {
        let selected = book.facts.selected(meter, &Kind::default());
        for (number, node) in book.tree.nodes.iter().enumerate() {
            let sum = book.tree.tree_use(number, &selected);
            if sum.total() > 0 {
                let (account, meter) = (node.name.clone(), meter.name());
                accounts.push(AccountSum { account, meter, held: sum.held, used: sum.used });
            }
        }
    }
    let mut pools = Vec::new();
    for (place, (pool, meter)) in book.facts.places().enumerate() {
        let taken = book.taken_at(place);
        if taken > 0 {
            pools.push(PoolSum { pool: pool.to_owned(), meter: meter.name(), taken });
        }
    }
    (accounts, pools)
}
