//! Asking who the caller is.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;

use super::Caller;
use crate::{
    problem::{Code, Problem},
    store::Run,
};

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
        let review = self.create(None, &SelfSubjectReview::default(), Run::Real).await;
        let review = review.map_err(|error| match error {
            error if error.is_invisible() => Problem::bare(Code::Internal).because(error),
            error => Problem::from_kubernetes(error, "SelfSubjectReview"),
        })?;
        let user = review.status.and_then(|status| status.user_info).ok_or_else(|| Problem::bare(Code::Internal))?;
        let name = user.username.filter(|name| !name.is_empty()).ok_or_else(|| Problem::bare(Code::Internal))?;
        Ok(User { name, groups: user.groups.unwrap_or_default() })
    }
}
