//! A leader that dies between telling somebody and noting it.

use std::time::Duration;

use jiyun_lab::{LedgerUser, wait_for};
use jiyun_tests::{
    WorldError,
    desk::Desk,
    receivers::{Answer, Hook, Relay},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::json;

use super::{ask, configured, counted, told, webhook, world, written};

/// A mark of an order that nobody knows any more.
const OUTDATED: &str = "/jiyun/notices/told/3e0fb5c8-0000-4000-8000-000000000000/leader-waiting/oa";

#[tokio::test]
async fn a_leader_killed_while_it_tells_is_followed_by_one_that_tells_again_under_the_same_name()
-> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let hook = Hook::open().await?;
    let (relay, certificate) = Relay::encrypted(false).await?;
    std::fs::write(folder.path().join("relay.crt"), certificate)?;
    let whole = json!({
        "webhooks": [webhook("oa", &hook, folder.path(), &["new"])],
        "mail": {"host": "localhost", "port": relay.port(), "from": "jiyun@example.gov.cn",
                 "caFile": folder.path().join("relay.crt")},
        "addresses": {"groups": {"bureau-0-approvers": ["wang@example.gov.cn"]}},
    });
    let world = world(configured(folder.path(), &whole)?).await?;
    let desk = Desk::open(&world, Quota::cores(8)).await?;
    let first = ask(&desk, "web-1").await?;
    told(&hook, "order.waiting", &first.name_any()).await?;
    written(&relay, "wang@example.gov.cn", &first.name_any(), "bureau-0-approvers").await?;
    let mut etcd = world.lab.ledger_client(LedgerUser::Controller).await?.kv_client();
    let mark = format!("/jiyun/notices/told/{}/leader-waiting/oa", first.uid().unwrap());
    wait_for("the mark", PATIENCE, || {
        let (mut etcd, mark) = (etcd.clone(), mark.clone());
        async move {
            let found = etcd.get(mark, None).await.map_err(|error| error.to_string())?;
            if found.kvs().is_empty() { Err("no mark".to_owned()) } else { Ok(()) }
        }
    })
    .await?;
    etcd.put(OUTDATED, "2026-01-01T00:00:00Z", None).await.map_err(std::io::Error::other)?;

    // It has arrived, and is not answered before the leader is gone.
    hook.answer([Answer { status: 204, after: Duration::from_secs(12) }]);
    let second = ask(&desk, "web-2").await?;
    let id = format!("{}-leader-waiting", second.uid().unwrap());
    wait_for("the request", PATIENCE, || async {
        if hook.received().iter().any(|delivery| delivery.id == id) { Ok(()) } else { Err("not there") }
    })
    .await?;
    world.controller.kill().await;
    world.controller.restart().await?;
    let again = told(&hook, "order.waiting", &second.name_any()).await?;
    assert_eq!(again.id, id);
    let of = |id: &str| hook.received().iter().filter(|delivery| delivery.id == id).count();
    assert_eq!(of(&id), 2, "told again under the same name: whoever has it knows it");

    desk.approve(&first).await?;
    told(&hook, "order.approved", &first.name_any()).await?;
    assert_eq!(of(&format!("{}-leader-waiting", first.uid().unwrap())), 1, "what was marked is not told again");
    wait_for("the mark of an order that is gone to be removed", PATIENCE, || {
        let mut etcd = etcd.clone();
        async move {
            let found = etcd.get(OUTDATED, None).await.map_err(|error| error.to_string())?;
            if found.kvs().is_empty() { Ok(()) } else { Err("still there".to_owned()) }
        }
    })
    .await?;
    assert!(counted(&hook).len() >= 3);
    Ok(())
}
