//! The audit trail of a running system: what was granted and deleted is in it, it is proven, and a changed byte is found.

use std::process::Output;

use jiyun_lab::{LabError, LabOptions, LedgerUser, product_program, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    faults::program::told,
    world::{PATIENCE, Quota},
};
use serde_json::Value;
use tokio::process::Command;

async fn trail(world: &World, arguments: &[&str]) -> Result<Output, WorldError> {
    let reader = world.lab.ledger_tls(LedgerUser::Controller);
    let mut command = Command::new(product_program("jiyun-controller").map_err(LabError::from)?);
    command
        .arg("trail")
        .args(arguments)
        .env("JIYUN_LEDGER_ENDPOINTS", world.lab.ledger_endpoint())
        .env("JIYUN_LEDGER_CA", &reader.authority)
        .env("JIYUN_LEDGER_CERT", &reader.client.certificate)
        .env("JIYUN_LEDGER_KEY", &reader.client.key)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    Ok(command.output().await?)
}

/// The department's records of a running system, as `<action> <result>`, with whoever asked.
async fn shown(world: &World, folder: &str) -> Result<Vec<(String, Option<String>)>, WorldError> {
    let output = trail(world, &["show", "--trail-dir", folder, "--department", "finance", "--output", "json"]).await?;
    assert!(output.status.success(), "{}", told(&output));
    let of = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let record = &row["record"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let asked = record["actor"]["onBehalfOf"].as_str().map(str::to_owned);
        (format!("{} {}", text(&record["action"]), text(&record["result"]["is"])), asked)
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(of).collect())
}

#[tokio::test]
async fn a_host_leaves_a_trail_that_is_proven_and_a_changed_byte_is_found() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_str().unwrap();
    let world = World::start(WorldOptions {
        lab: LabOptions::default().departments(["finance"]),
        files: city::CATALOGUE_FILES.to_vec(),
        controller_arguments: vec![format!("--trail-dir={path}")],
    })
    .await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;

    let expected = [
        "QuotaChanged Succeeded",
        "Grant Succeeded",
        "MachineDeleted Begun",
        "MachineDeleted Succeeded",
        "Release Succeeded",
    ];
    let records = wait_for("the trail of a host", PATIENCE, || async {
        let records = shown(&world, path).await.map_err(|error| error.to_string())?;
        let is_there = |word: &&str| records.iter().any(|(found, _)| found == word);
        if expected.iter().all(is_there) { Ok(records) } else { Err(format!("{records:?}")) }
    })
    .await?;
    let granted = records.iter().find(|(word, _)| word == "Grant Succeeded").unwrap();
    assert!(granted.1.as_ref().is_some_and(|asked| asked.contains("finance-operator")), "{granted:?}");

    let (lines, heads) = (folder.path().join("trail.jsonl"), folder.path().join("heads.jsonl"));
    let (lines, heads) = (lines.to_str().unwrap(), heads.to_str().unwrap());
    let exported = trail(&world, &["export", "--trail-dir", path, "--output", lines, "--head", heads]).await?;
    assert_eq!(exported.status.code(), Some(0), "{}", told(&exported));
    let verified = trail(&world, &["verify", "--trail-dir", path, "--head", heads]).await?;
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    let verified = trail(&world, &["verify", "--input", lines, "--head", heads]).await?;
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    let text = std::fs::read_to_string(lines)?;
    std::fs::write(lines, text.replacen("web-1", "web-2", 1))?;
    let verified = trail(&world, &["verify", "--input", lines, "--head", heads]).await?;
    assert_eq!(verified.status.code(), Some(1), "{}", told(&verified));
    assert!(told(&verified).contains("was changed after it was written"), "{}", told(&verified));
    Ok(())
}
