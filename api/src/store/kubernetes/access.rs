//! Asking whether the caller may see what is not stored as an object: quota and statements.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};

use super::{Caller, KubernetesError};

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
        let attributes = ResourceAttributes {
            group: Some(jiyun_crds::names::GROUP.to_owned()),
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            resource: Some(report.resource().to_owned()),
            verb: Some("get".to_owned()),
            version: Some(jiyun_crds::v1alpha1::VERSION.to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
            ..Default::default()
        };
        let answer: SelfSubjectAccessReview = self.create(None, &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed && !status.denied.unwrap_or(false)))
    }
}
