//! Who would have to agree, by what the platform tells the department's people of the policies.

use jiyun_approvals::{About, Approvers, Facts, Requirement, Size, policies_of, required};
use jiyun_crds::v1alpha1::{OrderAction, QuotaReport};
use jiyun_ledger::{AccountId, Meter, Placement, State, beyond_guaranteed};

use crate::{app::host::Wish, extract::DepartmentName, model::estimate::ApprovalsUnknown, store::Caller};

/// What the policies ask of an order that creates what is wished for, or changes what was granted so. They name departments,
/// so not everybody may read them: what they come to for one department is in its quota report, a moment behind.
pub(super) async fn needed(
    caller: &Caller,
    department: &DepartmentName,
    state: &State,
    wishes: &[Wish],
) -> Result<Requirement, ApprovalsUnknown> {
    let report = caller.find::<QuotaReport>(Some(&department.namespace()), department.as_str()).await;
    let report = report.map_err(|error| {
        if error.is_invisible() { ApprovalsUnknown::NotPublished } else { ApprovalsUnknown::KubernetesUnavailable }
    })?;
    let rules = report.status.and_then(|status| status.approvals).ok_or(ApprovalsUnknown::NotPublished)?;
    let account = AccountId::new(department.as_str());
    let size = size_of(wishes, state);
    let first = wishes.first();
    let claim = first.and_then(|wish| wish.granted(state).map(|claim| (wish, claim)));
    if claim.is_some_and(|(wish, claim)| wish.decided(claim).is_empty()) {
        // What takes no more is asked of nobody.
        let (policies, levels, evidence) = Default::default();
        return Ok(Requirement { policies, levels, evidence, only_within_guaranteed: false });
    }
    let action = if claim.is_some() { OrderAction::Change } else { OrderAction::Create };
    let facts = Facts {
        path: vec![department.as_str()],
        about: [About::Resources].into(),
        actions: [action].into(),
        zones: first.map(|wish| wish.zone().to_owned()).into_iter().collect(),
        protection_level: first.map_or(4, Wish::protection_level),
        size,
        beyond_guaranteed: beyond_guaranteed(
            state,
            &account,
            [
                (Meter::Vcpu, size.vcpu),
                (Meter::Memory, size.memory_mebibytes),
                (Meter::BlockStorage, size.storage_mebibytes),
                (Meter::ObjectStorage, size.object_mebibytes),
            ],
            |meter| claim.map_or(0, |(_, claim)| claim.taken_of(meter)),
        ),
    };
    // Whom roles stand for is worked out already.
    Ok(required(&policies_of(&rules), &facts, Approvers { department: &rules.approvers, parent: &[] }))
}

/// What policies look at: of a database that is changed, all there may be until its engine has followed.
fn size_of(wishes: &[Wish], state: &State) -> Size {
    let of = |wish: &Wish| match wish.granted(state).filter(|_| wish.settles()) {
        Some(claim) => wish.taken(Some(claim)),
        None => wish.placements().to_vec(),
    };
    let all: Vec<Placement> = wishes.iter().flat_map(of).collect();
    let sum = |meter: Meter| {
        let placements = all.iter();
        placements
            .filter_map(|placement| placement.quantities.get(&meter))
            .fold(0_u64, |sum, next| sum.saturating_add(*next))
    };
    Size {
        vcpu: sum(Meter::Vcpu),
        memory_mebibytes: sum(Meter::Memory),
        storage_mebibytes: sum(Meter::BlockStorage),
        object_mebibytes: sum(Meter::ObjectStorage),
    }
}
