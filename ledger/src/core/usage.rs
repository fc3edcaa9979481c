//! Use over time (用量): exact intervals out of claims, and the proof that nothing is missing or counted twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{
    account::AccountId,
    claim::{Claim, ClaimId, Holder, Line},
    dimensions::Dimensions,
    meter::Meter,
    month::Period,
    pool::PoolId,
    state::State,
};

mod tie;

pub use tie::{Tie, tie};

/// Who bears an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display)]
pub enum Payer {
    /// The department: from handing over to the decided end.
    Department,
    /// The platform: provisioning before, wiping after.
    Platform,
}

/// One quantity over one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UsageRow {
    /// Which claim.
    pub claim: ClaimId,
    /// Who held it.
    pub account: AccountId,
    /// The information system it belonged to.
    pub system: String,
    /// The name of the object.
    pub resource: String,
    /// What it was called, e.g. the host class.
    pub item: String,
    /// What was counted.
    pub meter: Meter,
    /// Where.
    pub pool: PoolId,
    /// Of which kind.
    pub dimensions: Dimensions,
    /// From this second on.
    pub from: Timestamp,
    /// Up to but not including this second.
    pub to: Timestamp,
    /// How much throughout, in the meter's unit.
    pub quantity: u64,
    /// Quantity times seconds.
    pub unit_seconds: i128,
    /// Who bears it.
    pub payer: Payer,
    /// Who had it before it was handed to this holder; none if nobody had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_from: Option<Holder>,
    /// Who got it at the end of this interval, where that is why it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_to: Option<Holder>,
}

/// Which use to report; nothing named is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageFilter {
    /// Only this account's own claims.
    pub account: Option<AccountId>,
    /// Only this payer's intervals.
    pub payer: Option<Payer>,
}

/// All use within `period`, by claim, meter and time. A claim that is open counts to the end of the period: clip the
/// period to the moment you ask about. Neighbouring intervals that differ in nothing are one row.
pub fn usage(state: &State, period: Period, filter: &UsageFilter) -> Vec<UsageRow> {
    let mut rows = Vec::new();
    match &filter.account {
        Some(account) => state.claims_of(account).for_each(|claim| claim_rows(claim, period, filter, &mut rows)),
        None => state.claims().for_each(|claim| claim_rows(claim, period, filter, &mut rows)),
    }
    rows
}

fn claim_rows(claim: &Claim, period: Period, filter: &UsageFilter, rows: &mut Vec<UsageRow>) {
    // What a hold sets aside runs beside the claim's own lines of the same kind, and has rows of its own.
    let mut runs: BTreeMap<(Meter, &PoolId, &Dimensions, bool), Vec<UsageRow>> = BTreeMap::new();
    let versions = versions(claim, period.to);
    for (payer, span) in spans(claim, period) {
        for version in &versions {
            let Some(part) = span.clip(version.period.from, version.period.to) else { continue };
            if filter.account.as_ref().is_some_and(|account| *account != version.holder.account) {
                continue;
            }
            let own = version.lines.iter().map(|line| (line, payer, false));
            let held = version.held.iter().map(|line| (line, Payer::Platform, true));
            for (line, payer, held) in own.chain(held) {
                if filter.payer.is_none_or(|wanted| wanted == payer) {
                    let run = runs.entry((line.meter, &line.pool, &line.dimensions, held)).or_default();
                    extend(run, row(claim, version, line, part, payer));
                }
            }
        }
    }
    rows.extend(runs.into_values().flatten());
}

fn row(claim: &Claim, version: &Version<'_>, line: &Line, part: Period, payer: Payer) -> UsageRow {
    UsageRow {
        claim: claim.id,
        account: version.holder.account.clone(),
        system: version.holder.system.clone(),
        resource: version.holder.resource.clone(),
        item: version.item.to_owned(),
        meter: line.meter,
        pool: line.pool.clone(),
        dimensions: Dimensions::clone(&line.dimensions),
        from: part.from,
        to: part.to,
        quantity: line.quantity,
        unit_seconds: i128::from(line.quantity).saturating_mul(part.seconds()),
        payer,
        received_from: version.received_from.clone(),
        passed_to: version.passed_to.clone().filter(|_| part.to == version.period.to),
    }
}

/// Appends `next`, or lengthens the last row if they touch and are alike.
fn extend(run: &mut Vec<UsageRow>, next: UsageRow) {
    match run.last_mut() {
        Some(last)
            if last.to == next.from
                && (last.quantity, last.payer) == (next.quantity, next.payer)
                && last.item == next.item
                && last.received_from == next.received_from
                && (&last.account, &last.system, &last.resource) == (&next.account, &next.system, &next.resource) =>
        {
            last.to = next.to;
            last.passed_to = next.passed_to;
            last.unit_seconds = last.unit_seconds.saturating_add(next.unit_seconds);
        }
        _ => run.push(next),
    }
}

/// The parts of a claim's life within `period`, by who bears them.
fn spans(claim: &Claim, period: Period) -> Vec<(Payer, Period)> {
    let released = claim.released_at.unwrap_or(period.to);
    let handed_over = claim.billable_from.unwrap_or(released);
    let ended = claim.billable_until.unwrap_or(released).max(handed_over);
    let parts = [
        (Payer::Platform, claim.reserved_at, handed_over),
        (Payer::Department, handed_over, ended),
        (Payer::Platform, ended, released),
    ];
    parts.into_iter().filter_map(|(payer, from, to)| Some((payer, period.clip(from, to)?))).collect()
}

/// What a claim was for a time.
struct Version<'a> {
    holder: Holder,
    item: &'a str,
    lines: &'a [Line],
    held: &'a [Line],
    period: Period,
    received_from: Option<Holder>,
    passed_to: Option<Holder>,
}

/// What a claim was, version by version, up to `end`.
fn versions(claim: &Claim, end: Timestamp) -> Vec<Version<'_>> {
    let mut holder = claim.holder();
    let now = Version {
        holder: holder.clone(),
        item: &claim.item,
        lines: &claim.lines,
        held: &claim.held,
        period: Period { from: claim.history.last().map_or(claim.reserved_at, |last| last.until), to: end },
        received_from: None,
        passed_to: None,
    };
    let mut versions = vec![now];
    // Backwards: a version belonged to whoever held the next, unless it ended by handing it over.
    for (index, version) in claim.history.iter().enumerate().rev() {
        // What happened after the end of the time asked about is not in its account.
        let mut passed_to = None;
        if let Some(handed_over_by) = &version.holder {
            passed_to = Some(holder).filter(|_| version.until < end);
            holder = handed_over_by.clone();
        }
        let before = index.checked_sub(1).and_then(|before| claim.history.get(before));
        versions.push(Version {
            holder: holder.clone(),
            item: &version.item,
            lines: &version.lines,
            held: &version.held,
            period: Period { from: before.map_or(claim.reserved_at, |before| before.until), to: version.until },
            received_from: None,
            passed_to,
        });
    }
    versions.reverse();
    let mut from = None;
    let mut before: Option<Holder> = None;
    for version in &mut versions {
        if before.as_ref().is_some_and(|before| *before != version.holder) {
            from = before;
        }
        version.received_from.clone_from(&from);
        before = Some(version.holder.clone());
    }
    versions
}
