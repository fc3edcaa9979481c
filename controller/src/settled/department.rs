//! Departments (单位): an account in the ledger, a namespace for their people, one for their machines, walls around both.

mod access;
mod account;
mod children;

use std::{fmt::Debug, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::Timestamp;
use jiyun_crds::{
    names::{FINALIZER_ACCOUNT, department_namespace, engine_namespace},
    v1alpha1::{ConditionStatus, ConditionType, Department, DepartmentState, Reason},
};
use jiyun_ledger::{Account, AccountId, AccountState, Claim};
use jiyun_messages::{Parameters, parameters};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Resource, ResourceExt, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
use serde_json::json;
use tracing::error;

use self::{access::Access, account::Unusable, children::Children};
use super::{AGAIN, Outcome, Settled, network_zone::has_router};
use crate::{
    catalogue::readable,
    conditions::plain,
    context::Context,
    engines::{
        cdi::DiskView,
        cnpg::ClusterView,
        kubevirt::MachineView,
        rook::{ClaimView, UserView},
        snapshot::SnapshotView,
    },
    error::ReconcileError,
    order,
};

pub use access::{following_access, following_people};

/// Each look reads all children; walls are looked after, not watched.
const LOOK: Duration = Duration::from_mins(5);

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
    let now = Timestamp::now();
    let access = Access::of(department, &others, now);
    let children = Children::of(department, &access, &context.networks.namespace);
    if !children.belong_to(&name, context).await? {
        let about = parameters([("namespace", namespace.as_str()), ("department", &name)]);
        return Ok(not_ready(Unusable::new(Reason::Misconfigured, "NamespaceTaken", about)));
    }
    children.apply(context).await?;
    if access.has_deputies() {
        order::wake_open_orders(&name, context);
    }
    let reason = match department.spec.state {
        DepartmentState::Open => Reason::Valid,
        DepartmentState::Closed => Reason::Closed,
    };
    let mut outcome = Outcome::found(vec![plain(ConditionType::Ready, ConditionStatus::True, reason)]);
    outcome.status = json!({"namespace": namespace});
    outcome.again = next_look(&access, now);
    Ok(outcome)
}

/// At the latest when somebody begins or ends acting for others; a little after the moment, so that it has come.
fn next_look(access: &Access, now: Timestamp) -> Duration {
    let until = access.changes_at.map(|moment| moment.duration_since(now).unsigned_abs());
    until.map_or(LOOK, |until| (until + Duration::from_millis(100)).min(LOOK))
}

