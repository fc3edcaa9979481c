//! The account of a department, as the ledger keeps it, read from what was written.

use jiyun_crds::v1alpha1::{
    Department, DepartmentState, PlacementPreference, PlacementStrategy, ProcessorPreference, Quantity, QuotaLimit,
    Reason,
};
use jiyun_ledger::{Account, AccountId, AccountState, CommandError, Dimensions, Limit, PoolId, Preference, Spread};
use jiyun_messages::{Parameters, parameters};
use kube::ResourceExt;

use crate::settled::price_list::meter;

/// A department that cannot be booked as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Reason of condition `Ready`.
    pub reason: Reason,
    /// Code in the catalogue of messages.
    pub code: &'static str,
    /// What the sentence is about.
    pub about: Parameters,
}

impl Unusable {
    /// For this reason, said with this code.
    pub fn new(reason: Reason, code: &'static str, about: Parameters) -> Self {
        Self { reason, code, about }
    }

    fn misconfigured(code: &'static str, about: Parameters) -> Self {
        Self::new(Reason::Misconfigured, code, about)
    }
}

/// The account of `department`; `others` are all departments, `zones` all zones.
///
/// # Errors
/// The field that is wrong.
pub fn read(department: &Department, others: &[Department], zones: &[String]) -> Result<Account, Unusable> {
    let spec = &department.spec;
    let name = department.name_any();
    if let Some(zone) = spec.zones.iter().find(|zone| !zones.contains(zone)) {
        let about = parameters([("field", "spec.zones"), ("name", zone)]);
        return Err(Unusable::new(Reason::UnknownReference, "ZoneIsMissing", about));
    }
    // Of two with one code the older keeps it: a slip in a new department must not stop one that works.
    let age = |department: &Department| (department.metadata.creation_timestamp.clone(), department.name_any());
    let holds_code = |other: &&Department| other.spec.code == spec.code && age(other) < age(department);
    if let Some(other) = others.iter().find(holds_code) {
        let about = parameters([("field", "spec.code"), ("code", spec.code.as_str()), ("other", &other.name_any())]);
        return Err(Unusable::misconfigured("CodeTaken", about));
    }
    if let Some(parent) = &spec.parent_ref
        && !others.iter().any(|other| other.name_any() == parent.name)
    {
        let about = parameters([("field", "spec.parentRef.name"), ("kind", "Department"), ("name", &parent.name)]);
        return Err(Unusable::new(Reason::UnknownReference, "UnknownReference", about));
    }
    let limits =
        spec.quota.iter().enumerate().map(|(index, limit)| read_limit(index, limit)).collect::<Result<_, _>>()?;
    Ok(Account {
        id: AccountId::new(name),
        display_name: spec.display_name.clone(),
        parent: spec.parent_ref.as_ref().map(|parent| AccountId::new(&parent.name)),
        billing_account: spec.billing_account.clone(),
        limits,
        preference: preference(spec.placement),
        state: match spec.state {
            DepartmentState::Open => AccountState::Open,
            DepartmentState::Closed => AccountState::Closed,
        },
    })
}

fn preference(written: PlacementPreference) -> Preference {
    Preference {
        domestic_first: written.processors == ProcessorPreference::DomesticFirst,
        spread: match written.strategy {
            PlacementStrategy::Pack => Spread::Pack,
            PlacementStrategy::Spread => Spread::Spread,
        },
    }
}

fn read_limit(index: usize, written: &QuotaLimit) -> Result<Limit, Unusable> {
    let amount = |field: &str, quantity: &Option<Quantity>| {
        let Some(quantity) = quantity else { return Ok(None) };
        let read = if written.meter.is_size() { quantity.mebibytes() } else { quantity.whole() };
        read.map(Some).map_err(|problem| {
            let field = format!("spec.quota[{index}].{field}");
            let value = quantity.as_str().to_owned();
            Unusable::misconfigured(
                "InvalidQuantity",
                parameters([("field", field), ("value", value), ("problem", problem.to_string())]),
            )
        })
    };
    let (limit, guaranteed) = (amount("limit", &written.limit)?, amount("guaranteed", &written.guaranteed)?);
    let meter = meter(written.meter);
    Ok(Limit {
        meter,
        dimensions: Dimensions {
            pool: written.pool.as_ref().map(|pool| PoolId::of(meter.pool_kind(), pool)),
            architecture: written.architecture.map(|architecture| architecture.as_str().to_owned()),
            tier: written.tier.clone(),
            zone: written.zone.clone(),
        },
        limit,
        guaranteed: guaranteed.unwrap_or(0),
    })
}

/// What the ledger has against an account, in the department's terms.
pub fn objection(command: &CommandError) -> Unusable {
    let field = "spec.parentRef.name";
    match command {
        CommandError::Cycle { account, parent } => {
            let path = format!("{account} -> {parent} -> ... -> {account}");
            Unusable::misconfigured("ParentCycle", parameters([("field", field), ("path", &path)]))
        }
        CommandError::UnknownAccount { account } => Unusable::new(
            Reason::UnknownReference,
            "UnknownReference",
            parameters([("field", field), ("kind", "Department"), ("name", account.as_str())]),
        ),
        CommandError::FloorNotCovered { account, meter, promised, own, .. } => Unusable::misconfigured(
            "FloorNotCovered",
            parameters([
                ("field", "spec.quota".to_owned()),
                ("account", account.to_string()),
                ("meter", meter.to_string()),
                ("promised", promised.to_string()),
                ("own", own.to_string()),
            ]),
        ),
        CommandError::FloorsOverlap { meter, first, second, .. } => Unusable::misconfigured(
            "FloorsOverlap",
            parameters([
                ("field", "spec.quota".to_owned()),
                ("meter", meter.to_string()),
                ("first", first.to_string()),
                ("second", second.to_string()),
            ]),
        ),
        other => {
            Unusable::misconfigured("InvalidField", parameters([("field", "spec"), ("problem", &other.to_string())]))
        }
    }
}
