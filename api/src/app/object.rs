//! Looking at one object, changing it, ending it: the same for every kind that departments order, always in the caller's
//! name.

use kube::api::Preconditions;
use serde_json::{Map, Value, json};

use super::{
    App,
    noun::{Noun, called},
};
use crate::{
    extract::{DepartmentName, ObjectPath, Version},
    problem::{Code, Problem},
    store::{Caller, KubernetesError, Run},
};

/// The admission policy that keeps what is protected (`charts/jiyun/templates/admission-tenants.yaml`).
const DELETION_PROTECTION: &str = "'jiyun-deletion-protection'";

impl App {
    /// One object.
    pub async fn look<K: Noun>(&self, caller: &Caller, path: &ObjectPath) -> Result<K, Problem> {
        let ObjectPath { department, name } = path;
        let found = caller.get(Some(&department.namespace()), name.as_str()).await;
        found.map_err(|error| Problem::from_kubernetes(error, called::<K>(department, name.as_str())))
    }

    /// Merges `spec` (RFC 7396) into what one object asks for; with `version`, only while it is of that version. Nothing
    /// is read before: the API server merges into what is there then, so that no two changes undo each other.
    pub async fn change<K: Noun>(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        spec: Map<String, Value>,
        version: Option<&Version>,
        run: Run,
    ) -> Result<K, Problem> {
        let mut wish = json!({"spec": spec});
        if let Some(version) = self.possible::<K>(caller, path, version).await? {
            wish["metadata"] = json!({"resourceVersion": version});
        }
        let ObjectPath { department, name } = path;
        match caller.patch::<K>(Some(&department.namespace()), name.as_str(), &wish, run).await {
            Ok(changed) => Ok(changed),
            Err(error) => Err(refused::<K>(caller, department, name.as_str(), error, version.is_some()).await),
        }
    }

    /// Asks for the end of one object, with `version` only while it is of that version. It is gone once the controller has
    /// given back what it held.
    pub async fn end<K: Noun>(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        version: Option<&Version>,
        run: Run,
    ) -> Result<(), Problem> {
        let ObjectPath { department, name } = path;
        let only = self.possible::<K>(caller, path, version).await?;
        let only = only.map(|version| Preconditions { resource_version: Some(version.to_owned()), uid: None });
        match caller.delete::<K>(Some(&department.namespace()), name.as_str(), only, run).await {
            Ok(()) => Ok(()),
            Err(error) => Err(refused::<K>(caller, department, name.as_str(), error, version.is_some()).await),
        }
    }

    /// The version a caller means, as a resource version. One that no object can have is answered without asking for the
    /// change: the API server would call it a bad request.
    async fn possible<'v, K: Noun>(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        version: Option<&'v Version>,
    ) -> Result<Option<&'v str>, Problem> {
        let Some(version) = version else { return Ok(None) };
        if let Some(version) = version.as_resource_version() {
            return Ok(Some(version));
        }
        self.look::<K>(caller, path).await?;
        Err(Problem::new(Code::Stale, [("what", called::<K>(&path.department, path.name.as_str()))]))
    }
}

/// Why a change or an end came to nothing; `bound` says whether it was asked for one version only.
async fn refused<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    error: KubernetesError,
    bound: bool,
) -> Problem {
    let what = called::<K>(department, name);
    match error {
        // Whoever may look but not do this is told so; to everybody else there is no such object.
        KubernetesError::Forbidden(_) => match caller.get::<K>(Some(&department.namespace()), name).await {
            Ok(_) => Problem::new(Code::Forbidden, [("what", what)]).because(error),
            Err(unseen) => Problem::from_kubernetes(unseen, what),
        },
        KubernetesError::Invalid(ref status) if status.message.contains(DELETION_PROTECTION) => {
            Problem::new(Code::DeletionProtected, [("what", what)]).because(error)
        }
        KubernetesError::Conflict(_) if bound => Problem::new(Code::Stale, [("what", what)]).because(error),
        error => Problem::from_kubernetes(error, what),
    }
}
