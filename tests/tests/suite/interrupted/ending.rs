//! How the story ended: everything that is left of it, without times, amounts and numbers given by chance.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::{CloudHost, Department};
use jiyun_tests::{World, faults::differences};
use kube::Resource;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::book::Book;

/// Our own kinds.
const OURS: &str = "departments,networkzones,sites,computepools,storagepools,hostclasses,databaseclasses,hostimages,\
                    informationsystems,cloudhosts,clouddatabases,cloudvolumes,cloudbuckets,cloudsnapshots,networkflows,\
                    pricelists";

/// What the controller makes for a department, and what else could lie in its namespaces.
const CHILDREN: &str = "namespaces,networkpolicies,rolebindings,roles,resourcequotas,configmaps,secrets";

/// What engines make for a host. Of all this nothing is left.
const ENGINES: &str = "virtualmachines.kubevirt.io,virtualmachineinstances.kubevirt.io,datavolumes.cdi.kubevirt.io,\
                       persistentvolumeclaims,persistentvolumes,volumesnapshots.snapshot.storage.k8s.io,\
                       volumesnapshotcontents.snapshot.storage.k8s.io,pods,controllerrevisions.apps";

/// Whose quotas are read: who orders, who is refused, and the county above both.
const DEPARTMENTS: [&str; 3] = ["finance", "kaiyun", "hengshan"];

/// Every fact by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending(BTreeMap<String, Value>);

impl Ending {
    /// What is left on `world` of a story that began when `claims` claims were in the book.
    ///
    /// # Errors
    /// What cannot be read, or cannot be in any ending.
    pub async fn of(world: &World, claims: usize) -> Result<Self, String> {
        let mut facts = BTreeMap::new();
        for object in listed(world, OURS).await? {
            facts.insert(named(&object), ours(&object));
        }
        for object in listed(world, CHILDREN).await? {
            if is_a_departments(&object) {
                facts.insert(named(&object), child(&object));
            }
        }
        let left = kubectl(world, &["get", ENGINES, "--all-namespaces", "-o", "name"]).await?;
        if !left.trim().is_empty() {
            return Err(format!("engines still hold {left}"));
        }
        for department in DEPARTMENTS {
            facts.insert(format!("quota of {department}"), quota(world, department).await?);
        }
        let book = Book::open(world).await;
        facts.extend(booked(&book, claims)?);
        facts.insert("statement of finance".to_owned(), statement(world, &book, claims).await?);
        Ok(Self(facts))
    }

    /// What differs from `expected`, a fact a line; empty where nothing does.
    pub fn differences(&self, expected: &Self) -> String {
        differences(&self.0, &expected.0)
    }
}

async fn kubectl(world: &World, arguments: &[&str]) -> Result<String, String> {
    world.lab.kubectl(arguments).await.map_err(|error| error.to_string())
}

