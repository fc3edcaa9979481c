//! What a department has: a summary on itself for operations, a report in its namespace for its people.

use jiff::{Timestamp, ToSpan};
use jiyun_approvals::rules_for;
use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{
        ApprovalRules, Architecture, ConditionStatus, ConditionType, DateTime, Department, OverLimit, QuotaReport,
        QuotaReportRow, QuotaReportStatus, Reason, UsageSummary, condition,
    },
};
use jiyun_ledger::{AccountId, BalanceRow, Meter, State, balance};
use jiyun_messages::parameters;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde_json::json;

use super::{
    departments,
    pool::differs,
    reports,
    words::{quantity, whole},
};
use crate::{
    conditions::{finding, merged, plain, whole_seconds},
    context::Context,
    error::ReconcileError,
    order::route::{self, People},
};

/// The most rows of a report; its schema's bound.
const ROWS: usize = 64;

/// Writes what differs about `department` and its report.
///
/// # Errors
/// When Kubernetes cannot be asked or does not take it.
pub async fn write(
    department: &Department,
    state: &State,
    context: &Context,
    now: Timestamp,
) -> Result<(), ReconcileError> {
    let name = department.name_any();
    let Some(balance) = balance(state, &AccountId::new(&name)) else { return Ok(()) };
    let is_going = department.metadata.deletion_timestamp.is_some();
    let namespace = department.status.as_ref().and_then(|status| status.namespace.clone());
    let (over, limit) = over_limit(department, &balance.rows, now);
    on_itself(department, state, &balance.rows, (&over, limit), context).await?;
    // Before its namespace was made there is nowhere to write, and after it is going nobody to read.
    match namespace.filter(|namespace| !is_going && *namespace == department_namespace(&name)) {
        Some(namespace) => report(&name, &namespace, state, &balance.rows, over, context).await,
        None => Ok(()),
    }
}

async fn on_itself(
    department: &Department,
    state: &State,
    rows: &[BalanceRow],
    (over, limit): (&Condition, Option<OverLimit>),
    context: &Context,
) -> Result<(), ReconcileError> {
    let name = department.name_any();
    let after = UsageSummary {
        vcpu: whole(rows, Meter::Vcpu),
        memory: whole(rows, Meter::Memory),
        block_storage: whole(rows, Meter::BlockStorage),
        object_storage: whole(rows, Meter::ObjectStorage),
        claims: state.open_claims_of(&AccountId::new(&name)).filter(|claim| !claim.is_permission()).count() as u64,
        waiting: None,
        revision: state.seq(),
    };
    let status = department.status.as_ref();
    let said = status.and_then(|status| condition::find(&status.conditions, ConditionType::OverLimit));
    let same = said == Some(over) && status.and_then(|status| status.over_limit.as_ref()) == limit.as_ref();
    if same && !differs(status.and_then(|status| status.summary.as_ref()), &after) {
        return Ok(());
    }
    let mut status = json!({"summary": after, "conditions": [over]});
    // Left out rather than null: what this writer no longer says is taken away.
    if let (Some(status), Some(limit)) = (status.as_object_mut(), limit) {
        status.insert("overLimit".to_owned(), serde_json::to_value(limit)?);
    }
    context.writer.apply_status_as(super::FIELD_MANAGER, &departments(context), &name, &status).await?;
    Ok(())
}

