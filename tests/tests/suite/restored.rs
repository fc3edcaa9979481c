//! One of the two stores was restored, or a site lost what it had: nothing is granted, released or deleted.

use jiyun_crds::v1alpha1::{CloudHost, ConditionType};
use jiyun_lab::{LabError, LabOptions, LedgerUser, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    world::{Bureau, PATIENCE, Quota, reason},
};
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

/// More than five: fewer are no accident of a whole store.
const HOSTS: usize = 7;

async fn world() -> Result<World, WorldError> {
    let lab = LabOptions::default().departments(["finance"]);
    let controller_arguments = vec!["--look-every=1".to_owned()];
    World::start(WorldOptions { lab, files: city::CATALOGUE_FILES.to_vec(), controller_arguments }).await
}

async fn hosts(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    for number in 0..HOSTS {
        let order = Order::new(format!("web-{number}"), "portal");
        let answer = bureau.caller.post(&bureau.hosts_path(), &order.body(), 0).await?;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    for number in 0..HOSTS {
        bureau.wait_ready(&format!("web-{number}")).await?;
    }
    Ok(())
}

async fn is_quarantined(world: &World) -> Result<(), WorldError> {
    wait_for("the quarantine alarm", PATIENCE, || async {
        let text = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if text.contains("jiyun_quarantined 1") { Ok(()) } else { Err(world.controller.tail(5)) }
    })
    .await?;
    Ok(())
}

async fn names(world: &World, kind: &str) -> Result<Vec<String>, WorldError> {
    let text = world.lab.kubectl(&["get", kind, "-n", "engine-finance", "-o", "name"]).await?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// As a backup tool restores: the same names and specs, new UIDs, no status.
async fn restored(world: &World, bureau: &Bureau<'_>) -> Result<(), WorldError> {
    // Only the controller may take its finalizer off, not even an administrator.
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    for number in 0..HOSTS {
        let name = format!("web-{number}");
        world.lab.kubectl(&["delete", "chost", &name, "-n", "dept-finance", "--wait=false"]).await?;
        let free = Patch::Merge(json!({"metadata": {"finalizers": []}}));
        as_controller.patch(&name, &PatchParams::default(), &free).await?;
        bureau.wait_gone(&name).await?;
        world.lab.apply_text(&Order::new(&name, "portal").object("finance").to_string()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn objects_restored_under_new_uids_keep_their_machines_and_get_no_second_claim() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau).await?;
    let (machines, disks) = (names(&world, "vm").await?, names(&world, "dv").await?);
    world.controller.stop().await;
    restored(&world, &bureau).await?;

    world.controller.restart().await?;
    is_quarantined(&world).await?;
    for number in 0..HOSTS {
        let doubtful = |host: &CloudHost| reason(host, ConditionType::Admitted) == Some("AdoptionNeeded");
        bureau.wait_for_host(&format!("web-{number}"), "in doubt", doubtful).await?;
    }
    // Neither the machines of the vanished objects nor anything else was touched.
    assert_eq!((names(&world, "vm").await?, names(&world, "dv").await?), (machines.clone(), disks.clone()));
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0), "every claim is kept, and none is doubled");

    let refused = adopt(&world, &["--apply", "/nowhere/plan.json", "--by", "chen", "--note", "restored"]).await?;
    assert!(refused.1.contains("/nowhere/plan.json cannot be used"), "{refused:?}");
    let plan = reviewed(&world).await?;
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.len() == HOSTS && steps.iter().all(|step| step["do"] == "rebind"), "{plan}");
    brought_together(&world, &bureau).await?;
    assert_eq!((names(&world, "vm").await?, names(&world, "dv").await?), (machines, disks));
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0));
    world.lab.stop().await?;
    Ok(())
}

