//! Cloud volumes (云硬盘): ordered, made, attached to one host at a time, grown and ended; at the level of objects. The engines
//! are simulators: no byte is stored, and no guest sees a disk.

mod ending;
mod growth;
mod killed;
mod late;
mod moving;
pub(super) mod quiet;
pub(super) mod refused;
mod restart;
mod staying;
mod together;
mod vanished;

use http::StatusCode;
use jiyun_crds::v1alpha1::{CloudHost, CloudVolume, ConditionType};
use jiyun_tests::{
    Order, WorldError,
    booked::{self, billed},
    volume::{Moment, Volumes, shared},
    world::{Bureau, Quota, has, reason},
};
use kube::api::DeleteParams;
use serde_json::{Value, json};

/// Orders these hosts of the system `portal`, and waits until they run.
pub(super) async fn hosts(bureau: &Bureau<'_>, names: &[&str]) -> Result<(), WorldError> {
    for name in names {
        let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new(*name, "portal").body(), 0).await?;
        assert!(answer.status.is_success(), "{answer:?}");
    }
    for name in names {
        bureau.wait_ready(name).await?;
    }
    Ok(())
}

/// Orders a volume that is granted at once.
pub(super) async fn order(volumes: &Volumes<'_>, name: &str, size: &str, host: Option<&str>) -> Result<(), WorldError> {
    let answer = volumes.order(&volumes.body(name, size, host), 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    Ok(())
}

/// Changes a volume in a way that nobody objects to beforehand.
pub(super) async fn change(volumes: &Volumes<'_>, name: &str, wish: &Value) -> Result<(), WorldError> {
    let answer = volumes.change(name, wish).await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    Ok(())
}

/// Has a volume attached to a host, or taken off.
pub(super) async fn attach(volumes: &Volumes<'_>, name: &str, host: Option<&str>) -> Result<(), WorldError> {
    change(volumes, name, &json!({"host": host})).await
}

/// Stops a host or starts it, and waits until it has.
pub(super) async fn power(bureau: &Bureau<'_>, host: &str, power: &str) -> Result<(), WorldError> {
    let answer = bureau.caller.patch(&bureau.host_path(host), &json!({"power": power}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let is_so = |host: &CloudHost| has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some(power);
    bureau.wait_for_host(host, power, is_so).await?;
    Ok(())
}

/// Waits until so many MiB of storage are used and held.
pub(super) async fn uses(bureau: &Bureau<'_>, expected: (u64, u64)) -> Result<(), WorldError> {
    booked::uses(bureau, "BlockStorage", expected).await
}

/// Who had the volume, one after the other: a host, or nobody. Fails where two had it at once.
fn path(moments: &[Moment]) -> Vec<&str> {
    let mut path = Vec::new();
    for moment in moments {
        assert!(moment.hosts.len() <= 1, "two have it at once: {moments:?}");
        let holder = moment.hosts.first().map_or("nobody", String::as_str);
        if path.last() != Some(&holder) {
            path.push(holder);
        }
    }
    path
}

/// What has a volume that runs with its host.
pub(super) fn both(host: &str) -> [String; 2] {
    ["VirtualMachine", "VirtualMachineInstance"].map(|kind| format!("{kind} {host}"))
}

#[tokio::test]
async fn a_volume_is_ordered_made_and_paid_for_and_goes_with_its_disk_and_its_claim() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let volumes = Volumes { bureau: &bureau };
    let mut body = volumes.body("data", "100Gi", None);
    body["deletionProtection"] = json!("Enabled");
    let answer = volumes.order(&body, 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("location"), volumes.one("data"));
    let status = volumes.wait_ready("data", "Available").await?.status.unwrap();
    let claim = status.claim_id.unwrap();
    assert_eq!(status.serial.as_ref(), Some(&claim));
    assert_eq!(status.granted_size.unwrap().as_str(), "100Gi");
    assert_eq!(status.storage_pool_ref.unwrap().name, "standard");
    assert_eq!((status.attachment, status.refusal), (None, None));
    assert_eq!(bureau.used("BlockStorage").await?, (100 * 1024, 0));

    let shown = bureau.caller.get(&volumes.one("data")).await?.json();
    for (field, value) in [("state", "Ready"), ("size", "100Gi"), ("grantedSize", "100Gi"), ("claim", claim.as_str())] {
        assert_eq!(shown[field], value, "{field}: {shown}");
    }
    let listed = bureau.caller.get(&volumes.path()).await?.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");

    let (disk, storage) = (volumes.made("dv", "data").await?, volumes.made("pvc", "data").await?);
    assert_eq!(disk["spec"]["source"], json!({"blank": {}}), "nothing is on it");
    assert_eq!(disk["spec"]["storage"]["storageClassName"], "standard");
    assert!(disk["metadata"]["ownerReferences"].is_null(), "it is linked by labels");
    assert_eq!(disk["metadata"]["labels"]["jiyun.io/cloudvolume"], "data");
    assert_eq!(storage["status"]["capacity"]["storage"], "100Gi");
    let line = billed(&bureau, &claim, 100 * 1024).await?;
    assert_eq!(
        (&line["resource"], &line["item"], &line["system"]),
        (&json!("data"), &json!("standard"), &json!("portal"))
    );

    let objects = volumes.objects().await?;
    let protected = objects.delete("data", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(protected.contains("the volume is protected from deletion"), "{protected}");
    change(&volumes, "data", &json!({"deletionProtection": "Disabled"})).await?;
    let is_free =
        |found: &CloudVolume| found.status.as_ref().is_some_and(|status| status.deletion_protection.is_some());
    volumes.wait("data", "free to be deleted, by the policy of small orders", is_free).await?;
    let answer = bureau.caller.delete(&volumes.one("data")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    volumes.wait_gone("data").await?;
    assert_eq!(bureau.used("BlockStorage").await?, (0, 0));
    Ok(())
}
