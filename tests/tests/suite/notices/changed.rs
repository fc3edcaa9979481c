//! Who is told changes while the controller runs: without a restart, and without losing or doubling what waits.

use jiyun_lab::wait_for;
use jiyun_tests::{
    World, WorldError,
    desk::Desk,
    receivers::{Answer, Hook, Relay},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{ask, configured, counted, told, webhook, world, written};

/// Waits until the controller shows this line among its figures.
async fn shows(world: &World, line: &str) -> Result<(), WorldError> {
    wait_for(line, PATIENCE, || async {
        let figures = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if figures.lines().any(|shown| shown == line) { Ok(()) } else { Err(figures) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn who_is_told_changes_with_the_file_and_what_cannot_be_used_changes_nothing() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let (oa, sms, relay) = (Hook::open().await?, Hook::open().await?, Relay::open(None).await?);
    let mut away = Hook::open().await?;
    away.close();
    let whole = |hooks: &[(&str, &Hook)], address: &str| -> Value {
        let hooks: Vec<_> = hooks.iter().map(|(name, hook)| webhook(name, hook, folder.path(), &["new"])).collect();
        json!({
            "webhooks": hooks,
            "mail": {"host": "127.0.0.1", "port": relay.port(), "tls": "None", "from": "jiyun@example.gov.cn"},
            "addresses": {"groups": {"bureau-0-approvers": [address]}},
        })
    };
    let world =
        world(configured(folder.path(), &whole(&[("oa", &oa), ("sms", &away)], "wang@example.gov.cn"))?).await?;
    let desk = Desk::open(&world, Quota::cores(8)).await?;
    let first = ask(&desk, "web-1").await?.name_any();
    told(&oa, "order.waiting", &first).await?;
    written(&relay, "wang@example.gov.cn", &first, "bureau-0-approvers").await?;
    shows(&world, "jiyun_notices_waiting{channel=\"sms\"} 1").await?;

    // Where sms is changes, and whose mailbox it is: both are told what waits, and nobody is told again.
    configured(folder.path(), &whole(&[("oa", &oa), ("sms", &sms)], "zhao@example.gov.cn"))?;
    told(&sms, "order.waiting", &first).await?;
    written(&relay, "zhao@example.gov.cn", &first, "bureau-0-approvers").await?;
    shows(&world, "jiyun_notices_waiting{channel=\"sms\"} 0").await?;

    // A slip: what was written before goes on.
    let path = folder.path().join("notifications.yaml");
    std::fs::write(&path, "webhooks: [{name: oa, url: ftp://nowhere")?;
    shows(&world, "jiyun_notifications_unusable 1").await?;
    let second = ask(&desk, "web-2").await?.name_any();
    told(&oa, "order.waiting", &second).await?;
    told(&sms, "order.waiting", &second).await?;
    written(&relay, "zhao@example.gov.cn", &second, "bureau-0-approvers").await?;

    // Mended: who is named no more is told no more, not even what waits for a receiver that fails.
    sms.answer(std::iter::repeat_n(Answer::at_once(500), 100));
    let third = ask(&desk, "web-3").await?.name_any();
    shows(&world, "jiyun_notices_waiting{channel=\"sms\"} 1").await?;
    configured(folder.path(), &whole(&[("oa", &oa)], "zhao@example.gov.cn"))?;
    shows(&world, "jiyun_notifications_unusable 0").await?;
    shows(&world, "jiyun_notices_waiting{channel=\"sms\"} 0").await?;
    shows(&world, "jiyun_notices_total{channel=\"sms\",outcome=\"dropped\"} 1").await?;
    let fourth = ask(&desk, "web-4").await?.name_any();
    for order in [&third, &fourth] {
        told(&oa, "order.waiting", order).await?;
        written(&relay, "zhao@example.gov.cn", order, "bureau-0-approvers").await?;
    }
    assert!(!sms.received().iter().any(|delivery| delivery.json()["data"]["name"] == fourth));
    for hook in [&oa, &sms] {
        assert!(counted(hook).values().all(|times| *times == 1), "{:?}", counted(hook));
    }
    assert_eq!((relay.letters_to("wang@example.gov.cn").len(), relay.letters_to("zhao@example.gov.cn").len()), (1, 4));
    let log = std::fs::read_to_string(world.controller.process().log())?;
    assert!(log.contains("--notifications cannot be used"), "{log}");
    assert_eq!(log.matches("standing by").count(), 1, "it was never started anew");
    Ok(())
}
