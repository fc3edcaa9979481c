//! One log line and one count per request; no token, no body, no name of a person.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::StatusCode;
use tracing::Instrument;

use super::request_id::RequestId;
use crate::metrics::Metrics;

/// What stands for the route where there is none.
const NO_ROUTE: &str = "none";

/// Logs and counts the request.
pub async fn layer(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let id = request.extensions().get::<RequestId>().map(RequestId::as_str).unwrap_or_default();
    let span = tracing::info_span!("request", request_id = id);
    let response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status(), begun.elapsed());
    metrics.observe(route, &method, status, elapsed);
    let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    // Whoever runs wild is counted, and fills no log.
    let one_too_many = status == StatusCode::TOO_MANY_REQUESTS;
    let status = status.as_u16();
    span.in_scope(|| {
        if one_too_many {
            tracing::debug!(target: "access", %method, route, status, duration_ms, "request");
        } else {
            tracing::info!(target: "access", %method, route, status, duration_ms, "request");
        }
    });
    response
}
