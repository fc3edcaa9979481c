//! Writes problem documents: here, because here the caller's language and the request's number are known.

use std::{error::Error, sync::Arc};

use axum::{body::Body, extract::Request, middleware::Next, response::Response};
use http::{HeaderValue, header};

use super::request_id::RequestId;
use crate::{handler::Spoken, problem::Problem};

/// The media type of RFC 9457.
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// How far a chain of causes is followed.
const MAX_CAUSES: usize = 8;

/// Turns a [`Problem`] among the response's extensions into its document.
pub async fn layer(request: Request, next: Next) -> Response {
    let Spoken(language) = Spoken::from_headers(request.headers());
    let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    // Answers are about one person's rights at one moment: nobody in between may keep them.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() else { return response };
    log(&problem);
    let document = problem.document(language, &id);
    let body = serde_json::to_vec(&document).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(body);
    response
}

/// Logs what is behind a problem of ours. What callers do wrong is in the access log; it may quote what they sent, so
/// it is not written down.
fn log(problem: &Problem) {
    if !problem.status.is_server_error() {
        return;
    }
    let cause = problem.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default();
    let (code, status) = (problem.fault.code.as_ref(), problem.status.as_u16());
    if problem.status == http::StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(code, status, cause, "a request failed by a fault of ours");
    } else {
        tracing::warn!(code, status, cause, "a request could not be served");
    }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source()).take(MAX_CAUSES);
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
