//! What an explanation says: for each row of a balance the claims, the units below, and the sum.

use jiff::Timestamp;
use jiyun_ledger::{
    AccountId, BalanceRow, Claim, ClaimId, ClaimStage, Dimensions, Holder, Line, Meter, PoolId, State, balance,
};
use serde::Serialize;

use super::{BookError, replay::Replay};

/// Why an account holds what it holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Whose.
    pub account: AccountId,
    /// Its name for people.
    pub display_name: String,
    /// The entry it was read at.
    pub revision: u64,
    /// When that entry was made.
    pub as_of: Timestamp,
    /// One part per row of its balance.
    pub parts: Vec<Part>,
}

/// Why one row of a balance is what it is.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The row, as the ledger reports it.
    pub balance: BalanceRow,
    /// The unit of its quantities.
    pub unit: &'static str,
    /// What counts against the limit without being used: kept free for floors of units below.
    pub kept_free_below: u64,
    /// Line by line, in the account's whole tree.
    pub claims: Vec<ClaimLine>,
    /// The accounts directly below, each with its whole tree.
    pub units: Vec<UnitLine>,
    /// What its own claims hold and use.
    pub own: u64,
    /// The sum of all claim lines: held and used.
    pub sum: u64,
    /// Whether the sum is that of the balance, and own and units make the sum.
    pub adds_up: bool,
}

/// One line of a claim.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimLine {
    /// The claim.
    pub claim: ClaimId,
    /// Whose it is: the account itself or one below.
    pub account: AccountId,
    /// The object: kind, namespace and name.
    pub object: String,
    /// The information system.
    pub system: String,
    /// Who had it before it was handed over, the last of them first; none if nobody had.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub received_from: Vec<Holder>,
    /// What it is called, e.g. the host class.
    pub item: String,
    /// Where it lies.
    pub pool: PoolId,
    /// How much.
    pub quantity: u64,
    /// Where it stands; `Held` also for what is set aside on top of a claim that runs.
    pub stage: ClaimStage,
    /// Until when it is held, if it is.
    pub held_until: Option<Timestamp>,
    /// Since when it stands there.
    pub since: Timestamp,
    /// The entry that granted the claim.
    pub granted: u64,
    /// The entry that last changed it.
    pub changed: u64,
}

/// One account directly below.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitLine {
    /// Which.
    pub account: AccountId,
    /// Set aside in its tree.
    pub held: u64,
    /// Used in its tree.
    pub used: u64,
    /// Its floor for exactly this meter and kind; 0 if none.
    pub guaranteed: u64,
    /// Its ceiling for exactly this meter and kind.
    pub limit: Option<u64>,
    /// What is kept free for it and those below.
    pub kept_free: u64,
}

/// Explains `account`, or of it one meter only.
///
/// # Errors
/// When it is not in the book.
pub fn explain(replay: &Replay, account: &AccountId, meter: Option<Meter>) -> Result<Explanation, BookError> {
    let state = &replay.state;
    let (Some(balance), Some(holder)) = (balance(state, account), state.account(account)) else {
        return Err(unknown(state, account));
    };
    let wanted = balance.rows.into_iter().filter(|row| meter.is_none_or(|meter| meter == row.meter));
    Ok(Explanation {
        account: account.clone(),
        display_name: holder.display_name.clone(),
        revision: state.seq(),
        as_of: state.at(),
        parts: wanted.map(|row| part(replay, account, row)).collect(),
    })
}

fn unknown(state: &State, account: &AccountId) -> BookError {
    let near: Vec<_> = state
        .accounts()
        .map(|other| other.id.as_str())
        .filter(|other| other.contains(account.as_str()) || account.as_str().contains(*other))
        .take(5)
        .collect();
    let near = if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) };
    BookError::UnknownAccount { account: account.to_string(), revision: state.seq(), near }
}

