//! Departments change: systems and hosts go to another department, and no machine notices.

mod closing;
mod killed;
mod refused;

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt};
use jiyun_crds::v1alpha1::{CloudHost, Handover};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Bureau, PATIENCE, Quota},
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A handover from one department to another; of one system or of all.
fn handover(name: &str, from: &Bureau<'_>, to: &Bureau<'_>, systems: Option<(&str, Option<&str>)>) -> Value {
    let mut spec = json!({
        "from": {"departmentRef": {"name": from.name}}, "to": {"departmentRef": {"name": to.name}},
        "document": "测试批复〔2026〕1号",
    });
    if let Some((system, there)) = systems {
        spec["from"]["systemRef"] = json!({"name": system});
        if let Some(there) = there {
            spec["to"]["systemRef"] = json!({"name": there});
        }
    }
    json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "Handover", "metadata": {"name": name}, "spec": spec})
}

async fn seen(world: &World, name: &str) -> Result<Handover, WorldError> {
    Ok(Api::<Handover>::all(world.lab.client().await?).get(name).await?)
}

/// Waits until a handover says so of itself.
async fn wait_handover(
    world: &World,
    name: &str,
    what: &str,
    holds: impl Fn(&Value) -> bool,
) -> Result<Value, WorldError> {
    let api = Api::<Handover>::all(world.lab.client().await?);
    let what = format!("handover {name}: {what}");
    Ok(wait_for(what, PATIENCE * 2, || async {
        let found = api.get(name).await.map_err(|error| error.to_string())?;
        let status = serde_json::to_value(found.status.unwrap_or_default()).unwrap();
        if holds(&status) { Ok(status) } else { Err(format!("{status}\n{}", world.controller.tail(10))) }
    })
    .await?)
}

/// Whether the condition of this type has this status and reason.
fn says(status: &Value, kind: &str, is: &str, reason: &str) -> bool {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|each| each["type"] == kind && each["status"] == is && each["reason"] == reason)
}

async fn completed(world: &World, name: &str) -> Result<Value, WorldError> {
    wait_handover(world, name, "completed", |status| says(status, "Completed", "True", "HandedOver")).await
}

/// Machines of a department's engine namespace as they run: name and UID of machine and instance, and what it is to do.
async fn machines(world: &World, department: &str) -> Result<BTreeMap<String, String>, WorldError> {
    let mut all = BTreeMap::new();
    for kind in ["VirtualMachine", "VirtualMachineInstance", "DataVolume"] {
        let (group, version) =
            if kind == "DataVolume" { ("cdi.kubevirt.io", "v1beta1") } else { ("kubevirt.io", "v1") };
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let namespace = format!("engine-{department}");
        let api = Api::<DynamicObject>::namespaced_with(world.lab.client().await?, &namespace, &resource);
        for object in api.list(&ListParams::default()).await? {
            let (uid, made) = (object.metadata.uid.unwrap(), object.metadata.creation_timestamp);
            let power = object.data.pointer("/spec/runStrategy").cloned().unwrap_or_default();
            all.insert(format!("{kind} {}", object.metadata.name.unwrap()), format!("{uid} {made:?} {power}"));
        }
    }
    Ok(all)
}

/// Claims of a department's hosts, by their names.
async fn claims(bureau: &Bureau<'_>) -> Result<BTreeMap<String, String>, WorldError> {
    let hosts = bureau.world.hosts(&bureau.name).await?.list(&ListParams::default()).await?;
    let claim = |host: CloudHost| {
        (host.metadata.name.unwrap_or_default(), host.status.and_then(|status| status.claim_id).unwrap_or_default())
    };
    Ok(hosts.items.into_iter().map(claim).collect())
}

async fn order(bureau: &Bureau<'_>, system: &str, names: &[&str]) -> Result<(), WorldError> {
    for name in names {
        let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new(*name, system).body(), 0).await?;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    for name in names {
        bureau.wait_ready(name).await?;
    }
    Ok(())
}

