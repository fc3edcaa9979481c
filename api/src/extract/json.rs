//! A JSON body. Unlike with axum's own, what is wrong with it is answered as a problem document that names the field.

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

/// The media type of plain JSON.
pub const JSON: &str = "application/json";

/// The bytes of a body that is declared to be of `media_type`.
pub async fn body<S: Send + Sync>(request: Request, state: &S, media_type: &str) -> Result<Bytes, Problem> {
    if !is_declared(request.headers(), media_type) {
        return Err(Problem::new(Code::UnsupportedMediaType, [("expected", media_type)]));
    }
    Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))
}

fn is_declared(headers: &HeaderMap, media_type: &str) -> bool {
    let mut declared = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (declared.next(), declared.next()) else { return false };
    let essence = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(media_type)
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::PayloadTooLarge, [("limit", MAX_BODY.to_string())]);
    }
    Problem::new(Code::MalformedJson, [("problem", complaint::unread(&rejection.body_text()))])
}

/// That a request has no body, where one would be taken for a wish that is not read.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        if body.is_empty() {
            Ok(Self)
        } else {
            Err(Problem::field("body", "此请求不带请求体 (this request has no body)"))
        }
    }
}

/// Reads one JSON object and nothing after it. Lists are refused first: they would be read as the fields in their order.
pub fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::field("body", "须为 JSON 对象 (must be a JSON object)"));
    }
    parse(body)
}

/// Reads one JSON value and nothing after it.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut source = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| {
        if error.inner().is_data() {
            return misfit(&error);
        }
        // Where a word is expected, the parser takes `null` for bad JSON, which it is not.
        let read = serde_json::from_slice::<serde_json::Value>(body).ok();
        match read.map(serde_path_to_error::deserialize::<_, T>) {
            Some(Err(error)) => misfit(&error),
            _ => malformed(error.inner()),
        }
    })?;
    source.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// JSON that does not say what it should.
fn misfit(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let field = if path == "." { "body" } else { &path };
    Problem::field(field, complaint::told(&shortened(&error.inner().to_string())))
}

/// No JSON.
fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::MalformedJson, [("problem", complaint::told(&shortened(&error.to_string())))])
}

fn shortened(complaint: &str) -> String {
    match complaint.char_indices().find(|(at, _)| *at >= MAX_COMPLAINT) {
        Some((at, _)) => format!("{}...", complaint.get(..at).unwrap_or_default()),
        None => complaint.to_owned(),
    }
}
