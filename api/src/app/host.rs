//! Cloud hosts: ordering, looking, ending; always in the caller's name.

mod create;
mod decision;

use jiyun_crds::v1alpha1::CloudHost;
use kube::{api::ListParams, core::ObjectList};

use super::{
    App,
    department::{is_missing, named},
    noun::called,
};
use crate::{
    extract::{DepartmentName, HostName},
    problem::{Code, Problem},
    store::{Caller, KubernetesError},
};

pub use decision::Ordered;

impl App {
    /// A page of the department's hosts.
    pub async fn hosts(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        page: ListParams,
    ) -> Result<ObjectList<CloudHost>, Problem> {
        let continued = page.continue_token.is_some();
        let list =
            caller.list::<CloudHost>(Some(&department.namespace()), &page).await.map_err(|error| match error {
                KubernetesError::BadRequest(_) if continued => {
                    let facts = [
                        ("name", "continue"),
                        ("problem", "不是列表给出过的位置 (not a place the list has given out)"),
                    ];
                    Problem::new(Code::InvalidParameter, facts).because(error)
                }
                error => Problem::from_kubernetes(error, named(department)),
            })?;
        if list.items.is_empty() && !continued && is_missing(caller, department).await {
            return Err(Problem::not_found(named(department)));
        }
        Ok(list)
    }

    /// One host.
    pub async fn host(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        host: &HostName,
    ) -> Result<CloudHost, Problem> {
        let found = caller.get(Some(&department.namespace()), host.as_str()).await;
        found.map_err(|error| Problem::from_kubernetes(error, called::<CloudHost>(department, host.as_str())))
    }

    /// Asks for the end of one host. It is gone once the controller has wiped it and given back what it held.
    pub async fn end_host(&self, caller: &Caller, department: &DepartmentName, host: &HostName) -> Result<(), Problem> {
        let namespace = department.namespace();
        let what = called::<CloudHost>(department, host.as_str());
        match caller.delete::<CloudHost>(Some(&namespace), host.as_str()).await {
            // Whoever may look but not delete is told so; to everybody else there is no such host.
            Err(KubernetesError::Forbidden(status)) => {
                caller
                    .get::<CloudHost>(Some(&namespace), host.as_str())
                    .await
                    .map_err(|error| Problem::from_kubernetes(error, what.clone()))?;
                Err(Problem::new(Code::Forbidden, [("what", what)]).because(KubernetesError::Forbidden(status)))
            }
            other => other.map_err(|error| Problem::from_kubernetes(error, what)),
        }
    }
}