/// Whether more is used than a limit allows, since when, and until when that is borne.
fn over_limit(department: &Department, rows: &[BalanceRow], now: Timestamp) -> (Condition, Option<OverLimit>) {
    let before = department.status.as_ref();
    let conditions = before.map(|status| status.conditions.as_slice()).unwrap_or_default();
    let above: Vec<_> = rows.iter().filter(|row| row.over_limit()).map(|row| row.meter.to_string()).collect();
    let since = condition::find(conditions, ConditionType::OverLimit)
        .filter(|said| said.status == ConditionStatus::True.as_str())
        .map_or(now, |said| said.last_transition_time.0);
    let until = since.checked_add((i64::from(department.spec.over_limit_grace_days) * 24).hours()).unwrap_or(since);
    let kind = ConditionType::OverLimit;
    let (found, limit) = if above.is_empty() {
        (plain(kind, ConditionStatus::False, Reason::WithinLimits), None)
    } else {
        let reason = if now < until { Reason::AboveLimit } else { Reason::GraceEnded };
        let about = parameters([("meters", above.join(", ")), ("until", whole_seconds(until).to_string())]);
        let limit = OverLimit { since: DateTime::from(since), grace_until: DateTime::from(until) };
        (finding(kind, ConditionStatus::True, reason, reason.as_str(), &about), Some(limit))
    };
    let said = merged(conditions, vec![found], department.metadata.generation, now).pop();
    (
        said.unwrap_or_else(|| plain(kind, ConditionStatus::Unknown, Reason::Undecided).into_condition(&[], None, now)),
        limit,
    )
}

async fn report(
    name: &str,
    namespace: &str,
    state: &State,
    rows: &[BalanceRow],
    over: Condition,
    context: &Context,
) -> Result<(), ReconcileError> {
    let api = reports(context, namespace);
    let found =
        api.get_opt(name).await.map_err(|source| ReconcileError::read(format!("QuotaReport {name}"), source))?;
    let after = QuotaReportStatus {
        conditions: vec![Condition { observed_generation: Some(1), ..over }],
        observed_generation: Some(1),
        revision: Some(state.seq()),
        as_of: Some(DateTime::from(state.at())),
        vcpu: whole(rows, Meter::Vcpu),
        memory: whole(rows, Meter::Memory),
        block_storage: whole(rows, Meter::BlockStorage),
        object_storage: whole(rows, Meter::ObjectStorage),
        rows: rows.iter().take(ROWS).filter_map(row).collect(),
        approvals: rules(name, context),
    };
    let before = found.as_ref().and_then(|report| report.status.clone());
    let said_before =
        before.map(|before| QuotaReportStatus { revision: after.revision, as_of: after.as_of.clone(), ..before });
    if said_before.as_ref() == Some(&after) {
        return Ok(());
    }
    if found.is_none() {
        let object = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "QuotaReport",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"departmentRef": {"name": name}},
        });
        context.writer.apply(&api, name, &object).await?;
    }
    let status = serde_json::to_value(&after)?;
    context.writer.apply_status_as::<QuotaReport>(super::FIELD_MANAGER, &api, name, &status).await?;
    Ok(())
}

/// What the policies come to for the department.
fn rules(name: &str, context: &Context) -> Option<ApprovalRules> {
    let people = People::of(name, context);
    let path: Vec<&str> = people.path.iter().map(String::as_str).collect();
    rules_for(&route::policies(context), &path, people.approvers())
}

fn row(row: &BalanceRow) -> Option<QuotaReportRow> {
    let amount = |amount| quantity(row.meter, amount);
    Some(QuotaReportRow {
        meter: <&'static str>::from(row.meter).parse().ok()?,
        pool: row.dimensions.pool.as_ref().map(|pool| pool.name().to_owned()),
        architecture: row.dimensions.architecture.as_deref().and_then(architecture),
        tier: row.dimensions.tier.clone(),
        zone: row.dimensions.zone.clone(),
        guaranteed: (row.guaranteed > 0).then(|| amount(row.guaranteed)),
        limit: row.limit.map(amount),
        used: amount(row.used),
        held: amount(row.held),
        borrowed: amount(if row.guaranteed > 0 { row.borrowed } else { 0 }),
        available: row.available.map(amount),
    })
}

fn architecture(word: &str) -> Option<Architecture> {
    [Architecture::Amd64, Architecture::Arm64].into_iter().find(|known| known.as_str() == word)
}
