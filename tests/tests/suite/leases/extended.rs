//! A lease that goes on: at each stage before the end of all, by people who agree, and never past what is protected.

use super::*;

#[tokio::test]
async fn a_host_comes_back_from_each_stage_once_people_agreed_and_not_before() -> Result<(), WorldError> {
    let world = world("1h", "10s", "20s", None).await?;
    let desk = desk(&world).await?;
    running(&desk, "web", "Disabled").await?;
    let kept = disk(&desk, "web").await?;
    lend(&desk, "web", 4).await?;
    reached(&desk, "web", LeaseStage::Ended).await?;

    // What is over is not switched on past its lease.
    assert_eq!(patch(&desk, "web", &json!({"power": "Stopped"})).await?.status.as_u16(), 200);
    let on = patch(&desk, "web", &json!({"power": "Running"})).await?;
    assert_eq!(on.status.as_u16(), 422, "{on:?}");
    assert!(on.text.contains("lease of this host has ended"), "{on:?}");

    // More time is for people to decide, and the preview says so.
    let longer = json!({"lease": {"endsAt": in_seconds(86_400)}, "power": "Running"});
    let path = format!("{}?dryRun=true", desk.bureau.host_path("web"));
    let preview = desk.bureau.caller.patch(&path, &longer, "").await?;
    let change = preview.json()["change"].clone();
    assert_eq!(change["decided"], json!(["lease.endsAt"]), "{preview:?}");
    assert_eq!(patch(&desk, "web", &longer).await?.status.as_u16(), 200);
    let order = awaited(&desk).await?;
    let accepted = &order.status.as_ref().unwrap().items[0];
    assert!(accepted.summary.iter().any(|row| row.name == "leaseEndsAt"), "{accepted:?}");
    let waits = desk.bureau.wait_for_host("web", "waiting for people", |host| {
        reason(host, ConditionType::Accepted) == Some("AwaitingApproval")
    });
    assert_ne!(reason(&waits.await?, ConditionType::Ready), Some("Running"), "asked for is not decided");
    desk.approve(&order).await?;
    let back = desk.bureau.wait_ready("web").await?;
    assert_eq!((stage(&back), reason(&back, ConditionType::Ready)), (Some(LeaseStage::Running), Some("Running")));
    assert!(lease(&back).unwrap().ended_at.is_none());
    assert!(ending(&desk).await?.is_empty(), "its end is far off");

    // An earlier end is asked of nobody; archived, its machine is made anew on the disk it had.
    let first = machine(&desk, "web", "{.metadata.uid}").await?;
    lend(&desk, "web", 3).await?;
    let archived = reached(&desk, "web", LeaseStage::Archived).await?;
    assert_eq!(desk.names().await?.len(), 1);
    lend(&desk, "web", 86_400).await?;
    let order = awaited(&desk).await?;
    let release_at = lease(&archived).unwrap().release_at.clone().unwrap().timestamp().unwrap();
    wait_for("the time of its release", PATIENCE, || async {
        if Timestamp::now() > release_at + SignedDuration::from_secs(2) { Ok(()) } else { Err(release_at.to_string()) }
    })
    .await?;
    // Whoever asked in time is answered first.
    reached(&desk, "web", LeaseStage::Archived).await?;
    desk.approve(&order).await?;
    let back = desk.bureau.wait_ready("web").await?;
    assert_eq!(stage(&back), Some(LeaseStage::Running));
    assert_eq!(disk(&desk, "web").await?, kept);
    assert_ne!(machine(&desk, "web", "{.metadata.uid}").await?, first);
    assert_eq!(desk.bureau.used("Vcpu").await?, (2, 0));

    // Taking it off is more than any later end.
    let off = patch(&desk, "web", &json!({"lease": null})).await?;
    assert_eq!(off.json()["lease"]["endsAt"], json!(null), "{off:?}");
    desk.approve(&awaited(&desk).await?).await?;
    desk.bureau.wait_for_host("web", "without end", |host| stage(host).is_none()).await?;
    Ok(())
}

#[tokio::test]
async fn what_is_protected_is_archived_and_kept_until_it_is_protected_no_more() -> Result<(), WorldError> {
    let world = world("1h", "2s", "4s", None).await?;
    let desk = desk(&world).await?;
    running(&desk, "web", "Enabled").await?;
    lend(&desk, "web", 3).await?;
    let archived = reached(&desk, "web", LeaseStage::Archived).await?;
    let kept = lease(&archived).unwrap();
    assert_eq!(kept.release_at, None);
    let ready = archived.status.as_ref().unwrap().conditions.iter().find(|said| said.type_ == "Ready").unwrap();
    assert!(ready.message.contains("protected from deletion"), "{}", ready.message);
    let since = kept.archived_at.clone().unwrap().timestamp().unwrap();
    wait_for("more time than it would have been kept", PATIENCE, || async {
        let now = Timestamp::now();
        if now > since + SignedDuration::from_secs(8) { Ok(()) } else { Err(now.to_string()) }
    })
    .await?;
    assert_eq!(stage(&reached(&desk, "web", LeaseStage::Archived).await?), Some(LeaseStage::Archived));
    assert!(!disk(&desk, "web").await?.is_empty());

    let off = patch(&desk, "web", &json!({"deletionProtection": "Disabled"})).await?;
    assert_eq!(off.status.as_u16(), 200, "{off:?}");
    desk.approve(&awaited(&desk).await?).await?;
    let announced =
        desk.bureau.wait_for_host("web", "to go", |host| lease(host).is_some_and(|lease| lease.release_at.is_some()));
    let release_at = lease(&announced.await?).unwrap().release_at.clone().unwrap().timestamp().unwrap();
    desk.bureau.wait_gone("web").await?;
    assert!(Timestamp::now() >= release_at, "it has the time that any other has");
    Ok(())
}
