//! Accounts: whether they form a tree, and whether floors lie within what is above them.

use crate::{
    book::Book,
    entry::{Account, Limit},
    finding::{Findings, Rule},
    tree::{MOST_LEVELS, Node},
};

pub(crate) fn set(book: &mut Book, account: &Account, findings: &mut Findings) {
    let parent = parent(book, account, findings);
    for (index, limit) in account.limits.iter().enumerate() {
        check_limit(account, limit, account.limits.get(index + 1..).unwrap_or_default(), findings);
    }
    book.tree.set(account, parent);
    let Some(number) = book.tree.number(&account.id) else { return };
    let levels = book.tree.path(number).len() - 1 + book.tree.height(number);
    if levels > MOST_LEVELS {
        findings.add(Rule::Account, &account.id, format!("at most {MOST_LEVELS} levels"), levels);
    }
    check_cover(book, number, findings);
    if let Some(parent) = parent {
        check_cover(book, parent, findings);
    }
}

/// The number of the account above; where that cannot be, it stays where it was.
fn parent(book: &Book, account: &Account, findings: &mut Findings) -> Option<usize> {
    let own = book.tree.number(&account.id);
    let stays = own.and_then(|own| book.tree.node(own)?.parent);
    let name = account.parent.as_ref()?;
    let Some(parent) = book.tree.number(name) else {
        findings.add(Rule::Account, &account.id, "an account above it that is in the book", name);
        return stays;
    };
    let goes_round = name == &account.id || own.is_some_and(|own| book.tree.path(parent).contains(&own));
    if goes_round {
        findings.add(Rule::Account, &account.id, "an account above it that does not lie below it", name);
        return stays;
    }
    Some(parent)
}

fn check_limit(account: &Account, limit: &Limit, others: &[Limit], findings: &mut Findings) {
    let Limit { meter, dimensions, ceiling, guaranteed } = limit;
    if let Some(ceiling) = ceiling.filter(|ceiling| guaranteed > ceiling) {
        let expected = format!("a floor of {meter} not above its ceiling of {ceiling}");
        findings.add(Rule::Account, &account.id, expected, guaranteed);
    }
    let overlaps = |other: &&Limit| {
        other.guaranteed > 0 && *guaranteed > 0 && other.meter == *meter && other.dimensions.meets(dimensions)
    };
    if account.state != "Closed"
        && let Some(other) = others.iter().find(overlaps)
    {
        let found = format!("{dimensions} and {}", other.dimensions);
        findings.add(Rule::Account, &account.id, format!("floors of {meter} that do not overlap"), found);
    }
}

/// Floors of the accounts directly below lie together within the floor of the same kind above them.
fn check_cover(book: &Book, above: usize, findings: &mut Findings) {
    let Some(node) = book.tree.node(above) else { return };
    let units: Vec<&Node> = node.children.iter().filter_map(|child| book.tree.node(*child)).collect();
    let mut seen = Vec::new();
    for floor in units.iter().flat_map(|unit| unit.floors()) {
        let kind = (floor.meter, &floor.dimensions);
        if seen.contains(&kind) {
            continue;
        }
        seen.push(kind);
        let promised: u128 = units.iter().map(|unit| unit.floor(floor.meter, &floor.dimensions)).sum();
        let own = node.floor(floor.meter, &floor.dimensions);
        if promised > own {
            let expected = format!("floors of {} below it within its own {own} ({})", floor.meter, floor.dimensions);
            findings.add(Rule::Account, &node.name, expected, promised);
        }
    }
}
