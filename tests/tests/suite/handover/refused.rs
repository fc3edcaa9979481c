//! What a handover does not do, and what nobody does to a host in its hands.

use jiyun_tests::{Order, World, WorldError, world::Quota};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::{completed, handover, order, says, seen, wait_handover};

#[tokio::test]
async fn a_handover_that_makes_no_sense_moves_nothing_and_says_why() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (giver, taker) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    order(&giver, "portal", &["web-1"]).await?;
    let name = world.lab.unique_name("nonsense");
    for (systems, reason, word) in [
        (Some(("nowhere", None)), "UnknownReference", "spec.from.systemRef.name"),
        // Both have a portal, and nobody said that they become one.
        (None, "Misconfigured", "portal"),
    ] {
        world.lab.apply_text(&handover(&name, &giver, &taker, systems).to_string()).await?;
        let status = wait_handover(world, &name, reason, |status| says(status, "Ready", "False", reason)).await?;
        assert!(status.to_string().contains(word), "{status}");
        world.lab.kubectl(&["delete", "handover", &name, "--timeout=60s"]).await?;
    }
    let close = r#"{"spec": {"state": "Closed"}}"#;
    world.lab.kubectl(&["patch", "department", &taker.name, "--type=merge", "-p", close]).await?;
    let closed = "jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=Closed";
    world.lab.kubectl(&["wait", "department", &taker.name, &format!("--for={closed}"), "--timeout=60s"]).await?;
    world.lab.apply_text(&handover(&name, &giver, &taker, Some(("portal", Some("portal")))).to_string()).await?;
    let status =
        wait_handover(world, &name, "closed", |status| says(status, "Ready", "False", "Misconfigured")).await?;
    assert!(status.to_string().contains("closed"), "{status}");
    giver.wait_ready("web-1").await?;

    // Opened again, it goes on by itself; and one system joins the other.
    let open = r#"{"spec": {"state": "Open"}}"#;
    world.lab.kubectl(&["patch", "department", &taker.name, "--type=merge", "-p", open]).await?;
    completed(world, &name).await?;
    let there = taker.wait_ready("web-1").await?;
    assert_eq!(there.spec.system_ref.name, "portal");
    Ok(())
}

#[tokio::test]
async fn a_host_that_was_never_granted_holds_a_handover_up_until_one_of_both_is_withdrawn() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (giver, taker) = (world.department(Quota::cores(2)).await?, world.department(Quota::AMPLE).await?);
    order(&giver, "portal", &["web-1"]).await?;
    let refused = giver.caller.post(&giver.hosts_path(), &Order::new("web-2", "portal").body(), 30).await?;
    assert_eq!(refused.json()["code"], "ExceedsLimit", "{refused:?}");
    let name = world.lab.unique_name("held-up");
    world.lab.apply_text(&handover(&name, &giver, &taker, Some(("portal", Some("gate")))).to_string()).await?;
    let held_up =
        |status: &serde_json::Value| says(status, "Completed", "False", "NotAllHandedOver") && status["moved"] == 1;
    let status = wait_handover(world, &name, "held up", held_up).await?;
    assert_eq!((&status["total"], &status["failed"]), (&json!(2), &json!(1)), "{status}");
    assert_eq!(
        (&status["failures"][0]["host"], &status["failures"][0]["code"]),
        (&json!("web-2"), &json!("HostNotGranted"))
    );
    taker.wait_ready("web-1").await?;
    // What has gone stays there, and the rest is as it was.
    world.lab.kubectl(&["delete", "handover", &name, "--timeout=60s"]).await?;
    taker.wait_ready("web-1").await?;
    let left = world.hosts(&giver.name).await?.get("web-2").await?;
    assert!(left.metadata.annotations.is_none_or(|all| !all.contains_key("jiyun.io/handover")));

    let again = world.lab.unique_name("again");
    world.lab.apply_text(&handover(&again, &giver, &taker, Some(("portal", Some("gate")))).to_string()).await?;
    wait_handover(world, &again, "held up", |status| says(status, "Completed", "False", "NotAllHandedOver")).await?;
    giver.caller.delete(&giver.host_path("web-2")).await?;
    let status = completed(world, &again).await?;
    assert!(status["completedAt"].is_string() && status["failed"] == 0, "{status}");
    Ok(())
}

#[tokio::test]
async fn a_host_in_the_hands_of_a_handover_is_changed_and_deleted_by_nobody_else() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    order(&bureau, "portal", &["web-1"]).await?;
    let token = world.lab.user_token("jiyun-system", "jiyun-controller").await?;
    let as_controller = world.hosts_with(world.lab.client_as(&token).await?, &bureau.name);
    let operator = world.lab.client_as(&world.lab.person(&format!("{}-operator", bureau.name))?.token).await?;
    let hosts = world.hosts_with(operator, &bureau.name);
    let (patch, mark) =
        (PatchParams::default(), json!({"metadata": {"annotations": {"jiyun.io/handover": "x/web-1"}}}));
    let forged = hosts.patch("web-1", &patch, &Patch::Merge(&mark)).await.unwrap_err();
    assert!(forged.to_string().contains("written by the platform"), "{forged}");

    as_controller.patch("web-1", &patch, &Patch::Merge(&mark)).await?;
    let off = json!({"spec": {"power": "Stopped"}});
    let changed = hosts.patch("web-1", &patch, &Patch::Merge(&off)).await.unwrap_err();
    assert!(changed.to_string().contains("being handed over"), "{changed}");
    let answer = bureau.caller.delete(&bureau.host_path("web-1")).await?;
    assert!(answer.status.is_client_error() && answer.text.contains("handed over"), "{answer:?}");
    // A remark is nobody's business.
    hosts.patch("web-1", &patch, &Patch::Merge(json!({"metadata": {"labels": {"team": "a"}}}))).await?;

    let free = json!({"metadata": {"annotations": {"jiyun.io/handover": null}}});
    as_controller.patch("web-1", &patch, &Patch::Merge(&free)).await?;
    hosts.patch("web-1", &patch, &Patch::Merge(&off)).await?;
    bureau.wait_ready("web-1").await?;
    Ok(())
}

#[tokio::test]
async fn handovers_are_the_platform_operators_alone_and_bear_their_names() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let nobody = format!("--as={}-operator", bureau.name);
    let group = format!("--as-group={}-operators", bureau.name);
    let home = format!("dept-{}", bureau.name);
    for verb in ["create", "get", "list", "delete", "patch"] {
        let answer =
            world.lab.kubectl(&["auth", "can-i", verb, "handovers.jiyun.io", "-n", &home, &nobody, &group]).await;
        let told = answer.unwrap_or_else(|error| error.to_string());
        assert!(!told.contains("yes"), "{verb}: {told}");
    }
    let other = world.department(Quota::AMPLE).await?;
    let name = world.lab.unique_name("signed");
    let client = world.lab.client_as(&world.lab.person("operator")?.token).await?;
    let object = serde_json::from_value(handover(&name, &bureau, &other, Some(("portal", Some("gate"))))).unwrap();
    kube::Api::<jiyun_crds::v1alpha1::Handover>::all(client).create(&kube::api::PostParams::default(), &object).await?;
    completed(world, &name).await?;
    let meta = seen(world, &name).await?.metadata;
    assert_eq!(meta.annotations.unwrap()["jiyun.io/requested-by"], "operator");
    assert_eq!(meta.finalizers, Some(vec!["jiyun.io/handover".to_owned()]));
    // Done is done: the object is only a record.
    world.lab.kubectl(&["delete", "handover", &name, "--timeout=60s"]).await?;
    Ok(())
}