/// `jiyun-controller ledger adopt` with these arguments: exit code and what it said.
async fn adopt(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String), WorldError> {
    let tls = world.lab.ledger_tls(LedgerUser::Controller);
    let program = jiyun_lab::product_program("jiyun-controller").map_err(LabError::from)?;
    let output = tokio::process::Command::new(program)
        .args(["ledger", "adopt"])
        .args(arguments)
        .arg("--kubeconfig")
        .arg(world.lab.kubeconfig())
        .arg(format!("--ledger-endpoints={}", world.lab.ledger_endpoint()))
        .arg(format!("--ledger-ca={}", tls.authority.display()))
        .arg(format!("--ledger-cert={}", tls.client.certificate.display()))
        .arg(format!("--ledger-key={}", tls.client.key.display()))
        .kill_on_drop(true)
        .output()
        .await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

/// Makes a plan, tries to apply it under a leader, which is refused, and gives it for review.
async fn reviewed(world: &World) -> Result<serde_json::Value, WorldError> {
    let file = world.lab.folder().join("plan.json");
    let path = file.to_string_lossy().into_owned();
    let (code, said) = adopt(world, &["--plan", "--output", &path]).await?;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = adopt(world, &["--apply", &path, "--by", "chen", "--note", "restored"]).await?;
    assert!(code != Some(0) && said.contains("scale jiyun-controller to 0"), "{said}");
    Ok(serde_json::from_str(&std::fs::read_to_string(file)?).unwrap())
}

/// Applies the plan with the controller stopped, twice, and waits until every host is ready and new ones are granted.
async fn brought_together(world: &World, bureau: &Bureau<'_>) -> Result<(), WorldError> {
    world.controller.stop().await;
    let path = world.lab.folder().join("plan.json").to_string_lossy().into_owned();
    for _ in 0..2 {
        let (code, said) = adopt(world, &["--apply", &path, "--by", "chen", "--note", "backup of Monday"]).await?;
        assert_eq!(code, Some(0), "{said}");
    }
    world.controller.restart().await?;
    for number in 0..HOSTS {
        bureau.wait_ready(&format!("web-{number}")).await?;
    }
    let text = world.controller_metrics().await?;
    assert!(text.contains("jiyun_quarantined 0"), "{text}");
    bureau.caller.post(&bureau.hosts_path(), &Order::new("after", "portal").body(), 30).await?;
    bureau.wait_ready("after").await?;
    bureau.caller.delete(&bureau.host_path("after")).await?;
    bureau.wait_gone("after").await?;
    Ok(())
}

#[tokio::test]
async fn objects_that_a_restore_lost_are_made_again_as_approved_and_keep_their_machines() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau).await?;
    let machines = names(&world, "vm").await?;
    world.controller.stop().await;
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    for number in 0..HOSTS {
        let name = format!("web-{number}");
        world.lab.kubectl(&["delete", "chost", &name, "-n", "dept-finance", "--wait=false"]).await?;
        let free = Patch::Merge(json!({"metadata": {"finalizers": []}}));
        as_controller.patch(&name, &PatchParams::default(), &free).await?;
        bureau.wait_gone(&name).await?;
    }
    world.controller.restart().await?;
    is_quarantined(&world).await?;
    let plan = reviewed(&world).await?;
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.len() == HOSTS && steps.iter().all(|step| step["do"] == "recreate"), "{plan}");
    brought_together(&world, &bureau).await?;
    assert_eq!(names(&world, "vm").await?, machines);
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn claims_that_a_restored_ledger_lost_are_booked_again_under_their_numbers() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    // Everything from here on is what the backup does not have.
    let mut etcd = world.lab.ledger_client(LedgerUser::Root).await?;
    let keys = etcd_client::GetOptions::new().with_prefix().with_keys_only();
    let backed_up = etcd.get("/jiyun/ledger/events/", Some(keys.clone())).await.unwrap().kvs().len();
    hosts(&bureau).await?;
    let machines = names(&world, "vm").await?;
    let claims = |hosts: Vec<CloudHost>| -> Vec<Option<String>> {
        hosts.into_iter().map(|host| host.status.unwrap_or_default().claim_id).collect()
    };
    let api = world.hosts(&bureau.name).await?;
    let before = claims(api.list(&ListParams::default()).await?.items);
    world.controller.stop().await;
    let entries = etcd.get("/jiyun/ledger/events/", Some(keys)).await.unwrap();
    for entry in entries.kvs().iter().skip(backed_up) {
        etcd.delete(entry.key(), None).await.unwrap();
    }

    world.controller.restart().await?;
    is_quarantined(&world).await?;
    let plan = reviewed(&world).await?;
    let steps = plan["steps"].as_array().unwrap();
    assert!(steps.len() == HOSTS && steps.iter().all(|step| step["do"] == "adopt"), "{plan}");
    brought_together(&world, &bureau).await?;
    assert_eq!(claims(api.list(&ListParams::default()).await?.items), before, "each claim has its number again");
    assert_eq!(names(&world, "vm").await?, machines);
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0));
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_single_restored_object_is_left_alone_without_stopping_everybody() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-0", "portal").body(), 0).await?;
    bureau.wait_ready("web-0").await?;
    world.controller.stop().await;
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    world.lab.kubectl(&["delete", "chost", "web-0", "-n", "dept-finance", "--wait=false"]).await?;
    as_controller
        .patch("web-0", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": []}})))
        .await?;
    bureau.wait_gone("web-0").await?;
    world.lab.apply_text(&Order::new("web-0", "portal").object("finance").to_string()).await?;
    // Its image was retired meanwhile: nobody is told to delete it and order another one, which would end what it has.
    let image = async |lifecycle: &str| {
        let patch = format!("{{\"spec\": {{\"lifecycle\": \"{lifecycle}\"}}}}");
        world.lab.kubectl(&["patch", "hostimage", "openeuler-24.03-amd64", "--type=merge", "-p", &patch]).await
    };
    image("Retired").await?;
    world.controller.restart().await?;
    let doubtful = |host: &CloudHost| reason(host, ConditionType::Admitted) == Some("AdoptionNeeded");
    bureau.wait_for_host("web-0", "in doubt", doubtful).await?;
    image("Offered").await?;
    // Others go on.
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    assert_eq!(names(&world, "vm").await?.len(), 2);
    world.lab.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_site_that_lost_its_machines_and_disks_is_not_filled_with_empty_ones() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau).await?;
    world.controller.stop().await;
    world.lab.kubectl(&["delete", "vm,dv", "--all", "-n", "engine-finance", "--timeout=60s"]).await?;
    world.controller.restart().await?;
    is_quarantined(&world).await?;
    assert_eq!(names(&world, "dv").await?, Vec::<String>::new(), "no empty disk stands in for a lost one");
    for number in 0..HOSTS {
        let lost = |host: &CloudHost| reason(host, ConditionType::Provisioned) == Some("EngineError");
        bureau.wait_for_host(&format!("web-{number}"), "lost", lost).await?;
    }
    assert_eq!(bureau.used("Vcpu").await?, (2 * HOSTS as u64, 0));
    world.lab.stop().await?;
    Ok(())
}
