//! From HTTP to the application and back: one noun a file, no decisions.

pub mod catalogue;
pub mod health;
pub mod holders;
pub mod host;
pub mod openapi;
pub mod quota;
pub mod usage;

use axum::extract::FromRequestParts;
use http::{header, request::Parts};
use jiyun_messages::Language;

/// The language the caller would like, by `Accept-Language`.
#[derive(Clone, Copy, Debug)]
pub struct Spoken(pub Language);

impl Spoken {
    /// Reads it off headers.
    pub fn from_headers(headers: &http::HeaderMap) -> Self {
        let wish = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self(Language::accepted(wish))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Spoken {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::from_headers(&parts.headers))
    }
}
