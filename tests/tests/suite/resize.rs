//! Resizing hosts (变配): growth is decided, shrinking is not; the machine never has more than the book says.

mod people;
mod shrinking;

use http::StatusCode;
use jiyun_crds::{
    names::engine_namespace,
    v1alpha1::{CloudHost, ConditionType, condition},
};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError, WorldOptions,
    booked::uses,
    world::{Bureau, PATIENCE, Quota, has, reason},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A world whose disks have volumes that can grow.
async fn world() -> Result<&'static World, WorldError> {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    let begin = || async {
        let options = WorldOptions::default();
        let world = World::start(WorldOptions { lab: options.lab.volumes(), ..options }).await?;
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "standard"},
            "provisioner": "simulated.lab.jiyun.io", "allowVolumeExpansion": true,
        });
        world.lab.apply_text(&class.to_string()).await?;
        Ok(world)
    };
    WORLD.get_or_try_init(begin).await
}

/// A department with a host `web` that is ready: of 2 cores, or of this class.
async fn with_host<'a>(world: &'a World, quota: Quota, class: &str) -> Result<Bureau<'a>, WorldError> {
    let bureau = world.department(quota).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web", "portal").class(class).body(), 30).await?;
    bureau.wait_ready("web").await?;
    Ok(bureau)
}

