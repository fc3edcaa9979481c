//! Departments are kept apart, from each other and from what carries their machines: every role, verb, resource and
//! namespace is asked about, and the wall behind the roles is tried as whoever may do everything.

use futures::{StreamExt, TryStreamExt, stream};
use jiyun_tests::{World, WorldError, world::Quota};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::{
    Api, Client, ResourceExt,
    api::{DynamicObject, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};

use super::roles::{Rights, documented, group_of};

const VERBS: [&str; 8] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/// What further verbs mean something for, by group.
fn further(group: &str) -> &'static [&'static str] {
    match group {
        "" => &["impersonate"],
        "rbac.authorization.k8s.io" => &["bind", "escalate"],
        "jiyun.io" => &["guard", "approve"],
        _ => &[],
    }
}

/// What is Kubernetes' and the engines' own: (group, resource, subresource).
const FOREIGN: [(&str, &str, &str); 33] = [
    ("", "pods", ""),
    ("", "pods", "exec"),
    ("", "pods", "log"),
    ("", "persistentvolumeclaims", ""),
    ("", "secrets", ""),
    ("", "configmaps", ""),
    ("", "events", ""),
    ("", "serviceaccounts", ""),
    ("", "serviceaccounts", "token"),
    ("", "services", ""),
    ("", "namespaces", ""),
    ("", "users", ""),
    ("", "groups", ""),
    ("apps", "deployments", ""),
    ("batch", "jobs", ""),
    ("networking.k8s.io", "networkpolicies", ""),
    ("rbac.authorization.k8s.io", "roles", ""),
    ("rbac.authorization.k8s.io", "rolebindings", ""),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies", ""),
    ("kubevirt.io", "virtualmachines", ""),
    ("kubevirt.io", "virtualmachineinstances", ""),
    ("subresources.kubevirt.io", "virtualmachineinstances", "console"),
    ("subresources.kubevirt.io", "virtualmachineinstances", "vnc"),
    ("cdi.kubevirt.io", "datavolumes", ""),
    ("snapshot.storage.k8s.io", "volumesnapshots", ""),
    ("snapshot.storage.k8s.io", "volumesnapshotcontents", ""),
    ("postgresql.cnpg.io", "clusters", ""),
    ("objectbucket.io", "objectbucketclaims", ""),
    ("objectbucket.io", "objectbuckets", ""),
    ("ceph.rook.io", "cephobjectstoreusers", ""),
    ("kubeovn.io", "vpcs", ""),
    ("kubeovn.io", "subnets", ""),
    ("jiyun.io", "cloudhosts", "status"),
];

/// Questions asked at the same time.
const AT_ONCE: usize = 32;

struct Question {
    role: &'static str,
    namespace: String,
    group: String,
    resource: String,
    subresource: String,
    verb: String,
}

impl Question {
    /// What the documents say: rights on Jiyun's own kinds and on credentials, in the department's own namespace, and the
    /// catalogue.
    fn expected(&self, rights: &Rights, own: &str) -> bool {
        let says =
            |role: &str| rights.get(&(role.to_owned(), self.named())).is_some_and(|verbs| verbs.contains(&self.verb));
        self.group == group_of(&self.resource)
            && (says("catalogue-reader") || self.namespace == own && says(&format!("department-{}", self.role)))
    }

    /// The resource as roles and documents name it.
    fn named(&self) -> String {
        if self.subresource.is_empty() {
            return self.resource.clone();
        }
        format!("{}/{}", self.resource, self.subresource)
    }

