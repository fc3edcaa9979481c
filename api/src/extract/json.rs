//! A JSON body. Unlike axum's own, what is wrong with it is answered as a problem document that names the field.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::complaint;
use crate::problem::{Code, Problem};

/// The largest body read, in bytes. The largest valid order, with 16 keys of 4 KiB, takes half as much.
pub const MAX_BODY: usize = 64 * 1024;

/// The longest complaint of the parser passed on, in bytes: it may quote the body.
const MAX_COMPLAINT: usize = 300;

/// The body, read as a `T`.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::bare(Code::UnsupportedMediaType));
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        parse(&body).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut declared = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (declared.next(), declared.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::PayloadTooLarge, [("limit", MAX_BODY.to_string())]);
    }
    Problem::new(Code::MalformedJson, [("problem", complaint::unread(&rejection.body_text()))])
}

/// Reads one JSON value and nothing after it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut source = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        let complaint = complaint::told(&shortened(&error.inner().to_string()));
        if error.inner().is_data() {
            let path = error.path().to_string();
            let field = if path == "." { "body".to_owned() } else { path };
            Problem::field(&field, complaint)
        } else {
            Problem::new(Code::MalformedJson, [("problem", complaint)])
        }
    })?;
    source.end().map_err(|error| {
        let complaint = complaint::told(&shortened(&error.to_string()));
        Problem::new(Code::MalformedJson, [("problem", complaint)])
    })?;
    Ok(value)
}

fn shortened(complaint: &str) -> String {
    match complaint.char_indices().find(|(at, _)| *at >= MAX_COMPLAINT) {
        Some((at, _)) => format!("{}...", complaint.get(..at).unwrap_or_default()),
        None => complaint.to_owned(),
    }
}
