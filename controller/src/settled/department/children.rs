//! What a department gets in Kubernetes: two namespaces, its people's rights, and a wall that lets nothing through.

use jiyun_crds::{
    names::{LABEL_DEPARTMENT, LABEL_MANAGED_BY, MANAGED_BY, department_namespace, engine_namespace},
    v1alpha1::Department,
};
use k8s_openapi::api::{core::v1::Namespace, networking::v1::NetworkPolicy, rbac::v1::RoleBinding};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::APPLIED;
use crate::{context::Context, engines::applied, error::ReconcileError, write::WriteError};

/// All children of one department, ready for server-side apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    home: String,
    namespaces: Vec<Value>,
    role_bindings: Vec<Value>,
    walls: Vec<Value>,
}

impl Children {
    /// The children of `department`: a function of its spec.
    pub fn of(department: &Department) -> Self {
        let name = department.name_any();
        let (home, engines) = (department_namespace(&name), engine_namespace(&name));
        let access = &department.spec.access;
        let roles = [("reader", &access.readers), ("operator", &access.operators), ("approver", &access.approvers)];
        Self {
            namespaces: vec![namespace(&home, &name, "restricted"), namespace(&engines, &name, "privileged")],
            role_bindings: roles.map(|(role, groups)| role_binding(&home, &name, role, groups)).into(),
            walls: vec![wall(&home, &name), wall(&engines, &name)],
            home,
        }
    }

    /// Whether the namespaces are free or this department's already: a namespace of somebody else is not taken over.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn belong_to(&self, department: &str, context: &Context) -> Result<bool, ReconcileError> {
        let api = Api::<Namespace>::all(context.client.clone());
        for namespace in [&self.home, &engine_namespace(department)] {
            let found = api.get_opt(namespace).await.map_err(|source| ReconcileError::read(namespace, source))?;
            if found.is_some_and(|found| !is_of(&found, department)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Applies what changed since the last time. The mark on the namespace is set last, so that an interruption is
    /// made good by the next run.
    ///
    /// # Errors
    /// When a request fails.
    pub async fn apply(&self, context: &Context) -> Result<(), ReconcileError> {
        let namespaces = Api::<Namespace>::all(context.client.clone());
        let Some(home) = self.namespaces.first() else { return Ok(()) };
        let marked = self.marked(home);
        let found = namespaces.get_opt(&self.home).await.map_err(|source| ReconcileError::read(&self.home, source))?;
        if found.is_some_and(|found| applied::is_applied(&found.metadata, &marked)) {
            return Ok(());
        }
        for object in &self.namespaces {
            context.writer.apply(&namespaces, name_of(object), object).await?;
        }
        for object in &self.role_bindings {
            apply_in::<RoleBinding>(context, object).await?;
        }
        for object in &self.walls {
            apply_in::<NetworkPolicy>(context, object).await?;
        }
        context.writer.apply(&namespaces, &self.home, &marked).await?;
        Ok(())
    }

    /// The home namespace with the fingerprint of all children.
    fn marked(&self, home: &Value) -> Value {
        let all = json!({
            "metadata": {}, "namespaces": self.namespaces, "roleBindings": self.role_bindings, "walls": self.walls,
        });
        let fingerprint = applied::stamped(all);
        let mut marked = home.clone();
        if let Some(metadata) = marked.get_mut("metadata").and_then(Value::as_object_mut) {
            let mark = fingerprint.pointer("/metadata/annotations").and_then(|all| all.get(APPLIED)).cloned();
            metadata.insert("annotations".to_owned(), json!({(APPLIED): mark}));
        }
        marked
    }
}

async fn apply_in<K>(context: &Context, object: &Value) -> Result<(), WriteError>
where
    K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let namespace = object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
    let api = Api::<K>::namespaced(context.client.clone(), namespace);
    context.writer.apply(&api, name_of(object), object).await.map(drop)
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

/// A binding without groups stays, empty: removing a role's last group must take the right away.
fn role_binding(namespace: &str, department: &str, role: &str, groups: &[String]) -> Value {
    let subjects: Vec<_> = groups
        .iter()
        .map(|group| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}))
        .collect();
    let name = format!("jiyun-department-{role}");
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace, "labels": labels(department)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": subjects,
    })
}

/// Nothing in, nothing out, until a flow is declared.
fn wall(namespace: &str, department: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "jiyun-default-deny", "namespace": namespace, "labels": labels(department)},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    })
}

fn labels(department: &str) -> Value {
    json!({(LABEL_DEPARTMENT): department, (LABEL_MANAGED_BY): MANAGED_BY})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn department(operators: &[&str]) -> Department {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": "finance"},
            "spec": {"displayName": "财政局", "code": "105", "billingAccount": "105", "zones": ["extranet"],
                     "access": {"operators": operators}},
        }))
        .unwrap()
    }

    #[test]
    fn people_get_rights_in_their_own_namespace_and_none_where_machines_live() {
        let children = Children::of(&department(&["finance-operators"]));
        assert!(children.role_bindings.iter().all(|binding| binding["metadata"]["namespace"] == "dept-finance"));
        let operator = &children.role_bindings[1];
        assert_eq!(operator["roleRef"]["name"], "jiyun-department-operator");
        assert_eq!(operator["subjects"][0]["name"], "finance-operators");
    }

    #[test]
    fn both_namespaces_are_walled_in() {
        let children = Children::of(&department(&[]));
        let walled: Vec<_> = children.walls.iter().map(|wall| wall["metadata"]["namespace"].clone()).collect();
        assert_eq!(walled, ["dept-finance", "engine-finance"]);
        assert!(children.walls.iter().all(|wall| wall["spec"]["policyTypes"] == json!(["Ingress", "Egress"])));
    }

    #[test]
    fn a_changed_group_changes_the_mark_and_nothing_else_does() {
        let mark = |department: &Department| {
            let children = Children::of(department);
            children.marked(&children.namespaces[0])["metadata"]["annotations"].clone()
        };
        let before = department(&["a"]);
        let mut renamed = before.clone();
        renamed.spec.display_name = "财政与国资局".into();
        assert_eq!(mark(&before), mark(&renamed));
        assert_ne!(mark(&before), mark(&department(&["b"])));
    }
}
