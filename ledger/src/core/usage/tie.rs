//! The proof that use adds up: departments + platform + idle = capacity x time, per pool and meter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    super::{claim::Claim, meter::Meter, month::Period, pool::PoolId, state::State},
    Payer, UsageFilter, usage,
};

/// The time of one meter of one pool, in unit-seconds. Capacity and idle are measured on the pool's timeline and not
/// from the usage rows, so a row that is missing or doubled shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tie {
    /// The pool.
    pub pool: PoolId,
    /// What is counted.
    pub meter: Meter,
    /// Capacity with over-commit, reserve included.
    pub capacity: i128,
    /// What departments bear.
    pub departments: i128,
    /// What the platform bears.
    pub platform: i128,
    /// What nobody held, reserve included.
    pub idle: i128,
    /// The reserve, for information; part of idle as far as nobody holds it.
    pub reserve: i128,
    /// What was held beyond capacity, after the pool was shrunk below its use.
    pub over: i128,
}

impl Tie {
    /// Whether it adds up to the second.
    pub const fn holds(&self) -> bool {
        self.departments + self.platform + self.idle - self.over == self.capacity
    }
}

/// One tie per pool and meter the pool ever had capacity for, over `period`.
pub fn tie(state: &State, period: Period) -> Vec<Tie> {
    let mut borne: BTreeMap<(PoolId, Meter), (i128, i128)> = BTreeMap::new();
    for row in usage(state, period, &UsageFilter::default()) {
        let sums = borne.entry((row.pool, row.meter)).or_default();
        match row.payer {
            Payer::Department => sums.0 += row.unit_seconds,
            Payer::Platform => sums.1 += row.unit_seconds,
        }
    }
    let steps = steps(state);
    let mut ties = Vec::new();
    for record in state.pools() {
        for meter in record.meters() {
            let key = (record.pool.id.clone(), meter);
            let (departments, platform) = borne.get(&key).copied().unwrap_or_default();
            let mut tie =
                Tie { pool: key.0.clone(), meter, capacity: 0, departments, platform, idle: 0, reserve: 0, over: 0 };
            let level = steps.get(&key);
            // Before the first stock the pool has no capacity and, its claims coming later, no use.
            for (part, gross, reserve) in record.stock_of(meter, period) {
                tie.capacity += i128::from(gross) * part.seconds();
                tie.reserve += i128::from(reserve) * part.seconds();
                for (span, held) in levels(level, part) {
                    let free = (i128::from(gross) - held) * span.seconds();
                    tie.idle += free.max(0);
                    tie.over += (-free).max(0);
                }
            }
            ties.push(tie);
        }
    }
    ties
}

type Steps = BTreeMap<Timestamp, i128>;

/// Every rise and fall of what is held, per pool and meter.
fn steps(state: &State) -> BTreeMap<(PoolId, Meter), Steps> {
    let mut all: BTreeMap<(PoolId, Meter), Steps> = BTreeMap::new();
    for claim in state.claims() {
        for (at, line, sign) in turns(claim) {
            let steps = all.entry((line.pool.clone(), line.meter)).or_default();
            *steps.entry(at).or_default() += sign * i128::from(line.quantity);
        }
    }
    all
}

/// The moments a claim's lines came and went.
fn turns(claim: &Claim) -> Vec<(Timestamp, &super::Line, i128)> {
    let mut turns = Vec::new();
    let mut from = claim.reserved_at;
    for version in &claim.history {
        for line in version.lines.iter().chain(&version.held) {
            turns.push((from, line, 1));
            turns.push((version.until, line, -1));
        }
        from = version.until;
    }
    for line in claim.taken() {
        turns.push((from, line, 1));
        turns.extend(claim.released_at.map(|released| (released, line, -1)));
    }
    turns
}

/// What was held, span by span of `part`.
fn levels(steps: Option<&Steps>, part: Period) -> Vec<(Period, i128)> {
    let mut spans = Vec::new();
    let (mut from, mut held) = (part.from, 0);
    for (&at, by) in steps.into_iter().flatten().take_while(|(at, _)| **at < part.to) {
        spans.extend(part.clip(from, at).map(|span| (span, held)));
        from = from.max(at);
        held += by;
    }
    spans.extend(part.clip(from, part.to).map(|span| (span, held)));
    spans
}
