//! Validate: whether an order can be decided as it is, and what exactly is decided about. No client, clock or randomness.
//!
//! Who has to agree, and what was looked at, are fixed when the order is accepted: policies that change later are for
//! later orders, and an item that changes makes the order worthless.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_approvals::{CalendarError, Requirement, digest};
use jiyun_crds::{
    names::{ANNOTATION_APPLICANT, ANNOTATION_REQUESTED_BY},
    v1alpha1::{AcceptedItem, CloudHost, Evidence, Order, OrderAction, Reason, RefusalParameter},
};
use jiyun_ledger::ClaimStage;
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::found::{Found, FoundItem};
use crate::conditions::whole_seconds;
use crate::host::{approved::Approved, digest::of_wish, rejection::Rejection, valid::Valid};

/// The most applicants an order is accepted with: what its status takes.
pub const MAX_APPLICANTS: usize = 32;
/// The most levels, groups of a level, and groups that may step in, for the same reason.
const MAX_LEVELS: usize = 16;
const MAX_GROUPS: usize = 32;
const MAX_ESCALATED: usize = 16;

/// An order that people can decide about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Digest of the items.
    pub digest: String,
    /// Who asks.
    pub applicants: Vec<String>,
    /// The items as they were accepted.
    pub items: Vec<AcceptedItem>,
    /// Who has to agree.
    pub requirement: Requirement,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Why an order is not decided about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Something has to be mended.
    Rejected(Rejection),
    /// What was accepted is not there any more.
    Gone,
    /// What was accepted was changed, or made anew.
    Changed,
}

impl From<Rejection> for Unfit {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Checks `order` against what it names.
///
/// # Errors
/// What is wrong; the first thing, in the order of the form.
pub fn validate(order: &Order, found: &Found, now: Timestamp) -> Result<Accepted, Unfit> {
    let before = order.status.as_ref().filter(|status| !status.items.is_empty());
    if let Some(status) = before {
        for (item, accepted) in found.items.iter().zip(&status.items) {
            still(item, accepted)?;
        }
    }
    let system = found.system.as_ref().ok_or_else(|| {
        Rejection::unknown_reference("spec.systemRef.name", "InformationSystem", &order.spec.system_ref.name)
    })?;
    let items = found.items.iter().map(|item| accepted_item(order, item)).collect::<Result<Vec<_>, _>>()?;
    let project = order.spec.project_number.as_ref().or(system.spec.project_number.as_ref());
    for evidence in &found.requirement.evidence {
        let missing = match evidence {
            Evidence::ProjectNumber => project.is_none().then_some("spec.projectNumber"),
            Evidence::FilingNumber => order.spec.filing_number.is_none().then_some("spec.filingNumber"),
        };
        if let Some(field) = missing {
            return Err(rejected(Reason::EvidenceMissing, "EvidenceMissing", &[("field", field)]).into());
        }
    }
    let Some(status) = before else {
        let requirement = found.requirement.clone();
        if let Some(level) = requirement.without_people() {
            return Err(rejected(Reason::NobodyToApprove, "NobodyToApprove", &[("level", &level.name)]).into());
        }
        if let Some(what) = beyond_bounds(&requirement) {
            return Err(rejected(Reason::Misconfigured, "TooManyApprovers", &[("what", what)]).into());
        }
        let applicants: Vec<String> = stamped(order, found).chain(declared(order, found)).collect();
        let applicants = distinct(applicants);
        if applicants.len() > MAX_APPLICANTS {
            return Err(rejected(Reason::Misconfigured, "TooManyApplicants", &[]).into());
        }
        let digest = digest::of(&order.spec.items, &items);
        return Ok(Accepted { digest, applicants, items, requirement, at: whole_seconds(now) });
    };
    // Whoever changes a free field meanwhile is stamped on it, and those who asked before still did: none is ever
    // dropped from what is compared. Whom a tool declares was written down when the order was accepted.
    let applicants = distinct(status.applicants.iter().cloned().chain(stamped(order, found)).collect());
    Ok(Accepted {
        digest: status.digest.clone().unwrap_or_default(),
        applicants,
        items: status.items.clone(),
        requirement: Requirement {
            policies: status.policies.clone(),
            levels: status.levels.clone(),
            evidence: found.requirement.evidence.clone(),
            // It is held, or was: what was fixed is not asked about again.
            only_within_guaranteed: false,
        },
        at: status.accepted_at.as_ref().and_then(|at| at.timestamp().ok()).unwrap_or(now),
    })
}

/// What of a requirement does not fit into a status, where approvers could not be shown all of it.
fn beyond_bounds(requirement: &Requirement) -> Option<&'static str> {
    let levels = &requirement.levels;
    if levels.len() > MAX_LEVELS {
        Some("levels")
    } else if levels.iter().any(|level| level.groups.len() > MAX_GROUPS || level.escalate_to.len() > MAX_ESCALATED) {
        Some("groups")
    } else {
        None
    }
}

fn distinct(names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}

/// Whether an item is what was accepted.
fn still(found: &FoundItem, accepted: &AcceptedItem) -> Result<(), Unfit> {
    let host = found.host.as_ref().filter(|host| host.metadata.deletion_timestamp.is_none()).ok_or(Unfit::Gone)?;
    if host.metadata.uid.as_deref() != Some(&accepted.uid) {
        return Err(Unfit::Gone);
    }
    let same = match found.item.action {
        OrderAction::Create | OrderAction::Change => asks_for(host, &accepted.spec_digest),
        OrderAction::End => true,
    };
    if same { Ok(()) } else { Err(Unfit::Changed) }
}

