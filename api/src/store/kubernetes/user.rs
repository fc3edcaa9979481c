//! Asking who the caller is.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;

use super::{Caller, KubernetesError};
use crate::problem::{Code, Problem};

/// A caller as the API server knows them.
#[derive(Clone, Debug)]
pub struct User {
    /// User name; never empty.
    pub name: String,
    /// The groups they are in.
    pub groups: Vec<String>,
}

impl Caller {
    /// Who the API server says the caller is (`SelfSubjectReview`, which everybody may ask for).
    pub async fn user(&self) -> Result<User, Problem> {
        self.who().await.map_err(|error| match error {
            error if error.is_invisible() => Problem::bare(Code::Internal).because(error),
            error => Problem::from_kubernetes(error, "SelfSubjectReview"),
        })
    }

    /// The same; asked once for each request.
    pub(super) async fn who(&self) -> Result<User, KubernetesError> {
        let asked = self.origin.user().get_or_try_init(|| async {
            let review = self.review(&SelfSubjectReview::default()).await?;
            let user = review.status.and_then(|status| status.user_info).ok_or(KubernetesError::Nobody)?;
            let name = user.username.filter(|name| !name.is_empty()).ok_or(KubernetesError::Nobody)?;
            Ok(User { name, groups: user.groups.unwrap_or_default() })
        });
        asked.await.cloned()
    }

    /// Who asks, and whether they may look at the department of `namespace`; for the audit trail.
    ///
    /// # Errors
    /// When the API server does not say.
    pub async fn sender(&self, namespace: Option<&str>) -> Result<(User, bool), KubernetesError> {
        tokio::try_join!(self.who(), self.is_insider(namespace))
    }
}
