//! Roles of a lab's people in an existing cluster. An account cannot be a member of the groups that an installation and
//! a Department bind to Jiyun's roles, so the lab binds it to the roles its groups would get: the platform's at once, a
//! department's in `dept-<department>` whenever that namespace comes to be. Only namespaces and RBAC are read and written
//! here, never Jiyun's kinds.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::watcher;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::ClusterError;
use super::error::{asked, removed};
use super::marks::PEOPLE;
use crate::install::{InstallError, Installer};
use crate::people::Person;

/// What the namespaces of departments begin with.
const HOME: &str = "dept-";
/// The label of every binding made here.
const LABEL: &str = "lab.jiyun.io/people";
/// Which groups the installation binds to which roles (as `install/people.yaml`): (group, role, binding).
const PLATFORM: [(&str, &str, &str); 3] = [
    ("jiyun:operators", "jiyun-platform-operator", "jiyun-lab-people-operators"),
    ("jiyun:finance", "jiyun-finance", "jiyun-lab-people-finance"),
    ("jiyun:auditors", "jiyun-auditor", "jiyun-lab-people-auditors"),
];
/// Which groups of a department are bound to which roles: (ending of the group, role, binding).
const DEPARTMENT: [(&str, &str, &str); 3] = [
    ("operators", "jiyun-department-operator", "jiyun-lab-people-operators"),
    ("readers", "jiyun-department-reader", "jiyun-lab-people-readers"),
    ("approvers", "jiyun-department-approver", "jiyun-lab-people-approvers"),
];
/// Until a failed attempt is repeated.
const RETRY: Duration = Duration::from_millis(500);

/// Binds the platform's people.
pub(super) async fn bind_platform(client: &Client, people: &[Person]) -> Result<(), ClusterError> {
    Ok(Installer::new(client.clone()).apply(platform(people)).await?)
}

/// Binds departments' people for ever, as their namespaces come and come again.
pub(super) async fn follow(client: Client, people: Arc<[Person]>) {
    let namespaces = Api::<Namespace>::all(client.clone());
    let config = watcher::Config::default().timeout(120);
    let context = Arc::new((Installer::new(client), people));
    Controller::new(namespaces, config)
        .run(
            |namespace, context| async move {
                let (installer, people) = &*context;
                bind(installer, people, &namespace).await.map(|()| Action::await_change())
            },
            |_, _, _| Action::requeue(RETRY),
            context,
        )
        .for_each(|outcome| {
            if let Err(error) = outcome {
                tracing::debug!(%error, "a department's people were not bound; it is tried again");
            }
            std::future::ready(())
        })
        .await;
}

async fn bind(installer: &Installer, people: &[Person], namespace: &Namespace) -> Result<(), InstallError> {
    let name = namespace.name_any();
    match name.strip_prefix(HOME) {
        // What is put into a namespace on its way out vanishes with it; a new one of its name is a change.
        Some(name) if namespace.metadata.deletion_timestamp.is_none() => {
            installer.apply(department(people, name)).await
        }
        _ => Ok(()),
    }
}

/// Removes all bindings of a lab's people.
pub(super) async fn remove(client: &Client) -> Result<(), ClusterError> {
    let ours = ListParams::default().labels(LABEL);
    let everywhere = Api::<RoleBinding>::all(client.clone());
    for binding in asked("list the bindings of people", everywhere.list_metadata(&ours).await)? {
        let (name, namespace) = (binding.name_any(), binding.namespace().unwrap_or_default());
        let api = Api::<RoleBinding>::namespaced(client.clone(), &namespace);
        removed(format!("delete {namespace}/{name}"), api.delete(&name, &DeleteParams::default()).await)?;
    }
    let platform = Api::<ClusterRoleBinding>::all(client.clone());
    for binding in asked("list the bindings of people", platform.list_metadata(&ours).await)? {
        let name = binding.name_any();
        removed(format!("delete {name}"), platform.delete(&name, &DeleteParams::default()).await)?;
    }
    Ok(())
}

/// The bindings of the platform's people: a function of their groups.
fn platform(people: &[Person]) -> Vec<Value> {
    let bindings = PLATFORM.iter().map(|(group, role, name)| {
        binding(
            "ClusterRoleBinding",
            &json!({"name": name, "labels": {(LABEL): "true"}}),
            role,
            &members(people, group),
        )
    });
    bindings.flatten().collect()
}

/// The bindings of a department's people in its namespace: a function of their groups.
fn department(people: &[Person], department: &str) -> Vec<Value> {
    let bindings = DEPARTMENT.iter().map(|(ending, role, name)| {
        let namespace = format!("{HOME}{department}");
        let metadata = json!({"name": name, "namespace": namespace, "labels": {(LABEL): "true"}});
        binding("RoleBinding", &metadata, role, &members(people, &format!("{department}-{ending}")))
    });
    bindings.flatten().collect()
}

/// The department's people, of whichever role.
pub(super) fn of_department<'a>(people: &'a [Person], department: &str) -> Vec<&'a Person> {
    let groups = DEPARTMENT.map(|(ending, _, _)| format!("{department}-{ending}"));
    people.iter().filter(|person| person.groups.iter().any(|group| groups.contains(group))).collect()
}

fn members(people: &[Person], group: &str) -> Vec<Value> {
    let members = people.iter().filter(|person| person.groups.iter().any(|known| known == group));
    members.map(|person| json!({"kind": "ServiceAccount", "name": person.name, "namespace": PEOPLE})).collect()
}

/// Nothing where there is nobody to bind.
fn binding(kind: &str, metadata: &Value, role: &str, subjects: &[Value]) -> Option<Value> {
    (!subjects.is_empty()).then(|| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> Vec<Person> {
        let person = |(name, groups): (&str, &[&str])| Person {
            name: name.into(),
            user: name.into(),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            token: String::new(),
        };
        [
            ("operator", &["jiyun:operators"][..]),
            ("auditor", &["jiyun:auditors"]),
            ("culture-operator", &["culture-operators"]),
            ("mayor", &["culture-operators", "health-readers"]),
        ]
        .map(person)
        .into()
    }

    fn names(binding: &Value) -> Vec<&str> {
        let subjects = binding["subjects"].as_array().into_iter().flatten();
        subjects.filter_map(|subject| subject["name"].as_str()).collect()
    }

    #[test]
    fn groups_decide_who_is_bound_to_what_and_where() {
        let people = people();
        let platform = platform(&people);
        assert_eq!((platform.len(), names(&platform[0])), (2, vec!["operator"]));
        assert_eq!(platform[0]["roleRef"]["name"], "jiyun-platform-operator");
        assert_eq!((&platform[1]["roleRef"]["name"], names(&platform[1])), (&json!("jiyun-auditor"), vec!["auditor"]));

        let culture = department(&people, "culture");
        assert_eq!((culture.len(), names(&culture[0])), (1, vec!["culture-operator", "mayor"]));
        assert_eq!(culture[0]["metadata"]["namespace"], "dept-culture");
        assert_eq!(department(&people, "health")[0]["roleRef"]["name"], "jiyun-department-reader");
        assert!(department(&people, "finance").is_empty());
        assert_eq!(of_department(&people, "culture").len(), 2);
    }
}
