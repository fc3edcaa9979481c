//! Server-side apply of many objects in the order of what they depend on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{ApiCapabilities, Scope, pinned_kind};
use serde_json::Value;

use super::InstallError;
use crate::wait::wait_for;

/// Field manager of what the lab installs.
pub(crate) const MANAGER: &str = "jiyun-lab";
/// Objects applied at the same time.
const CONCURRENCY: usize = 8;
/// A definition is served within a second; a busy machine takes longer.
const SERVED: Duration = Duration::from_mins(1);

/// A kind that is not served is either misspelt or defined a moment ago.
const UNKNOWN: Duration = Duration::from_secs(10);

/// Applies objects as administrator.
pub(crate) struct Installer {
    client: Client,
    kinds: Mutex<HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>>,
}

/// What must exist before the rest: lower comes first.
fn stage(kind: &str) -> u8 {
    match kind {
        "Namespace" | "CustomResourceDefinition" => 0,
        "ServiceAccount" | "ClusterRole" | "Role" | "StorageClass" | "PriorityClass" | "ConfigMap" | "Secret" => 1,
        "ClusterRoleBinding" | "RoleBinding" => 2,
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => 3,
        // A policy takes effect with its binding; objects applied after it are seen by it.
        "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => 4,
        _ => 5,
    }
}

impl Installer {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, kinds: Mutex::default() }
    }

    /// Applies all objects; definitions are served when this returns.
    pub(crate) async fn apply(&self, objects: Vec<Value>) -> Result<(), InstallError> {
        let mut stages: [Vec<Value>; 6] = Default::default();
        for object in objects {
            let kind = object["kind"].as_str().unwrap_or_default();
            if let Some(stage) = stages.get_mut(usize::from(stage(kind))) {
                stage.push(object);
            }
        }
        for objects in stages {
            let defined: Vec<(GroupVersionKind, String)> = objects.iter().flat_map(definition).collect();
            stream::iter(objects.into_iter().map(|object| self.apply_one(object)))
                .buffer_unordered(CONCURRENCY)
                .try_collect::<()>()
                .await?;
            self.served(defined).await?;
        }
        Ok(())
    }

    /// Waits until what these definitions define is served; for definitions that are stored already.
    pub(crate) async fn defined(&self, definitions: &[Value]) -> Result<(), InstallError> {
        self.served(definitions.iter().flat_map(definition).collect()).await
    }

    async fn served(&self, kinds: Vec<(GroupVersionKind, String)>) -> Result<(), InstallError> {
        stream::iter(kinds.into_iter().map(|(kind, name)| self.resolve(kind, name, SERVED)))
            .buffer_unordered(CONCURRENCY)
            .try_for_each(|_| async { Ok(()) })
            .await
    }

    async fn apply_one(&self, object: Value) -> Result<(), InstallError> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
        let described = format!("{kind} {namespace}/{name}").replace(" /", " ");
        let (group, version) = match text("/apiVersion").split_once('/') {
            Some((group, version)) => (group.to_owned(), version.to_owned()),
            None => (String::new(), text("/apiVersion")),
        };
        let (resource, capabilities) =
            self.resolve(GroupVersionKind { group, version, kind }, described.clone(), UNKNOWN).await?;
        let client = self.client.clone();
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(client, &resource),
            Scope::Namespaced if namespace.is_empty() => Api::namespaced_with(client, "default", &resource),
            Scope::Namespaced => Api::namespaced_with(client, &namespace, &resource),
        };
        let parameters = PatchParams::apply(MANAGER).force();
        let refused = |source| InstallError::Refused { object: described.clone(), source: Box::new(source) };
        api.patch_metadata(&name, &parameters, &Patch::Apply(&object)).await.map(drop).map_err(refused)
    }

    /// The resource of a kind, which is in discovery once its definition is established. Asked again until then.
    async fn resolve(
        &self,
        kind: GroupVersionKind,
        asker: String,
        deadline: Duration,
    ) -> Result<(ApiResource, ApiCapabilities), InstallError> {
        let known = || self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&kind).cloned() {
            return Ok(found);
        }
        let what = format!("the kind {} ({}) to be served, for {asker}", kind.kind, kind.api_version());
        let found = wait_for(what, deadline, || pinned_kind(&self.client, &kind)).await?;
        known().insert(kind, found.clone());
        Ok(found)
    }
}

/// The kinds a definition defines, with the definition's name; nothing for other objects.
fn definition(object: &Value) -> Vec<(GroupVersionKind, String)> {
    if object["kind"] != "CustomResourceDefinition" {
        return Vec::new();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind) = (text(&object["spec"]["group"]), text(&object["spec"]["names"]["kind"]));
    let name = format!("the definition {}", text(&object["metadata"]["name"]));
    let versions = object["spec"]["versions"].as_array().into_iter().flatten();
    versions
        .filter(|version| version["served"] == true)
        .map(|version| {
            let kind = GroupVersionKind { group: group.clone(), version: text(&version["name"]), kind: kind.clone() };
            (kind, name.clone())
        })
        .collect()
}
