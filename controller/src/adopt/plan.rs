//! How ledger and objects are brought together again: from what both hold to steps, each with its reason, and what only a
//! person can decide. No client, no clock.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::{Claim, ClaimId, ClaimStage, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{facts::Facts, object};
use crate::host::request;

/// What is to be done. Applied in this order, and only while it still fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The ledger it is about.
    pub lineage: String,
    /// Why the ledger is in quarantine; none if it is not.
    pub quarantine: Option<String>,
    /// Steps.
    pub steps: Vec<Step>,
    /// What nobody but a person can decide.
    pub unresolved: Vec<Unresolved>,
    /// Claims in use whose machine or disk is gone. They stay as they are, and show it.
    pub vanished: Vec<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Step {
    /// The claim goes to the object of its name, which was made anew.
    Rebind {
        /// The claim.
        claim: String,
        /// Namespace and name.
        object: String,
        /// The UID it is bound to.
        from: String,
        /// The object's UID.
        to: String,
    },
    /// The object of a claim is gone, and its machine or disk is there: it is made again as it was approved, and the claim
    /// goes to it. Whoever knows better writes `end` instead.
    Recreate {
        /// The claim.
        claim: String,
        /// Namespace and name.
        object: String,
        /// What is applied.
        manifest: Value,
    },
    /// Neither object nor machine nor disk of a claim is there: it was ended after the backup was made. It is ended again,
    /// as of now.
    End {
        /// The claim.
        claim: String,
        /// Namespace and name.
        object: String,
    },
    /// The ledger lost the claim of an object: it is booked again as shown, without asking for room. Billing begins anew
    /// when the machine is seen running; the time between is not billed.
    Adopt {
        /// Namespace and name.
        object: String,
        /// What is booked.
        claim: Box<Claim>,
    },
}

impl Step {
    /// The claim it is about, and its object.
    pub fn about(&self) -> (String, &str) {
        match self {
            Self::Rebind { claim, object, .. } | Self::Recreate { claim, object, .. } | Self::End { claim, object } => {
                (claim.clone(), object)
            }
            Self::Adopt { object, claim } => (claim.id.to_string(), object),
        }
    }
}

/// Something in doubt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unresolved {
    /// Namespace and name.
    pub object: String,
    /// UID of the object; none if there is no object.
    pub uid: Option<String>,
    /// What does not fit.
    pub why: String,
    /// What a person may do.
    pub what_to_do: String,
}

impl Unresolved {
    /// Whether nothing may be lifted before it is settled: without its object the claim would be released, and its
    /// machine taken down.
    pub const fn blocks(&self) -> bool {
        self.uid.is_none()
    }
}

/// Plans. `label` is how a claim's engine objects are labelled; `lost` is what a host held, from what it names itself.
pub fn plan(
    state: &State,
    hosts: &[CloudHost],
    facts: &Facts,
    label: impl Fn(ClaimId) -> String,
    lost: impl Fn(&CloudHost) -> Option<Claim>,
) -> Plan {
    let mut plan = Plan {
        lineage: state.lineage().map(ToString::to_string).unwrap_or_default(),
        quarantine: state.quarantine().map(|quarantine| quarantine.reason.clone()),
        steps: Vec::new(),
        unresolved: Vec::new(),
        vanished: Vec::new(),
    };
    let by_name: BTreeMap<(&str, &str), &CloudHost> =
        hosts.iter().filter_map(|host| Some((name(host)?, host))).collect();
    let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost");
    // What was ended is taken down by the controller, whoever has its name.
    for claim in open.filter(|claim| claim.stage() != ClaimStage::Ending) {
        let subject = &claim.subject;
        let labelled = label(claim.id);
        match by_name.get(&(subject.namespace.as_str(), subject.name.as_str())) {
            Some(host) if uid(host) == subject.uid => {}
            Some(host) => plan.steps.push(Step::Rebind {
                claim: claim.id.to_string(),
                object: object::named(claim),
                from: subject.uid.clone(),
                to: uid(host).to_owned(),
            }),
            None => without_object(claim, facts, &labelled, &mut plan),
        }
        let in_use = claim.stage() == ClaimStage::Billable || claim.adopted;
        if in_use && !facts.is_whole(claim, &labelled) {
            plan.vanished.push(claim.id.to_string());
        }
    }
    let mut adopted = Vec::new();
    let highest = state.claims().map(|claim| claim.id).max();
    for host in hosts {
        match without_claim(state, host, highest, facts, (&label, &lost)) {
            None => {}
            Some(Ok(claim)) => adopted.push(claim),
            Some(Err(doubt)) => plan.unresolved.push(doubt),
        }
    }
    // In the order of their numbers, or a lower one could not be booked after a higher one.
    adopted.sort_by_key(|claim| claim.id);
    plan.steps
        .extend(adopted.into_iter().map(|claim| Step::Adopt { object: object::named(&claim), claim: Box::new(claim) }));
    plan
}