/// Changes `web` over the API.
async fn change(bureau: &Bureau<'_>, wish: &Value) -> Result<(), WorldError> {
    let answer = bureau.caller.patch(&bureau.host_path("web"), wish, "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    Ok(())
}

/// Waits until what the host was granted last is this, and the platform has looked at what it asks for now.
async fn granted(bureau: &Bureau<'_>, class: &str, size: &str) -> Result<CloudHost, WorldError> {
    let is_granted = |host: &CloudHost| {
        let status = host.status.as_ref();
        let granted = status.and_then(|status| status.granted.as_ref());
        granted.is_some_and(|granted| granted.class == class && granted.system_disk_size.as_str() == size)
            && has(host, ConditionType::Ready)
    };
    bureau.wait_for_host("web", &format!("to be granted {class} and {size}"), is_granted).await
}

/// Waits until the host runs on, is granted what it was, and says for this reason that its change is not.
async fn objected(bureau: &Bureau<'_>, why: &str) -> Result<CloudHost, WorldError> {
    let objects = |host: &CloudHost| {
        reason(host, ConditionType::Accepted) == Some(why)
            && has(host, ConditionType::Admitted)
            && has(host, ConditionType::Ready)
    };
    bureau.wait_for_host("web", &format!("to say {why}"), objects).await
}

async fn provisioned(bureau: &Bureau<'_>, why: &str) -> Result<CloudHost, WorldError> {
    let says = |host: &CloudHost| {
        reason(host, ConditionType::Provisioned) == Some(why) && has(host, ConditionType::Provisioned)
    };
    bureau.wait_for_host("web", &format!("to say {why}"), says).await
}

/// Stops the host and starts it again.
async fn restart(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    for power in ["Stopped", "Running"] {
        change(bureau, &json!({"power": power})).await?;
        let is_so =
            |host: &CloudHost| has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some(power);
        bureau.wait_for_host("web", power, is_so).await?;
    }
    Ok(())
}

/// How many cores the machine is declared with.
async fn declared(bureau: &Bureau<'_>) -> Result<String, WorldError> {
    let path = "jsonpath={.spec.template.spec.domain.cpu.sockets} {.spec.template.spec.domain.memory.guest}";
    Ok(bureau.world.lab.kubectl(&["get", "vm", "web", "-n", &engine_namespace(&bureau.name), "-o", path]).await?)
}

#[tokio::test]
async fn a_host_grows_within_its_policy_and_takes_on_its_cores_when_it_is_next_started() -> Result<(), WorldError> {
    let bureau = with_host(world().await?, Quota::cores(8), "basic-2c4g").await?;
    change(&bureau, &json!({"class": "basic-4c8g", "systemDisk": {"size": "80Gi"}})).await?;
    let host = granted(&bureau, "basic-4c8g", "80Gi").await?;
    assert_eq!(reason(&host, ConditionType::Ready), Some("Running"));
    for (meter, used) in [("Vcpu", 4), ("Memory", 8192), ("BlockStorage", 80 * 1024)] {
        assert_eq!(bureau.used(meter).await?, (used, 0), "{meter}");
    }
    // The disk needs no restart.
    let told = provisioned(&bureau, "RestartPending").await?.status.unwrap();
    let message = &condition::find(&told.conditions, ConditionType::Provisioned).unwrap().message;
    assert!(message.contains("basic-4c8g") && message.contains("下次开机"), "{message}");
    assert_eq!(declared(&bureau).await?, "4 8192Mi");
    let engine = engine_namespace(&bureau.name);
    let capacity = "jsonpath={.status.capacity.storage}";
    let capacity = bureau.world.lab.kubectl(&["get", "pvc", "web-system", "-n", &engine, "-o", capacity]).await?;
    assert_eq!(capacity, "80Gi");

    restart(&bureau).await?;
    provisioned(&bureau, "Provisioned").await?;
    assert_eq!(bureau.used("Vcpu").await?, (4, 0));
    Ok(())
}

#[tokio::test]
async fn growth_over_quota_is_refused_with_numbers_and_can_be_taken_back() -> Result<(), WorldError> {
    let quota = Quota { storage_gibibytes: 100, ..Quota::cores(3) };
    let bureau = with_host(world().await?, quota, "basic-2c4g").await?;
    change(&bureau, &json!({"class": "basic-4c8g"})).await?;
    let status = objected(&bureau, "ExceedsLimit").await?.status.unwrap();
    let message = &condition::find(&status.conditions, ConditionType::Accepted).unwrap().message;
    for number in ["limit 3", "used 2", "requested 2", "missing 1"] {
        assert!(message.contains(number), "{number} in {message}");
    }
    assert_eq!(status.refusal.unwrap().code, "ExceedsLimit");
    assert_eq!(declared(&bureau).await?, "2 4096Mi", "it runs on as it was approved");
    assert_eq!(bureau.used("Vcpu").await?, (2, 0));
    change(&bureau, &json!({"class": "basic-2c4g"})).await?;
    let back = objected(&bureau, "Valid").await?.status.unwrap();
    assert_eq!(back.refusal, None);

    // A disk that nobody has granted is not one that shrinks.
    change(&bureau, &json!({"systemDisk": {"size": "200Gi"}})).await?;
    objected(&bureau, "ExceedsLimit").await?;
    change(&bureau, &json!({"systemDisk": {"size": "40Gi"}})).await?;
    objected(&bureau, "Valid").await?;
    let smaller = json!({"systemDisk": {"size": "39Gi"}});
    let refused = bureau.caller.patch(&bureau.host_path("web"), &smaller, "").await?;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    let problem = refused.json();
    assert_eq!(problem["field"], "systemDisk.size", "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("order another host"), "{problem}");
    Ok(())
}

#[tokio::test]
async fn a_size_that_is_not_offered_is_refused_at_the_door() -> Result<(), WorldError> {
    let bureau = with_host(world().await?, Quota::AMPLE, "basic-2c4g").await?;
    let before = bureau.wait_ready("web").await?.metadata.generation;
    for (wish, field) in [
        (json!({"class": "no-such-class"}), "class"),
        (json!({"class": ""}), "class"),
        (json!({"systemDisk": {"size": "1Gi"}}), "systemDisk.size"),
        (json!({"systemDisk": {"size": "5Ti"}}), "systemDisk.size"),
        (json!({"systemDisk": {"size": "a lot"}}), "systemDisk.size"),
    ] {
        let refused = bureau.caller.patch(&bureau.host_path("web"), &wish, "").await?;
        assert!(refused.status.is_client_error(), "{wish}: {refused:?}");
        assert!(refused.text.contains(field), "{wish}: {}", refused.text);
    }
    assert_eq!(bureau.wait_ready("web").await?.metadata.generation, before, "nothing was left behind");
    Ok(())
}

#[tokio::test]
async fn a_dry_run_tells_what_a_larger_host_would_come_to() -> Result<(), WorldError> {
    let bureau = with_host(world().await?, Quota::cores(8), "basic-2c4g").await?;
    let path = format!("{}?dryRun=true", bureau.host_path("web"));
    let known = wait_for("the policies to be published", PATIENCE, || async {
        let answer = bureau.caller.patch(&path, &json!({"class": "basic-4c8g"}), "").await;
        let preview = answer.map_err(|error| error.to_string())?.json();
        if preview["estimate"]["approvals"].is_object() { Ok(preview) } else { Err(preview.to_string()) }
    });
    let estimate = known.await?["estimate"].clone();
    assert_eq!((&estimate["fits"], &estimate["approvals"]["automatic"]), (&json!(true), &json!(true)), "{estimate}");
    let yuan = |price: &str| estimate[price]["total"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap();
    assert!(yuan("price") > yuan("priceBefore"), "{estimate}");
    let rows = estimate["quota"].as_array().unwrap();
    let vcpu = rows.iter().find(|row| row["meter"] == "Vcpu").unwrap();
    assert_eq!((&vcpu["before"], &vcpu["requested"], &vcpu["after"]), (&json!(6), &json!(2), &json!(4)));
    assert_eq!(bureau.wait_ready("web").await?.spec.class_ref.name, "basic-2c4g");
    Ok(())
}
