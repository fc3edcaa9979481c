//! Attacks past the API, on the API server itself: every kind in a foreign namespace, and wishes that reach too far.

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_crds::names::{department_namespace, engine_namespace};
use jiyun_tests::{Order, World, WorldError, world::Quota};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::super::roles::{Rights, documented};
use super::{
    people::{Program, ROLES, above},
    total::Attempts,
    victim::{HOST, SYSTEM, Victim},
};

/// What of our kinds is written by the platform alone.
const OURS: [&str; 8] = [
    "cloudhosts/status",
    "clouddatabases/status",
    "cloudvolumes/status",
    "cloudbuckets/status",
    "cloudsnapshots/status",
    "networkflows/status",
    "orders/status",
    "approvals/status",
];

/// Kinds of engines, and those by which one could reach them or ours.
const FOREIGN: [(&str, &str); 17] = [
    ("kubevirt.io", "virtualmachines"),
    ("kubevirt.io", "virtualmachineinstances"),
    ("subresources.kubevirt.io", "virtualmachineinstances/console"),
    ("cdi.kubevirt.io", "datavolumes"),
    ("snapshot.storage.k8s.io", "volumesnapshots"),
    ("postgresql.cnpg.io", "clusters"),
    ("objectbucket.io", "objectbucketclaims"),
    ("ceph.rook.io", "cephobjectstoreusers"),
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

/// Questions asked at the same time.
const AT_ONCE: usize = 32;

/// Our kinds as their manifests have them, what is asked about and not stored, and the others.
fn kinds(rights: &Rights) -> Vec<(String, String)> {
    let stored = jiyun_crds::v1alpha1::definitions().into_iter().map(|definition| definition.spec.names.plural);
    let asked_about = rights.keys().map(|(_, resource)| resource.clone());
    let ours: std::collections::BTreeSet<String> =
        stored.chain(asked_about).chain(OURS.iter().map(|kind| (*kind).to_owned())).collect();
    let ours = ours.into_iter().map(|kind| ("jiyun.io".to_owned(), kind));
    ours.chain(FOREIGN.iter().map(|(group, kind)| ((*group).to_owned(), (*kind).to_owned()))).collect()
}

/// Somebody who asks what they may do in places that are not theirs.
struct Asker {
    who: String,
    /// The role they have everywhere, if they have one.
    role: Option<&'static str>,
    client: Client,
    places: Vec<String>,
}

impl Asker {
    /// What the documents let them do: read the catalogue, as everybody may, and what their role has.
    fn may(&self, rights: &Rights, group: &str, kind: &str, verb: &str) -> bool {
        let roles = ["catalogue-reader"].into_iter().chain(self.role);
        let mut granted = roles.filter_map(|role| rights.get(&(role.to_owned(), kind.to_owned())));
        group == "jiyun.io" && granted.any(|verbs| verbs.contains(verb))
    }

    /// Asks everything; gives how often the answer was yes.
    async fn ask(&self, rights: &Rights, attempts: &Attempts) -> Result<usize, WorldError> {
        let mut questions = Vec::new();
        for place in &self.places {
            for (group, kind) in kinds(rights) {
                questions.extend(VERBS.map(|verb| (place.clone(), group.clone(), kind.clone(), verb)));
            }
        }
        let answers = stream::iter(questions)
            .map(|(place, group, kind, verb)| {
                let client = self.client.clone();
                async move {
                    let allowed = may(&client, &group, &kind, verb, &place).await?;
                    Ok::<_, WorldError>((place, group, kind, verb, allowed))
                }
            })
            .buffer_unordered(AT_ONCE);
        let mut granted = 0;
        for (place, group, kind, verb, allowed) in answers.try_collect::<Vec<_>>().await? {
            let at = format!("{} {verb} {kind}.{group} in {place}", self.who);
            if self.may(rights, &group, &kind, verb) {
                assert!(allowed, "{at}: documented, and refused");
                granted += 1;
            } else {
                attempts.refused(!allowed, || at);
            }
        }
        Ok(granted)
    }
}

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
async fn nobody_may_do_more_to_any_kind_in_another_department_or_where_machines_live_than_is_documented()
-> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let (above, rights) = (above(&victim).await?, documented());
    let theirs = vec![department_namespace(victim.name())];
    let far = vec![
        department_namespace(victim.name()),
        engine_namespace(victim.name()),
        engine_namespace(&attacker.name),
        "jiyun-system".to_owned(),
        "kube-system".to_owned(),
    ];
    let mut people = Vec::new();
    for role in ROLES {
        people.push((format!("{}-{role}", attacker.name), None, &far));
        people.push((format!("{}-{role}", above.name), None, &theirs));
    }
    let near = vec![department_namespace(victim.name()), engine_namespace(victim.name())];
    for (name, role) in [("finance", "finance"), ("auditor", "auditor"), ("operator", "platform-operator")] {
        people.push((name.to_owned(), Some(role), &near));
    }
    let mut askers = Vec::new();
    for (who, role, places) in people {
        let client = world.lab.client_as(&world.lab.person(&who)?.token).await?;
        askers.push(Asker { who, role, client, places: places.clone() });
    }
    let program = Program::of(&attacker, "jiyun-department-operator").await?;
    askers.push(Asker {
        who: "a program".to_owned(),
        role: None,
        client: world.lab.client_as(&program.token).await?,
        places: theirs,
    });
    let mut granted = 0;
    for asker in &askers {
        granted += asker.ask(&rights, &attempts).await?;
    }
    assert!(granted > 100, "only {granted} rights: nobody was asked");
    attempts.over(5_000);
    Ok(())
}

#[tokio::test]
async fn wishes_that_reach_into_what_is_the_platforms_are_refused() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
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
    attempts.refused(theirs.create(&create, &foreign).await.is_err(), || "a host in their namespace".to_owned());
    attempts.refused(theirs.get(HOST).await.is_err(), || "a look at their host".to_owned());

    // What is the platform's to write is not taken from anybody else.
    let marked = object("marked", &|object| object["metadata"]["annotations"] = json!({"jiyun.io/handover": "h/x"}));
    let error = mine.create(&create, &marked).await.unwrap_err();
    attempts.refused(error.to_string().contains("jiyun.io/handover"), || format!("a handover's mark: {error}"));
    let approved = object("approved", &|object| {
        object["status"] = json!({"claimId": "claim-1", "deletionProtection": "Disabled",
            "conditions": [{"type": "Admitted", "status": "True", "reason": "Granted", "message": "",
                            "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
    });
    let created = mine.create(&create, &approved).await?;
    // A status that comes with the wish is dropped.
    attempts.refused(created.status.is_none(), || format!("a status with the wish: {:?}", created.status));

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
        attempts.refused(patched.is_err(), || patch.to_string());
    }
    let status = json!({"status": {"deletionProtection": "Disabled"}});
    let patched = mine.patch_status("approved", &PatchParams::default(), &Patch::Merge(&status)).await;
    attempts.refused(patched.is_err(), || status.to_string());
    victim.is_unharmed().await?;
    attempts.over(7);
    Ok(())
}
