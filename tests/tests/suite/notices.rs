//! Notices (通知): who has to decide and who asked are told, by webhook and by mail, once, whoever fails meanwhile.

mod broken;
mod changed;
mod killed;
mod late;

use std::{collections::BTreeMap, path::Path};

use jiyun_crds::v1alpha1::ApprovalDecision;
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions, city,
    desk::Desk,
    receivers::{Delivery, Hook, Letter, Relay, verify},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

/// Secrets of receivers, made for these tests.
const OLD: &str = "whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZDA=";
const NEW: &str = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldzA=";

/// Writes a configuration with these parts and secrets beside it; gives the controller's argument.
fn configured(folder: &Path, whole: &Value) -> Result<String, WorldError> {
    std::fs::write(folder.join("old"), OLD)?;
    std::fs::write(folder.join("new"), NEW)?;
    let path = folder.join("notifications.yaml");
    std::fs::write(&path, whole.to_string())?;
    Ok(format!("--notifications={}", path.display()))
}

fn webhook(name: &str, hook: &Hook, folder: &Path, secrets: &[&str]) -> Value {
    let files: Vec<_> = secrets.iter().map(|file| folder.join(file)).collect();
    json!({"name": name, "url": hook.url(), "secretFiles": files})
}

/// The department of a world of one's own, whose every order needs one of its approvers.
async fn world(argument: String) -> Result<World, WorldError> {
    let lab = LabOptions::default().departments(["bureau-0"]);
    let files = city::CATALOGUE_FILES.to_vec();
    World::start(WorldOptions { lab, files, controller_arguments: vec![argument] }).await
}

/// Orders a host; gives the order that waits for people.
async fn ask(desk: &Desk<'_>, host: &str) -> Result<jiyun_crds::v1alpha1::Order, WorldError> {
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &Order::new(host, "portal").body(), 0).await?;
    desk.awaited_order(host).await
}

/// Waits until `hook` has acknowledged `event` of `order`.
async fn told(hook: &Hook, event: &str, order: &str) -> Result<Delivery, WorldError> {
    let is_it = |delivery: &Delivery| delivery.event() == event && delivery.json()["data"]["name"] == order;
    Ok(wait_for(format!("{event} of {order}"), PATIENCE, || async {
        hook.acknowledged().into_iter().find(is_it).ok_or_else(|| format!("{:?}", hook.received()))
    })
    .await?)
}

/// Waits until `relay` has taken a letter to `address` whose text names `order`.
async fn written(relay: &Relay, address: &str, order: &str, word: &str) -> Result<Letter, WorldError> {
    Ok(wait_for(format!("a letter to {address} about {order}"), PATIENCE, || async {
        let letters = relay.letters_to(address);
        let is_it = |letter: &&Letter| letter.text().contains(order) && letter.text().contains(word);
        letters.iter().find(is_it).cloned().ok_or_else(|| format!("{letters:?}"))
    })
    .await?)
}

/// How often each notice was acknowledged.
fn counted(hook: &Hook) -> BTreeMap<String, usize> {
    hook.acknowledged().into_iter().fold(BTreeMap::new(), |mut counts, delivery| {
        *counts.entry(delivery.id).or_default() += 1;
        counts
    })
}

