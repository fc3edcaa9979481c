//! Receivers that fail, are slow or are away; and configurations that cannot be.

use std::time::Duration;

use jiyun_lab::{LabError, product_program, wait_for};
use jiyun_tests::{
    WorldError,
    desk::Desk,
    faults::program::told as said,
    receivers::{Answer, Hook, Relay},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::json;
use tokio::process::Command;

use super::{ask, configured, counted, told, webhook, world, written};

#[tokio::test]
async fn a_receiver_that_fails_is_slow_or_is_away_is_told_once_and_holds_up_nobody() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let (failing, slow, mut away) = (Hook::open().await?, Hook::open().await?, Hook::open().await?);
    let (relay, certificate) = Relay::encrypted(true).await?;
    let certificate_file = folder.path().join("relay.crt");
    std::fs::write(&certificate_file, certificate)?;
    failing.answer([Answer::at_once(500), Answer::at_once(302)]);
    // Slower than anybody waits.
    slow.answer([Answer { status: 204, after: Duration::from_mins(10) }]);
    away.close();
    let hooks = [("failing", &failing), ("slow", &slow), ("away", &away)];
    let whole = json!({
        "webhooks": hooks.map(|(name, hook)| webhook(name, hook, folder.path(), &["new"])),
        "mail": {"host": "localhost", "port": relay.port(), "tls": "StartTls", "from": "jiyun@example.gov.cn",
                 "caFile": certificate_file},
        "addresses": {"groups": {"bureau-0-approvers": ["wang@example.gov.cn"]}},
    });
    let world = world(configured(folder.path(), &whole)?).await?;
    let desk = Desk::open(&world, Quota::cores(8)).await?;
    relay.set_busy(true);
    let order = ask(&desk, "web-1").await?;
    let name = order.name_any();

    wait_for("a letter to be tried", PATIENCE, || async { if relay.tries() > 0 { Ok(()) } else { Err("none yet") } })
        .await?;
    relay.set_busy(false);
    written(&relay, "wang@example.gov.cn", &name, "bureau-0-approvers").await?;
    assert!(slow.acknowledged().is_empty(), "the letter did not wait for the slow receiver");
    told(&failing, "order.waiting", &name).await?;
    let tries: Vec<_> = failing.received().iter().map(|delivery| (delivery.id.clone(), delivery.answered)).collect();
    let id = &tries[0].0;
    assert_eq!(tries, [Some(500), Some(302), Some(204)].map(|status| (id.clone(), status)));

    away.reopen().await?;
    told(&away, "order.waiting", &name).await?;
    told(&slow, "order.waiting", &name).await?;
    for hook in [&failing, &slow, &away] {
        assert_eq!(counted(hook).into_values().collect::<Vec<_>>(), [1]);
    }
    assert_eq!(relay.letters().len(), 1);

    // What is over before it could be told is dropped, and the result is told all the same.
    away.close();
    let second = ask(&desk, "web-2").await?;
    told(&failing, "order.waiting", &second.name_any()).await?;
    desk.approve(&second).await?;
    let dropped = "jiyun_notices_total{channel=\"away\",outcome=\"dropped\"} 1";
    wait_for("the notice to be dropped", PATIENCE, || async {
        let figures = world.controller_metrics().await.map_err(|error| error.to_string())?;
        if figures.contains(dropped) { Ok(()) } else { Err(figures) }
    })
    .await?;
    away.reopen().await?;
    told(&away, "order.approved", &second.name_any()).await?;
    let of_second =
        |delivery: &&_| jiyun_tests::receivers::Delivery::json(delivery)["data"]["name"] == second.name_any();
    assert_eq!(away.received().iter().filter(of_second).count(), 1);
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_cannot_be_ends_the_program_and_the_field_is_named() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let secret = folder.path().join("new");
    for (whole, field) in [
        (
            json!({"webhooks": [{"name": "oa", "url": "http://oa.example.gov.cn/", "secretFiles": [secret]}]}),
            "webhooks[0].url",
        ),
        (json!({"webhook": []}), "webhook"),
        (
            json!({"mail": {"host": "smtp.example.gov.cn", "tls": "None", "from": "a@b.cn"}, "addresses": {"groups": {"g": ["a@b.cn"]}}}),
            "mail.tls",
        ),
    ] {
        let argument = configured(folder.path(), &whole)?;
        let mut command = Command::new(product_program("jiyun-controller").map_err(LabError::from)?);
        command.args(["run", "--ledger-endpoints=http://127.0.0.1:1", "--listen=127.0.0.1:0", &argument]);
        let output = tokio::time::timeout(PATIENCE, command.kill_on_drop(true).output()).await;
        let output = output.map_err(std::io::Error::other)??;
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(field), "{field}: {}", said(&output));
    }
    Ok(())
}
