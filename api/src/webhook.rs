//! The receiving end of the API server's audit webhook: what kubectl, GitOps and everybody else changes past this API, as
//! the API server saw it, goes into the trail.
//!
//! Every event of a batch is recorded before the batch is acknowledged. Where the API server's webhook is
//! `blocking-strict`, what cannot be recorded is not done.

mod body;
mod event;
mod forbidden;
mod record;
mod seen;

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
    routing::post,
};
use http::StatusCode;
use jiff::Timestamp;
use jiyun_trail::{
    Unwritable,
    core::{content::Content, record::Record},
};
use serde_json::{json, value::RawValue};

use self::{
    event::{Event, EventList},
    forbidden::Forbidden,
    record::{Kinds, is_forbidden},
    seen::Seen,
};
use crate::trail::Recorder;

/// The largest batch read, in bytes: above the API server's own bound for batches (10 MiB unless set).
const MAX_BATCH: usize = 16 * 1024 * 1024;

/// What receiving needs.
#[derive(Debug)]
struct Receiver {
    recorder: Recorder,
    kinds: Kinds,
    seen: Seen,
    forbidden: Forbidden,
}

/// Takes `audit.k8s.io/v1` `EventList`s at any path.
pub fn router(recorder: Recorder) -> Router {
    let (kinds, seen, forbidden) = (Kinds::ours(), Seen::default(), Forbidden::default());
    let receiver = Receiver { recorder, kinds, seen, forbidden };
    Router::new().fallback(post(receive)).layer(DefaultBodyLimit::max(MAX_BATCH)).with_state(Arc::new(receiver))
}

/// 200 once all is recorded. Otherwise 503: the API server sends the batch again, and what was recorded of it is passed
/// over then. 400 and 413 are of what is no batch, or a larger one than the API server sends.
async fn receive(State(receiver): State<Arc<Receiver>>, sent: Result<Bytes, BytesRejection>) -> Response {
    let sent = match sent {
        Ok(sent) => sent,
        Err(refused) => {
            tracing::error!(error = %refused.body_text(), "audit events of the api server are not recorded");
            return refused.into_response();
        }
    };
    // The API server passes on what clients sent even where it is no UTF-8.
    let batch: EventList = match serde_json::from_str(&String::from_utf8_lossy(&sent)) {
        Ok(batch) => batch,
        Err(error) => {
            tracing::error!(%error, "a batch of audit events cannot be read and is not recorded");
            return StatusCode::BAD_REQUEST.into_response();
        }
    };
    for text in batch.items {
        if let Err(error) = receiver.take(&text, Timestamp::now()).await {
            tracing::warn!(%error, "an audit event of the api server is not recorded: it is refused, or sent again");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    StatusCode::OK.into_response()
}

impl Receiver {
    /// Records one event, if it is to be recorded and is not yet.
    async fn take(&self, text: &RawValue, now: Timestamp) -> Result<(), Unwritable> {
        let (event, record) = match serde_json::from_str::<Event>(text.get()) {
            Ok(event) => {
                let record = self.kinds.record(&event);
                (event, record)
            }
            Err(error) => {
                tracing::error!(%error, "an audit event of the api server cannot be read: what can be is recorded");
                let event = Event::in_part(text, now);
                let record = self.kinds.record_in_part(&event, text);
                (event, record)
            }
        };
        let Some(mut record) = record else { return Ok(()) };
        let mark = Seen::mark(text.get());
        if self.seen.has(&mark) {
            return Ok(());
        }
        let mut left_out = 0;
        if is_forbidden(&event) {
            let Some(others) = self.forbidden.tells(&event.user.username, now) else {
                self.seen.note(mark);
                return Ok(());
            };
            left_out = others;
            count(&mut record, left_out);
        }
        match self.recorder.append(record).await {
            Ok(()) => self.seen.note(mark),
            Err(error) => {
                self.forbidden.not_told(left_out);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Says in `record` how many were left out before it.
fn count(record: &mut Record, left_out: u64) {
    if left_out > 0 {
        let asked = record.after.as_ref().and_then(Content::value);
        record.after = Some(Content::of(json!({"notRecordedBefore": left_out, "asked": asked})));
    }
}
