//! Growth: whether a claim that takes more than before may take it. What shrinks or stays is never asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    book::Book,
    claim::Claim,
    entry::{Limit, Pool},
    finding::{Findings, Rule},
    kind::{FactNo, Kind},
    meter::Meter,
    tree::Node,
};

/// What a claim takes more of, pool by pool; true where that may be within a floor of its account or of one above.
pub(crate) type Growth = BTreeMap<String, BTreeMap<Meter, bool>>;

/// The most sets of pools looked at for one meter.
const MOST_SETS: usize = 64;

/// A limit or floor that does not hold now; it is a finding only if it was not just as bad before.
enum Suspect {
    Limit {
        account: usize,
        limit: Limit,
        occupied: u128,
    },
    Floor {
        meter: Meter,
        kind: Kind,
        short: i128,
    },
    /// Floors of several kinds that find room in the same pools, each alone and not all.
    Floors {
        meter: Meter,
        pools: BTreeSet<String>,
        short: i128,
    },
}

/// Checks claim `id`, which was `before` (nothing, if it is new), and gives what it takes more of.
pub(crate) fn check(book: &mut Book, id: u64, before: Option<&Claim>, findings: &mut Findings) -> Growth {
    let Some(after) = book.claims.get(&id).cloned() else { return Growth::new() };
    let growth = growth(before, &after);
    if growth.is_empty() {
        return Growth::new();
    }
    let path = book.tree.path(after.account);
    closed(book, after.account, &after, "growth", findings);
    check_pools(book, before, &after, &growth, findings);
    let pools = by_pool(book, &path, &growth);

    let meters: BTreeSet<Meter> = growth.iter().filter_map(|fact| Some(book.facts.get(*fact)?.meter)).collect();
    let mut suspects = limits(book, &path, &growth, &meters);
    suspects.extend(meters.iter().flat_map(|meter| floors(book, *meter)));
    if suspects.is_empty() {
        return pools;
    }
    // The book as it was without this growth, counted again, for comparison.
    book.put(id, before.cloned());
    let worse: Vec<_> = suspects.into_iter().filter_map(|suspect| worse(book, suspect)).collect();
    book.put(id, Some(after.clone()));
    for (rule, expected, found) in worse {
        findings.add(rule, after.name(), expected, found);
    }
    pools
}

/// Whether the account, or one above it, is closed: it takes nothing more.
pub(crate) fn closed(book: &Book, account: usize, claim: &Claim, what: &str, findings: &mut Findings) {
    let path = book.tree.path(account);
    for closed in path.iter().filter_map(|number| book.tree.node(*number)).filter(|node| node.closed) {
        let expected = format!("nothing more for closed account {}", closed.name);
        findings.add(Rule::ClosedAccount, claim.name(), expected, what);
    }
}

/// Meters and kinds it takes more of.
fn growth(before: Option<&Claim>, after: &Claim) -> BTreeSet<FactNo> {
    let had = |fact| before.map_or(0, |before| before.takes(fact));
    after.taken().map(|(fact, _)| *fact).filter(|fact| after.takes(*fact) > had(*fact)).collect()
}

/// I1, and whether the pools take anything at all.
fn check_pools(book: &Book, before: Option<&Claim>, after: &Claim, growth: &BTreeSet<FactNo>, findings: &mut Findings) {
    let mut places = BTreeMap::new();
    for fact in growth.iter().filter_map(|fact| book.facts.get(*fact)) {
        places.insert(fact.place, fact);
    }
    for (place, fact) in places {
        let Some((name, meter)) = book.facts.place_name(place) else { continue };
        // A pool that is not in the book is a finding about the line.
        let Some(pool) = book.pools.get(name) else { continue };
        if !pool.is_open() {
            findings.add(
                Rule::ClosedPool,
                after.name(),
                format!("no growth in {name}, which is {}", pool.state),
                meter,
            );
        }
        if let Some(zone) = fact.kind.zone.as_ref().filter(|zone| !pool.zones.contains(*zone)) {
            findings.add(Rule::ClosedPool, after.name(), format!("growth in a zone that {name} serves"), zone);
        }
        let takes = |claim: &Claim| -> u128 {
            let here = claim.taken().filter(|(fact, _)| book.facts.place_of(*fact) == Some(place));
            here.map(|(_, quantity)| u128::from(*quantity)).sum()
        };
        let Some(usable) = pool.usable(meter) else { continue };
        let sum = book.taken_at(place);
        if sum > usable && takes(after) > before.map_or(0, takes) {
            findings.add(Rule::Capacity, after.name(), format!("at most {usable} {meter} taken in {name}"), sum);
        }
    }
}

