//! What is not granted, not attached, not handed over, or not yet.

use http::StatusCode;
use jiyun_crds::v1alpha1::{AttachmentState, ConditionType};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, WorldError,
    volume::{Volumes, says, shared},
    world::{Bureau, PATIENCE, Quota, reason},
};
use serde_json::{Value, json};

use super::{change, hosts, order};

/// A storage pool with room for one host, and a tier that nobody else orders from.
pub async fn pool(bureau: &Bureau<'_>) -> Result<String, WorldError> {
    let tier = format!("line-{}", bureau.name);
    pool_of(bureau, &tier, &tier, Some("standard")).await?;
    Ok(tier)
}

/// The same of this name and tier, whose disks have snapshots by this class, or none.
pub async fn pool_of(bureau: &Bureau<'_>, name: &str, tier: &str, snapshots: Option<&str>) -> Result<(), WorldError> {
    let mut pool = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "StoragePool", "metadata": {"name": name},
        "spec": {"siteRef": {"name": "hengshan-main"}, "zones": ["extranet-public"], "tier": tier,
                 "storageClassName": "standard", "provider": "test", "maxProtectionLevel": 3, "capacity": "40Gi"},
    });
    if let Some(class) = snapshots {
        pool["spec"]["snapshotClassName"] = json!(class);
    }
    bureau.world.lab.apply_text(&pool.to_string()).await?;
    bureau.world.lab.kubectl(&["wait", "storagepool", name, "--for=condition=Ready", "--timeout=60s"]).await?;
    Ok(())
}

/// One more system of the department.
pub fn system(bureau: &Bureau<'_>, name: &str) -> Value {
    json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
        "metadata": {"name": name, "namespace": format!("dept-{}", bureau.name)},
        "spec": {
            "displayName": "征收系统", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
            "owner": {"name": "李四"},
        },
    })
}

#[tokio::test]
async fn a_volume_waits_until_its_host_is_granted_and_goes_on_by_itself() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let volumes = Volumes { bureau: &bureau };
    let tier = pool(&bureau).await?;
    let on_tier = |name: &str| Order { tier: tier.clone(), ..Order::new(name, "portal") }.body();
    bureau.caller.post(&bureau.hosts_path(), &on_tier("first"), 30).await?;
    bureau.wait_ready("first").await?;
    bureau.caller.post(&bureau.hosts_path(), &on_tier("second"), 0).await?;
    let in_line = |host: &_| -> bool { reason(host, ConditionType::Admitted) == Some("WaitingForCapacity") };
    bureau.wait_for_host("second", "in line", in_line).await?;

    let answer = volumes.order(&volumes.body("data", "10Gi", Some("second")), 0).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let waits = |found: &_| -> bool { says(found, ConditionType::Admitted) == Some(("Unknown", "AwaitingHost")) };
    let found = volumes.wait("data", "waits for its host", waits).await?;
    assert_eq!(found.status.unwrap().claim_id, None);
    assert_eq!(bureau.used("BlockStorage").await?, (40 * 1024, 0), "nothing is booked for it");

    bureau.caller.delete(&bureau.host_path("first")).await?;
    bureau.wait_ready("second").await?;
    volumes.wait_attached("data", "second", AttachmentState::Attached).await?;
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_not_there_or_of_another_system_is_refused_by_the_field_that_names_it() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    bureau.world.lab.apply_text(&system(&bureau, "levy").to_string()).await?;
    let volumes = Volumes { bureau: &bureau };
    let foreign = bureau.caller.post(&bureau.hosts_path(), &Order::new("levy-1", "levy").body(), 30).await?;
    assert!(foreign.status.is_success(), "{foreign:?}");
    hosts(&bureau, &["web"]).await?;
    order(&volumes, "data", "10Gi", Some("web")).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    for host in ["levy-1", "nobody"] {
        let ordered = volumes.order(&volumes.body("other", "10Gi", Some(host)), 0).await?;
        let changed = volumes.change("data", &json!({"host": host})).await?;
        for answer in [ordered, changed] {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
            assert_eq!(answer.json()["field"], "host", "{answer:?}");
            assert!(answer.text.contains(host), "{answer:?}");
        }
    }
    assert!(volumes.objects().await?.get_opt("other").await?.is_none(), "nothing was left behind");

    // Who comes by kubectl is told the same, and the volume is with nobody it should not be with.
    let home = format!("dept-{}", bureau.name);
    let patch = r#"{"spec": {"hostRef": {"name": "levy-1"}}}"#;
    bureau.world.lab.kubectl(&["patch", "cvol", "data", "-n", &home, "--type=merge", "-p", patch]).await?;
    let objects = |found: &_| -> bool { says(found, ConditionType::Accepted) == Some(("False", "Misconfigured")) };
    let found = volumes.wait("data", "told that it cannot be there", objects).await?;
    let told = format!("{:?}", found.status);
    assert!(told.contains("spec.hostRef.name") && told.contains("levy-1"), "{told}");
    assert_eq!(volumes.declared("levy-1", "data").await?, None);
    // The volume is the department's all the same: where it is wished next, it goes.
    change(&volumes, "data", &json!({"host": "web"})).await?;
    volumes.wait_attached("data", "web", AttachmentState::Attached).await?;
    Ok(())
}

#[tokio::test]
async fn a_volume_over_quota_is_refused_with_figures_and_a_system_with_a_volume_is_not_handed_over()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota { storage_gibibytes: 100, ..Quota::AMPLE }).await?;
    let volumes = Volumes { bureau: &bureau };
    order(&volumes, "data", "60Gi", None).await?;
    let refused = volumes.order(&volumes.body("more", "50Gi", None), 30).await?;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    let problem = refused.json();
    assert_eq!((&problem["code"], &problem["field"]), (&json!("ExceedsLimit"), &json!("size")), "{problem}");
    for number in ["limit 100", "used 60", "requested 50", "missing 10"] {
        assert!(problem["detail"].as_str().unwrap().contains(number), "{number} in {problem}");
    }
    bureau.caller.delete(&volumes.one("more")).await?;
    volumes.wait_gone("more").await?;
    assert_eq!(bureau.used("BlockStorage").await?, (60 * 1024, 0));

    not_handed_over(&bureau, "has the volume data").await?;
    volumes.wait_ready("data", "Available").await?;
    Ok(())
}

/// Asks for the system `portal` to be handed to another department, and waits until that is refused in these words.
pub async fn not_handed_over(bureau: &Bureau<'_>, says: &str) -> Result<(), WorldError> {
    let world = bureau.world;
    let taker = world.department(Quota::AMPLE).await?;
    let name = world.lab.unique_name("not-handed-over");
    let handover = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Handover", "metadata": {"name": name},
        "spec": {
            "from": {"departmentRef": {"name": bureau.name}, "systemRef": {"name": "portal"}},
            "to": {"departmentRef": {"name": taker.name}, "systemRef": {"name": "gate"}},
            "document": "测试批复〔2026〕1号",
        },
    });
    world.take("a handover", &handover.to_string()).await?;
    let said =
        r#"jsonpath={.status.conditions[?(@.type=="Ready")].reason} {.status.conditions[?(@.type=="Ready")].message}"#;
    wait_for(format!("handover {name} to be refused"), PATIENCE, || async {
        let said =
            world.lab.kubectl(&["get", "handover", &name, "-o", said]).await.map_err(|error| error.to_string())?;
        let is_refused = said.starts_with("Misconfigured") && said.contains(says);
        if is_refused { Ok(()) } else { Err(said) }
    })
    .await?;
    world.lab.kubectl(&["delete", "handover", &name, "--timeout=60s"]).await?;
    Ok(())
}