    async fn ask(&self, client: Client) -> Result<bool, WorldError> {
        let attributes = ResourceAttributes {
            namespace: Some(self.namespace.clone()),
            group: Some(self.group.clone()),
            resource: Some(self.resource.clone()),
            subresource: Some(self.subresource.clone()).filter(|name| !name.is_empty()),
            verb: Some(self.verb.clone()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
            ..SelfSubjectAccessReview::default()
        };
        let answer = Api::<SelfSubjectAccessReview>::all(client).create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

/// Every role, verb and resource in the namespaces of departments and machines, and where none is named.
fn questions(role: &'static str, namespaces: &[String], rights: &Rights) -> Vec<Question> {
    let own = rights.keys().map(|(_, resource)| resource.as_str()).collect::<std::collections::BTreeSet<_>>();
    let own = own.into_iter().map(|named| {
        let (resource, part) = named.split_once('/').unwrap_or((named, ""));
        (group_of(resource), resource, part)
    });
    let resources: Vec<_> = FOREIGN.into_iter().chain(own).collect();
    let mut questions = Vec::new();
    for namespace in namespaces {
        for (group, resource, subresource) in &resources {
            for verb in VERBS.iter().chain(further(group)) {
                questions.push(Question {
                    role,
                    namespace: namespace.clone(),
                    group: (*group).to_owned(),
                    resource: (*resource).to_owned(),
                    subresource: (*subresource).to_owned(),
                    verb: (*verb).to_owned(),
                });
            }
        }
    }
    questions
}

#[tokio::test]
async fn departments_people_may_do_what_the_documents_say_and_nothing_else_anywhere() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (bureau, other) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let own = format!("dept-{}", bureau.name);
    let namespaces = [
        own.clone(),
        format!("engine-{}", bureau.name),
        format!("dept-{}", other.name),
        format!("engine-{}", other.name),
        "jiyun-system".to_owned(),
        // Everywhere at once.
        String::new(),
    ];
    let rights = documented();
    let mut wrong = Vec::new();
    let mut allowed = 0;
    for role in ["reader", "operator", "approver"] {
        let client = world.lab.client_as(&world.lab.person(&format!("{}-{role}", bureau.name))?.token).await?;
        let answers = stream::iter(questions(role, &namespaces, &rights))
            .map(|question| {
                let client = client.clone();
                async move { question.ask(client).await.map(|answer| (question, answer)) }
            })
            .buffer_unordered(AT_ONCE);
        for (question, answer) in answers.try_collect::<Vec<_>>().await? {
            allowed += usize::from(answer);
            if answer != question.expected(&rights, &own) {
                let Question { namespace, group, resource, subresource, verb, .. } = question;
                wrong.push(format!("{role} {verb} {resource}/{subresource}.{group} in {namespace:?}: {answer}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(allowed > 100, "only {allowed} rights: nobody was asked");
    Ok(())
}

#[tokio::test]
async fn pod_security_takes_only_what_is_harmless_where_people_are_and_what_machines_need_where_engines_are()
-> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let namespaces = Api::<Namespace>::all(world.lab.client().await?);
    for (place, level) in [("dept", "restricted"), ("engine", "privileged")] {
        let found = namespaces.get(&format!("{place}-{}", bureau.name)).await?;
        let enforced = found.labels().get("pod-security.kubernetes.io/enforce");
        assert_eq!(enforced.map(String::as_str), Some(level), "{place}: {:?}", found.labels());
    }
    Ok(())
}

fn object(api_version: &str, kind: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "intruder"}});
    object["spec"] = spec;
    object
}

#[tokio::test]
async fn nothing_that_runs_and_no_disk_comes_into_a_departments_namespace_by_anybody() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    // As harmless as Pod Security asks for there: it is not that which refuses.
    let security = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    let container = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "a", "image": "a", "securityContext": security}],
    });
    let pod = json!({"metadata": {"labels": {"a": "a"}}, "spec": container});
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let machine = json!({"runStrategy": "Halted", "template": {"spec": {"domain": {"devices": {}}}}});
    let cases = [
        ("pods", object("v1", "Pod", container.clone())),
        ("persistentvolumeclaims", object("v1", "PersistentVolumeClaim", claim.clone())),
        (
            "deployments",
            object("apps/v1", "Deployment", json!({"selector": {"matchLabels": {"a": "a"}}, "template": pod})),
        ),
        ("virtualmachines", object("kubevirt.io/v1", "VirtualMachine", machine)),
        (
            "virtualmachineinstances",
            object("kubevirt.io/v1", "VirtualMachineInstance", json!({"domain": {"devices": {}}})),
        ),
        (
            "datavolumes",
            object("cdi.kubevirt.io/v1beta1", "DataVolume", json!({"source": {"blank": {}}, "pvc": claim})),
        ),
        (
            "volumesnapshots",
            object(
                "snapshot.storage.k8s.io/v1",
                "VolumeSnapshot",
                json!({"volumeSnapshotClassName": "standard", "source": {"persistentVolumeClaimName": "a"}}),
            ),
        ),
    ];
    let client = world.lab.client().await?;
    // The administrator, who may do everything, and the platform's own controller.
    let dry = PostParams { dry_run: true, ..PostParams::default() };
    for (plural, object) in cases {
        let object: DynamicObject = serde_json::from_value(object).map_err(std::io::Error::other)?;
        let types = object.types.clone().unwrap_or_default();
        let kind = GroupVersionKind::try_from(&types).map_err(std::io::Error::other)?;
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        let create = async |namespace: &str| {
            Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource).create(&dry, &object).await
        };
        let refused = create(&format!("dept-{}", bureau.name)).await.unwrap_err();
        assert!(refused.to_string().contains("holds requests only"), "{plural}: {refused}");
        // Where machines live it is not this wall that stands in the way.
        if let Err(error) = create(&format!("engine-{}", bureau.name)).await {
            assert!(!error.to_string().contains("holds requests only"), "{plural}: {error}");
        }
    }
    Ok(())
}
