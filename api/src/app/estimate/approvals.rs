//! Who would have to agree, for whoever may read the policies: they name departments, so a department's own people may
//! not.

use jiyun_approvals::{About, Approvers, Facts, Requirement, Size, required};
use jiyun_crds::v1alpha1::{ApprovalPolicy, Department, OrderAction};
use jiyun_ledger::{AccountId, Meter, State, beyond_guaranteed};
use kube::api::ListParams;

use crate::{
    app::host::Wish,
    extract::DepartmentName,
    model::estimate::ApprovalsUnknown,
    store::{Caller, KubernetesError},
};

/// What the policies ask of an order that creates what is wished for.
pub(super) async fn needed(
    caller: &Caller,
    department: &DepartmentName,
    state: &State,
    wishes: &[Wish],
) -> Result<Requirement, ApprovalsUnknown> {
    let policies = caller.list::<ApprovalPolicy>(None, &ListParams::default()).await;
    let policies = policies.map_err(|error| unknown(&error, ApprovalsUnknown::PoliciesNotReadable))?.items;
    let own = unit(caller, department.as_str()).await?;
    let above = match &own.spec.parent_ref {
        Some(parent) => Some(unit(caller, &parent.name).await?),
        None => None,
    };
    let account = AccountId::new(department.as_str());
    let path = state.path(&account).unwrap_or_default();
    let size = size_of(wishes);
    let first = wishes.first();
    let facts = Facts {
        path: path.iter().map(|account| account.id.as_str()).collect(),
        about: [About::Resources].into(),
        actions: [OrderAction::Create].into(),
        zone: first.map(Wish::zone).unwrap_or_default(),
        protection_level: first.map_or(4, Wish::protection_level),
        size,
        beyond_guaranteed: beyond_guaranteed(
            state,
            &account,
            [
                (Meter::Vcpu, size.vcpu),
                (Meter::Memory, size.memory_mebibytes),
                (Meter::BlockStorage, size.storage_mebibytes),
            ],
        ),
    };
    let own = own.spec.access.approvers;
    // Above the root there is nobody: its own approvers decide.
    let parent = above.map_or_else(|| own.clone(), |above| above.spec.access.approvers);
    Ok(required(&policies, &facts, Approvers { department: &own, parent: &parent }))
}

async fn unit(caller: &Caller, name: &str) -> Result<Department, ApprovalsUnknown> {
    let found = caller.get::<Department>(None, name).await;
    found.map_err(|error| unknown(&error, ApprovalsUnknown::DepartmentsNotReadable))
}

fn unknown(error: &KubernetesError, hidden: ApprovalsUnknown) -> ApprovalsUnknown {
    if error.is_invisible() { hidden } else { ApprovalsUnknown::KubernetesUnavailable }
}

fn size_of(wishes: &[Wish]) -> Size {
    let sum = |meter: Meter| {
        let placements = wishes.iter().flat_map(Wish::placements);
        placements
            .filter_map(|placement| placement.quantities.get(&meter))
            .fold(0_u64, |sum, next| sum.saturating_add(*next))
    };
    Size { vcpu: sum(Meter::Vcpu), memory_mebibytes: sum(Meter::Memory), storage_mebibytes: sum(Meter::BlockStorage) }
}