#[tokio::test]
async fn who_decides_and_who_asked_are_told_once_by_webhook_and_by_mail() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let (hook, relay) = (Hook::open().await?, Relay::open(Some(("jiyun", "p4ss-w0rd"))).await?);
    std::fs::write(folder.path().join("name"), "jiyun\n")?;
    std::fs::write(folder.path().join("password"), "wrong-w0rd\n")?;
    relay.refuse("gone@example.gov.cn");
    let whole = json!({
        "link": "https://cloud.example.gov.cn/{department}/{order}",
        "webhooks": [webhook("oa", &hook, folder.path(), &["new", "old"])],
        "mail": {"host": "127.0.0.1", "port": relay.port(), "tls": "None", "from": "集云 <jiyun@example.gov.cn>",
                 "usernameFile": folder.path().join("name"), "passwordFile": folder.path().join("password")},
        "addresses": {
            "groups": {"bureau-0-approvers": ["gone@example.gov.cn", "wang@example.gov.cn"]},
            "users": {"bureau-0-operator": ["zhang@example.gov.cn"]},
        },
    });
    let world = world(configured(folder.path(), &whole)?).await?;
    let desk = Desk::open(&world, Quota::cores(8)).await?;
    let first = ask(&desk, "web-1").await?;
    let name = first.name_any();

    let waiting = told(&hook, "order.waiting", &name).await?;
    assert!(verify(&waiting, OLD) && verify(&waiting, NEW), "{waiting:?}");
    assert!(!verify(&Delivery { body: b"{}".to_vec(), ..waiting.clone() }, NEW));
    let data = waiting.json()["data"].clone();
    assert_eq!((&data["department"], &data["level"]), (&json!("bureau-0"), &json!("leader")));
    assert_eq!(data["groups"], json!(["bureau-0-approvers"]));
    assert_eq!(data["link"], format!("https://cloud.example.gov.cn/bureau-0/{name}"));
    assert_eq!(waiting.id, format!("{}-leader-waiting", first.uid().unwrap()));

    // The relay does not know us; it is told the right password without a restart.
    wait_for("a try with the wrong password", PATIENCE, || async {
        let figures = world.controller_metrics().await.map_err(|error| error.to_string())?;
        let line = "jiyun_notices_total{channel=\"mail\",outcome=\"failed\"}";
        if figures.contains(line) { Ok(()) } else { Err(figures) }
    })
    .await?;
    assert_eq!(relay.tries(), 0);
    std::fs::write(folder.path().join("password"), "p4ss-w0rd\n")?;
    let letter = written(&relay, "wang@example.gov.cn", &name, "bureau-0-approvers").await?;
    assert_eq!(letter.from, "jiyun@example.gov.cn");
    assert_eq!(letter.header("Message-ID"), Some(format!("<{}@example.gov.cn>", waiting.id)));
    assert!(letter.subject().contains("待审批") && letter.subject().contains("approval needed"), "{letter:?}");
    assert!(letter.text().contains("等待 leader 审批") && letter.text().contains("waits for level leader"));

    desk.approve(&first).await?;
    let approved = told(&hook, "order.approved", &name).await?;
    assert_eq!(approved.json()["data"]["users"], json!(["bureau-0-operator"]), "programs are nobody to write to");
    written(&relay, "zhang@example.gov.cn", &name, "已获批准").await?;

    let second = ask(&desk, "web-2").await?;
    desk.decide("bureau-0-approver", &second, ApprovalDecision::Refuse, "预算不足").await?;
    told(&hook, "order.refused", &second.name_any()).await?;
    written(&relay, "zhang@example.gov.cn", &second.name_any(), "预算不足").await?;

    // Whoever leads next tells nobody again: it tells of a third order, and of nothing else.
    world.controller.restart().await?;
    let third = ask(&desk, "web-3").await?;
    told(&hook, "order.waiting", &third.name_any()).await?;
    written(&relay, "wang@example.gov.cn", &third.name_any(), "bureau-0-approvers").await?;
    assert!(counted(&hook).values().all(|times| *times == 1), "{:?}", counted(&hook));
    let letters = relay.letters();
    let mut seen = std::collections::BTreeSet::new();
    for letter in &letters {
        assert!(seen.insert((letter.to.clone(), letter.header("Message-ID"))), "{letter:?}");
    }
    assert!(relay.letters_to("gone@example.gov.cn").is_empty());
    let log = std::fs::read_to_string(world.controller.process().log())?;
    assert!(log.contains("not told, and not tried again"), "{log}");
    for secret in [OLD, NEW, "w0rd", "wang@"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    Ok(())
}
