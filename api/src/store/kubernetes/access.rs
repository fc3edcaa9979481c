//! Asking whether the caller may see what is not stored as an object: quota, statements, holders of pools.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};

use super::{Caller, KubernetesError};
use crate::store::Run;

/// What the ledger tells about a department, as resources of the group `jiyun.io`. They are not stored; RBAC speaks
/// about them all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// `quotareports`: limits and use.
    Quota,
    /// `statements`: use and amounts of a month.
    Statement,
}

impl Report {
    const fn resource(self) -> &'static str {
        match self {
            Self::Quota => "quotareports",
            Self::Statement => "statements",
        }
    }
}

impl Caller {
    /// Whether the caller may `get` the report called `name` in `namespace` (`SelfSubjectAccessReview`).
    pub async fn may_read(&self, report: Report, namespace: &str, name: &str) -> Result<bool, KubernetesError> {
        self.may_get(report.resource(), Some(namespace), name).await
    }

    /// Whether the caller may see who holds the pool called `name`: `get` of `poolholders`, which is not stored either.
    pub async fn may_read_holders(&self, name: &str) -> Result<bool, KubernetesError> {
        self.may_get("poolholders", None, name).await
    }

    async fn may_get(&self, resource: &str, namespace: Option<&str>, name: &str) -> Result<bool, KubernetesError> {
        let attributes = ResourceAttributes {
            group: Some(jiyun_crds::names::GROUP.to_owned()),
            name: Some(name.to_owned()),
            namespace: namespace.map(str::to_owned),
            resource: Some(resource.to_owned()),
            verb: Some("get".to_owned()),
            version: Some(jiyun_crds::v1alpha1::VERSION.to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
            ..Default::default()
        };
        let answer: SelfSubjectAccessReview = self.create(None, &review, Run::Real).await?;
        Ok(answer.status.is_some_and(|status| status.allowed && !status.denied.unwrap_or(false)))
    }
}
