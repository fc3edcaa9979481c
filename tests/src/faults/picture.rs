//! How things stand after a scene: everything that can be seen of it, without times, UIDs and numbers given by chance.

use std::{collections::BTreeMap, fmt::Write as _};

use jiyun_crds::names::LABEL_CLAIM;
use jiyun_ledger::State;
use serde_json::{Value, json};

use super::{FaultError, play::DEPARTMENT, stage::Stage};

/// Kinds that the plays touch.
const KINDS: &str = "departments.jiyun.io,cloudhosts.jiyun.io,virtualmachines.kubevirt.io,\
                     virtualmachineinstances.kubevirt.io,datavolumes.cdi.kubevirt.io,persistentvolumeclaims,namespaces,\
                     networkpolicies,rolebindings,quotareports.jiyun.io,secrets";

/// Those whose specs are compared.
const SPECIFIED: [&str; 5] = ["CloudHost", "Department", "VirtualMachine", "DataVolume", "NetworkPolicy"];

/// What differs between facts by their names, one a line; empty where nothing does.
pub fn differences(are: &BTreeMap<String, Value>, undisturbed: &BTreeMap<String, Value>) -> String {
    let mut told = String::new();
    let names = undisturbed.keys().chain(are.keys().filter(|name| !undisturbed.contains_key(*name)));
    for name in names {
        let (is, should) = (are.get(name), undisturbed.get(name));
        if is != should {
            let shown = |fact: Option<&Value>| fact.map_or_else(|| "nothing".to_owned(), Value::to_string);
            let _ = writeln!(told, "{name}: is {}, undisturbed {}", shown(is), shown(should));
        }
    }
    told
}

/// Every fact by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture(BTreeMap<String, Value>);

impl Picture {
    /// As it is, with what the book says since it had `claims` claims.
    ///
    /// # Errors
    /// When something cannot be read.
    pub async fn of(stage: &Stage, claims: usize) -> Result<Self, FaultError> {
        let mut facts = BTreeMap::new();
        let text = stage.world.lab.kubectl(&["get", KINDS, "--all-namespaces", "-o", "json"]).await?;
        // A department of each run has a name of its own.
        let text = text.replace(stage.unit(), "unit").replace(&stage.unit().to_uppercase(), "UNIT");
        let list: Value = serde_json::from_str(&text).map_err(FaultError::book("a list of objects"))?;
        for object in list["items"].as_array().into_iter().flatten() {
            if let Some((name, told)) = fact(object) {
                facts.insert(name, told);
            }
        }
        let book = super::book(&stage.world).await?;
        facts.extend(booked(&book, claims, stage.unit()));
        let (used, held) = stage.bureau()?.used("Vcpu").await?;
        facts.insert("quota".to_owned(), json!({"used": used, "held": held}));
        Ok(Self(facts))
    }

    /// What differs from `expected`; empty where nothing does.
    pub fn differences(&self, expected: &Self) -> String {
        differences(&self.0, &expected.0)
    }
}

/// What of an object is the same in every run.
fn fact(object: &Value) -> Option<(String, Value)> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, namespace, name) = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
    let place = if ["Namespace", "Department"].contains(&kind) { name } else { namespace };
    let concerned = [DEPARTMENT, "unit"].iter().any(|known| {
        [format!("dept-{known}"), format!("engine-{known}"), (*known).to_owned()].contains(&place.to_owned())
    });
    if !concerned {
        return None;
    }
    let status = &object["status"];
    let mut conditions: Vec<Value> = if ["CloudHost", "Department"].contains(&kind) {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.map(|condition| json!([condition["type"], condition["status"], condition["reason"]])).collect()
    } else {
        Vec::new()
    };
    // Two managers write those of a department: whoever comes first has the first place.
    conditions.sort_by_key(Value::to_string);
    let mut spec = if SPECIFIED.contains(&kind) { object["spec"].clone() } else { Value::Null };
    // Claims are numbered throughout the book.
    if let Some(labels) = spec.pointer_mut("/template/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(LABEL_CLAIM);
    }
    // What cloud-init knows a machine by is its claim's.
    if let Some(domain) = spec.pointer_mut("/template/spec/domain").and_then(Value::as_object_mut) {
        domain.remove("firmware");
    }
    let told = json!({
        "spec": spec,
        "finalizers": object["metadata"]["finalizers"], "conditions": conditions,
        "refusal": status["refusal"]["code"], "deleted": object["metadata"]["deletionTimestamp"].is_string(),
    });
    Some((format!("{kind} {namespace}/{name}"), told))
}

/// The claims of a run in the order they were granted, who stands in line, and every account.
fn booked(state: &State, claims: usize, unit: &str) -> BTreeMap<String, Value> {
    let mut facts = BTreeMap::new();
    for (number, claim) in state.claims().skip(claims).enumerate() {
        let mut approved = serde_json::Value::clone(&claim.approved_spec);
        // Orders are named after their host's UID.
        if let Some(order) = approved.get_mut("order") {
            *order = json!("an order");
        }
        let told = json!({
            "account": claim.account, "item": claim.item, "lines": claim.lines, "approved": approved,
            "stage": claim.stage().to_string(), "amended": claim.history.len(), "host": claim.subject.name,
            "was handed over": claim.billable_from.is_some(),
        });
        facts.insert(format!("claim {}", number + 1), told);
    }
    for (place, waiting) in state.waiting().enumerate() {
        facts.insert(format!("in line {}", place + 1), json!(waiting.request.subject.name));
    }
    // Units of earlier runs stay in the book as closed accounts.
    for account in state.accounts().filter(|account| [unit, DEPARTMENT].contains(&account.id.as_str())) {
        let told = json!({"limits": account.limits, "state": account.state, "parent": account.parent});
        facts.insert(format!("account {}", account.id.as_str().replace(unit, "unit")), told);
    }
    facts
}
