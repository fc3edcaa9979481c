//! What a department gets in Kubernetes: two namespaces, its people's rights, and a wall that lets nothing through.

use std::fmt::Debug;

use jiyun_crds::{
    names::{LABEL_DEPARTMENT, LABEL_MANAGED_BY, MANAGED_BY, department_namespace, engine_namespace},
    v1alpha1::Department,
};
use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy, rbac::v1::RoleBinding};
use kube::{Api, Resource, ResourceExt, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::access::{Access, Subject};
use crate::{context::Context, error::ReconcileError};

/// The controller's own account.
const CONTROLLER: &str = "jiyun-controller";

/// The API's own account: it reaches consoles, and has no other right.
const API: &str = "jiyun-api";

/// All children of one department, ready for server-side apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    namespaces: Vec<Value>,
    role_bindings: Vec<Value>,
    own_bindings: Vec<Value>,
    walls: Vec<Value>,
}

impl Children {
    /// The children of `department`, where these have access, of a platform that lives in the namespace `platform`.
    pub fn of(department: &Department, access: &Access, platform: &str) -> Self {
        let name = department.name_any();
        let (home, engines) = (department_namespace(&name), engine_namespace(&name));
        let roles = [("reader", &access.readers), ("operator", &access.operators), ("approver", &access.approvers)];
        Self {
            // The engines' first: as soon as people can order, there is a place for what they order.
            namespaces: vec![namespace(&engines, &name, "privileged"), namespace(&home, &name, "restricted")],
            role_bindings: roles.map(|(role, subjects)| role_binding(&home, &name, role, subjects)).into(),
            own_bindings: vec![
                own_binding(&engines, &name, "credentials-reader", CONTROLLER, platform),
                own_binding(&engines, &name, "bucket-keys", CONTROLLER, platform),
                own_binding(&engines, &name, "consoles", API, platform),
                own_binding(&home, &name, "credentials-writer", CONTROLLER, platform),
            ],
            walls: vec![wall(&home, &name), wall(&engines, &name), import_gate(&engines, &name)],
        }
    }

    /// Whether the namespaces are free or this department's already: a namespace of somebody else is not taken over.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn belong_to(&self, department: &str, context: &Context) -> Result<bool, ReconcileError> {
        let api = Api::<Namespace>::all(context.client.clone());
        for namespace in self.namespaces.iter().map(name_of) {
            let found = api.get_opt(namespace).await.map_err(|source| ReconcileError::read(namespace, source))?;
            // One that is on its way out is not ours any more: what is put into it vanishes with it.
            if found.is_some_and(|found| !is_of(&found, department) || found.metadata.deletion_timestamp.is_some()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes all children what they should be. Each is read and compared, so a wall taken down or a right given by
    /// hand is put right, and nothing is written where nothing differs.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn apply(&self, context: &Context) -> Result<(), ReconcileError> {
        // Destructured without `..`: a new kind of child must be applied before this compiles.
        let Self { namespaces, role_bindings, own_bindings, walls } = self;
        for object in namespaces {
            ensure(&Api::<Namespace>::all(context.client.clone()), object, context).await?;
        }
        for object in role_bindings.iter().chain(own_bindings) {
            ensure_in::<RoleBinding>(object, context).await?;
        }
        for object in walls {
            ensure_in::<NetworkPolicy>(object, context).await?;
        }
        Ok(())
    }
}

impl Children {
    /// [`Children::apply`] for the engines' namespace alone: of a department that is gone but for machines that it handed
    /// over.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn apply_to_engines(&self, context: &Context) -> Result<(), ReconcileError> {
        let Some(engines) = self.namespaces.first() else { return Ok(()) };
        ensure(&Api::<Namespace>::all(context.client.clone()), engines, context).await?;
        let home = Some(name_of(engines));
        let there = |child: &&Value| child.pointer("/metadata/namespace").and_then(Value::as_str) == home;
        for binding in self.own_bindings.iter().filter(there) {
            ensure_in::<RoleBinding>(binding, context).await?;
        }
        for wall in self.walls.iter().filter(there) {
            ensure_in::<NetworkPolicy>(wall, context).await?;
        }
        Ok(())
    }
}

