//! Every changing request to Kubernetes goes through here: server-side apply under our field manager, with a deadline,
//! counted.

use std::{fmt::Debug, time::Duration};

use jiyun_trail::{Unwritable, core::outcome::Outcome};
use kube::{
    Api, Resource,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use thiserror::Error;

use crate::{
    metrics::Metrics,
    trail::{Begun, Recorder},
};

/// Our name in `managedFields`.
pub const FIELD_MANAGER: &str = "jiyun-controller";

/// A request may be retried inside the client for minutes; this bounds it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Why a request did not succeed.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The API server refused it or could not be reached.
    #[error("{verb} of {kind} {name} failed")]
    Api {
        /// Verb, such as `apply`.
        verb: &'static str,
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// What is to be done cannot be recorded, so it is not done.
    #[error("{kind} {name} is not deleted: it cannot be recorded in the audit trail")]
    Unrecorded {
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: Unwritable,
    },
    /// It did not answer in time; whether it took effect is unknown, and it is safe to repeat.
    #[error("{verb} of {kind} {name} did not answer within {} s", DEADLINE.as_secs())]
    Timeout {
        /// Verb, such as `apply`.
        verb: &'static str,
        /// Kind of the object.
        kind: String,
        /// Its name.
        name: String,
    },
}

impl WriteError {
    /// The HTTP status code of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            Self::Timeout { .. } | Self::Unrecorded { .. } => None,
        }
    }
}

/// Sends changing requests and counts them.
#[derive(Clone, Debug)]
pub struct Writer {
    metrics: Metrics,
    trail: Recorder,
}

impl Writer {
    /// A writer that counts into `metrics` and records in `trail`.
    pub fn new(metrics: Metrics, trail: Recorder) -> Self {
        Self { metrics, trail }
    }

    /// What it records in.
    pub fn trail(&self) -> &Recorder {
        &self.trail
    }

