//! I5: departments + platform + idle - over = capacity, per pool, meter and month, each side measured on its own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    book::{Book, Steps},
    finding::{Findings, Rule},
    kind::PlaceNo,
    meter::Meter,
    month::{Month, months},
};

/// The time of one meter of one pool in one month, in unit-seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tie {
    /// The month, as `2026-11`; the first and the last only as far as the entries go.
    pub month: String,
    /// The pool.
    pub pool: String,
    /// The meter.
    pub meter: &'static str,
    /// Capacity with over-commit, reserve included.
    pub capacity: u128,
    /// What departments bear, from claims.
    pub departments: u128,
    /// What the platform bears, from claims.
    pub platform: u128,
    /// What nobody held, from the pool's level.
    pub idle: u128,
    /// What was held beyond capacity, from the pool's level.
    pub over: u128,
}

/// What one account bore in one month, in unit-seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The month, as `2026-11`.
    pub month: String,
    /// The account.
    pub account: String,
    /// The meter.
    pub meter: &'static str,
    /// What it pays for.
    pub department: u128,
    /// What the platform bears of its claims.
    pub platform: u128,
}

#[derive(Clone, Copy, Default)]
struct Borne {
    department: u128,
    platform: u128,
}

impl Borne {
    fn add(&mut self, department: bool, more: u128) {
        if department {
            self.department += more;
        } else {
            self.platform += more;
        }
    }
}

/// Measures all months from `from` to the last entry.
pub(crate) fn measure(book: &mut Book, from: Timestamp, findings: &mut Findings) -> (Vec<Tie>, Vec<Share>) {
    let to = book.at;
    let open: Vec<_> = book.claims.values().filter(|claim| claim.is_open()).cloned().collect();
    for claim in &open {
        book.end_stretch(claim, to);
    }
    let months = months(from, to);
    let mut by_place: BTreeMap<(usize, PlaceNo), Borne> = BTreeMap::new();
    let mut by_account: BTreeMap<(usize, usize, Meter), Borne> = BTreeMap::new();
    for stretch in &book.stretches {
        let Some((_, meter)) = book.facts.place_name(stretch.place) else { continue };
        let first = months.partition_point(|month| month.to <= stretch.from);
        for (index, month) in months.iter().enumerate().skip(first).take_while(|(_, month)| month.from < stretch.to) {
            let seconds = between(stretch.from.max(month.from), stretch.to.min(month.to));
            let much = seconds * u128::from(stretch.quantity);
            by_place.entry((index, stretch.place)).or_default().add(stretch.department, much);
            by_account.entry((index, stretch.account, meter)).or_default().add(stretch.department, much);
        }
    }
    let mut ties = Vec::new();
    for (index, month) in months.iter().enumerate() {
        for (place, gross) in &book.gross {
            let borne = by_place.get(&(index, *place)).copied().unwrap_or_default();
            let Some((pool, meter)) = book.facts.place_name(*place) else { continue };
            let tie = tie(month, pool, meter, gross, book.levels.get(place), borne);
            check(&tie, findings);
            ties.push(tie);
        }
    }
    let shares = by_account.into_iter().filter_map(|((index, account, meter), borne)| {
        Some(Share {
            month: months.get(index)?.name.clone(),
            account: book.tree.name(account).to_owned(),
            meter: meter.name(),
            department: borne.department,
            platform: borne.platform,
        })
    });
    (ties, shares.collect())
}

fn tie(month: &Month, pool: &str, meter: Meter, gross: &Steps, levels: Option<&Steps>, borne: Borne) -> Tie {
    let none = Steps::new();
    let levels = levels.unwrap_or(&none);
    let mut turns: Vec<Timestamp> = gross.iter().chain(levels).map(|(at, _)| *at).collect();
    turns.retain(|at| month.from < *at && *at < month.to);
    turns.extend([month.from, month.to]);
    turns.sort_unstable();
    turns.dedup();
    let (mut capacity, mut idle, mut over) = (0, 0, 0);
    for (from, to) in turns.iter().zip(turns.iter().skip(1)) {
        let (gross, level, seconds) = (level_at(gross, *from), level_at(levels, *from), between(*from, *to));
        capacity += gross * seconds;
        idle += gross.saturating_sub(level) * seconds;
        over += level.saturating_sub(gross) * seconds;
    }
    Tie {
        month: month.name.clone(),
        pool: pool.to_owned(),
        meter: meter.name(),
        capacity,
        departments: borne.department,
        platform: borne.platform,
        idle,
        over,
    }
}

fn check(tie: &Tie, findings: &mut Findings) {
    let Tie { month, pool, meter, capacity, departments, platform, idle, over } = tie;
    if departments + platform + idle != capacity + over {
        let expected =
            format!("departments {departments} + platform {platform} + idle {idle} - over {over} = {capacity}");
        let found = (departments + platform + idle).abs_diff(capacity + over);
        findings.add(Rule::Usage, format!("{pool}, {meter}, {month}"), expected, format!("{found} unit-seconds apart"));
    }
}

/// The level at a moment; nothing before the first step.
fn level_at(steps: &Steps, at: Timestamp) -> u128 {
    let after = steps.partition_point(|(from, _)| *from <= at);
    after.checked_sub(1).and_then(|last| steps.get(last)).map_or(0, |(_, level)| *level)
}

fn between(from: Timestamp, to: Timestamp) -> u128 {
    u128::try_from(to.as_second() - from.as_second()).unwrap_or(0)
}
