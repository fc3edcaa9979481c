//! Leases (租期): warned about, ended, archived, released, and brought back at each stage. Periods are seconds here.

mod extended;
mod refused;
mod volumes;

use jiff::{SignedDuration, Timestamp};
use jiyun_crds::v1alpha1::{CloudHost, ConditionType, LeaseStage, LeaseStatus, Order as FiledOrder, Reason};
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    desk::{Desk, approved},
    person::Answer,
    receivers::Hook,
    world::{PATIENCE, Quota, reason},
};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};

/// A world whose leases take these periods, and whose controller is given this too.
async fn world(warnings: &str, grace: &str, kept: &str, argument: Option<String>) -> Result<World, WorldError> {
    let periods =
        [format!("--lease-warnings={warnings}"), format!("--lease-grace={grace}"), format!("--lease-kept={kept}")];
    let controller_arguments = periods.into_iter().chain(argument).collect();
    let lab = LabOptions::default().departments(["bureau-0"]);
    World::start(WorldOptions { lab, files: city::CATALOGUE_FILES.to_vec(), controller_arguments }).await
}

/// Its department, where people have to agree to changes and to nothing else.
async fn desk(world: &World) -> Result<Desk<'_>, WorldError> {
    let rules = json!({
        "appliesTo": {"actions": ["Change"], "departments": ["bureau-0"]},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]}],
    });
    Desk::with(world, Quota::cores(8), rules).await
}

/// A host that runs, protected from deletion or not.
async fn running(desk: &Desk<'_>, name: &str, protection: &str) -> Result<CloudHost, WorldError> {
    let mut body = Order::new(name, "portal").body();
    body["deletionProtection"] = json!(protection);
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &body, 30).await?;
    desk.bureau.wait_ready(name).await
}

/// So many seconds from now, as people write it.
fn in_seconds(seconds: i64) -> String {
    let moment = Timestamp::now() + SignedDuration::from_secs(seconds);
    Timestamp::from_second(moment.as_second()).unwrap().to_string()
}

async fn patch(desk: &Desk<'_>, host: &str, change: &Value) -> Result<Answer, WorldError> {
    Ok(desk.bureau.caller.patch(&desk.bureau.host_path(host), change, "").await?)
}

/// Asks that the lease of `host` end so many seconds from now.
async fn lend(desk: &Desk<'_>, host: &str, seconds: i64) -> Result<(), WorldError> {
    let answer = patch(desk, host, &json!({"lease": {"endsAt": in_seconds(seconds)}})).await?;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    Ok(())
}

fn lease(host: &CloudHost) -> Option<&LeaseStatus> {
    host.status.as_ref()?.lease.as_ref()
}

fn stage(host: &CloudHost) -> Option<LeaseStage> {
    lease(host).map(|lease| lease.stage)
}

/// Waits until the lease has come to `wanted`, and its host is as that says.
async fn reached(desk: &Desk<'_>, host: &str, wanted: LeaseStage) -> Result<CloudHost, WorldError> {
    let is_so = |found: &CloudHost| {
        let over = !matches!(wanted, LeaseStage::Running | LeaseStage::Warned);
        stage(found) == Some(wanted) && (!over || reason(found, ConditionType::Ready) == Some("LeaseEnded"))
    };
    desk.bureau.wait_for_host(host, &format!("a lease that is {wanted}"), is_so).await
}

/// A field of a host's machine; empty once there is none.
async fn machine(desk: &Desk<'_>, host: &str, path: &str) -> Result<String, WorldError> {
    let (namespace, path) = (format!("engine-{}", desk.bureau.name), format!("jsonpath={path}"));
    let find = ["get", "vm", host, "-n", &namespace, "--ignore-not-found", "-o", &path];
    Ok(desk.bureau.world.lab.kubectl(&find).await?)
}

