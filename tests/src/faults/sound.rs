//! Whether a system is sound: the book verified by the program that shares no code with its writer, every claim with an
//! object, every object with a claim, every machine and disk once.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{LABEL_CLOUDHOST, department_of_engine_namespace, department_of_namespace},
    v1alpha1::{ConditionType, condition},
};
use jiyun_lab::{LedgerUser, wait_for};
use jiyun_ledger::{
    ClaimStage, State, Store as _,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;

use super::{
    FaultError,
    program::{ledger, told},
};
use crate::{World, world::PATIENCE};

/// What is looked at besides the book.
const KINDS: &str = "cloudhosts.jiyun.io,virtualmachines.kubevirt.io,datavolumes.cdi.kubevirt.io";

/// A host by department and name.
type Host = (String, String);

/// What Kubernetes holds.
#[derive(Debug, Default)]
struct There {
    /// By UID: which host, and whether it says that it was admitted.
    hosts: BTreeMap<String, (Host, bool)>,
    /// How many of each, by kind and host.
    engines: BTreeMap<(String, Host), usize>,
}

/// Waits until what is under way has come to an end and the system is sound.
///
/// # Errors
/// What is wrong, if it still is when [`PATIENCE`] has passed.
pub async fn settle(world: &World) -> Result<State, FaultError> {
    Ok(wait_for("the system to be sound", PATIENCE, || sound(world)).await?)
}

/// Looks at both stores as they are now; gives the book.
///
/// # Errors
/// What is wrong.
pub async fn sound(world: &World) -> Result<State, FaultError> {
    let verified = ledger(&world.lab, &["verify"]).await?;
    if verified.status.code() != Some(0) {
        return Err(FaultError::Unsound(told(&verified)));
    }
    let state = book(world).await?;
    let there = there(world).await?;
    let mut wrong: Vec<String> = state.verify().iter().map(|wrong| format!("{wrong:?}")).collect();
    wrong.extend(state.quarantine().map(|quarantine| format!("quarantine: {}", quarantine.reason)));
    compare(&state, &there, &mut wrong);
    if wrong.is_empty() { Ok(state) } else { Err(FaultError::Unsound(wrong.join("; "))) }
}

/// Reads every entry from etcd.
///
/// # Errors
/// When the book cannot be read.
pub async fn book(world: &World) -> Result<State, FaultError> {
    let store = EtcdStore::new(world.lab.ledger_client(LedgerUser::Root).await?, DEFAULT_PREFIX);
    let mut state = State::default();
    loop {
        let page = store.page(state.seq() + 1).await.map_err(FaultError::book("a read of its entries"))?;
        for entry in &page.entries {
            state.apply(entry).map_err(FaultError::book("a replay of its entries"))?;
        }
        if !page.more {
            return Ok(state);
        }
    }
}

async fn there(world: &World) -> Result<There, FaultError> {
    let text = world.lab.kubectl(&["get", KINDS, "--all-namespaces", "-o", "json"]).await?;
    let list: Value = serde_json::from_str(&text).map_err(FaultError::book("a list of objects"))?;
    let mut there = There::default();
    for object in list["items"].as_array().into_iter().flatten() {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, namespace) = (text("/kind"), text("/metadata/namespace"));
        if kind == "CloudHost" {
            let department = department_of_namespace(namespace).unwrap_or_default();
            let host = (department.to_owned(), text("/metadata/name").to_owned());
            let conditions: Vec<Condition> =
                serde_json::from_value(object["status"]["conditions"].clone()).unwrap_or_default();
            let admitted = condition::is_true(&conditions, ConditionType::Admitted);
            there.hosts.insert(text("/metadata/uid").to_owned(), (host, admitted));
        } else if let Some(department) = department_of_engine_namespace(namespace) {
            let host = object["metadata"]["labels"][LABEL_CLOUDHOST].as_str().unwrap_or_default();
            *there.engines.entry((kind.to_owned(), (department.to_owned(), host.to_owned()))).or_default() += 1;
        }
    }
    Ok(there)
}

fn compare(state: &State, there: &There, wrong: &mut Vec<String>) {
    let mut claimed: BTreeMap<Host, usize> = BTreeMap::new();
    let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == "CloudHost");
    for claim in open {
        let department = department_of_namespace(&claim.subject.namespace).unwrap_or_default();
        let host: Host = (department.to_owned(), claim.subject.name.clone());
        let known = there.hosts.get(&claim.subject.uid);
        if known.is_none_or(|(named, _)| *named != host) {
            wrong.push(format!("{} of {host:?} has no object", claim.id));
        }
        for kind in ["VirtualMachine", "DataVolume"] {
            let count = there.engines.get(&(kind.to_owned(), host.clone())).copied().unwrap_or_default();
            if count > 1 || (count == 0 && claim.stage() == ClaimStage::Billable) {
                wrong.push(format!("{host:?} has {count} of {kind} at {}", claim.stage()));
            }
        }
        *claimed.entry(host).or_default() += 1;
    }
    for (uid, (host, admitted)) in &there.hosts {
        if *admitted && state.claim_of_subject(uid).is_none_or(|claim| !claim.is_open()) {
            wrong.push(format!("{host:?} is admitted and has no claim"));
        }
    }
    wrong.extend(
        claimed.iter().filter(|(_, count)| **count > 1).map(|(host, count)| format!("{host:?}: {count} claims")),
    );
    let orphans = there.engines.keys().filter(|(_, host)| !claimed.contains_key(host));
    wrong.extend(orphans.map(|(kind, host)| format!("{kind} of {host:?} has no claim")));
}