async fn ensure_in<K>(object: &Value, context: &Context) -> Result<(), ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
{
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    ensure(&Api::<K>::namespaced(context.client.clone(), namespace), object, context).await
}

async fn ensure<K>(api: &Api<K>, object: &Value, context: &Context) -> Result<(), ReconcileError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
{
    let name = name_of(object);
    let found = api.get_opt(name).await.map_err(|source| ReconcileError::read(name, source))?;
    let stands = match found {
        Some(found) => contains(&serde_json::to_value(&found)?, object),
        None => false,
    };
    if !stands {
        context.writer.apply(api, name, object).await?;
    }
    Ok(())
}

/// Whether everything `desired` says is so in `actual`, which may say more (defaults, status). Lists must be equal in
/// length: a subject added to a binding is a difference. An empty list may be absent: the API server drops it.
fn contains(actual: &Value, desired: &Value) -> bool {
    match (actual, desired) {
        (Value::Object(actual), Value::Object(desired)) => desired.iter().all(|(key, wanted)| {
            ["apiVersion", "kind"].contains(&key.as_str())
                || actual.get(key).map_or_else(|| is_empty(wanted), |found| contains(found, wanted))
        }),
        (Value::Array(actual), Value::Array(desired)) => {
            actual.len() == desired.len() && actual.iter().zip(desired).all(|(found, wanted)| contains(found, wanted))
        }
        _ => actual == desired,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// Whether a namespace is this department's.
pub fn is_of(namespace: &Namespace, department: &str) -> bool {
    namespace.labels().get(LABEL_DEPARTMENT).is_some_and(|labelled| labelled == department)
}

fn name_of(object: &Value) -> &str {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
}

/// `level` is the Pod Security level enforced: people's namespaces hold no pods at all, and would take only harmless
/// ones; launcher pods of machines need more, in a namespace where nobody but engines may create any.
fn namespace(name: &str, department: &str, level: &str) -> Value {
    let mut labels = labels(department);
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("pod-security.kubernetes.io/enforce".to_owned(), level.into());
    }
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
}

/// A binding without subjects stays, empty: removing a role's last group must take the right away.
fn role_binding(namespace: &str, department: &str, role: &str, subjects: &[Subject]) -> Value {
    let bound = |subject: &Subject| {
        let (kind, name) = match subject {
            Subject::Group(name) => ("Group", name),
            Subject::User(name) => ("User", name),
        };
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name})
    };
    let subjects: Vec<_> = subjects.iter().map(bound).collect();
    let name = format!("jiyun-department-{role}");
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(department)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": subjects,
    })
}

/// A right of the platform itself that it has in a department's namespace and nowhere else: what databases are signed in
/// with is read where the engine makes it, key pairs of buckets are made there, and both are written where the department finds
/// them; consoles of machines are opened there, by the API.
fn own_binding(namespace: &str, department: &str, role: &str, account: &str, platform: &str) -> Value {
    let name = format!("jiyun-{role}");
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(department)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": platform}],
    })
}

/// Nothing in, nothing out, until a flow is declared.
fn wall(namespace: &str, department: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "jiyun-default-deny", "namespace": namespace, "labels": labels(department)},
        // The empty lists are ours as well: an exception added by hand is a difference.
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []},
    })
}

/// Engines import images by pods in the engine namespace, where nobody but engines makes any; what they fetch is named
/// by the catalogue, not by departments. Without this gate the wall would keep every disk empty.
fn import_gate(namespace: &str, department: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "jiyun-image-import", "namespace": namespace, "labels": labels(department)},
        "spec": {
            // CDI labels its importer pods so (`pkg/controller/import-controller.go`).
            "podSelector": {"matchLabels": {"cdi.kubevirt.io": "importer"}},
            "policyTypes": ["Egress"],
            "egress": [{}],
        },
    })
}

