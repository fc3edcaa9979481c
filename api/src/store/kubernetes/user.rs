//! Asking who the caller is.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;

use super::Caller;
use crate::{
    problem::{Code, Problem},
    store::Run,
};

impl Caller {
    /// The user name that the API server knows the caller by (`SelfSubjectReview`, which everybody may ask for); never
    /// empty.
    pub async fn user_name(&self) -> Result<String, Problem> {
        let review = self.create(None, &SelfSubjectReview::default(), Run::Real).await;
        let review = review.map_err(|error| match error {
            error if error.is_invisible() => Problem::bare(Code::Internal).because(error),
            error => Problem::from_kubernetes(error, "SelfSubjectReview"),
        })?;
        let name = review.status.and_then(|status| status.user_info?.username);
        name.filter(|name| !name.is_empty()).ok_or_else(|| Problem::bare(Code::Internal))
    }
}
