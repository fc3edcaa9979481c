//! Cloud buckets (对象存储桶): ordered, made, reached with a key pair that is replaced on request, grown and ended; at the level of
//! objects. The engine is a simulator: no byte is stored, and nobody signs in.

mod growth;
mod killed;
mod lost;
mod refused;
mod rotation;
mod without;

use std::path::PathBuf;

use data_encoding::BASE64;
use http::StatusCode;
use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::CloudBucket};
use jiyun_tests::{
    World, WorldError,
    booked::billed,
    bucket::{Buckets, Pair, STORE, made, named, names, shared},
    world::Quota,
};
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};

/// Orders a bucket that is granted at once, and waits until it can be used.
async fn ordered(buckets: &Buckets<'_>, name: &str, size: &str) -> Result<CloudBucket, WorldError> {
    let answer = buckets.order(&buckets.body(name, size), 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    buckets.wait_ready(name).await
}

/// Changes a bucket in a way that nobody objects to beforehand.
async fn change(buckets: &Buckets<'_>, name: &str, wish: &Value) -> Result<(), WorldError> {
    let answer = buckets.change(name, wish).await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    Ok(())
}

/// All that the programs have written by themselves: what they log, and the audit trail.
pub(super) fn written(world: &World) -> Result<String, WorldError> {
    let logs = world.lab.folder().join("logs");
    let of_programs = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jiyun-")) || !path.starts_with(&logs)
    };
    let (mut text, mut folders) = (String::new(), vec![logs.clone(), world.lab.folder().join("trail")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if of_programs(&path) {
                text += &String::from_utf8_lossy(&std::fs::read(path)?);
            }
        }
    }
    Ok(text)
}

/// Fails where anything of a key pair is in what anybody reads.
fn is_not_told(pair: &Pair, told: &str) {
    for key in [&pair.access, &pair.secret] {
        assert!(key.len() >= 20, "a key that is too short to be looked for");
        // Not said which: whoever reads why a test failed would read it, too.
        let is_there = told.contains(key) || told.contains(&BASE64.encode(key.as_bytes()));
        assert!(!is_there, "a key was told where everybody reads it");
    }
}

