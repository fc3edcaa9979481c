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

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, middleware::from_fn, routing::any};
    use http::StatusCode;
    use tokio::time::Instant;
    use tower::ServiceExt;

    use super::*;

    /// How long a request to something that never answers takes, and what it is told.
    async fn asked(method: Method, prefer: &str) -> (StatusCode, Duration) {
        let never = any(std::future::pending::<()>);
        let router = Router::new().route("/", never).layer(from_fn(layer));
        let request = Request::builder().method(method).uri("/").header("prefer", prefer).body(Body::empty()).unwrap();
        let begun = Instant::now();
        let answer = router.oneshot(request).await.unwrap();
        (answer.status(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_never_answered_ends_after_half_a_minute_and_what_its_caller_asked_to_wait() {
        let seconds = |(status, took): (StatusCode, Duration)| (status, took.as_secs());
        let (timeout, nothing) = (StatusCode::GATEWAY_TIMEOUT, "respond-async");
        assert_eq!(seconds(asked(Method::GET, nothing).await), (timeout, 30));
        assert_eq!(seconds(asked(Method::POST, "wait=20").await), (timeout, 50));
        assert_eq!(seconds(asked(Method::DELETE, "wait=20").await), (timeout, 30), "nothing is waited for there");
    }
}
