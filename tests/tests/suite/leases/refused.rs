//! Leases that make no sense: told at the earliest place, and what was granted goes on.

use super::*;

#[tokio::test]
async fn a_lease_that_makes_no_sense_is_refused_with_its_field_and_changes_nothing() -> Result<(), WorldError> {
    let desk = Desk { bureau: World::shared().await?.department(Quota::cores(8)).await? };
    let year = 366 * 86_400;
    for (ends_at, told) in [
        (in_seconds(-60), "at least an hour"),
        (in_seconds(600), "at least an hour"),
        (in_seconds(11 * year), "at most ten years"),
        ("2030-01-01".to_owned(), "lease.endsAt must be like"),
        ("2030-02-31T00:00:00Z".to_owned(), "must be a time that exists"),
        ("soon".to_owned(), "lease.endsAt must be like"),
    ] {
        let mut body = Order::new("bad", "portal").body();
        body["lease"] = json!({"endsAt": ends_at});
        let answer = desk.bureau.caller.post(&desk.bureau.hosts_path(), &body, 0).await?;
        assert_eq!(answer.status.as_u16(), 422, "{ends_at}: {answer:?}");
        assert!(answer.text.contains(told), "{ends_at}: {answer:?}");
    }
    for lease in [json!({}), json!({"endsAt": 7}), json!({"endsAt": in_seconds(year), "action": "Stop"}), json!("2030")]
    {
        let mut body = Order::new("bad", "portal").body();
        body["lease"] = lease.clone();
        let answer = desk.bureau.caller.post(&desk.bureau.hosts_path(), &body, 0).await?;
        assert!(answer.status.is_client_error(), "{lease}: {answer:?}");
    }
    let hosts = desk.bureau.world.hosts(&desk.bureau.name).await?;
    assert!(hosts.list(&ListParams::default()).await?.items.is_empty(), "left behind");

    // Only the controller knows the time of a change.
    let mut body = Order::new("web", "portal").body();
    body["lease"] = json!({"endsAt": in_seconds(40 * 86_400)});
    desk.bureau.caller.post(&desk.bureau.hosts_path(), &body, 30).await?;
    let granted = desk.bureau.wait_ready("web").await?;
    assert_eq!(stage(&granted), Some(LeaseStage::Running));
    let promised = lease(&granted).unwrap().ends_at.clone();
    for (seconds, code) in [(-60, "which has passed"), (11 * year, "ten years from now")] {
        lend(&desk, "web", seconds).await?;
        let objected = desk.bureau.wait_for_host("web", "not accepted", |host| {
            let accepted =
                host.status.iter().flat_map(|status| &status.conditions).find(|said| said.type_ == "Accepted");
            accepted.is_some_and(|said| said.status == "False" && said.message.contains(code))
        });
        let host = objected.await?;
        assert_eq!(reason(&host, ConditionType::Ready), Some("Running"), "it goes on as it was granted");
        assert_eq!(lease(&host).unwrap().ends_at, promised);
    }
    assert!(desk.names().await?.is_empty(), "nobody is asked about it");
    Ok(())
}
