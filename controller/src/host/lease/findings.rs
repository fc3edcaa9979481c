//! What conditions say of a host whose lease is over: what has become of it, what comes next, and what to do.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, DateTime, LeaseStage, Reason, condition::Finding};
use jiyun_messages::parameters;

use super::Standing;
use crate::{
    conditions::finding,
    engines::{fault::is_fault, kubevirt::MachineState},
};

/// Puts what the end of a lease means in place of what `found` says of the machine: off is not as its owner asked, and a
/// machine that was taken down is not on its way. Faults, and a machine that is still to stop, are told as ever: of what was
/// taken down, those of the disk that is kept.
pub fn findings(lease: &Standing, machine: Option<&MachineState>, found: &mut [Finding]) {
    let is_archived = lease.status.stage == LeaseStage::Archived && machine.is_none();
    let is_off = matches!(machine, None | Some(MachineState::Stopped));
    for said in found {
        let is_over = match said.kind {
            ConditionType::Provisioned => is_archived && !is_fault(said.reason),
            ConditionType::Ready => is_off && (is_archived || !is_fault(said.reason)),
            _ => false,
        };
        // That its disk is made anew is worth more: until that is done there is nothing to go on with.
        if is_over && said.reason != Reason::Restoring {
            *said = told(said.kind, lease);
        }
    }
}

fn told(kind: ConditionType, lease: &Standing) -> Finding {
    let status = &lease.status;
    let moment = |at: &Option<DateTime>| at.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let about = parameters([
        ("endsAt", status.ends_at.to_string()),
        ("archiveAt", moment(&status.archive_at)),
        ("archivedAt", moment(&status.archived_at)),
        ("releaseAt", moment(&status.release_at)),
    ]);
    let code = match (status.stage, &status.release_at) {
        (LeaseStage::Archived, None) => "LeaseArchivedProtected",
        (LeaseStage::Archived, Some(_)) => "LeaseArchived",
        (_, None) => "LeaseEndedProtected",
        _ => Reason::LeaseEnded.as_str(),
    };
    finding(kind, ConditionStatus::False, Reason::LeaseEnded, code, &about)
}
