//! A merge patch (RFC 7396): the fields to change; `null` takes one away.

use axum::extract::{FromRequest, Request};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

use super::json;
use crate::problem::Problem;

/// Its media type. Plain JSON is refused: it does not say what is meant by a field that is left out.
const MERGE_PATCH: &str = "application/merge-patch+json";

/// Says which patches are taken (RFC 5789, section 3.1).
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// The body, read as a patch `T`.
#[derive(Debug)]
pub struct MergePatch<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for MergePatch<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = json::body(request, state, MERGE_PATCH).await.map_err(|problem| match problem.status {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                problem.with(ACCEPT_PATCH, Some(HeaderValue::from_static(MERGE_PATCH)))
            }
            _ => problem,
        })?;
        json::parse_object(&body).map(Self)
    }
}

/// What a patch does to a field that may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Nothing: the patch does not name it.
    #[default]
    Stays,
    /// Takes it away: `null`.
    Goes,
    /// Gives it this value.
    Becomes(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(field: D) -> Result<Self, D::Error> {
        Option::deserialize(field).map(|value| value.map_or(Self::Goes, Self::Becomes))
    }
}

impl<T: Into<Value>> Change<T> {
    /// The value in a patch; none where the field is not named.
    pub fn into_value(self) -> Option<Value> {
        match self {
            Self::Stays => None,
            Self::Goes => Some(Value::Null),
            Self::Becomes(value) => Some(value.into()),
        }
    }
}

/// Reads a field that is there, so that `null` is not taken for one that is not: for `serde(default,
/// deserialize_with)`.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}