/// One more system beside `portal`.
async fn system(bureau: &Bureau<'_>, name: &str) -> Result<(), WorldError> {
    let system = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": name, "namespace": format!("dept-{}", bureau.name)},
        "spec": {
            "displayName": "征收系统", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
            "owner": {"name": "李四"},
        },
    });
    bureau.world.lab.apply_text(&system.to_string()).await?;
    Ok(())
}

/// Lines of this month's statement of a meter, as finance reads it.
async fn lines(bureau: &Bureau<'_>, meter: &str) -> Result<Vec<Value>, WorldError> {
    let path = format!("/v1/departments/{}/usage", bureau.name);
    let answer = bureau.world.caller("finance")?.get(&path).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let lines = answer.json()["lines"].as_array().cloned().unwrap_or_default();
    Ok(lines.into_iter().filter(|line| line["meter"] == meter).collect())
}

/// Waits until the statement says of so many hosts, and of no others, to whom they went: it is read by a program that
/// follows the book a moment later. From then on it stays as it is.
async fn passed_on(bureau: &Bureau<'_>, hosts: usize) -> Result<Vec<Value>, WorldError> {
    let what = format!("{hosts} hosts passed on by {}", bureau.name);
    Ok(wait_for(what, PATIENCE, || async {
        let lines = lines(bureau, "Hosts").await.map_err(|error| error.to_string())?;
        let all = lines.len() == hosts && lines.iter().all(|line| line["passedTo"].is_object());
        if all { Ok(lines) } else { Err(format!("{lines:?}")) }
    })
    .await?)
}

/// Waits until so many hosts are on a department's statement: each begins to show when a second of it is over.
async fn billed(bureau: &Bureau<'_>, hosts: usize) -> Result<Vec<Value>, WorldError> {
    let what = format!("{hosts} hosts on the statement of {}", bureau.name);
    Ok(wait_for(what, PATIENCE, || async {
        let lines = lines(bureau, "Vcpu").await.map_err(|error| error.to_string())?;
        if lines.len() == hosts { Ok(lines) } else { Err(format!("{lines:?}")) }
    })
    .await?)
}

#[tokio::test]
async fn a_system_goes_to_another_department_while_its_machines_run_on() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (giver, taker) = (world.department(Quota::AMPLE).await?, world.department(Quota::cores(2)).await?);
    system(&giver, "levy").await?;
    order(&giver, "levy", &["web-1", "web-2"]).await?;
    order(&giver, "portal", &["own"]).await?;
    billed(&giver, 3).await?;
    let (before, held) = (machines(world, &giver.name).await?, claims(&giver).await?);
    let name = world.lab.unique_name("levy");
    let seen = watched(&taker).await?;
    world.lab.apply_text(&handover(&name, &giver, &taker, Some(("levy", None))).to_string()).await?;
    let status = completed(world, &name).await?;
    protected_all_along(seen).await;
    assert_eq!((&status["total"], &status["moved"], &status["failed"]), (&json!(2), &json!(2), &json!(0)), "{status}");

    for host in ["web-1", "web-2"] {
        let there = taker.wait_ready(host).await?;
        assert_eq!(there.status.unwrap().claim_id.as_deref(), Some(held[host].as_str()), "the claim is the same");
        assert_eq!(there.metadata.annotations.unwrap().get("jiyun.io/handover"), None);
    }
    assert_eq!(machines(world, &giver.name).await?, before, "no machine, instance or disk was touched but for labels");
    assert_eq!(machines(world, &taker.name).await?.len(), 0);
    assert_eq!(claims(&giver).await?.into_keys().collect::<Vec<_>>(), ["own"], "a split: the rest stays");
    let left = world.lab.kubectl(&["get", "isys", "-n", &format!("dept-{}", giver.name), "-o", "name"]).await?;
    assert!(!left.contains("levy") && left.contains("portal"), "{left}");
    assert_eq!(
        (giver.used("Vcpu").await?, taker.used("Vcpu").await?),
        ((2, 0), (4, 0)),
        "above the taker's limit of 2"
    );
    labelled(world, &giver, &taker).await?;
    statements_tie(&giver, &taker, &held).await?;
    new_life(&giver, &taker).await
}

