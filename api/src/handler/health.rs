//! Whether the program lives, and whether requests should be sent to it.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use crate::app::App;

/// It lives as long as it answers.
#[utoipa::path(
    get, path = "/livez", tag = "health", operation_id = "live", security(()),
    responses((status = 200, description = "The program lives.", body = String, content_type = "text/plain")),
)]
pub async fn live() -> &'static str {
    "ok\n"
}

/// Ready from the first complete reading of the ledger until the program is told to stop.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match app.ready() {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