    /// Applies `object` (server-side, forced: we own what we send) and returns what is stored now.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn apply<K>(&self, api: &Api<K>, name: &str, object: &Value) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.sent("apply", K::kind(&()).into_owned(), name, api.patch(name, &parameters, &Patch::Apply(object))).await
    }

    /// Creates `object`, where one that is there already must not be taken over: then it fails with status 409.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn create<K>(&self, api: &Api<K>, object: &K) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let name = object.meta().name.clone().unwrap_or_default();
        let parameters = PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() };
        self.sent("create", K::kind(&()).into_owned(), &name, api.create(&parameters, object)).await
    }

    /// Applies `status` to the status subresource.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn apply_status<K>(&self, api: &Api<K>, name: &str, status: &Value) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.apply_status_as(FIELD_MANAGER, api, name, status).await
    }

    /// [`Writer::apply_status`], if the object still is the one that was read (`resourceVersion`).
    ///
    /// # Errors
    /// See [`WriteError`]; status 409 if it is not.
    pub async fn apply_status_at<K>(&self, api: &Api<K>, object: &K, status: &Value) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let meta = object.meta();
        let name = meta.name.clone().unwrap_or_default();
        let metadata = json!({"name": name, "uid": meta.uid, "resourceVersion": meta.resource_version});
        let object = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata, "status": status,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&object);
        let sending = api.patch_status(&name, &parameters, &patch);
        self.sent("status", K::kind(&()).into_owned(), &name, sending).await
    }

    /// [`Writer::apply_status`] under another field manager: for a part of a status that is not written with the rest.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn apply_status_as<K>(
        &self,
        manager: &str,
        api: &Api<K>,
        name: &str,
        status: &Value,
    ) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let object = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "status": status,
        });
        let parameters = PatchParams::apply(manager).force();
        self.sent(
            "status",
            K::kind(&()).into_owned(),
            name,
            api.patch_status(name, &parameters, &Patch::Apply(&object)),
        )
        .await
    }

    /// Sets labels of an object, if it still is the one that was read (`resourceVersion`), and nothing else.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn relabel<K>(&self, api: &Api<K>, object: &K, labels: &Value) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.merge("label", api, object, json!({"labels": labels})).await
    }

    /// Sets an annotation of an object, or takes it off, if it still is the one that was read (`resourceVersion`).
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn annotate<K>(&self, api: &Api<K>, object: &K, name: &str, value: Option<&str>) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.merge("annotate", api, object, json!({"annotations": {name: value}})).await
    }

    async fn merge<K>(&self, verb: &'static str, api: &Api<K>, object: &K, mut metadata: Value) -> Result<K, WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let meta = object.meta();
        let name = meta.name.clone().unwrap_or_default();
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.insert("uid".to_owned(), json!(meta.uid));
            metadata.insert("resourceVersion".to_owned(), json!(meta.resource_version));
        }
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({"metadata": metadata}));
        self.sent(verb, K::kind(&()).into_owned(), &name, api.patch(&name, &parameters, &patch)).await
    }

    /// Takes `finalizer` off, if the object still is the one that was read (`resourceVersion`). Gone already is success.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn remove_finalizer<K>(&self, api: &Api<K>, object: &K, finalizer: &str) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let meta = object.meta();
        let name = meta.name.clone().unwrap_or_default();
        let kept: Vec<_> = meta.finalizers.iter().flatten().filter(|present| *present != finalizer).collect();
        let patch = json!({"metadata": {"finalizers": kept, "resourceVersion": meta.resource_version}});
        let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.into()), ..PatchParams::default() };
        let outcome = self
            .sent("finalizer", K::kind(&()).into_owned(), &name, api.patch(&name, &parameters, &Patch::Merge(&patch)))
            .await;
        gone_is_success(outcome.map(drop))
    }

    /// Deletes exactly the object that was read: another one of its name (another UID), or a later version of it that
    /// somebody changed meanwhile, is refused by the API server. Gone already is success.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn delete<K>(&self, api: &Api<K>, object: &K) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let recorded = self.trail.deleting(object).await;
        self.delete_recorded(api, object, recorded).await
    }

    /// [`Writer::delete`] of what was recorded as something else than a deletion.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn delete_recorded<K>(
        &self,
        api: &Api<K>,
        object: &K,
        recorded: Result<Begun, Unwritable>,
    ) -> Result<(), WriteError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let (meta, kind) = (object.meta(), K::kind(&()).into_owned());
        let name = meta.name.clone().unwrap_or_default();
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: meta.uid.clone(),
                resource_version: meta.resource_version.clone(),
            }),
            propagation_policy: Some(PropagationPolicy::Background),
            ..DeleteParams::default()
        };
        let begun =
            recorded.map_err(|source| WriteError::Unrecorded { kind: kind.clone(), name: name.clone(), source })?;
        let deleted = gone_is_success(self.sent("delete", kind, &name, api.delete(&name, &parameters)).await.map(drop));
        let outcome = deleted.as_ref().map_or_else(|error| Outcome::failed(error.to_string()), |()| Outcome::Succeeded);
        begun.ended(outcome).await;
        deleted
    }

    async fn sent<T>(
        &self,
        verb: &'static str,
        kind: String,
        name: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, WriteError> {
        let outcome = tokio::time::timeout(DEADLINE, request).await;
        self.metrics.wrote(&kind, verb, matches!(outcome, Ok(Ok(_))));
        match outcome {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(source)) => Err(WriteError::Api { verb, kind, name: name.to_owned(), source: Box::new(source) }),
            Err(_) => Err(WriteError::Timeout { verb, kind, name: name.to_owned() }),
        }
    }
}

fn gone_is_success(outcome: Result<(), WriteError>) -> Result<(), WriteError> {
    match outcome {
        Err(error) if error.status() == Some(404) => Ok(()),
        other => other,
    }
}
