//! Departments (单位): an account in the ledger, a namespace for their people, one for their machines, walls around both.

mod account;
mod children;

use std::time::Duration;

use futures::future::BoxFuture;
use jiyun_crds::{
    names::{FINALIZER_ACCOUNT, department_namespace, engine_namespace},
    v1alpha1::{ConditionStatus, ConditionType, Department, Reason, condition::Finding},
};
use jiyun_ledger::AccountId;
use jiyun_messages::{Parameters, parameters};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use serde_json::json;

use self::{account::Unusable, children::Children};
use super::{Outcome, Settled};
use crate::{
    catalogue::readable,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
};

/// When to look again whether the last claim of a department that is being deleted was released.
const SOON: Duration = Duration::from_secs(5);

impl Settled for Department {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            if self.metadata.deletion_timestamp.is_some() {
                close(self, context).await
            } else {
                open(self, context).await
            }
        })
    }
}

async fn open(department: &Department, context: &Context) -> Result<Outcome, ReconcileError> {
    let name = department.name_any();
    let others = readable(&context.catalogue.departments);
    let zones: Vec<String> =
        readable(&context.catalogue.zones).into_iter().filter_map(|zone| zone.metadata.name).collect();
    let account = match account::read(department, &others, &zones) {
        Ok(account) => account,
        Err(unusable) => return Ok(not_ready(unusable)),
    };
    if let Err(error) = context.ledger.set_account(account).await.map_err(ReconcileError::from) {
        return match error.command() {
            Some(command) => Ok(not_ready(account::objection(command))),
            None => Err(error),
        };
    }
    let namespace = department_namespace(&name);
    let children = Children::of(department);
    if !children.belong_to(&name, context).await? {
        let about = parameters([("namespace", namespace.as_str()), ("department", &name)]);
        return Ok(not_ready(Unusable::new(Reason::Misconfigured, "NamespaceTaken", about)));
    }
    children.apply(context).await?;
    let mut outcome = Outcome::found(vec![plain(ConditionType::Ready, ConditionStatus::True, Reason::Valid)]);
    outcome.status = json!({"namespace": namespace});
    Ok(outcome)
}

/// Ends a department: refused while it holds anything; then its namespaces go, and the account stays, closed, for the
/// statements of the past.
async fn close(department: &Department, context: &Context) -> Result<Outcome, ReconcileError> {
    if !department.finalizers().iter().any(|finalizer| finalizer == FINALIZER_ACCOUNT) {
        return Ok(Outcome::gone());
    }
    let name = department.name_any();
    let id = AccountId::new(&name);
    let (held, account) = context.ledger.read(|state| {
        let held = state.claims_of(&id).filter(|claim| claim.is_open()).count();
        (held, state.account(&id).map(|account| jiyun_ledger::Account::clone(account)))
    });
    if held > 0 {
        let about = parameters([("count", held.to_string())]);
        let finding =
            finding(ConditionType::Ready, ConditionStatus::False, Reason::Deleting, "DepartmentHoldsResources", &about);
        return Ok(Outcome { again: SOON, ..Outcome::found(vec![finding]) });
    }
    if let Some(account) = account {
        let closed = jiyun_ledger::Account { state: jiyun_ledger::AccountState::Closed, ..account };
        context.ledger.set_account(closed).await?;
    }
    let namespaces = Api::<Namespace>::all(context.client.clone());
    for namespace in [department_namespace(&name), engine_namespace(&name)] {
        let found = namespaces.get_opt(&namespace).await.map_err(|source| ReconcileError::read(&namespace, source))?;
        if let Some(found) = found.filter(|found| children::is_of(found, &name)) {
            context.writer.delete(&namespaces, &found).await?;
        }
    }
    context.writer.remove_finalizer(&Api::all(context.client.clone()), department, FINALIZER_ACCOUNT).await?;
    Ok(Outcome::gone())
}

fn not_ready(Unusable { reason, code, about }: Unusable) -> Outcome {
    Outcome::found(vec![said(reason, code, &about)])
}

fn said(reason: Reason, code: &str, about: &Parameters) -> Finding {
    finding(ConditionType::Ready, ConditionStatus::False, reason, code, about)
}

/// Books the accounts of all departments, parents before children, without reporting: for a start.
pub async fn book_accounts(context: &Context) {
    let departments = readable(&context.catalogue.departments);
    let zones: Vec<String> =
        readable(&context.catalogue.zones).into_iter().filter_map(|zone| zone.metadata.name).collect();
    let mut waiting: Vec<_> = departments
        .iter()
        .filter(|department| department.metadata.deletion_timestamp.is_none())
        .filter_map(|department| account::read(department, &departments, &zones).ok())
        .collect();
    // Each round books those whose parent is booked; a round that books none leaves only cycles and orphans.
    loop {
        let mut left = Vec::new();
        let before = waiting.len();
        for account in waiting {
            if context.ledger.set_account(account.clone()).await.is_err() {
                left.push(account);
            }
        }
        if left.is_empty() || left.len() == before {
            return;
        }
        waiting = left;
    }
}
