//! What is changed past the API, by kubectl and GitOps: the API server itself tells it to the trail, with the flags, the policy
//! and the kubeconfig of `examples/audit`, and refuses what cannot be recorded.

use jiyun_crds::v1alpha1::{ApprovalDecision, CloudHost};
use jiyun_lab::{ApiOptions, Guest, Lab, LabOptions, wait_for};
use jiyun_tests::{
    Caller, Order, World, WorldError, city,
    desk::Desk,
    world::{PATIENCE, Quota},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::requests::{read, sound, word};

/// A department's hosts in the name of one of its people.
async fn hosts_of(world: &World, person: &str) -> Result<Api<CloudHost>, WorldError> {
    let client = world.lab.client_as(&world.lab.person(person)?.token).await?;
    Ok(world.hosts_with(client, "finance"))
}

/// An API that keeps a trail in `folder` and hears what the lab's API server tells.
async fn listening(lab: &Lab, folder: &std::path::Path) -> Result<Guest, WorldError> {
    let mut arguments = vec![format!("--trail-dir={}", folder.display()), "--trail-writer=jiyun-api-0".to_owned()];
    arguments.extend(lab.audit_webhook_flags());
    let api = lab.spawn_api(ApiOptions { name: "recording".into(), arguments, ..ApiOptions::default() })?;
    api.wait_until_healthy("/readyz", PATIENCE).await?;
    Ok(api)
}

#[tokio::test]
async fn what_kubectl_changes_is_recorded_by_the_api_server_and_refused_while_it_cannot_be() -> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let lab = Lab::start(LabOptions::default().departments(["finance", "tax"]).audit_webhook()).await?;
    // Nothing of ours can be changed before somebody listens.
    let api = listening(&lab, folder).await?;
    let world = World::on(lab, &city::CATALOGUE_FILES, vec![format!("--trail-dir={}", folder.display())]).await?;
    let finance = world.named_department("finance", Quota::AMPLE).await?;
    let hosts = hosts_of(&world, "finance-operator").await?;
    let host: CloudHost = serde_json::from_value(Order::new("web-1", "portal").object("finance")).unwrap();
    hosts.create(&PostParams::default(), &host).await?;
    finance.wait_ready("web-1").await?;
    let wish = Patch::Merge(json!({"spec": {"displayName": "一号机"}}));
    hosts.patch("web-1", &PatchParams::default(), &wish).await?;
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    let tried: CloudHost = serde_json::from_value(Order::new("web-3", "portal").object("finance")).unwrap();
    hosts.create(&dry, &tried).await?;
    for (person, code) in [("finance-reader", 403), ("tax-operator", 403)] {
        let refused = hosts_of(&world, person).await?.delete("web-1", &DeleteParams::default()).await.unwrap_err();
        assert!(matches!(&refused, kube::Error::Api(status) if status.code == code), "{refused:?}");
    }
    hosts.delete("web-1", &DeleteParams::default()).await?;
    finance.wait_gone("web-1").await?;

    let at = |person: &str| world.caller(person).map(|caller| caller.at(api.url().unwrap()));
    let all = read(&at("auditor")?, "/v1/audit-records").await?;
    let by = |who: &str| {
        let of =
            |record: &&Value| record["actor"]["name"].as_str().unwrap().contains(who) && record["source"].is_string();
        all.iter().filter(of).map(|record| (word(record), record["department"].clone())).collect::<Vec<_>>()
    };
    let (own, none) = (json!("finance"), Value::Null);
    let named = |word: &str, department: &Value| (word.to_owned(), department.clone());
    assert_eq!(
        by("finance-operator"),
        [
            // The name stands in what is created, which is not read yet when the request is received.
            named("Create CloudHost  Begun", &none),
            named("Create CloudHost web-1 Succeeded", &own),
            named("Change CloudHost web-1 Begun", &none),
            named("Change CloudHost web-1 Succeeded", &own),
            named("Delete CloudHost web-1 Begun", &none),
            named("Delete CloudHost web-1 Succeeded", &own),
        ]
    );
    let refused = named("Delete CloudHost web-1 Refused Forbidden", &none);
    assert!(by("finance-reader").contains(&refused) && by("tax-operator").contains(&refused));
    let readable = read(&at("finance-reader")?, "/v1/departments/finance/audit-records").await?;
    let changed = readable.iter().find(|record| word(record) == "Change CloudHost web-1 Succeeded").unwrap();
    assert_eq!((&changed["source"], &changed["writer"]), (&json!("127.0.0.1"), &json!("jiyun-api-0")));
    assert_eq!(changed["after"]["value"]["spec"]["displayName"], "一号机");

    // A change over REST is told by both, under one number.
    let operator = at("finance-operator")?;
    let request = operator.request(http::Method::POST, &finance.hosts_path()).header("x-request-id", "ticket-7");
    let ordered = operator.send(request.json(&Order::new("web-2", "portal").body())).await?;
    assert!(ordered.status.is_success(), "{ordered:?}");
    let told = wait_for("both to tell of it", PATIENCE, || async {
        let all = read(&at("auditor").unwrap(), "/v1/audit-records").await;
        let all = all.map_err(|error| error.to_string())?;
        let told: Vec<_> = all.iter().filter(|record| record["request"] == "ticket-7").map(word).collect();
        if told.len() == 4 { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await?;
    assert!(told.iter().all(|word| word.starts_with("Create CloudHost ")), "{told:?}");
    finance.wait_ready("web-2").await?;
    let bind = world.lab.audit_webhook_flags().remove(0);
    let address = format!("https://{}", bind.rsplit_once('=').unwrap().1);
    world.stranger()?.at(&address).get("/").await.expect_err("whoever shows no certificate is not heard");
    decided_by_kubectl(&Desk { bureau: finance }, &at("auditor")?).await?;
    while_heads_cannot_be_kept(&world, &hosts, &api).await?;
    sound(&world, folder, None).await.map(drop)
}

/// What an approver says by kubectl is told as a decision, with its order.
async fn decided_by_kubectl(desk: &Desk<'_>, auditor: &Caller) -> Result<(), WorldError> {
    for (host, decision, reason) in
        [("large-1", ApprovalDecision::Approve, ""), ("large-2", ApprovalDecision::Refuse, "预算不足")]
    {
        // More than the example city lets through by itself.
        let order = Order { size: "3Ti".into(), ..Order::new(host, "portal") };
        desk.bureau.world.lab.apply_text(&order.object("finance").to_string()).await?;
        let filed = desk.awaited_order(host).await?;
        let made = desk.decide("finance-approver", &filed, decision, reason).await?.name_any();
        let path = format!("/v1/audit-records?object={made}");
        let told = wait_for(format!("{made} to be told"), PATIENCE, || async {
            let answer = auditor.get(&path).await.map_err(|error| error.to_string())?;
            let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
            if items.is_empty() { Err(answer.text) } else { Ok(items) }
        })
        .await?;
        let record = &told[0];
        assert_eq!((word(record), told.len()), (format!("{decision:?} Approval {made} Succeeded"), 1), "{told:#?}");
        assert_eq!((&record["order"], &record["department"]), (&json!(filed.name_any()), &json!("finance")));
        assert!(record["actor"]["name"].as_str().unwrap().contains("finance-approver"), "{record}");
        assert_eq!(record["after"]["value"]["spec"]["reason"].as_str().unwrap_or_default(), reason, "{record}");
    }
    desk.bureau.wait_ready("large-1").await.map(drop)
}

/// Freezes the store of the heads: kubectl is refused, and reads go on.
async fn while_heads_cannot_be_kept(world: &World, hosts: &Api<CloudHost>, api: &Guest) -> Result<(), WorldError> {
    let store = world.lab.process("etcd-ledger").unwrap();
    store.pause();
    let wish = Patch::Merge(json!({"spec": {"displayName": "二号机"}}));
    let refused = hosts.patch("web-2", &PatchParams::default(), &wish).await;
    let seen = hosts.get("web-2").await;
    store.resume();
    let refused = refused.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 500), "{refused:?}");
    assert_eq!(seen?.spec.display_name, None);
    wait_for("the trail to be written again", PATIENCE, || async {
        let figures = world.metrics_of(api).await.map_err(|error| error.to_string())?;
        if figures.contains("jiyun_trail_unwritable 0") { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    let changed = hosts.patch("web-2", &PatchParams::default(), &wish).await?;
    assert_eq!(changed.spec.display_name.as_deref(), Some("二号机"));
    Ok(())
}
