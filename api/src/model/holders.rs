//! Who holds what of a pool, and who waits for it (资源池占用): for platform operators alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_ledger::{Account, Claim, Line, Pool, State, Waiting};
use serde::Serialize;
use utoipa::ToSchema;

use super::Meter;

/// The most claims of one department, and the most waiting requests, in one answer; the counts beside them are whole.
pub const MOST: usize = 500;

/// A pool, its holders and its line at one revision of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::pool_holders()))]
pub struct PoolHolders {
    /// The pool.
    #[schema(example = "hygon")]
    pub pool: String,
    /// The ledger's entry this was read at.
    pub revision: u64,
    /// Up to when the ledger is known.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What the pool gives out, meter by meter.
    pub meters: Vec<PoolMeter>,
    /// Departments that hold some of it, by name.
    pub departments: Vec<HoldingDepartment>,
    /// How many requests wait for room in it.
    pub waiting_count: usize,
    /// Who waits, first come first; at most 500.
    pub waiting: Vec<WaitingRequest>,
}

/// One meter of a pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolMeter {
    /// What is counted.
    pub meter: Meter,
    /// Its unit.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// What may be given out: capacity × over-commit − reserve; absent where the pool does not bound it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable: Option<u64>,
    /// Used and held.
    pub taken: u64,
}

/// One meter of a holder or a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// What is counted.
    pub meter: Meter,
    /// Its unit.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// How much.
    pub quantity: u64,
}

/// What a department itself holds of a pool; units below it are departments of their own.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldingDepartment {
    /// The department.
    #[schema(example = "finance")]
    pub department: String,
    /// Its name for people.
    pub display_name: String,
    /// How many claims it has there.
    pub claim_count: usize,
    /// What they take together.
    pub amounts: Vec<Amount>,
    /// The claims, by number; only where one department was asked for, at most 500.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<HoldingClaim>,
}

/// One claim on a pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldingClaim {
    /// Its number.
    #[schema(example = "claim-7")]
    pub claim: String,
    /// The information system.
    pub system: String,
    /// The object it is for, as `CloudHost web-1`.
    pub object: String,
    /// Where it stands: `Held`, `Reserved`, `Billable`, `Ending`.
    pub stage: String,
    /// Since when capacity is set aside.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What it takes of this pool.
    pub amounts: Vec<Amount>,
}

/// A request in line for a pool.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingRequest {
    /// The department.
    pub department: String,
    /// The object, as `CloudHost web-1`.
    pub object: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// How often it was passed; after 8 times nobody passes any more.
    pub overtaken: u32,
    /// All that it asks for, wherever that is to lie.
    pub amounts: Vec<Amount>,
}

/// Sums by meter.
type Sums = BTreeMap<jiyun_ledger::Meter, u64>;

fn amounts(sums: Sums) -> Vec<Amount> {
    sums.into_iter().map(|(meter, quantity)| Amount { meter: meter.into(), unit: meter.unit(), quantity }).collect()
}

fn add(sums: &mut Sums, meter: jiyun_ledger::Meter, quantity: u64) {
    let sum = sums.entry(meter).or_default();
    *sum = sum.saturating_add(quantity);
}

impl PoolHolders {
    /// The holders of `pool`; of `only` with its claims.
    pub fn new(state: &State, pool: &Pool, only: Option<&str>, as_of: Timestamp) -> Self {
        let mut sums: BTreeMap<&str, (usize, Sums)> = BTreeMap::new();
        let mut claims = Vec::new();
        for claim in state.claims().filter(|claim| claim.is_open()) {
            let account = claim.account.as_str();
            let here = here(claim, pool);
            if here.is_empty() || only.is_some_and(|only| only != account) {
                continue;
            }
            let (count, sum) = sums.entry(account).or_default();
            *count += 1;
            for (meter, quantity) in &here {
                add(sum, *meter, *quantity);
            }
            if only.is_some() && claims.len() < MOST {
                claims.push(HoldingClaim::new(claim, here));
            }
        }
        let departments = sums.into_iter().map(|(account, (claim_count, sum))| HoldingDepartment {
            department: account.to_owned(),
            display_name: state.account(&account.into()).map(|found| named(found)).unwrap_or_default(),
            claim_count,
            amounts: amounts(sum),
            claims: std::mem::take(&mut claims),
        });
        let departments = departments.collect();
        let waiting: Vec<_> = state.waiting().filter(|waiting| waiting.competes_for(state, pool)).collect();
        let meter = |meter: &jiyun_ledger::Meter| PoolMeter {
            meter: (*meter).into(),
            unit: meter.unit(),
            usable: pool.usable(*meter),
            taken: state.pool_use(&pool.id, *meter),
        };
        Self {
            pool: pool.id.name().to_owned(),
            revision: state.seq(),
            as_of,
            meters: pool.capacity.keys().map(meter).collect(),
            departments,
            waiting_count: waiting.len(),
            waiting: waiting.into_iter().take(MOST).map(WaitingRequest::from).collect(),
        }
    }
}

fn named(account: &Account) -> String {
    account.display_name.clone()
}

fn here(claim: &Claim, pool: &Pool) -> Sums {
    let mut sums = Sums::new();
    for Line { meter, quantity, .. } in claim.taken().filter(|line| line.pool == pool.id) {
        add(&mut sums, *meter, *quantity);
    }
    sums
}

impl HoldingClaim {
    fn new(claim: &Claim, here: Sums) -> Self {
        Self {
            claim: claim.id.to_string(),
            system: claim.system.clone(),
            object: format!("{} {}", claim.subject.kind, claim.subject.name),
            stage: claim.stage().to_string(),
            since: claim.reserved_at,
            amounts: amounts(here),
        }
    }
}

impl From<&Waiting> for WaitingRequest {
    fn from(waiting: &Waiting) -> Self {
        let request = &waiting.request;
        let mut sums = Sums::new();
        for (meter, quantity) in request.placements.iter().flat_map(|placement| &placement.quantities) {
            add(&mut sums, *meter, *quantity);
        }
        Self {
            department: request.account.to_string(),
            object: format!("{} {}", request.subject.kind, request.subject.name),
            since: waiting.since,
            overtaken: waiting.overtaken,
            amounts: amounts(sums),
        }
    }
}
