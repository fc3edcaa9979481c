//! No request takes for ever: 30 s, and what its caller asked to wait.

use std::time::Duration;

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::Method;

use crate::{
    extract::Wait,
    problem::{Code, Problem},
};

/// The time for everything but waiting for a decision. Three calls at the API server fit, each up to its own limit.
const LIMIT: Duration = Duration::from_secs(30);

/// Ends a request that takes too long with 504.
pub async fn layer(request: Request, next: Next) -> Response {
    // Orders are waited for by looking at them, too.
    let waits = matches!(*request.method(), Method::POST | Method::GET);
    let wait = if waits { Wait::from_headers(request.headers()).0 } else { None };
    match tokio::time::timeout(LIMIT + wait.unwrap_or_default(), next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::bare(Code::Timeout).into_response(),
    }
}
