//! Shrinking: nobody is asked, and the book gives back only what no machine has any more.

use http::StatusCode;
use jiyun_tests::{Order, WorldError, world::Quota};
use serde_json::json;

use super::{change, declared, granted, objected, provisioned, restart, uses, with_host, world};

#[tokio::test]
async fn a_smaller_host_gives_back_its_quota_once_its_machine_was_seen_with_less() -> Result<(), WorldError> {
    let bureau = with_host(world().await?, Quota::cores(5), "basic-4c8g").await?;
    change(&bureau, &json!({"class": "basic-2c4g"})).await?;
    granted(&bureau, "basic-2c4g", "40Gi").await?;
    provisioned(&bureau, "RestartPending").await?;
    assert_eq!(declared(&bureau).await?, "2 4096Mi");
    assert_eq!(bureau.used("Vcpu").await?, (4, 0), "its machine still has four");
    let other = bureau.caller.post(&bureau.hosts_path(), &Order::new("other", "portal").body(), 30).await?;
    assert_eq!((other.status, other.json()["code"].as_str()), (StatusCode::CONFLICT, Some("ExceedsLimit")));

    restart(&bureau).await?;
    uses(&bureau, "Vcpu", (2, 0)).await?;
    uses(&bureau, "Memory", (4096, 0)).await?;
    provisioned(&bureau, "Provisioned").await?;
    let third = bureau.caller.post(&bureau.hosts_path(), &Order::new("third", "portal").body(), 30).await?;
    assert!(third.status.is_success(), "{third:?}");
    Ok(())
}

#[tokio::test]
async fn a_host_goes_back_to_its_size_before_its_restart_without_asking_anybody() -> Result<(), WorldError> {
    // Not a core is free: had it been given back, it could not be had again.
    let bureau = with_host(world().await?, Quota::cores(4), "basic-4c8g").await?;
    change(&bureau, &json!({"class": "basic-2c4g"})).await?;
    granted(&bureau, "basic-2c4g", "40Gi").await?;
    change(&bureau, &json!({"class": "basic-4c8g"})).await?;
    granted(&bureau, "basic-4c8g", "40Gi").await?;
    provisioned(&bureau, "Provisioned").await?;
    assert_eq!((declared(&bureau).await?.as_str(), bureau.used("Vcpu").await?), ("4 8192Mi", (4, 0)));
    Ok(())
}

#[tokio::test]
async fn more_cores_and_less_memory_are_decided_together_and_the_memory_comes_back_later() -> Result<(), WorldError> {
    let world = world().await?;
    let class = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "HostClass", "metadata": {"name": "narrow-4c4g"},
        "spec": {"displayName": "4C4G", "series": "Compute", "vcpu": 4, "memory": "4Gi", "architectures": ["amd64"]},
    });
    world.lab.apply_text(&class.to_string()).await?;
    let bureau = with_host(world, Quota::cores(4), "memory-2c8g").await?;
    change(&bureau, &json!({"class": "narrow-4c4g"})).await?;
    granted(&bureau, "narrow-4c4g", "40Gi").await?;
    assert_eq!((bureau.used("Vcpu").await?, bureau.used("Memory").await?), ((4, 0), (8192, 0)));
    restart(&bureau).await?;
    uses(&bureau, "Memory", (4096, 0)).await?;
    assert_eq!(bureau.used("Vcpu").await?, (4, 0));
    objected(&bureau, "Valid").await?;
    Ok(())
}
