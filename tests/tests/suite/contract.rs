//! Contracts: the kinds' rules on a real API server, and what we send to engines against their own definitions.

use jiyun_tests::{
    Order, World, WorldError,
    snapshot::{Of, Snapshots},
    volume::{self, Volumes},
    world::Quota,
};
use kube::{
    Api,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Table {
    valid: Map<String, Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    #[serde(default)]
    set: Map<String, Value>,
    #[serde(default)]
    then: Map<String, Value>,
    status: Option<Value>,
    message: String,
}

#[tokio::test]
async fn every_rule_of_every_kind_is_enforced_with_its_sentence() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let path = jiyun_lab::source_root().join("crds/tests/refusals.yaml");
    let table: Table = serde_yaml::from_str(&std::fs::read_to_string(path)?).unwrap();
    assert!(table.cases.len() >= 100, "only {} cases", table.cases.len());
    let client = world.lab.client().await?;
    let namespace = world.lab.namespace().await?;
    for (number, case) in table.cases.iter().enumerate() {
        let mut object = table.valid[&case.kind].clone();
        object["apiVersion"] = "jiyun.io/v1alpha1".into();
        object["kind"] = case.kind.clone().into();
        if let Some(home) = object.pointer_mut("/metadata/namespace") {
            *home = namespace.clone().into();
        }
        // Some kinds are evidence, and stay unless somebody says otherwise.
        object["metadata"]["annotations"] = serde_json::json!({"jiyun.io/allow-deletion": "yes"});
        apply(&mut object, &case.set);
        let api = api_for(&client, &object, &namespace);
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let outcome = if case.then.is_empty() {
            api.create(&dry_run, &read(object)).await
        } else {
            let name = format!("refusals-{number}");
            object["metadata"]["name"] = name.clone().into();
            if let Some(code) = object.pointer_mut("/spec/code") {
                *code = format!("C-{number}").into();
            }
            let mut created = api.create(&PostParams::default(), &read(object.clone())).await?;
            if let Some(status) = &case.status {
                let written = Patch::Merge(serde_json::json!({"status": status}));
                created = api.patch_status(&name, &PatchParams::default(), &written).await?;
            }
            let changed = replaced(&api, &name, created, &case.then).await;
            api.delete(&name, &DeleteParams::default()).await?;
            changed
        };
        let told = match outcome {
            Ok(_) => panic!("case {number} ({}): {:?} {:?} was taken", case.kind, case.set, case.then),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(&case.message), "case {number} ({}): expected {:?} in {told}", case.kind, case.message);
    }
    Ok(())
}

/// Changes what is there now; somebody else's write in between is no answer, so it is tried again.
async fn replaced(
    api: &Api<DynamicObject>,
    name: &str,
    mut current: DynamicObject,
    changes: &Map<String, Value>,
) -> kube::Result<DynamicObject> {
    loop {
        let mut object = serde_json::to_value(&current).unwrap();
        apply(&mut object, changes);
        match api.replace(name, &PostParams::default(), &read(object)).await {
            Err(kube::Error::Api(status)) if status.code == 409 => current = api.get(name).await?,
            answer => return answer,
        }
    }
}

fn read(object: Value) -> DynamicObject {
    serde_json::from_value(object).unwrap()
}

fn api_for(client: &kube::Client, object: &Value, namespace: &str) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().unwrap();
    let definitions = jiyun_crds::v1alpha1::definitions();
    let definition = definitions.iter().find(|definition| definition.spec.names.kind == kind).unwrap();
    let resource = ApiResource {
        group: "jiyun.io".into(),
        version: "v1alpha1".into(),
        api_version: "jiyun.io/v1alpha1".into(),
        kind: kind.into(),
        plural: definition.spec.names.plural.clone(),
    };
    if definition.spec.scope == "Namespaced" {
        Api::namespaced_with(client.clone(), namespace, &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    }
}

/// Sets each pointer to its value; null removes.
fn apply(object: &mut Value, changes: &Map<String, Value>) {
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        match object.pointer_mut(parent).unwrap() {
            Value::Object(fields) if value.is_null() => drop(fields.remove(key)),
            Value::Object(fields) => drop(fields.insert(key.to_owned(), value.clone())),
            Value::Array(items) => match key.parse::<usize>() {
                Ok(index) if index < items.len() => items[index] = value.clone(),
                _ => items.push(value.clone()),
            },
            other => panic!("{pointer} does not lead into {other}"),
        }
    }
}

