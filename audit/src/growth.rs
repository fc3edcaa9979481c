//! Growth: whether a claim that takes more than before may take it. What shrinks or stays is never asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    book::Book,
    claim::{Claim, Quantities},
    entry::Limit,
    finding::{Findings, Rule},
    floors::lacking,
    kind::{FactNo, Kind},
    meter::Meter,
    tree::Node,
};

/// What a claim takes more of, pool by pool; true where that may be within a floor of its account or of one above.
pub(crate) type Growth = BTreeMap<String, BTreeMap<Meter, bool>>;

/// A limit that is passed now; it is a finding only if it was not just as bad before.
struct Passed {
    account: usize,
    limit: Limit,
    occupied: u128,
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
    let passed = limits(book, &path, &growth, &meters);
    let short = meters.iter().map(|meter| (*meter, lacking(book, *meter)));
    let short: Vec<(Meter, u128)> = short.filter(|(_, short)| *short > 0).collect();
    if passed.is_empty() && short.is_empty() {
        return pools;
    }
    // The book as it was without this growth, counted again, for comparison.
    book.put(id, before.cloned());
    let mut worse: Vec<_> = passed.into_iter().filter_map(|passed| passed.worse(book)).collect();
    // What a claim gives back in the same breath is nobody's but its own.
    book.put(id, before.map(|before| given_back(before, &after)));
    worse.extend(short.into_iter().filter_map(|(meter, short)| {
        let was = lacking(book, meter);
        let expected = format!("the {meter} kept free for floors left free");
        (short > was).then(|| (Rule::Floor, expected, format!("{short} too little, after {was} before")))
    }));
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

/// A claim after all that becomes less of it, and before what becomes more.
fn given_back(before: &Claim, after: &Claim) -> Claim {
    let mut lines = Quantities::new();
    for fact in before.taken().map(|(fact, _)| *fact).collect::<BTreeSet<_>>() {
        let left = before.takes(fact).min(after.takes(fact));
        lines.push((fact, u64::try_from(left).unwrap_or(u64::MAX)));
    }
    Claim { lines, held: Quantities::new(), ..before.clone() }
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
fn limits(book: &Book, path: &[usize], growth: &BTreeSet<FactNo>, meters: &BTreeSet<Meter>) -> Vec<Passed> {
    let kinds: BTreeMap<Meter, Vec<Kind>> =
        meters.iter().map(|meter| (*meter, book.tree.floor_kinds(*meter))).collect();
    let mut passed = Vec::new();
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
                passed.push(Passed { account, limit: limit.clone(), occupied });
            }
        }
    }
    passed
}

impl Passed {
    /// The finding, unless it was passed as far in `book`, which is as it was before.
    fn worse(self, book: &Book) -> Option<(Rule, String, String)> {
        let Self { account, limit, occupied } = self;
        let floors = book.tree.floor_kinds(limit.meter);
        let was = book.tree.occupied(&book.facts, account, &limit, &floors);
        let ceiling = limit.ceiling.unwrap_or(u64::MAX);
        let name = book.tree.name(account);
        let expected = format!("at most {ceiling} {} ({}) occupied below {name}", limit.meter, limit.dimensions);
        (occupied > was).then(|| (Rule::Limit, expected, format!("{occupied}, up from {was}")))
    }
}

pub(crate) fn taken(book: &Book, pool: &str, meter: Meter) -> u128 {
    book.facts.find_place(pool, meter).map_or(0, |place| book.taken_at(place))
}
