//! The audit trail of a running system: what was granted and deleted is in it, it is proven, and a changed byte is found.

mod decisions;
mod listening;
mod requests;
mod webhook;

use std::process::Output;

use jiyun_lab::{LabError, LabOptions, LedgerUser, product_program, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    faults::program::told,
    world::{PATIENCE, Quota},
};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
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
async fn nothing_is_booked_while_it_cannot_be_recorded_and_reading_goes_on() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    // A file where the folder should be: the trail cannot be opened.
    let path = folder.path().join("trail");
    std::fs::write(&path, "")?;
    let world = World::start(WorldOptions {
        lab: LabOptions::default().departments(["finance"]),
        files: city::CATALOGUE_FILES.to_vec(),
        controller_arguments: vec![format!("--trail-dir={}", path.display())],
    })
    .await?;
    let figures = || async { world.controller_metrics().await.map_err(|error| error.to_string()) };
    wait_for("refused reconciliations", PATIENCE, || async {
        let text = figures().await?;
        let refused = text.lines().any(|line| line.contains("reconcile_errors_total") && line.contains("\"Trail\""));
        if refused && text.contains("jiyun_trail_unwritable 1") { Ok(()) } else { Err(world.controller.tail(5)) }
    })
    .await?;
    let book = jiyun_tests::faults::program::ledger(&world.lab, &["export"]).await?;
    assert!(book.status.success(), "{}", told(&book));
    let booked = String::from_utf8_lossy(&book.stdout).into_owned();
    assert!(!booked.contains("PoolSet") && !booked.contains("AccountSet"), "{booked}");

    std::fs::remove_file(&path)?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    assert!(figures().await.unwrap_or_default().contains("jiyun_trail_unwritable 0"));
    Ok(())
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
    let off = json!({"spec": {"power": "Stopped"}});
    world.hosts("finance").await?.patch("web-1", &PatchParams::default(), &Patch::Merge(&off)).await?;
    bureau
        .wait_for_host("web-1", "off", |host| {
            host.status.iter().flat_map(|status| &status.conditions).any(|is| is.reason == "Stopped")
        })
        .await?;
    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;

    let expected = [
        "QuotaChanged Succeeded",
        "Grant Succeeded",
        "MachineStopped Begun",
        "MachineStopped Succeeded",
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