/// Every version of a department's hosts from now on, until it is asked for them.
async fn watched(bureau: &Bureau<'_>) -> Result<JoinHandle<Vec<CloudHost>>, WorldError> {
    let hosts = bureau.world.hosts(&bureau.name).await?;
    let mut events = hosts.watch(&WatchParams::default().timeout(30), "0").await?.boxed();
    Ok(tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Ok(Some(event)) = events.try_next().await {
            let (WatchEvent::Added(host) | WatchEvent::Modified(host)) = event else { continue };
            let is_last = host.name_any() == "web-2" && is_free(&host);
            seen.push(host);
            if is_last {
                break;
            }
        }
        seen
    }))
}

fn is_free(host: &CloudHost) -> bool {
    !host.annotations().contains_key("jiyun.io/handover")
}

/// What came is never without both: the mark that protects it on its way, and the claim that protects it from then on.
async fn protected_all_along(seen: JoinHandle<Vec<CloudHost>>) {
    let seen = seen.await.unwrap();
    assert!(seen.iter().any(is_free) && !seen.iter().all(is_free), "{seen:?}");
    for host in seen.into_iter().filter(is_free) {
        assert!(host.status.as_ref().is_some_and(|status| status.claim_id.is_some()), "{host:?}");
    }
}

/// Engine objects say whose they are now.
async fn labelled(world: &World, giver: &Bureau<'_>, taker: &Bureau<'_>) -> Result<(), WorldError> {
    let engine = format!("engine-{}", giver.name);
    let selector = format!("jiyun.io/department={}", taker.name);
    wait_for("labels of machines and disks", PATIENCE, || async {
        let arguments = ["get", "vm,dv", "-n", &engine, "-l", &selector, "-o", "name"];
        let named = world.lab.kubectl(&arguments).await.map_err(|error| error.to_string())?;
        if named.lines().count() == 4 { Ok(()) } else { Err(named) }
    })
    .await?;
    Ok(())
}

/// Each pays for its own seconds, and each statement names the other party.
async fn statements_tie(
    giver: &Bureau<'_>,
    taker: &Bureau<'_>,
    held: &BTreeMap<String, String>,
) -> Result<(), WorldError> {
    let (got, gave) = (billed(taker, 2).await?, billed(giver, 3).await?);
    for host in ["web-1", "web-2"] {
        let of = |lines: &[Value]| lines.iter().find(|line| line["claim"] == held[host].as_str()).cloned();
        let (gave, got) = (of(&gave).unwrap(), of(&got).unwrap());
        assert_eq!(gave["to"], got["from"], "not a second is lost or counted twice");
        let party = |bureau: &Bureau<'_>| json!({"department": bureau.name, "system": "levy", "resource": host});
        assert_eq!((&gave["passedTo"], &got["receivedFrom"]), (&party(taker), &party(giver)));
        assert_eq!((&gave["system"], &got["system"]), (&json!("levy"), &json!("levy")));
    }
    Ok(())
}

/// The taker changes and ends what it got; the giver may use the name again once the machine is gone.
async fn new_life(giver: &Bureau<'_>, taker: &Bureau<'_>) -> Result<(), WorldError> {
    let namesake = giver.caller.post(&giver.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    assert_eq!(namesake.json()["code"], "NameInUse", "{namesake:?}");
    let off = r#"{"spec": {"power": "Stopped"}}"#;
    let home = format!("dept-{}", taker.name);
    taker.world.lab.kubectl(&["patch", "chost", "web-2", "-n", &home, "--type=merge", "-p", off]).await?;
    taker.wait_ready("web-2").await?;
    assert_eq!(machine_power(giver, "web-2").await?, "Halted");
    taker.caller.delete(&taker.host_path("web-1")).await?;
    taker.wait_gone("web-1").await?;
    assert!(!machines(giver.world, &giver.name).await?.contains_key("VirtualMachine web-1"));
    giver.wait_ready("web-1").await?;
    Ok(())
}

async fn machine_power(bureau: &Bureau<'_>, name: &str) -> Result<String, WorldError> {
    let engine = format!("engine-{}", bureau.name);
    Ok(bureau.world.lab.kubectl(&["get", "vm", name, "-n", &engine, "-o", "jsonpath={.spec.runStrategy}"]).await?)
}