#[tokio::test]
async fn a_bucket_is_ordered_made_and_paid_for_its_key_pair_is_told_to_nobody_else_and_at_its_end_nothing_is_left()
-> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let buckets = Buckets { bureau: &bureau };
    let mut body = buckets.body("files", "100Gi");
    body["deletionProtection"] = json!("Enabled");
    let answer = buckets.order(&body, 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.header("location"), buckets.one("files"));
    let found = buckets.wait_ready("files").await?;
    let status = found.status.clone().unwrap();
    let (claim, connection) = (status.claim_id.unwrap(), status.connection.unwrap());
    assert_eq!(status.granted_size.unwrap().as_str(), "100Gi");
    assert_eq!(status.storage_pool_ref.unwrap().name, "objects");
    assert_eq!((status.refusal, status.credentials_issued_for), (None, None));
    assert!(status.credentials_issued_at.is_some());
    assert_eq!(bureau.used("ObjectStorage").await?, (100 * 1024, 0));
    assert_eq!(bureau.used("BlockStorage").await?, (0, 0));

    let asked = buckets.claim("files").await?;
    let owner = buckets.owner("files").await?;
    assert_eq!(asked.data["spec"]["storageClassName"], "objects");
    assert_eq!(
        asked.data["spec"]["additionalConfig"],
        json!({"bucketMaxSize": "102400Mi", "bucketOwner": owner}),
        "it holds what was granted, and is the user's"
    );
    assert_eq!(asked.labels()["jiyun.io/cloudbucket"], "files");
    assert!(asked.owner_references().is_empty(), "it is linked by labels");
    let ours = asked.managed_fields().iter().filter(|entry| entry.manager.as_deref() == Some("jiyun-controller"));
    // Server-side apply refuses a field the engine's definition does not have: what was applied fits it.
    assert_eq!(ours.map(|entry| entry.operation.as_deref()).collect::<Vec<_>>(), [Some("Apply")]);
    let users = buckets.users("files").await?;
    let [user] = users.as_slice() else { panic!("{users:?}") };
    assert!(user.name_any() == owner && owner == user.labels()[LABEL_CLAIM], "{owner} is that of its claim: {user:?}");
    let [store, place] = STORE;
    assert_eq!((&user.data["spec"]["store"], &user.data["spec"]["clusterNamespace"]), (&json!(store), &json!(place)));

    let (secret, pair) = (buckets.secret("files").await?, buckets.pair("files").await?);
    let keys = buckets.keys("files").await?;
    let [key] = keys.as_slice() else { panic!("{} key pairs", keys.len()) };
    assert_eq!(key.name_any(), "bucket.files.key-0");
    let uid = key.uid().unwrap();
    assert_eq!(named(user), (names("bucket.files.key-0"), vec![uid.as_str()]), "it is of our making, and the only one");
    let is_of = |key: &str, length: usize| key.len() == length && key.chars().all(|one| one.is_ascii_alphanumeric());
    assert!(is_of(&pair.access, 20) && is_of(&pair.secret, 40) && pair.access == pair.access.to_uppercase());
    assert_eq!(connection.credentials_secret_ref.name, "files-bucket");
    assert_eq!(connection.host, format!("rook-ceph-rgw-{store}.{place}.svc"));
    assert_eq!((connection.port, asked.data["spec"]["bucketName"].as_str()), (80, Some(connection.bucket.as_str())));
    let expected = [
        ("AWS_ACCESS_KEY_ID", pair.access.as_str()),
        ("AWS_SECRET_ACCESS_KEY", pair.secret.as_str()),
        ("BUCKET_HOST", connection.host.as_str()),
        ("BUCKET_NAME", connection.bucket.as_str()),
        ("BUCKET_PORT", "80"),
    ];
    let data = secret.data.clone().unwrap();
    let held: Vec<_> = data.iter().map(|(key, value)| (key.as_str(), std::str::from_utf8(&value.0).unwrap())).collect();
    assert!(held == expected && pair == made(key), "the pair of the user that owns it, and the way");

    let shown = bureau.caller.get(&buckets.one("files")).await?;
    let view = shown.json();
    for (field, value) in [("state", "Ready"), ("size", "100Gi"), ("grantedSize", "100Gi"), ("claim", claim.as_str())] {
        assert_eq!(view[field], value, "{field}: {view}");
    }
    assert_eq!(view["connection"]["credentialsSecret"], "files-bucket", "{view}");
    assert!(view["credentialsIssuedAt"].is_string(), "{view}");
    let listed = bureau.caller.get(&buckets.path()).await?.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
    let line = billed(&bureau, &claim, 100 * 1024).await?;
    assert_eq!(
        (&line["resource"], &line["item"], &line["system"]),
        (&json!("files"), &json!("standard"), &json!("portal"))
    );

    let objects = buckets.objects().await?;
    let protected = objects.delete("files", &DeleteParams::default()).await.unwrap_err().to_string();
    assert!(protected.contains("the bucket is protected from deletion"), "{protected}");
    change(&buckets, "files", &json!({"deletionProtection": "Disabled"})).await?;
    let is_free =
        |found: &CloudBucket| found.status.as_ref().is_some_and(|status| status.deletion_protection.is_some());
    let freed = buckets.wait("files", "free to be deleted, by the policy of small orders", is_free).await?;
    let answer = bureau.caller.delete(&buckets.one("files")).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    buckets.wait_gone("files").await?;
    assert_eq!(bureau.used("ObjectStorage").await?, (0, 0));

    let mut told = serde_json::to_string(&[&found, &freed]).unwrap() + &shown.text;
    told += &serde_json::to_string(&[&secret.metadata, &key.metadata]).unwrap();
    told += &serde_json::to_string(&[&asked, user]).unwrap();
    let written = written(bureau.world)?;
    assert!(written.contains(&bureau.name), "what was done is there to be read");
    is_not_told(&pair, &(told + &written));
    Ok(())
}