async fn disk(desk: &Desk<'_>, host: &str) -> Result<String, WorldError> {
    let (namespace, name) = (format!("engine-{}", desk.bureau.name), jiyun_crds::names::system_disk_name(host));
    let find = ["get", "datavolume", &name, "-n", &namespace, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"];
    Ok(desk.bureau.world.lab.kubectl(&find).await?)
}

/// The one order that people have to agree to now.
async fn awaited(desk: &Desk<'_>) -> Result<FiledOrder, WorldError> {
    Ok(wait_for("an order for the change", PATIENCE, || async {
        let orders = desk.orders().await.map_err(|error| error.to_string())?;
        let list = orders.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let waits = |order: &&FiledOrder| approved(order) == Some(Reason::AwaitingApproval);
        let all = || list.items.iter().map(ResourceExt::name_any).collect::<Vec<_>>();
        list.items.iter().find(waits).cloned().ok_or_else(|| format!("{:?}", all()))
    })
    .await?)
}

/// The hosts that the operator's inbox names for their leases.
async fn ending(desk: &Desk<'_>) -> Result<Vec<(String, String)>, WorldError> {
    let answer = desk.bureau.caller.get("/v1/inbox").await?;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = answer.json()["leases"].as_array().cloned().unwrap_or_default();
    Ok(rows.iter().map(|row| (text(&row["host"]), text(&row["lease"]["stage"]))).collect())
}

#[tokio::test]
async fn a_lease_goes_through_its_life_and_people_are_told_of_each_step_once() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let hook = Hook::open().await?;
    std::fs::write(folder.path().join("secret"), "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZDA=")?;
    let told = json!({"webhooks": [{
        "name": "oa", "url": hook.url(), "secretFiles": [folder.path().join("secret")],
        "events": ["lease.ending", "lease.ended", "lease.archived", "lease.releasing"],
    }]});
    let path = folder.path().join("notifications.yaml");
    std::fs::write(&path, told.to_string())?;
    let world = world("1h,10s", "12s", "25s", Some(format!("--notifications={}", path.display()))).await?;
    let desk = desk(&world).await?;
    let granted = running(&desk, "web", "Disabled").await?;
    assert_eq!(stage(&granted), None, "without end");
    assert!(ending(&desk).await?.is_empty());

    // A first lease is asked of nobody.
    lend(&desk, "web", 8).await?;
    let warned = reached(&desk, "web", LeaseStage::Warned).await?;
    assert_eq!(desk.names().await?.len(), 0);
    let planned = lease(&warned).unwrap().clone();
    assert!(planned.ended_at.is_none() && planned.archive_at.is_some() && planned.release_at.is_some(), "{planned:?}");
    assert_eq!(ending(&desk).await?, [("web".to_owned(), "Warned".to_owned())]);

    let ended = reached(&desk, "web", LeaseStage::Ended).await?;
    assert_eq!(machine(&desk, "web", "{.spec.runStrategy}").await?, "Halted");
    let at = |moment: &Option<jiyun_crds::v1alpha1::DateTime>| moment.as_ref().unwrap().timestamp().unwrap();
    let over = lease(&ended).unwrap();
    assert!(at(&over.ended_at) >= planned.ends_at.timestamp().unwrap(), "{over:?}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (2, 0), "its pool lets a stopped host keep its cores");

    let archived = reached(&desk, "web", LeaseStage::Archived).await?;
    assert_eq!(reason(&archived, ConditionType::Provisioned), Some("LeaseEnded"));
    assert_eq!(machine(&desk, "web", "{.metadata.uid}").await?, "");
    assert!(!disk(&desk, "web").await?.is_empty(), "the disk is kept");
    let kept = lease(&archived).unwrap();
    assert!(at(&kept.archived_at) >= at(&over.archive_at) && at(&kept.release_at) > at(&kept.archived_at), "{kept:?}");
    wait_for("cores that are given back", PATIENCE, || async {
        let used = desk.bureau.used("Vcpu").await.map_err(|error| error.to_string())?;
        if used == (0, 0) { Ok(()) } else { Err(format!("{used:?}")) }
    })
    .await?;
    assert_eq!(ending(&desk).await?, [("web".to_owned(), "Archived".to_owned())]);

    desk.bureau.wait_gone("web").await?;
    assert!(Timestamp::now() >= at(&kept.release_at), "not before it was said");
    assert_eq!(disk(&desk, "web").await?, "");

    let delivered = hook.acknowledged();
    let mut ids = std::collections::BTreeSet::new();
    for delivery in &delivered {
        assert!(ids.insert(delivery.id.clone()), "told twice: {delivery:?}");
        let data = delivery.json()["data"].clone();
        assert_eq!((&data["kind"], &data["name"]), (&json!("CloudHost"), &json!("web")));
        assert_eq!(data["users"], json!(["bureau-0-operator"]));
        assert_eq!(data["groups"], json!(["bureau-0-operators"]));
    }
    for event in ["lease.ending", "lease.ended", "lease.archived", "lease.releasing"] {
        assert!(delivered.iter().any(|delivery| delivery.event() == event), "{event} is not in {delivered:?}");
    }
    Ok(())
}
