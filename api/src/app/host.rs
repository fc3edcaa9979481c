//! Cloud hosts: ordering and listing; always in the caller's name.

mod create;
mod decision;

use jiyun_crds::v1alpha1::CloudHost;
use kube::{api::ListParams, core::ObjectList};

use super::{
    App,
    department::{is_missing, named},
};
use crate::{
    extract::DepartmentName,
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
}
