//! The receiving end of the API server's audit webhook: what kubectl, GitOps and everybody else changes past this API, as
//! the API server saw it, goes into the trail.
//!
//! Every event of a batch is recorded before the batch is acknowledged. Where the API server's webhook is
//! `blocking-strict`, what cannot be recorded is not done.

mod event;
mod record;
mod seen;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::post,
};
use http::StatusCode;

use self::{event::EventList, record::Kinds, seen::Seen};
use crate::trail::Recorder;

/// The largest batch read, in bytes: above the API server's own bound for batches (10 MiB unless set).
const MAX_BATCH: usize = 16 * 1024 * 1024;

/// What receiving needs.
#[derive(Debug)]
struct Receiver {
    recorder: Recorder,
    kinds: Kinds,
    seen: Seen,
}

/// Takes `audit.k8s.io/v1` `EventList`s at any path.
pub fn router(recorder: Recorder) -> Router {
    let receiver = Receiver { recorder, kinds: Kinds::ours(), seen: Seen::default() };
    Router::new().fallback(post(receive)).layer(DefaultBodyLimit::max(MAX_BATCH)).with_state(Arc::new(receiver))
}

/// 200 once all is recorded. Otherwise 503: the API server sends the batch again, and what was recorded of it is passed
/// over then.
async fn receive(State(receiver): State<Arc<Receiver>>, Json(batch): Json<EventList>) -> Response {
    for value in batch.items {
        let event = match serde_json::from_value(value) {
            Ok(event) => event,
            Err(error) => {
                // Sending it again would not help, and everything behind it would wait.
                tracing::error!(%error, "an audit event of the api server cannot be read and is not recorded");
                continue;
            }
        };
        let Some(record) = receiver.kinds.record(&event) else { continue };
        let mark = Seen::mark(&event);
        if receiver.seen.has(&mark) {
            continue;
        }
        if let Err(error) = receiver.recorder.append(record).await {
            tracing::warn!(%error, "an audit event of the api server is not recorded: it is refused, or sent again");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        receiver.seen.note(mark);
    }
    StatusCode::OK.into_response()
}