fn part(replay: &Replay, account: &AccountId, row: BalanceRow) -> Part {
    let state = &replay.state;
    let (meter, kind) = (row.meter, &row.dimensions);
    let mut claims = Vec::new();
    for claim in state.claims().filter(|claim| claim.is_open() && lies_below(state, &claim.account, account)) {
        claims.extend(claim_lines(replay, claim, meter, kind));
    }
    let units: Vec<UnitLine> = state.children(account).map(|unit| unit_line(state, unit, meter, kind)).collect();
    let total = row.used.saturating_add(row.held);
    let own = claims.iter().filter(|line| line.account == *account).map(|line| line.quantity).sum::<u64>();
    let sum = claims.iter().map(|line| line.quantity).sum::<u64>();
    let below: u64 = units.iter().map(|unit| unit.held.saturating_add(unit.used)).sum();
    Part {
        unit: meter.unit(),
        kept_free_below: state.occupied(account, meter, kind).saturating_sub(total),
        adds_up: sum == total && own.saturating_add(below) == total,
        claims,
        units,
        own,
        sum,
        balance: row,
    }
}

fn lies_below(state: &State, account: &AccountId, above: &AccountId) -> bool {
    state.path(account).is_ok_and(|path| path.iter().any(|on_path| on_path.id == *above))
}

fn claim_lines(replay: &Replay, claim: &Claim, meter: Meter, kind: &Dimensions) -> Vec<ClaimLine> {
    let trace = replay.traces.get(&claim.id);
    let object = format!("{} {}/{}", claim.subject.kind, claim.subject.namespace, claim.subject.name);
    let stage = claim.stage();
    let since = match stage {
        ClaimStage::Held | ClaimStage::Reserved => claim.reserved_at,
        ClaimStage::Billable => claim.billable_from.unwrap_or(claim.reserved_at),
        ClaimStage::Ending | ClaimStage::Released => claim.billable_until.unwrap_or(claim.reserved_at),
    };
    let held_since = trace.map_or(claim.reserved_at, |trace| trace.changed_at);
    let line = |line: &Line, stage, since, hold: Option<&jiyun_ledger::Hold>| ClaimLine {
        claim: claim.id,
        account: claim.account.clone(),
        object: object.clone(),
        system: claim.system.clone(),
        received_from: claim.holders().into_iter().rev().skip(1).collect(),
        item: hold.map_or(&claim.item, |hold| &hold.item).clone(),
        pool: line.pool.clone(),
        quantity: line.quantity,
        stage,
        held_until: hold.map(|hold| hold.until),
        since,
        granted: trace.map_or(0, |trace| trace.granted),
        changed: trace.map_or(0, |trace| trace.changed),
    };
    let counts = |of: &&Line| of.meter == meter && kind.matches(&of.fact());
    let own = claim.lines.iter().filter(counts).map(|own| line(own, stage, since, None));
    let hold = claim.hold.as_ref();
    let set_aside = claim.held.iter().filter(counts).map(|more| line(more, ClaimStage::Held, held_since, hold));
    own.chain(set_aside).collect()
}

fn unit_line(state: &State, unit: &AccountId, meter: Meter, kind: &Dimensions) -> UnitLine {
    let amount = state.tree_total(unit, meter, kind);
    let account = state.account(unit);
    let row = account
        .and_then(|account| account.limits.iter().find(|limit| limit.meter == meter && limit.dimensions == *kind));
    let floors = account.map(|account| account.floors().collect::<Vec<_>>()).unwrap_or_default();
    let own_floor: u64 = floors
        .iter()
        .filter(|floor| floor.meter == meter && kind.covers(&floor.dimensions))
        .map(|floor| floor.guaranteed.saturating_sub(state.occupied(unit, meter, &floor.dimensions)))
        .sum();
    UnitLine {
        account: unit.clone(),
        held: amount.held,
        used: amount.used,
        guaranteed: row.map_or(0, |row| row.guaranteed),
        limit: row.and_then(|row| row.limit),
        // What its own units keep, and what its floor exceeds of that and its use.
        kept_free: state.occupied(unit, meter, kind).saturating_sub(amount.total()).saturating_add(own_floor),
    }
}
