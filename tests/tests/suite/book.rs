//! The account book of a running system, read by the program operations have: sound, exported whole, and explained.

use std::{path::Path, process::Output};

use jiyun_lab::LedgerUser;
use jiyun_tests::{Order, World, WorldError, world::Quota};
use serde_json::Value;
use tokio::process::Command;

/// Runs `jiyun-controller ledger` with the API's certificate, which may only read.
async fn ledger(world: &World, arguments: &[&str]) -> Result<Output, WorldError> {
    let own = std::env::current_exe()?;
    let programs =
        std::env::var_os("JIYUN_BIN_DIR").map_or_else(|| own.ancestors().nth(2).unwrap().to_owned(), Into::into);
    let reader = world.lab.ledger_tls(LedgerUser::Api);
    let output = Command::new(Path::new(&programs).join("jiyun-controller"))
        .arg("ledger")
        .args(arguments)
        .env("JIYUN_LEDGER_ENDPOINTS", world.lab.ledger_endpoint())
        .env("JIYUN_LEDGER_CA", &reader.authority)
        .env("JIYUN_LEDGER_CERT", &reader.client.certificate)
        .env("JIYUN_LEDGER_KEY", &reader.client.key)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    Ok(output)
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test]
async fn the_book_of_a_running_system_is_sound_and_says_why_a_department_holds_what_it_holds() -> Result<(), WorldError>
{
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;

    let verified = ledger(world, &["verify"]).await?;
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    let explained =
        ledger(world, &["explain", "--account", &bureau.name, "--meter", "Vcpu", "--output", "json"]).await?;
    assert_eq!(explained.status.code(), Some(0), "{}", told(&explained));
    let explained: Value = serde_json::from_slice(&explained.stdout).unwrap();
    let part = &explained["parts"][0];
    assert_eq!(part["addsUp"], true, "{part}");
    assert_eq!(part["claims"][0]["object"], format!("CloudHost dept-{}/web-1", bureau.name));
    assert_eq!(part["claims"][0]["stage"], "Billable");
    Ok(())
}

#[tokio::test]
async fn an_exported_book_is_verified_elsewhere_and_one_that_lost_an_entry_is_found() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let folder = jiyun_lab::target_folder().join("lab");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("exported-{}.jsonl", std::process::id()));
    let path_text = path.to_str().unwrap();
    let exported = ledger(world, &["export", "--output", path_text]).await?;
    assert_eq!(exported.status.code(), Some(0), "{}", told(&exported));
    let verified = ledger(world, &["verify", "--input", path_text]).await?;
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));

    let text = std::fs::read_to_string(&path)?;
    let without_the_third: Vec<_> =
        text.lines().enumerate().filter(|(index, _)| *index != 2).map(|(_, line)| line).collect();
    std::fs::write(&path, without_the_third.join("\n"))?;
    let verified = ledger(world, &["verify", "--input", path_text]).await?;
    assert_eq!(verified.status.code(), Some(1), "{}", told(&verified));
    assert!(told(&verified).contains("number 3"), "{}", told(&verified));
    std::fs::remove_file(&path)?;

    let unread = ledger(world, &["verify", "--input", path_text]).await?;
    assert_eq!(unread.status.code(), Some(2), "{}", told(&unread));
    Ok(())
}
