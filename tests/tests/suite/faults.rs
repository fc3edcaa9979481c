//! Programs die, stores go back, engines are slow, kinds are missing: what is granted stays granted, once.

use std::time::Duration;

use jiyun_crds::{names::system_disk_name, v1alpha1::ConditionType};
use jiyun_lab::{ControllerOptions, LabOptions, simulate::Fault, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    world::{PATIENCE, Quota, has, reason},
};

/// A world of one's own: its programs are killed.
async fn world() -> Result<World, WorldError> {
    let lab = LabOptions::default().departments(["finance"]);
    World::start(WorldOptions { lab, files: city::CATALOGUE_FILES.to_vec(), controller_arguments: vec![] }).await
}

/// How long after an order the controller is killed: from before it can have seen it to after it is done.
const MOMENTS: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(15),
    Duration::from_millis(40),
    Duration::from_millis(100),
    Duration::from_millis(400),
];

#[tokio::test]
async fn a_controller_killed_at_any_moment_leaves_each_order_granted_once() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::cores(2 * 6)).await?;
    for (number, moment) in MOMENTS.into_iter().enumerate() {
        let order = Order::new(format!("web-{number}"), "portal");
        let answer = bureau.caller.post(&bureau.hosts_path(), &order.body(), 0).await?;
        assert!(answer.status.is_success(), "{answer:?}");
        tokio::time::sleep(moment).await;
        world.controller.kill().await;
        world.controller.restart().await?;
    }
    for number in 0..MOMENTS.len() {
        bureau.wait_ready(&format!("web-{number}")).await?;
    }
    // The quota is exactly what was ordered: had any order been counted twice, one would have been refused.
    assert_eq!(bureau.used("Vcpu").await?, (12, 0));
    let more = bureau.caller.post(&bureau.hosts_path(), &Order::new("one-too-many", "portal").body(), 30).await?;
    assert_eq!(more.json()["code"], "ExceedsLimit", "{more:?}");

    for (number, moment) in MOMENTS.into_iter().enumerate() {
        bureau.caller.delete(&bureau.host_path(&format!("web-{number}"))).await?;
        tokio::time::sleep(moment).await;
        world.controller.kill().await;
        world.controller.restart().await?;
    }
    for number in 0..MOMENTS.len() {
        bureau.wait_gone(&format!("web-{number}")).await?;
    }
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    let left = world.lab.kubectl(&["get", "vm,dv", "-n", "engine-finance", "-o", "name"]).await?;
    assert_eq!(left.trim(), "");
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_killed_api_loses_nothing_and_a_stopped_controller_hands_over_at_once() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 0).await?;
    world.api.kill().await;
    bureau.wait_ready("web-1").await?;
    world.api.restart().await?;
    world.api.wait_until_healthy("/readyz", PATIENCE).await?;
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));

    // A standby takes over as soon as the leader is told to stop, without waiting for a lease to run out.
    let options = ControllerOptions { name: "standby".into(), ..ControllerOptions::default() };
    let standby = world.lab.spawn_controller(options).await?;
    standby.wait_until_healthy("/readyz", PATIENCE).await?;
    let exit = world.controller.stop().await;
    let log = world.controller.tail(20);
    assert_eq!(exit, jiyun_lab::Exit::Code(0), "{log}");
    assert!(log.contains("leadership handed over"), "{log}");
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    bureau.wait_ready("web-2").await?;
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_ledger_restored_alone_is_quarantined_and_nothing_is_touched() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    wait_for("the mark of the ledger", PATIENCE, || async {
        let data = world.lab.kubectl(&[
            "get",
            "cm",
            "jiyun-ledger-mark",
            "-n",
            "jiyun-system",
            "-o",
            "jsonpath={.data.revision}",
        ]);
        data.await
            .map_err(|error| error.to_string())
            .and_then(|text| text.parse::<u64>().map_err(|error| error.to_string()))
    })
    .await?;
    world.controller.stop().await;

    // As if an older backup had been restored: the book's last entries are gone.
    let mut etcd = world.lab.ledger_client(jiyun_lab::LedgerUser::Root).await?;
    let prefix = etcd_client::GetOptions::new().with_prefix().with_keys_only();
    let entries = etcd.get("/jiyun/ledger/events/", Some(prefix)).await.unwrap();
    for entry in entries.kvs().iter().rev().take(4) {
        etcd.delete(entry.key(), None).await.unwrap();
    }
    world.controller.restart().await?;
    wait_for("the quarantine alarm", PATIENCE, || async {
        let text = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.contains("jiyun_quarantined 1") { Ok(()) } else { Err(world.controller.tail(5)) }
    })
    .await?;

    bureau.world.lab.apply_text(&Order::new("web-2", "portal").object("finance").to_string()).await?;
    bureau
        .wait_for_host("web-2", "undecided", |host| reason(host, ConditionType::Admitted) == Some("Quarantined"))
        .await?;
    world.lab.kubectl(&["delete", "chost", "web-1", "-n", "dept-finance", "--wait=false"]).await?;
    bureau.wait_for_host("web-1", "marked for deletion", |host| host.metadata.deletion_timestamp.is_some()).await?;
    // Neither a host nor its department is let go, though the book that lost its last entries may know of neither.
    world.lab.kubectl(&["delete", "department", "finance", "--wait=false"]).await?;
    world.lab.kubectl(&["wait", "department", "finance", "--for=condition=Ready=False", "--timeout=60s"]).await?;
    bureau.wait_for_host("web-1", "kept", |host| host.metadata.finalizers.is_some()).await?;
    let machine = world.lab.kubectl(&["get", "vm", "web-1", "-n", "engine-finance", "-o", "name"]).await?;
    assert_eq!(machine.trim(), "virtualmachine.kubevirt.io/web-1");
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_undecodable_object_stops_nobody_else() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    // A later release that knows one architecture more wrote an object that this one cannot read.
    let loosen = r#"[{"op": "remove",
                      "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/architecture/enum"}]"#;
    world.lab.kubectl(&["patch", "crd", "cloudhosts.jiyun.io", "--type=json", "-p", loosen]).await?;
    let mut odd = Order::new("odd", "portal");
    odd.architecture = "riscv64".into();
    let odd = odd.object("finance").to_string();
    wait_for("the loosened definition to count", PATIENCE, || async {
        world.lab.apply_text(&odd).await.map_err(|error| format!("{error:?}"))
    })
    .await?;
    bureau.world.lab.apply_text(&Order::new("web-1", "portal").object("finance").to_string()).await?;
    bureau.wait_ready("web-1").await?;
    let text = world.controller_metrics().await?;
    assert!(text.contains("jiyun_invalid_objects_total{kind=\"CloudHost\"}"), "{text}");
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn each_fault_has_its_reason_and_what_is_not_ready_yet_is_held_and_not_billed() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let name = format!("late-{}", bureau.name);
    let disk = system_disk_name(&name);
    let stages = [
        (Fault::ImportFails, &disk, "ImageUnavailable"),
        (Fault::Full, &name, "Unschedulable"),
        (Fault::NeverReady, &name, "Starting"),
    ];
    for (fault, on, _) in stages {
        world.lab.faults().set(fault, on);
    }
    bureau.caller.post(&bureau.hosts_path(), &Order::new(&name, "portal").body(), 0).await?;
    for (fault, on, why) in stages {
        let is_told = |host: &_| has(host, ConditionType::Admitted) && reason(host, ConditionType::Ready) == Some(why);
        let host = bureau.wait_for_host(&name, why, is_told).await?;
        assert!(!has(&host, ConditionType::Ready));
        assert_eq!(bureau.used("Vcpu").await?, (0, 2), "the department cannot use it yet, so it does not pay");
        world.lab.faults().clear(fault, on);
    }
    bureau.wait_ready(&name).await?;
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));
    let shown = bureau.caller.get(&bureau.host_path(&name)).await?.json();
    let (granted, ready) = (shown["grantedAt"].as_str(), shown["readyAt"].as_str());
    assert!(granted.is_some() && ready >= granted, "{shown}");

    world.lab.faults().set(Fault::Lost, &name);
    let is_lost = |host: &_| reason(host, ConditionType::Ready) == Some("NodeLost");
    bureau.wait_for_host(&name, "lost with its node", is_lost).await?;
    assert_eq!(bureau.used("Vcpu").await?, (2, 0), "what it has is kept for it");
    world.lab.faults().clear(Fault::Lost, &name);
    let again = bureau.wait_ready(&name).await?.status.unwrap_or_default();
    assert_eq!(again.ready_at.as_ref().map(ToString::to_string).as_deref(), ready, "first usable is first usable");
    let figures = world.controller_metrics().await?;
    for stage in ["decision", "provision"] {
        assert!(figures.contains(&format!("jiyun_host_stage_seconds_count{{stage=\"{stage}\"}}")), "{figures}");
    }
    Ok(())
}

#[tokio::test]
async fn a_controller_that_cannot_list_a_kind_still_stops_when_told() -> Result<(), WorldError> {
    let world = world().await?;
    world.lab.kubectl(&["annotate", "crd", "hostimages.jiyun.io", "jiyun.io/allow-deletion=yes"]).await?;
    world.lab.kubectl(&["delete", "crd", "hostimages.jiyun.io"]).await?;
    world.controller.restart().await?;
    wait_for("the controller to lead", PATIENCE * 2, || async {
        let text = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.contains("jiyun_leader 1") { Ok(()) } else { Err(text) }
    })
    .await?;
    // Within the chart's grace period; SIGKILL after it would show as a signal.
    let exit = world.controller.process().stop(PATIENCE * 2).await;
    assert_eq!(exit, jiyun_lab::Exit::Code(0), "{}", world.controller.tail(20));
    world.lab.stop().await?;
    Ok(())
}
