//! Asking who the caller is, and remembering it for a moment.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::SelfSubjectReview;

use super::{Caller, KubernetesError};
use crate::{
    bounds::Asker,
    problem::{Code, Problem},
};

/// How long the API server's word on whose a token is goes on being taken. It names objects and records; what a caller may
/// do, and whether the token is still good, is asked of the API server with every call.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The most callers remembered: a few MB.
const MOST: u64 = 10_000;

/// Callers by their token's digest. Only what the API server said of a token it took.
pub(super) type Users = moka::sync::Cache<Asker, User>;

/// Nobody yet.
pub(super) fn users() -> Users {
    moka::sync::Cache::builder().max_capacity(MOST).time_to_live(REMEMBERED).build()
}

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

    /// The same; asked once for each request, and of one token once a minute.
    pub(super) async fn who(&self) -> Result<User, KubernetesError> {
        let asked = self.origin.user().get_or_try_init(|| async {
            let asker = self.asker();
            if let Some(known) = self.users.get(&asker) {
                return Ok(known);
            }
            let review = self.review(&SelfSubjectReview::default()).await?;
            let user = review.status.and_then(|status| status.user_info).ok_or(KubernetesError::Nobody)?;
            let name = user.username.filter(|name| !name.is_empty()).ok_or(KubernetesError::Nobody)?;
            let user = User { name, groups: user.groups.unwrap_or_default() };
            self.users.insert(asker, user.clone());
            Ok(user)
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