/// Server-side apply refuses a field the engine's definition does not have: what was applied fits it.
async fn is_one_apply_of_ours(world: &World, engine: &str, resource: &str) -> Result<(), WorldError> {
    let stored = world.lab.kubectl(&["get", resource, "-n", engine, "-o", "json", "--show-managed-fields"]).await?;
    let object: Value = serde_json::from_str(&stored).unwrap();
    let ours = object["metadata"]["managedFields"].as_array().unwrap().iter();
    let ours: Vec<_> = ours.filter(|entry| entry["manager"] == "jiyun-controller").collect();
    assert_eq!(ours.len(), 1, "{resource}: one field manager, one apply");
    assert_eq!(ours[0]["operation"], "Apply");
    let owners = &object["metadata"]["ownerReferences"];
    assert!(owners.is_null(), "engine objects are linked by labels, never by owner references: {owners}");
    Ok(())
}

#[tokio::test]
async fn what_is_applied_to_the_engines_is_one_apply_of_one_manager_and_owned_by_nobody() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let engine = format!("engine-{}", bureau.name);
    for resource in ["vm/web-1", "dv/web-1-system"] {
        is_one_apply_of_ours(world, &engine, resource).await?;
    }
    Ok(())
}

#[tokio::test]
async fn hosts_of_a_group_are_kept_off_each_others_nodes_as_strictly_as_was_asked() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let engine = format!("engine-{}", bureau.name);
    let mut groups = std::collections::BTreeSet::new();
    for (name, policy, rule) in [
        ("web-1", "Preferred", "/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm"),
        ("web-2", "Required", "/requiredDuringSchedulingIgnoredDuringExecution/0"),
    ] {
        let mut body = Order::new(name, "portal").body();
        body["antiAffinity"] = serde_json::json!({"group": "web", "policy": policy});
        let told = bureau.caller.post(&bureau.hosts_path(), &body, 30).await?.json();
        assert_eq!(told["antiAffinity"], body["antiAffinity"]);
        bureau.wait_ready(name).await?;
        let machine = world.lab.kubectl(&["get", "vm", name, "-n", &engine, "-o", "json"]).await?;
        let machine: Value = serde_json::from_str(&machine).unwrap();
        let template = &machine["spec"]["template"];
        let group = template["metadata"]["labels"]["jiyun.io/anti-affinity"].clone();
        assert!(
            group.as_str().and_then(|group| group.split_once('.')).is_some_and(|(_, name)| name == "web"),
            "{group}"
        );
        let kept = template["spec"]["affinity"]["podAntiAffinity"].pointer(rule).unwrap();
        assert_eq!(kept["labelSelector"]["matchLabels"]["jiyun.io/anti-affinity"], group);
        groups.insert(group.to_string());
        assert_eq!(kept["topologyKey"], "kubernetes.io/hostname");
        is_one_apply_of_ours(world, &engine, &format!("vm/{name}")).await?;
    }
    assert_eq!(groups.len(), 1, "they are of one group: {groups:?}");
    let elsewhere = serde_json::json!({"antiAffinity": {"group": "db"}});
    let moved = bureau.caller.patch(&bureau.host_path("web-1"), &elsewhere, "").await?;
    assert!(moved.status.is_client_error(), "it is set at creation: {}", moved.status);
    Ok(())
}

#[tokio::test]
async fn so_are_a_snapshot_the_disks_that_are_made_from_it_and_one_that_is_brought_back_to_it() -> Result<(), WorldError>
{
    let world = volume::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let (volumes, snapshots) = (Volumes { bureau: &bureau }, Snapshots { bureau: &bureau });
    volumes.order(&volumes.body("files", "10Gi", None), 30).await?;
    volumes.wait_ready("files", "Available").await?;
    snapshots.take("nightly", Of::Volume("files")).await?;
    let mut body = volumes.body("copy", "10Gi", None);
    body["snapshot"] = serde_json::json!("nightly");
    volumes.order(&body, 30).await?;
    volumes.wait_ready("copy", "Available").await?;
    let restored = snapshots.restore(Of::Volume("files"), "nightly").await?;
    let moment = restored.json()["restore"]["requestedAt"].as_str().unwrap().to_owned();
    snapshots.wait_restored(Of::Volume("files"), &moment).await?;
    let engine = format!("engine-{}", bureau.name);
    for resource in ["volumesnapshot/nightly-snapshot", "dv/copy-volume", "dv/files-volume"] {
        is_one_apply_of_ours(world, &engine, resource).await?;
    }
    Ok(())
}
