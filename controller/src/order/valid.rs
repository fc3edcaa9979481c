//! Validate: whether an order can be decided as it is, and what exactly is decided about. No client, clock or randomness.
//!
//! Who has to agree, and what was looked at, are fixed when the order is accepted: policies that change later are for
//! later orders, and an item that changes makes the order worthless.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_approvals::{CalendarError, Requirement, digest};
use jiyun_crds::{
    names::{ANNOTATION_APPLICANT, ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY},
    v1alpha1::{AcceptedItem, Evidence, Order, OrderAction, Reason},
};
use jiyun_ledger::ClaimStage;
use jiyun_messages::parameters;
use kube::ResourceExt;

use super::{
    found::{Found, FoundItem},
    mark::OrderMark,
    subject::{Granted, Subject},
};
use crate::conditions::whole_seconds;
use crate::host::{digest::of_wish, rejection::Rejection};

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
    let subject = found.subject.as_ref().filter(|subject| subject.stays()).ok_or(Unfit::Gone)?;
    if subject.meta().uid.as_deref() != Some(&accepted.uid) {
        return Err(Unfit::Gone);
    }
    let same = match found.item.action {
        OrderAction::Create | OrderAction::Change => subject.digest() == accepted.spec_digest,
        OrderAction::End => true,
    };
    if same { Ok(()) } else { Err(Unfit::Changed) }
}

fn accepted_item(order: &Order, found: &FoundItem) -> Result<AcceptedItem, Rejection> {
    let name = &found.item.name;
    let missing = || Rejection::unknown_reference("spec.items.name", found.item.kind.into(), name);
    let subject = found.subject.as_ref().filter(|subject| subject.stays()).ok_or_else(missing)?;
    if subject.system() != order.spec.system_ref.name {
        let system = &order.spec.system_ref.name;
        let about = parameters([("field", "spec.systemRef.name"), ("name", name), ("system", system)]);
        return Err(Rejection::misconfigured("ItemOfOtherSystem", about));
    }
    if subject.is_being_handed_over() {
        return Err(rejected(Reason::HandingOver, "HandingOver", &[]));
    }
    let uid = subject.meta().uid.clone().unwrap_or_default();
    let granted = found.claim.as_ref().filter(|claim| claim.stage() != ClaimStage::Held);
    match (found.item.action, granted) {
        (OrderAction::Create, None) => {}
        (OrderAction::Change, Some(claim)) => {
            let wish = found.wish.as_ref().and_then(|wish| wish.as_ref().ok());
            // People would agree to something that is not done.
            if let Some(rejection) = wish.and_then(|wish| wish.impossible_change(claim)) {
                return Err(rejection);
            }
        }
        (OrderAction::Create, Some(_)) => {
            return Err(Rejection::misconfigured("ItemGranted", parameters([("field", "spec.items"), ("name", name)])));
        }
        (OrderAction::End, Some(claim)) => {
            return Ok(AcceptedItem {
                name: name.clone(),
                uid,
                spec_digest: of_wish(&claim.spec_digest).to_owned(),
                summary: Granted::of(claim).summary,
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
        Some(Ok(wish)) => {
            let (spec_digest, summary) = (wish.digest().to_owned(), wish.summary());
            Ok(AcceptedItem { name: name.clone(), uid, spec_digest, summary })
        }
        Some(Err(rejection)) => Err(rejection.clone()),
        None => Err(missing()),
    }
}

/// Another order that has set aside what this item asks for.
fn held_by_another(order: &Order, found: &FoundItem) -> Option<String> {
    let hold = found.claim.as_ref()?.hold.as_ref()?;
    let mark = OrderMark::of(&hold.approved_spec)?;
    let same_wish = found.subject.as_ref().is_some_and(|subject| subject.digest() == of_wish(&hold.spec_digest));
    (same_wish && !mark.is_of(order)).then_some(mark.name)
}

/// Whoever made or last changed the order or an item, as the API server knows them.
fn stamped<'a>(order: &'a Order, found: &'a Found) -> impl Iterator<Item = String> {
    [ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY].into_iter().flat_map(move |stamp| {
        let on_items = subjects(found).filter_map(move |subject| subject.annotation(stamp));
        order
            .annotations()
            .get(stamp)
            .into_iter()
            .chain(on_items)
            .filter(|name| !name.is_empty())
            .map(|name| bounded(name))
    })
}

/// Whom they say they ask for.
fn declared<'a>(order: &'a Order, found: &'a Found) -> impl Iterator<Item = String> {
    let on_items = subjects(found).filter_map(|subject| subject.annotation(ANNOTATION_APPLICANT));
    on_items.chain(std::iter::once(&order.spec.applicant)).filter(|name| !name.is_empty()).map(|name| bounded(name))
}

fn subjects(found: &Found) -> impl Iterator<Item = &Subject> {
    found.items.iter().filter_map(|item| item.subject.as_ref())
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
