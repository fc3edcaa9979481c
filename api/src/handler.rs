//! From HTTP to the application and back: one noun a file, no decisions.

pub mod audit;
pub mod bucket;
pub mod catalogue;
pub mod database;
pub mod flow;
pub mod health;
pub mod holders;
pub mod host;
pub mod image_holders;
pub mod inbox;
pub mod openapi;
pub mod order;
mod page;
pub mod quota;
pub mod snapshot;
pub mod system;
pub mod usage;
pub mod volume;
mod write;

use axum::{
    Json,
    extract::FromRequestParts,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header, request::Parts};
use jiyun_messages::Language;
use serde::Serialize;

use crate::extract::IfNoneMatch;

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

/// 200 with `body`, of the version that `tag` names; 304 without it, if the caller has that already. The same version reads
/// differently in another language, which `Vary` says.
fn tagged<T: Serialize>(tag: Option<HeaderValue>, known: Option<&IfNoneMatch>, body: T) -> Response {
    let unchanged = tag.as_ref().zip(known).is_some_and(|(tag, known)| known.has(tag));
    let tag = tag.map(|tag| (header::ETAG, tag));
    let headers = [Some((header::VARY, HeaderValue::from_static("accept-language"))), tag];
    let headers = AppendHeaders(headers.into_iter().flatten().collect::<Vec<_>>());
    if unchanged {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, Json(body)).into_response()
}