/// Ends a department: refused while it holds anything; then its namespaces go, and the account stays, closed, for the
/// statements of the past. Where machines that were handed over still lie, their namespace stays, and the object with it.
async fn close(department: &Department, context: &Context) -> Result<Outcome, ReconcileError> {
    if !department.finalizers().iter().any(|finalizer| finalizer == FINALIZER_ACCOUNT) {
        return Ok(Outcome::gone());
    }
    if context.quarantined() {
        return Ok(Outcome::paused());
    }
    let name = department.name_any();
    let id = AccountId::new(&name);
    let (account, units) = context.ledger.read(|state| {
        let open = |child: &&AccountId| state.account(child).is_some_and(|account| account.state == AccountState::Open);
        (state.account(&id).map(|account| Account::clone(account)), state.children(&id).filter(open).count())
    });
    if units > 0 {
        let about = parameters([("count", units.to_string())]);
        return Ok(Outcome::waiting(Reason::Deleting, "DepartmentHasUnits", &about));
    }
    // Closed first and counted afterwards: nothing can be granted in between.
    if let Some(account) = account {
        context.ledger.set_account(Account { state: AccountState::Closed, ..account }).await?;
    }
    let (held, left_behind) = context.ledger.read(|state| {
        let engines = engine_namespace(&name);
        let lies_here = |claim: &&Arc<Claim>| claim.is_open() && claim.engine_namespace.as_deref() == Some(&engines);
        (state.open_claims_of(&id).count(), state.claims().filter(lies_here).count())
    });
    if held > 0 {
        let about = parameters([("count", held.to_string())]);
        return Ok(Outcome::waiting(Reason::Deleting, "DepartmentHoldsResources", &about));
    }
    let namespaces = Api::<Namespace>::all(context.client.clone());
    let mut left = Vec::new();
    let going = [engine_namespace(&name), department_namespace(&name)];
    for namespace in going.into_iter().skip(usize::from(left_behind > 0)) {
        let found = namespaces.get_opt(&namespace).await.map_err(|source| ReconcileError::read(&namespace, source))?;
        if let Some(found) = found.filter(|found| children::is_of(found, &name)) {
            if let Some(machine) = leftover(&namespace, context).await? {
                // A machine without a claim is a disagreement of the two stores, never a department without resources.
                error!(
                    department = name,
                    machine, "a department without claims has a machine; nothing of it is deleted"
                );
                let about = parameters([("what", machine)]);
                return Ok(Outcome::waiting(Reason::Deleting, "Deleting", &about));
            }
            if found.metadata.deletion_timestamp.is_none() {
                context.writer.delete(&namespaces, &found).await?;
            }
            left.push(namespace);
        }
    }
    if !left.is_empty() {
        let about = parameters([("what", left.join(", "))]);
        return Ok(Outcome::waiting(Reason::Deleting, "Deleting", &about));
    }
    if left_behind > 0 {
        // Somebody has to look after the walls around them.
        let children = Children::of(department, &Access::default(), &context.networks.namespace);
        children.apply_to_engines(context).await?;
        let about = parameters([("count", left_behind.to_string())]);
        return Ok(Outcome { again: AGAIN, ..Outcome::waiting(Reason::Deleting, "DepartmentHasMachines", &about) });
    }
    if has_router(&name, context).await? {
        // Its zones take its networks down: machines, subnets, and only then the router.
        context.networks.look();
        return Ok(Outcome::waiting(Reason::Deleting, "NetworksGoing", &Parameters::new()));
    }
    context.writer.remove_finalizer(&Api::all(context.client.clone()), department, FINALIZER_ACCOUNT).await?;
    Ok(Outcome::gone())
}

/// A machine, a disk, a cluster of databases, a bucket's claim or user, or a snapshot in a namespace, if there is any.
async fn leftover(namespace: &str, context: &Context) -> Result<Option<String>, ReconcileError> {
    if let Some(machine) = first::<MachineView>(namespace, context).await? {
        return Ok(Some(machine));
    }
    if let Some(disk) = first::<DiskView>(namespace, context).await? {
        return Ok(Some(disk));
    }
    if let Some(cluster) = first::<ClusterView>(namespace, context).await? {
        return Ok(Some(cluster));
    }
    if let Some(claim) = first::<ClaimView>(namespace, context).await? {
        return Ok(Some(claim));
    }
    match first::<UserView>(namespace, context).await? {
        Some(user) => Ok(Some(user)),
        None => first::<SnapshotView>(namespace, context).await,
    }
}

/// The first object of a kind in a namespace; none where the kind is not installed.
async fn first<K>(namespace: &str, context: &Context) -> Result<Option<String>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(context.client.clone(), namespace);
    match api.list(&ListParams::default().limit(1)).await {
        Ok(list) => Ok(list.items.first().map(|found| format!("{} {}", K::kind(&()), found.name_any()))),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(source) => Err(ReconcileError::read(K::plural(&()), source)),
    }
}

/// What it names may be on its way: parents and children often are made by one command, in any order.
fn not_ready(Unusable { reason, code, about }: Unusable) -> Outcome {
    let waiting = Outcome::waiting(reason, code, &about);
    if reason == Reason::UnknownReference { waiting } else { Outcome { again: AGAIN, ..waiting } }
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