fn without_object(claim: &Claim, facts: &Facts, label: &str, plan: &mut Plan) {
    let (id, object) = (claim.id.to_string(), object::named(claim));
    if !facts.has_any(claim, label) {
        plan.steps.push(Step::End { claim: id, object });
        return;
    }
    let doubt = |why: String, what_to_do: &str| Unresolved {
        object: object.clone(),
        uid: None,
        why,
        what_to_do: what_to_do.to_owned(),
    };
    let namespace = &claim.subject.namespace;
    if !facts.namespaces.contains(namespace) {
        plan.unresolved.push(doubt(
            format!("{id} has no object, and namespace {namespace} does not exist"),
            "apply the Department again, wait until it is Ready, then plan anew",
        ));
        return;
    }
    match object::manifest(claim) {
        Some(manifest) => plan.steps.push(Step::Recreate { claim: id, object, manifest }),
        None => plan.unresolved.push(doubt(
            format!("{id} has no object, and what was approved cannot be read"),
            "apply the object from your own records, then plan anew",
        )),
    }
}

type Helpers<'a, L, R> = (&'a L, &'a R);

fn without_claim<L, R>(
    state: &State,
    host: &CloudHost,
    highest: Option<ClaimId>,
    facts: &Facts,
    (label, lost): Helpers<'_, L, R>,
) -> Option<Result<Claim, Unresolved>>
where
    L: Fn(ClaimId) -> String,
    R: Fn(&CloudHost) -> Option<Claim>,
{
    let (namespace, host_name) = name(host)?;
    let held = state.claim_of_subject(uid(host)).is_some();
    let by_name = state.claim_of_object("CloudHost", namespace, host_name).is_some();
    let claimed = host.status.as_ref()?.claim_id.clone().filter(|_| !held && !by_name)?;
    let doubt = |why: String, what_to_do: &str| {
        Some(Err(Unresolved {
            object: format!("{namespace}/{host_name}"),
            uid: Some(uid(host).to_owned()),
            why,
            what_to_do: what_to_do.to_owned(),
        }))
    };
    let Ok(id) = claimed.parse::<ClaimId>() else {
        return doubt(format!("{claimed} is no number of a claim"), "find out what wrote this status");
    };
    if state.claim(id).is_some_and(|claim| !claim.is_open() && claim.subject.uid == uid(host)) {
        return doubt(
            format!("{claimed} of this object was released, and yet it is there: it was deleted, then restored"),
            "delete it again; or, to keep it, apply it under another name",
        );
    }
    if highest.is_some_and(|highest| id <= highest) {
        return doubt(
            format!("{claimed} belongs to another object in this ledger"),
            "its machine carries that number: take what is on it to a host ordered anew",
        );
    }
    let Some(claim) = lost(host) else {
        return doubt(
            "what it names (department, system, class, image, zone, pools) cannot be resolved".to_owned(),
            "apply what is missing, then plan anew",
        );
    };
    let mut claim = Claim { id, ..claim };
    // It may have been handed over: then its machine lies where its first department had it made.
    let lies_in = facts.namespace_of(&label(id)).filter(|namespace| *namespace != request::engine_namespace(&claim));
    claim.engine_namespace = lies_in.map(str::to_owned).or(claim.engine_namespace);
    match facts.contradicts(&claim, &label(id)) {
        Some(why) => doubt(why, "put the object's spec back to what its machine is, then plan anew"),
        None => Some(Ok(claim)),
    }
}

fn name(host: &CloudHost) -> Option<(&str, &str)> {
    Some((host.metadata.namespace.as_deref()?, host.metadata.name.as_deref()?))
}

fn uid(host: &CloudHost) -> &str {
    host.metadata.uid.as_deref().unwrap_or_default()
}