fn by_pool(book: &Book, path: &[usize], growth: &BTreeSet<FactNo>) -> Growth {
    let has_floor = |meter: Meter| {
        let mut floors = path.iter().filter_map(|number| book.tree.node(*number)).flat_map(Node::floors);
        floors.any(|floor| floor.meter == meter)
    };
    let mut pools = Growth::new();
    for fact in growth.iter().filter_map(|fact| book.facts.get(*fact)) {
        if let Some((name, meter)) = book.facts.place_name(fact.place) {
            pools.entry(name.to_owned()).or_default().insert(meter, has_floor(meter));
        }
    }
    pools
}

/// Limits on the path that are passed.
fn limits(book: &Book, path: &[usize], growth: &BTreeSet<FactNo>, meters: &BTreeSet<Meter>) -> Vec<Suspect> {
    let kinds: BTreeMap<Meter, Vec<Kind>> =
        meters.iter().map(|meter| (*meter, book.tree.floor_kinds(*meter))).collect();
    let mut suspects = Vec::new();
    for &account in path {
        let all = book.tree.node(account).map(|node| node.limits.as_slice()).unwrap_or_default();
        for limit in all {
            let (Some(ceiling), Some(floors)) = (limit.ceiling, kinds.get(&limit.meter)) else { continue };
            let selected = book.facts.selected(limit.meter, &limit.dimensions);
            if !growth.iter().any(|fact| selected.get(*fact).copied().unwrap_or(false)) {
                continue;
            }
            let occupied = book.tree.occupied(&book.facts, account, limit, floors);
            if occupied > u128::from(ceiling) {
                suspects.push(Suspect::Limit { account, limit: limit.clone(), occupied });
            }
        }
    }
    suspects
}

/// Floors whose unused part is not free any more.
fn floors(book: &Book, meter: Meter) -> Vec<Suspect> {
    let kept = book.tree.kept_free(&book.facts, meter);
    let short = kept.iter().filter_map(|(kind, _)| {
        let short = shortage(book, meter, kind, &kept)?;
        (short > 0).then(|| Suspect::Floor { meter, kind: kind.clone(), short })
    });
    let mut suspects: Vec<Suspect> = short.collect();
    for pools in crowded(book, &kept) {
        if let Some(short) = together(book, meter, &pools, &kept).filter(|short| *short > 0) {
            suspects.push(Suspect::Floors { meter, pools, short });
        }
    }
    suspects
}

/// The open pools that serve floors of `kind`. A pool kept apart for systems of level 4 serves one only if it is named.
fn serving(book: &Book, kind: &Kind) -> BTreeSet<String> {
    let serves = |pool: &&Pool| pool.is_open() && pool.can_hold(kind) && (!pool.is_apart() || kind.pool.is_some());
    book.pools.values().filter(serves).map(|pool| pool.id.clone()).collect()
}

/// Sets of pools that floors with something to keep have to share: those that serve one kind, grown by every other that
/// reaches into them and out of them again. Beyond [`MOST_SETS`] only all that hangs together is one set.
fn crowded(book: &Book, kept: &[(Kind, u128)]) -> BTreeSet<BTreeSet<String>> {
    let keeping = kept.iter().filter(|(_, free)| *free > 0);
    let single: Vec<BTreeSet<String>> = keeping.map(|(kind, _)| serving(book, kind)).collect();
    let plain: BTreeSet<BTreeSet<String>> = single.iter().filter(|set| !set.is_empty()).cloned().collect();
    if single.len() < 2 {
        return BTreeSet::new();
    }
    let mut sets = plain.clone();
    loop {
        let mut grown = sets.clone();
        for set in &sets {
            for other in &plain {
                let reaches =
                    set.intersection(other).next().is_some() && !other.is_subset(set) && !set.is_subset(other);
                if reaches {
                    grown.insert(set.union(other).cloned().collect());
                }
            }
        }
        if grown.len() > MOST_SETS {
            break;
        }
        if grown.len() == sets.len() {
            return sets;
        }
        sets = grown;
    }
    let mut sets = plain.clone();
    for set in &plain {
        let mut whole = set.clone();
        while let Some(other) = plain.iter().find(|other| !other.is_disjoint(&whole) && !other.is_subset(&whole)) {
            whole.extend(other.iter().cloned());
        }
        sets.insert(whole);
    }
    sets
}