async fn listed(world: &World, kinds: &str) -> Result<Vec<Value>, String> {
    let text = kubectl(world, &["get", kinds, "--all-namespaces", "-o", "json"]).await?;
    let list: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

fn named(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
}

/// An object of ours: wish, protection, and what its conditions say.
fn ours(object: &Value) -> Value {
    let mut conditions: Vec<_> = object["status"]["conditions"].as_array().into_iter().flatten().map(said).collect();
    // Two managers write them: whoever comes first has the first place.
    conditions.sort_by_key(Value::to_string);
    let (meta, status) = (&object["metadata"], &object["status"]);
    let mut told = json!({
        "spec": object["spec"], "finalizers": meta["finalizers"], "generation": meta["generation"],
        "deleted": meta["deletionTimestamp"].is_string(), "observed": status["observedGeneration"],
        "conditions": conditions, "refusal": status["refusal"],
    });
    let kind = object["kind"].as_str().unwrap_or_default();
    if kind == CloudHost::kind(&()) {
        told["claim"] = status["claimId"].clone();
        told["requested by"] = meta["annotations"]["jiyun.io/requested-by"].clone();
    }
    if kind == Department::kind(&()) {
        told["namespace"] = status["namespace"].clone();
    }
    told
}

fn said(condition: &Value) -> Value {
    json!([condition["type"], condition["status"], condition["reason"], condition["observedGeneration"]])
}

fn is_a_departments(object: &Value) -> bool {
    let of = |pointer: &str| {
        let text = object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        ["dept-", "engine-"].iter().any(|prefix| text.starts_with(prefix))
    };
    of("/metadata/namespace") || (object["kind"] == "Namespace" && of("/metadata/name"))
}

fn child(object: &Value) -> Value {
    json!({
        "labels": object["metadata"]["labels"], "spec": object["spec"], "subjects": object["subjects"],
        "role": object["roleRef"], "deleted": object["metadata"]["deletionTimestamp"].is_string(),
    })
}

/// The answer to somebody of the department, without the moment it was given.
async fn quota(world: &World, department: &str) -> Result<Value, String> {
    let mut quota = answer(world, &format!("{department}-operator"), department, "quota").await?;
    if let Some(fields) = quota.as_object_mut() {
        fields.retain(|name, _| !["revision", "asOf"].contains(&name.as_str()));
    }
    Ok(quota)
}

async fn answer(world: &World, person: &str, department: &str, report: &str) -> Result<Value, String> {
    let caller = world.caller(person).map_err(|error| error.to_string())?;
    let path = format!("/v1/departments/{department}/{report}");
    let answer = caller.get(&path).await.map_err(|error| error.to_string())?;
    if answer.status.is_success() { Ok(answer.json()) } else { Err(format!("{path}: {}", answer.text)) }
}

/// Accounts, pools, prices and the claims of this telling, out of the replayed book, whose counters must be right.
fn booked(book: &Book, claims: usize) -> Result<BTreeMap<String, Value>, String> {
    let state = book.state();
    let wrong = state.verify();
    if !wrong.is_empty() || state.quarantine().is_some() {
        return Err(format!("the book is wrong: {wrong:?}, quarantine {:?}", state.quarantine()));
    }
    let json = |value: serde_json::Result<Value>| value.map_err(|error| error.to_string());
    let mut facts = BTreeMap::new();
    for account in state.accounts() {
        facts.insert(format!("account {}", account.id), json(serde_json::to_value(&**account))?);
    }
    for record in state.pools() {
        facts.insert(format!("pool {}", record.pool.id), json(serde_json::to_value(&record.pool))?);
    }
    for prices in state.books() {
        facts.insert(format!("prices {}", prices.id), json(serde_json::to_value(&**prices))?);
    }
    // In the order they were granted: one more or one less moves all that follow.
    for (number, claim) in state.claims().skip(claims).enumerate() {
        let told = json!({
            "account": claim.account, "system": claim.system, "item": claim.item, "lines": claim.lines,
            "approved": claim.approved_spec, "stage": claim.stage().to_string(), "amended": claim.history.len(),
            "host": format!("{}/{}", claim.subject.namespace, claim.subject.name),
            "was handed over": claim.billable_from.is_some(),
        });
        facts.insert(format!("claim {}", number + 1), told);
    }
    Ok(facts)
}

/// What the statement says of this telling's claims, without times and amounts. Its total is the sum of its lines.
async fn statement(world: &World, book: &Book, claims: usize) -> Result<Value, String> {
    let usage = answer(world, "finance", "finance", "usage").await?;
    let lines = usage["lines"].as_array().cloned().unwrap_or_default();
    let amount = |value: &Value| value.as_str().and_then(|text| text.parse::<Decimal>().ok());
    let sum: Option<Decimal> = lines.iter().map(|line| amount(&line["amount"])).sum();
    if sum.is_none() || sum != amount(&usage["total"]) {
        return Err(format!("the total is {} and the lines add up to {sum:?}", usage["total"]));
    }
    let own: Vec<String> = book.state().claims().skip(claims).map(|claim| claim.id.to_string()).collect();
    let told = lines.iter().filter(|line| own.iter().any(|claim| line["claim"] == *claim)).map(|line| {
        json!([
            line["system"],
            line["resource"],
            line["item"],
            line["meter"],
            line["architecture"],
            line["tier"],
            line["zone"],
            line["quantity"],
            line["unit"],
            line["priceList"],
            line["priceUnit"],
            line["price"],
        ])
    });
    Ok(json!({"lines": told.collect::<Vec<_>>(), "unpriced": usage["unpriced"].as_array().map(Vec::len)}))
}
