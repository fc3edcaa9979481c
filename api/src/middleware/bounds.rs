//! Keeps a request out that is one too many of its caller's, before anything is done for it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    bounds::{Bounds, TooMany},
    metrics::Metrics,
    problem::{Code, Problem},
};

/// Answers 429 with `Retry-After`, or lets the request in; its place is given back when it is answered.
pub async fn layer(
    State((bounds, metrics)): State<(Arc<Bounds>, Arc<Metrics>)>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    // Without a peer there is no socket, which is so in tests alone; all of them would be one.
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    match bounds.admit(request.headers(), peer) {
        Ok(_admission) => next.run(request).await,
        Err(too_many) => {
            let TooMany { bound, wait, .. } = too_many;
            metrics.refuse(bound);
            too_many.pause().await;
            // Whole seconds; sooner would be too soon.
            let wait =
                Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(Duration::from_secs(1));
            let facts = [("seconds", wait.as_secs().to_string())];
            Problem::new(Code::TooManyRequests, facts).retry_after(wait).into_response()
        }
    }
}