/// What floors served by nothing but `pools` keep free beyond what is free there.
fn together(book: &Book, meter: Meter, pools: &BTreeSet<String>, kept: &[(Kind, u128)]) -> Option<i128> {
    let confined = |kind: &Kind| {
        let serving = serving(book, kind);
        !serving.is_empty() && serving.is_subset(pools)
    };
    let promised: u128 = kept.iter().filter(|(kind, _)| confined(kind)).map(|(_, free)| *free).sum();
    let mut free = 0_u128;
    for pool in pools.iter().filter_map(|name| book.pools.get(name)) {
        free += pool.usable(meter)?.saturating_sub(taken(book, &pool.id, meter));
    }
    Some(i128::try_from(promised).unwrap_or(i128::MAX).saturating_sub(i128::try_from(free).unwrap_or(i128::MAX)))
}

/// What is kept free within `kind` beyond what is free there (less than 0: there is more); none if nothing bounds it.
fn shortage(book: &Book, meter: Meter, kind: &Kind, kept: &[(Kind, u128)]) -> Option<i128> {
    let promised: u128 = kept.iter().filter(|(floor, _)| kind.selects(floor)).map(|(_, free)| *free).sum();
    let mut free = 0_u128;
    // A pool kept apart for systems of level 4 serves a floor only if that names the pool.
    let serves = |pool: &&Pool| pool.is_open() && pool.can_hold(kind) && (!pool.is_apart() || kind.pool.is_some());
    for pool in book.pools.values().filter(serves) {
        // A pool over its capacity has nothing free, and owes nothing to the others.
        free += pool.usable(meter)?.saturating_sub(taken(book, &pool.id, meter));
    }
    Some(i128::try_from(promised).unwrap_or(i128::MAX).saturating_sub(i128::try_from(free).unwrap_or(i128::MAX)))
}

pub(crate) fn taken(book: &Book, pool: &str, meter: Meter) -> u128 {
    book.facts.find_place(pool, meter).map_or(0, |place| book.taken_at(place))
}

/// Whether a suspect was better before; `book` is as it was before.
fn worse(book: &Book, suspect: Suspect) -> Option<(Rule, String, String)> {
    match suspect {
        Suspect::Limit { account, limit, occupied } => {
            let floors = book.tree.floor_kinds(limit.meter);
            let was = book.tree.occupied(&book.facts, account, &limit, &floors);
            let ceiling = limit.ceiling.unwrap_or(u64::MAX);
            let name = book.tree.name(account);
            let expected = format!("at most {ceiling} {} ({}) occupied below {name}", limit.meter, limit.dimensions);
            (occupied > was).then(|| (Rule::Limit, expected, format!("{occupied}, up from {was}")))
        }
        Suspect::Floor { meter, kind, short } => {
            let kept = book.tree.kept_free(&book.facts, meter);
            let own = kept.iter().find(|(floor, _)| *floor == kind).map_or(0, |(_, free)| *free);
            let was = shortage(book, meter, &kind, &kept)?;
            let expected = format!("the {meter} kept free for floors ({kind}) left free");
            let found = format!("{short} too little, after {} before", was.max(0));
            (own > 0 && short > was).then_some((Rule::Floor, expected, found))
        }
        Suspect::Floors { meter, pools, short } => {
            let kept = book.tree.kept_free(&book.facts, meter);
            // A floor that keeps something since this growth alone was none to look at before.
            if !crowded(book, &kept).contains(&pools) {
                return None;
            }
            let was = together(book, meter, &pools, &kept)?;
            let names = pools.into_iter().collect::<Vec<_>>().join(", ");
            let expected = format!("the {meter} kept free for all floors in {names} left free");
            (short > was).then(|| (Rule::Floor, expected, format!("{short} too little, after {} before", was.max(0))))
        }
    }
}
