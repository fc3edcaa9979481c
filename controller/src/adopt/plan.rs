//! How ledger and objects are brought together again: from what both hold to steps, each with its reason, and what only a
//! person can decide. No client, no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiyun_crds::v1alpha1::CloudHost;
use jiyun_ledger::{Claim, ClaimId, ClaimStage, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::host::approved::Approved;

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
    /// What nobody but a person can decide. It does not keep the steps from being applied, and stays in doubt.
    pub unresolved: Vec<Unresolved>,
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
    /// The object of a claim is gone: it is made again as it was approved, and the claim goes to it.
    Recreate {
        /// The claim.
        claim: String,
        /// Namespace and name.
        object: String,
        /// What is applied.
        manifest: Value,
    },
    /// The ledger lost the claim of an object: it is booked again, without asking for room. Billing begins anew when the
    /// machine is seen running; the time between is not billed.
    Adopt {
        /// The claim the object names.
        claim: String,
        /// Namespace and name.
        object: String,
        /// The object's UID.
        uid: String,
    },
}

/// Something in doubt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unresolved {
    /// Namespace and name.
    pub object: String,
    /// What does not fit.
    pub why: String,
    /// What a person may do.
    pub what_to_do: String,
}

/// Plans. `namespaces` are those that exist: an object cannot be made where its department has none.
pub fn plan(state: &State, hosts: &[CloudHost], namespaces: &BTreeSet<String>) -> Plan {
    let mut plan = Plan {
        lineage: state.lineage().map(ToString::to_string).unwrap_or_default(),
        quarantine: state.quarantine().map(|quarantine| quarantine.reason.clone()),
        steps: Vec::new(),
        unresolved: Vec::new(),
    };
    let by_name: BTreeMap<(&str, &str), &CloudHost> =
        hosts.iter().filter_map(|host| Some((name(host)?, host))).collect();
    for claim in state.claims().filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost") {
        let subject = &claim.subject;
        match by_name.get(&(subject.namespace.as_str(), subject.name.as_str())) {
            Some(host) if uid(host) == subject.uid => {}
            Some(host) => plan.steps.push(Step::Rebind {
                claim: claim.id.to_string(),
                object: object(claim),
                from: subject.uid.clone(),
                to: uid(host).to_owned(),
            }),
            None => without_object(claim, namespaces, &mut plan),
        }
    }
    for host in hosts {
        without_claim(state, host, &mut plan);
    }
    plan
}

fn without_object(claim: &Claim, namespaces: &BTreeSet<String>, plan: &mut Plan) {
    // What was ended is taken down by the controller, object or not.
    if claim.stage() == ClaimStage::Ending {
        return;
    }
    let doubt =
        |why: String, what_to_do: &str| Unresolved { object: object(claim), why, what_to_do: what_to_do.to_owned() };
    if !namespaces.contains(&claim.subject.namespace) {
        plan.unresolved.push(doubt(
            format!("{} has no object, and namespace {} does not exist", claim.id, claim.subject.namespace),
            "apply the Department again, wait until it is Ready, then plan anew",
        ));
        return;
    }
    match manifest(claim) {
        Some(manifest) => {
            plan.steps.push(Step::Recreate { claim: claim.id.to_string(), object: object(claim), manifest });
        }
        None => plan.unresolved.push(doubt(
            format!("{} has no object, and what was approved cannot be read", claim.id),
            "apply the object from your own records, then plan anew",
        )),
    }
}

/// The object a claim was approved for. Its name for people and its power are not in the book: it comes back running.
fn manifest(claim: &Claim) -> Option<Value> {
    let approved: Approved = serde_json::from_value(claim.approved_spec.clone()).ok()?;
    let zone = claim.lines.iter().find_map(|line| line.dimensions.zone.clone())?;
    Some(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": claim.subject.name, "namespace": claim.subject.namespace},
        "spec": {
            "displayName": claim.subject.name,
            "systemRef": {"name": claim.system}, "classRef": {"name": approved.class},
            "imageRef": {"name": approved.image}, "zoneRef": {"name": zone}, "architecture": approved.architecture,
            "systemDisk": {"tier": approved.disk_tier, "size": size(approved.disk_mebibytes)},
            "sshAuthorizedKeys": approved.ssh_authorized_keys,
        },
    }))
}

fn size(mebibytes: u64) -> String {
    jiyun_crds::v1alpha1::Quantity::from_mebibytes(mebibytes).as_str().to_owned()
}

fn without_claim(state: &State, host: &CloudHost, plan: &mut Plan) {
    let Some((namespace, host_name)) = name(host) else { return };
    let held = state.claim_of_subject(uid(host)).is_some();
    let by_name = state.claim_of_object("CloudHost", namespace, host_name).is_some();
    let Some(claimed) = host.status.as_ref().and_then(|status| status.claim_id.clone()).filter(|_| !held && !by_name)
    else {
        return;
    };
    let object = format!("{namespace}/{host_name}");
    let known = claimed.parse::<ClaimId>().ok().and_then(|id| state.claim(id));
    match known {
        Some(claim) if !claim.is_open() && claim.subject.uid == uid(host) => plan.unresolved.push(Unresolved {
            object,
            why: format!("{claimed} of this object was released, and yet it is there: it was deleted, then restored"),
            what_to_do: "delete it again; or, to keep it, apply it under another name".to_owned(),
        }),
        Some(_) | None => plan.steps.push(Step::Adopt { claim: claimed, object, uid: uid(host).to_owned() }),
    }
}

fn object(claim: &Claim) -> String {
    format!("{}/{}", claim.subject.namespace, claim.subject.name)
}

fn name(host: &CloudHost) -> Option<(&str, &str)> {
    Some((host.metadata.namespace.as_deref()?, host.metadata.name.as_deref()?))
}

fn uid(host: &CloudHost) -> &str {
    host.metadata.uid.as_deref().unwrap_or_default()
}
