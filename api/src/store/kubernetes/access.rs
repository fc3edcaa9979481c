//! Asking what the caller may see: what is not stored as an object (quota, statements, the audit trail, holders of pools and images), and
//! where they may list orders.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};

use super::{Caller, KubernetesError};

/// What the ledger and the audit trail tell about a department, as resources of the group `jiyun.io`. They are not stored; RBAC speaks
/// about them all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// `quotareports`: limits and use.
    Quota,
    /// `statements`: use and amounts of a month.
    Statement,
    /// `auditrecords`: the audit trail.
    Audit,
}

impl Report {
    const fn resource(self) -> &'static str {
        match self {
            Self::Quota => "quotareports",
            Self::Statement => "statements",
            Self::Audit => "auditrecords",
        }
    }
}

impl Caller {
    /// Whether the caller may `get` the report called `name` in `namespace` (`SelfSubjectAccessReview`).
    pub async fn may_read(&self, report: Report, namespace: &str, name: &str) -> Result<bool, KubernetesError> {
        self.may("get", report.resource(), Some(namespace), Some(name)).await
    }

    /// Whether the caller may read the audit trail of everybody: `get` of `auditrecords` in every namespace and beyond.
    pub async fn may_read_every_record(&self) -> Result<bool, KubernetesError> {
        self.may("get", Report::Audit.resource(), None, None).await
    }

    /// Whether the caller may see who holds the pool called `name`: `get` of `poolholders`, which is not stored either.
    pub async fn may_read_holders(&self, name: &str) -> Result<bool, KubernetesError> {
        self.may("get", "poolholders", None, Some(name)).await
    }

    /// Whether the caller may see which hosts were made from the image called `name`: `get` of `imageholders`, not stored either.
    pub async fn may_read_image_holders(&self, name: &str) -> Result<bool, KubernetesError> {
        self.may("get", "imageholders", None, Some(name)).await
    }

    /// Whether the caller may list the orders of `namespace`. Where there is no such namespace, nobody was given the right.
    pub async fn may_list_orders(&self, namespace: &str) -> Result<bool, KubernetesError> {
        self.may("list", "orders", Some(namespace), None).await
    }

    /// Whether the caller may change the hosts of `namespace`, or those of all.
    pub async fn may_change_hosts(&self, namespace: Option<&str>) -> Result<bool, KubernetesError> {
        self.may("patch", "cloudhosts", namespace, None).await
    }

    /// Whether the caller may open a console of the host called `name` in `namespace`: `create` of its subresource `console`,
    /// which is not stored either.
    pub async fn may_open_console(&self, namespace: &str, name: &str) -> Result<bool, KubernetesError> {
        self.may_of("create", ("cloudhosts", Some("console")), Some(namespace), Some(name)).await
    }

    /// Whether the caller may look at the department of `namespace`: every role in it may list its hosts. Asked once for each
    /// request.
    pub(super) async fn is_insider(&self, namespace: Option<&str>) -> Result<bool, KubernetesError> {
        let asked = self.origin.insider().get_or_try_init(|| self.may("list", "cloudhosts", namespace, None));
        asked.await.copied()
    }

    async fn may(
        &self,
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<bool, KubernetesError> {
        self.may_of(verb, (resource, None), namespace, name).await
    }

    async fn may_of(
        &self,
        verb: &str,
        (resource, subresource): (&str, Option<&str>),
        namespace: Option<&str>,
        name: Option<&str>,
    ) -> Result<bool, KubernetesError> {
        let attributes = ResourceAttributes {
            group: Some(jiyun_crds::names::GROUP.to_owned()),
            name: name.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(str::to_owned),
            verb: Some(verb.to_owned()),
            version: Some(jiyun_crds::v1alpha1::VERSION.to_owned()),
            ..ResourceAttributes::default()
        };
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
            ..Default::default()
        };
        let answer = self.review(&review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed && !status.denied.unwrap_or(false)))
    }
}