fn labels(department: &str) -> Value {
    json!({(LABEL_DEPARTMENT): department, (LABEL_MANAGED_BY): MANAGED_BY})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(operators: &[&str]) -> Children {
        let department: Department = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": "finance"},
            "spec": {"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"],
                     "access": {"operators": operators}},
        }))
        .unwrap();
        Children::of(&department, &Access::of(&department, &[], jiff::Timestamp::UNIX_EPOCH), "jiyun-system")
    }

    #[test]
    fn people_get_rights_in_their_own_namespace_and_none_where_machines_live() {
        let children = children(&["finance-operators"]);
        assert!(children.role_bindings.iter().all(|binding| binding["metadata"]["namespace"] == "dept-finance"));
        let operator = &children.role_bindings[1];
        assert_eq!(operator["roleRef"]["name"], "jiyun-department-operator");
        assert_eq!(operator["subjects"][0]["name"], "finance-operators");
    }

    #[test]
    fn people_may_bring_in_nothing_that_is_not_harmless_and_the_engines_what_machines_need() {
        let children = children(&[]);
        let enforced: Vec<_> = children
            .namespaces
            .iter()
            .map(|space| (name_of(space), &space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]))
            .collect();
        assert_eq!(enforced, [("engine-finance", &json!("privileged")), ("dept-finance", &json!("restricted"))]);
        // A level relaxed by hand is a difference, which the next look puts right.
        let mut relaxed = children.namespaces[1].clone();
        relaxed["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = json!("baseline");
        assert!(!contains(&relaxed, &children.namespaces[1]));
    }

    #[test]
    fn the_platform_reads_credentials_and_makes_key_pairs_in_one_namespace_and_writes_them_in_the_other() {
        let bindings = children(&[]).own_bindings;
        let told: Vec<_> = bindings.iter().map(|it| (&it["metadata"]["namespace"], &it["roleRef"]["name"])).collect();
        let (reader, writer) = (json!("jiyun-credentials-reader"), json!("jiyun-credentials-writer"));
        let (engines, home, keys) = (json!("engine-finance"), json!("dept-finance"), json!("jiyun-bucket-keys"));
        let consoles = json!("jiyun-consoles");
        assert_eq!(told, [(&engines, &reader), (&engines, &keys), (&engines, &consoles), (&home, &writer)]);
        assert!(bindings.iter().all(|it| it["subjects"].as_array().unwrap().len() == 1));
        let of_api = bindings.iter().filter(|it| it["subjects"][0]["name"] == "jiyun-api");
        assert!(of_api.map(|it| &it["roleRef"]["name"]).eq([&consoles]), "the API opens consoles and nothing else");
    }

    #[test]
    fn both_namespaces_are_walled_in() {
        let children = children(&[]);
        let walled: Vec<_> = children.walls.iter().map(|wall| wall["metadata"]["namespace"].clone()).collect();
        assert_eq!(walled, ["dept-finance", "engine-finance", "engine-finance"]);
        assert!(children.walls[..2].iter().all(|wall| wall["spec"]["policyTypes"] == json!(["Ingress", "Egress"])));
    }

    #[test]
    fn a_subject_added_by_hand_is_a_difference_and_a_default_is_none() {
        let desired = json!({"kind": "RoleBinding", "subjects": [{"kind": "Group", "name": "a"}], "labels": {}});
        let as_read = json!({"subjects": [{"kind": "Group", "name": "a", "apiGroup": "rbac"}], "metadata": {}});
        assert!(contains(&as_read, &desired));
        let with_another = json!({"subjects": [{"kind": "Group", "name": "a"}, {"kind": "Group", "name": "b"}]});
        assert!(!contains(&with_another, &desired));
        assert!(!contains(&json!({}), &desired));
        assert!(contains(&json!({}), &json!({"subjects": []})), "the API server drops an empty list");
    }

    #[test]
    fn importers_get_out_and_nothing_else_does() {
        let children = children(&[]);
        let gate = &children.walls[2];
        assert_eq!(gate["metadata"]["namespace"], "engine-finance");
        assert_eq!(gate["spec"]["podSelector"]["matchLabels"], json!({"cdi.kubevirt.io": "importer"}));
    }
}
