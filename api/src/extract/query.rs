//! The parameters behind the question mark; a wrong one is answered as a problem document.

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::complaint;
use crate::problem::{Code, Problem};

/// The query, read as a `T`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::try_from_uri(&parts.uri).map_err(|rejection| {
            let problem = complaint::told(&rejection.body_text());
            Problem::new(Code::InvalidParameter, [("name", "query".to_owned()), ("problem", problem)])
        })?;
        let axum::extract::Query(value) = query;
        Ok(Self(value))
    }
}
