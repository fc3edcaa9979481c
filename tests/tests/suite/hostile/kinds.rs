//! Attacks past the API, on the API server itself: every kind in a foreign namespace, and wishes that reach too far.

use jiyun_crds::names::{department_namespace, engine_namespace};
use jiyun_tests::{Order, World, WorldError, world::Quota};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::victim::{HOST, SYSTEM, Victim};

/// Our kinds, those of engines, and those by which one could reach either.
const KINDS: [(&str, &str); 28] = [
    ("jiyun.io", "cloudhosts"),
    ("jiyun.io", "networkflows"),
    ("jiyun.io", "informationsystems"),
    ("jiyun.io", "orders"),
    ("jiyun.io", "approvals"),
    ("jiyun.io", "approvallevels"),
    ("jiyun.io", "quotareports"),
    ("jiyun.io", "statements"),
    ("jiyun.io", "departments"),
    ("jiyun.io", "handovers"),
    ("jiyun.io", "computepools"),
    ("jiyun.io", "storagepools"),
    ("jiyun.io", "sites"),
    ("jiyun.io", "approvalpolicies"),
    ("jiyun.io", "poolholders"),
    ("kubevirt.io", "virtualmachines"),
    ("kubevirt.io", "virtualmachineinstances"),
    ("subresources.kubevirt.io", "virtualmachineinstances/console"),
    ("cdi.kubevirt.io", "datavolumes"),
    ("", "pods"),
    ("", "pods/exec"),
    ("", "persistentvolumeclaims"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "serviceaccounts/token"),
    ("", "namespaces"),
    ("rbac.authorization.k8s.io", "rolebindings"),
    ("networking.k8s.io", "networkpolicies"),
];
const VERBS: [&str; 11] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "approve",
    "bind",
    "impersonate",
];

async fn may(client: &Client, group: &str, kind: &str, verb: &str, namespace: &str) -> Result<bool, WorldError> {
    let (resource, subresource) = kind.split_once('/').unwrap_or((kind, ""));
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.into()),
                resource: Some(resource.into()),
                subresource: Some(subresource.into()).filter(|name: &String| !name.is_empty()),
                verb: Some(verb.into()),
                namespace: Some(namespace.into()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::<SelfSubjectAccessReview>::all(client.clone()).create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[tokio::test]
async fn nobody_of_a_department_may_do_anything_to_any_kind_in_another_or_where_machines_live() -> Result<(), WorldError>
{
    let world = World::shared().await?;
    let (victim, attacker) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let places = [
        department_namespace(&victim.name),
        engine_namespace(&victim.name),
        engine_namespace(&attacker.name),
        "jiyun-system".to_owned(),
        "kube-system".to_owned(),
    ];
    for role in ["operator", "reader", "approver"] {
        let token = &world.lab.person(&format!("{}-{role}", attacker.name))?.token;
        let client = world.lab.client_as(token).await?;
        for place in &places {
            for (group, kind) in KINDS {
                for verb in VERBS {
                    let allowed = may(&client, group, kind, verb, place).await?;
                    assert!(!allowed, "a department's {role} may {verb} {kind}.{group} in {place}");
                }
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn wishes_that_reach_into_what_is_the_platforms_are_refused() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let client = world.lab.client_as(&world.lab.person(&format!("{}-operator", attacker.name))?.token).await?;
    let (mine, theirs) = (world.hosts_with(client.clone(), &attacker.name), world.hosts_with(client, victim.name()));
    let create = PostParams::default();
    let object = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut object = Order::new(name, SYSTEM).object(&attacker.name);
        change(&mut object);
        serde_json::from_value(object).unwrap()
    };
    let foreign = serde_json::from_value(Order::new("mine", SYSTEM).object(victim.name())).unwrap();
    theirs.create(&create, &foreign).await.unwrap_err();
    theirs.get(HOST).await.unwrap_err();

    // What is the platform's to write is not taken from anybody else.
    let marked = object("marked", &|object| object["metadata"]["annotations"] = json!({"jiyun.io/handover": "h/x"}));
    let error = mine.create(&create, &marked).await.unwrap_err();
    assert!(error.to_string().contains("jiyun.io/handover"), "{error}");
    let approved = object("approved", &|object| {
        object["status"] = json!({"claimId": "claim-1", "deletionProtection": "Disabled",
            "conditions": [{"type": "Admitted", "status": "True", "reason": "Granted", "message": "",
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    });
    let created = mine.create(&create, &approved).await?;
    assert_eq!(created.status, None, "a status that comes with the wish is dropped");

    // Labels and owners that name somebody else's things change nothing of theirs.
    let uid = world.hosts(victim.name()).await?.get(HOST).await?.metadata.uid.unwrap();
    let adopted = object("adopted", &|object| {
        object["metadata"]["labels"] = json!({"jiyun.io/department": victim.name(), "jiyun.io/claim": "claim-1"});
        object["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost", "name": HOST, "uid": uid}]);
    });
    mine.create(&create, &adopted).await?;
    for patch in [
        json!({"metadata": {"finalizers": null}}),
        json!({"metadata": {"annotations": {"jiyun.io/requested-by": "somebody"}, "finalizers": []}}),
    ] {
        let patched = mine.patch("approved", &PatchParams::default(), &Patch::Merge(&patch)).await;
        assert!(patched.is_err(), "{patch}");
    }
    let status = json!({"status": {"deletionProtection": "Disabled"}});
    mine.patch_status("approved", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap_err();
    victim.is_unharmed().await
}