/// Whether a host asks for what has this digest.
fn asks_for(host: &CloudHost, digest: &str) -> bool {
    crate::host::digest::of(&host.spec) == digest
}

fn accepted_item(order: &Order, found: &FoundItem) -> Result<AcceptedItem, Rejection> {
    let name = &found.item.name;
    let host = found.host.as_ref().filter(|host| host.metadata.deletion_timestamp.is_none());
    let host = host.ok_or_else(|| Rejection::unknown_reference("spec.items.name", "CloudHost", name))?;
    if host.spec.system_ref != order.spec.system_ref {
        let system = &order.spec.system_ref.name;
        let about = parameters([("field", "spec.systemRef.name"), ("name", name), ("system", system)]);
        return Err(Rejection::misconfigured("ItemOfOtherSystem", about));
    }
    let uid = host.metadata.uid.clone().unwrap_or_default();
    let granted = found.claim.as_ref().filter(|claim| claim.stage() != ClaimStage::Held);
    match (found.item.action, granted) {
        (OrderAction::Create, None) => {}
        (OrderAction::Change, Some(claim)) => {
            let approved = Approved::of(claim);
            let wish = found.wish.as_ref().and_then(|wish| wish.as_ref().ok());
            // People would agree to something that is not done.
            if let (Ok(approved), Some(wish)) = (approved, wish)
                && let Some(rejection) = approved.change_to(&wish.approved)
            {
                return Err(rejection);
            }
        }
        (OrderAction::Create, Some(_)) => {
            return Err(Rejection::misconfigured("ItemGranted", parameters([("field", "spec.items"), ("name", name)])));
        }
        (OrderAction::End, Some(claim)) => {
            let approved = Approved::of(claim);
            let summary = approved.map(|approved| summary(&approved)).unwrap_or_default();
            return Ok(AcceptedItem {
                name: name.clone(),
                uid,
                spec_digest: of_wish(&claim.spec_digest).to_owned(),
                summary,
            });
        }
        (OrderAction::End | OrderAction::Change, None) => {
            let about = parameters([("field", "spec.items"), ("name", name)]);
            return Err(Rejection::misconfigured("ItemNotGranted", about));
        }
    }
    if let Some(other) = held_by_another(order, found) {
        let about = parameters([("field", "spec.items"), ("name", name), ("order", &other)]);
        return Err(Rejection::misconfigured("ItemInOtherOrder", about));
    }
    match &found.wish {
        Some(Ok(Valid { approved, digest, .. })) => {
            Ok(AcceptedItem { name: name.clone(), uid, spec_digest: digest.clone(), summary: summary(approved) })
        }
        Some(Err(rejection)) => Err(rejection.clone()),
        None => Err(Rejection::unknown_reference("spec.items.name", "CloudHost", name)),
    }
}

/// Another order that has set aside what this item asks for.
fn held_by_another(order: &Order, found: &FoundItem) -> Option<String> {
    let hold = found.claim.as_ref()?.hold.as_ref()?;
    let approved = Approved::of_hold(hold).ok()?;
    let mark = approved.order?;
    let same_wish = found.host.as_ref().is_some_and(|host| asks_for(host, &hold.spec_digest));
    (same_wish && Some(mark.uid.as_str()) != order.metadata.uid.as_deref()).then_some(mark.name)
}

fn summary(approved: &Approved) -> Vec<RefusalParameter> {
    let size = |mebibytes: u64| format!("{mebibytes} MiB");
    [
        ("class", approved.class.clone()),
        ("image", approved.image.clone()),
        ("vcpu", approved.vcpu.to_string()),
        ("memory", size(approved.memory_mebibytes)),
        ("tier", approved.disk_tier.clone()),
        ("blockStorage", size(approved.disk_mebibytes)),
    ]
    .map(|(name, value)| RefusalParameter { name: name.to_owned(), value })
    .into()
}

/// Whoever sent the order or an item, as the API server knows them.
fn stamped<'a>(order: &'a Order, found: &'a Found) -> impl Iterator<Item = String> {
    let hosts = found.items.iter().filter_map(|item| item.host.as_ref()).map(ResourceExt::annotations);
    let stamps = std::iter::once(order.annotations()).chain(hosts);
    stamps.filter_map(|annotations| annotations.get(ANNOTATION_REQUESTED_BY)).map(|name| bounded(name))
}

/// Whom they say they ask for.
fn declared<'a>(order: &'a Order, found: &'a Found) -> impl Iterator<Item = String> {
    let hosts = found.items.iter().filter_map(|item| item.host.as_ref());
    let of_hosts = hosts.filter_map(|host| host.annotations().get(ANNOTATION_APPLICANT));
    of_hosts.chain(std::iter::once(&order.spec.applicant)).filter(|name| !name.is_empty()).map(|name| bounded(name))
}

/// As long as a status takes it. No user of an API server is called by a longer name.
fn bounded(name: &str) -> String {
    name.chars().take(253).collect()
}

fn rejected(reason: Reason, code: &'static str, about: &[(&str, &str)]) -> Rejection {
    Rejection { reason, code, parameters: parameters(about.iter().copied()) }
}

/// The calendar does not know a year that the time to decide reaches into.
pub fn no_calendar(error: &CalendarError) -> Rejection {
    let year = match error {
        CalendarError::YearMissing { year } => year.to_string(),
        other => other.to_string(),
    };
    rejected(Reason::CalendarMissing, "CalendarMissing", &[("year", &year)])
}

#[cfg(test)]
#[path = "valid_tests.rs"]
mod tests;
