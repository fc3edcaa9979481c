//! Whether what is to be said of a host is worth a write: what is only on its way, or tells how far an import is, may
//! wait.

use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::{CloudHost, CloudHostStatus, ConditionStatus, ConditionType, Reason, condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::ObjectMeta;

/// Whether `after` is worth a request to the API server now.
///
/// A new host usually is ready within moments, and so is one that people have just agreed to (`approved_at`); telling every
/// stage would double the writes of a bring-up. So for [`PATIENCE_SECONDS`] only what is decided against it, and that it is
/// ready, is reported.
pub fn worth_writing(
    host: &CloudHost,
    after: &CloudHostStatus,
    approved_at: Option<Timestamp>,
    now: Timestamp,
) -> bool {
    if host.status.as_ref() == Some(after) {
        return false;
    }
    let is_true = |kind| condition::is_true(&after.conditions, kind);
    let is_admitted = is_true(ConditionType::Admitted);
    let is_open = condition::find(&after.conditions, ConditionType::Admitted)
        .is_some_and(|admitted| admitted.status == ConditionStatus::Unknown.as_str());
    let on_its_way = (is_admitted && !is_true(ConditionType::Ready))
        || (is_open && approved_at.is_some() && after.order_ref.is_none());
    let since = match &host.status {
        None if host.metadata.deletion_timestamp.is_none() => created_at(&host.metadata),
        Some(before) if !condition::is_true(&before.conditions, ConditionType::Admitted) => approved_at,
        _ => None,
    };
    !(on_its_way && since.is_some_and(|since| is_recent(since, now)))
}

/// Whether all that is new of a host is how far the import of its image is, or that it fails or is tried again. How often
/// that is told is up to [`Pace`](crate::host::pace::Pace); anything else is told at once.
pub fn is_progress(host: &CloudHost, after: &CloudHostStatus) -> bool {
    let Some(before) = host.status.as_ref().filter(|before| is_importing(before) && is_importing(after)) else {
        return false;
    };
    let of_import = [ConditionType::Provisioned, ConditionType::Ready].map(ConditionType::as_str);
    let mut alike = after.clone();
    for told in alike.conditions.iter_mut().filter(|told| of_import.contains(&told.type_.as_str())) {
        let same = |was: &&Condition| (&was.type_, &was.status) == (&told.type_, &told.status);
        if let Some(was) = before.conditions.iter().find(same) {
            told.reason.clone_from(&was.reason);
            told.message.clone_from(&was.message);
        }
    }
    alike == *before
}

/// Whether what is told of a host is that its disk is being filled, or cannot be; it may be another fault of an engine's.
pub fn is_importing(status: &CloudHostStatus) -> bool {
    let reasons = [Reason::Provisioning, Reason::Restoring, Reason::ImageUnavailable, Reason::EngineError];
    provisioned_for(status, &reasons)
}

/// Whether a fault was told of the host's import, and `after` has it going on: it may only be tried again.
pub fn is_fault_over(host: &CloudHost, after: &CloudHostStatus) -> bool {
    let had_fault = |before| provisioned_for(before, &[Reason::ImageUnavailable, Reason::EngineError]);
    host.status.as_ref().is_some_and(had_fault) && provisioned_for(after, &[Reason::Provisioning, Reason::Restoring])
}

/// Whether `Provisioned` has one of these reasons.
fn provisioned_for(status: &CloudHostStatus, reasons: &[Reason]) -> bool {
    let told = condition::find(&status.conditions, ConditionType::Provisioned);
    told.is_some_and(|told| reasons.iter().any(|reason| reason.as_str() == told.reason))
}

/// How long a new host may be silent.
pub const PATIENCE_SECONDS: i64 = 3;

/// Whether an object was made within [`PATIENCE_SECONDS`].
pub fn is_young(object: &ObjectMeta, now: Timestamp) -> bool {
    created_at(object).is_some_and(|created| is_recent(created, now))
}

fn created_at(object: &ObjectMeta) -> Option<Timestamp> {
    object.creation_timestamp.as_ref().map(|created| created.0)
}

/// Whether something happened within [`PATIENCE_SECONDS`].
pub fn is_recent(at: Timestamp, now: Timestamp) -> bool {
    // A clock behind the API server's must not make it recent for ever.
    let until = at.checked_add(PATIENCE_SECONDS.seconds());
    at <= whole_second_after(now) && until.is_ok_and(|until| now < until)
}

/// Creation times are whole seconds; a little skew between two clocks is no reason to write twice.
fn whole_second_after(now: Timestamp) -> Timestamp {
    now.checked_add(1.second()).unwrap_or(now)
}
