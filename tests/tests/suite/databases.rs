//! Cloud databases (云数据库): ordered, decided, made on the engine, signed in to, changed, stopped, started and ended; at
//! the level of objects. The engine is a simulator: no PostgreSQL runs.

mod people;
mod resize;
mod without;

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::{simulate::Fault, wait_for};
use jiyun_tests::{
    WorldError,
    database::{Databases, shared, text, told},
    world::{PATIENCE, Quota},
};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

#[tokio::test]
async fn a_database_is_booked_with_all_its_instances_and_its_department_can_sign_in() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "PrimaryStandby")).await?;
    let found = databases.wait_ready("pg", "Running").await?;
    let status = found.status.clone().unwrap();
    assert_eq!(status.ready_instances, Some(2));
    assert_eq!(status.pool_ref.map(|pool| pool.name).as_deref(), Some("hygon"));
    assert_eq!(status.storage_pool_ref.map(|pool| pool.name).as_deref(), Some("standard"));
    assert_eq!(bureau.used("Vcpu").await?, (4, 0), "two instances of two cores");
    assert_eq!(bureau.used("BlockStorage").await?, (2 * 20 * 1024, 0));

    let connection = status.connection.unwrap();
    assert_eq!(connection.host, format!("pg-rw.engine-{}.svc", bureau.name));
    assert_eq!(connection.read_only_host, Some(format!("pg-ro.engine-{}.svc", bureau.name)));
    assert_eq!((connection.port, connection.database.as_str()), (5432, "app"));
    let copy = databases.credentials().await?.get(&connection.credentials_secret_ref.name).await?;
    let made = databases.engine_secrets().await?.get("pg-app").await?;
    assert_eq!(text(&copy, "password"), text(&made, "password"));
    assert_eq!(text(&copy, "username").as_deref(), Some("app"));
    assert_eq!(text(&copy, "host").as_deref(), Some(connection.host.as_str()));

    // Nothing of the password is in what others read.
    let password = text(&made, "password").unwrap();
    let told = serde_json::to_string(&found).unwrap() + &serde_json::to_string(&copy.metadata).unwrap();
    assert!(!told.contains(&password), "{told}");

    let cluster = databases.cluster("pg").await?;
    let spec = &cluster.data["spec"];
    assert_eq!(spec["instances"], 2);
    assert_eq!(spec["imageName"], "registry.gov.example/postgresql:17.6");
    assert_eq!(spec["storage"]["storageClass"], "standard");
    assert_eq!(spec["resources"]["limits"], json!({"cpu": "2", "memory": "8192Mi"}));
    assert_eq!(spec["affinity"]["nodeSelector"], json!({"kubernetes.io/arch": "amd64"}));
    Ok(())
}

#[tokio::test]
async fn a_stopped_database_is_hibernated_keeps_its_claim_and_starts_again() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "Three")).await?;
    let claim = databases.wait_ready("pg", "Running").await?.status.unwrap().claim_id;
    databases.set("pg", json!({"power": "Stopped"})).await?;
    let stopped = databases.wait_ready("pg", "Stopped").await?.status.unwrap();
    assert_eq!((stopped.ready_instances, &stopped.claim_id), (Some(0), &claim));
    assert!(stopped.connection.is_some(), "where it is found stays so");
    let cluster = databases.cluster("pg").await?;
    assert_eq!(cluster.metadata.annotations.unwrap()["cnpg.io/hibernation"], "on");
    assert_eq!(bureau.used("Vcpu").await?, (6, 0), "what is stopped is still reserved");
    databases.set("pg", json!({"power": "Running"})).await?;
    let running = databases.wait_ready("pg", "Running").await?.status.unwrap();
    assert_eq!((running.ready_instances, running.claim_id), (Some(3), claim));
    Ok(())
}

#[tokio::test]
async fn credentials_that_the_engine_changes_are_handed_over_anew() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "Single")).await?;
    let found = databases.wait_ready("pg", "Running").await?;
    assert_eq!(found.status.unwrap().connection.unwrap().read_only_host, None, "there is no standby to read from");
    let rotated = json!({"stringData": {"password": "rotated-by-the-engine"}});
    let engine = databases.engine_secrets().await?;
    engine.patch("pg-app", &PatchParams::default(), &Patch::Merge(&rotated)).await?;
    let copies = databases.credentials().await?;
    wait_for("the new password to be handed over", PATIENCE, || async {
        let copy = copies.get("pg-credentials").await.map_err(|error| error.to_string())?;
        let is_new = text(&copy, "password").as_deref() == Some("rotated-by-the-engine");
        if is_new { Ok(()) } else { Err("still the old one".to_owned()) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn its_end_takes_credentials_cluster_and_volumes_with_it_and_only_then_the_quota_is_free()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    let mut order = databases.order("pg", "PrimaryStandby");
    order["spec"]["deletionProtection"] = json!("Enabled");
    databases.apply(&order).await?;
    databases.wait_ready("pg", "Running").await?;
    let objects = databases.objects().await?;
    let protected = objects.delete("pg", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(protected.contains("the database is protected from deletion"), "{protected}");
    databases.set("pg", json!({"deletionProtection": "Disabled"})).await?;
    let decided =
        |found: &_| -> bool { told(found, ConditionType::Accepted).is_some_and(|(status, ..)| status == "True") };
    let found = databases.wait("pg", "free to be deleted", decided).await?;
    assert!(found.status.unwrap().deletion_protection.is_some(), "the policy of small orders lets it through");

    let volumes = ["get", "pvc", "-n", &format!("engine-{}", bureau.name), "-o", "name"];
    assert_eq!(bureau.world.lab.kubectl(&volumes).await?.lines().count(), 2);
    objects.delete("pg", &DeleteParams::default()).await?;
    databases.wait_gone("pg").await?;
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_not_set_up_yet_says_how_far_it_is_and_is_not_paid_for() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    let name = format!("slow-{}", bureau.name);
    world.lab.faults().set(Fault::NeverReady, &name);
    databases.apply(&databases.order(&name, "Single")).await?;
    let starts = |found: &_| {
        let told = told(found, ConditionType::Ready);
        told.is_some_and(|(_, reason, message)| reason == "Starting" && message.contains("Setting up primary"))
    };
    databases.wait(&name, "told that it is set up", starts).await?;
    world.lab.faults().clear(Fault::NeverReady, &name);
    databases.wait_ready(&name, "Running").await?;
    Ok(())
}

#[tokio::test]
async fn what_is_applied_fits_the_engines_definition_in_one_apply_that_nobody_owns() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "Three")).await?;
    databases.wait_ready("pg", "Running").await?;
    let engine = format!("engine-{}", bureau.name);
    for resource in ["clusters.postgresql.cnpg.io/pg", "networkpolicy/database-pg"] {
        // Server-side apply refuses a field the engine's definition does not have: what was applied fits it.
        let stored =
            bureau.world.lab.kubectl(&["get", resource, "-n", &engine, "-o", "json", "--show-managed-fields"]).await?;
        let object: Value = serde_json::from_str(&stored).unwrap();
        let managers = object["metadata"]["managedFields"].as_array().unwrap().iter();
        let ours: Vec<_> = managers.filter(|entry| entry["manager"] == "jiyun-controller").collect();
        assert_eq!(ours.len(), 1, "{resource}: one field manager, one apply");
        assert_eq!(ours[0]["operation"], "Apply");
        assert!(object["metadata"]["ownerReferences"].is_null(), "{resource} is linked by labels");
    }
    Ok(())
}
