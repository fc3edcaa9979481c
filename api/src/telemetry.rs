//! Logs: one JSON object a line on standard error, filtered by `RUST_LOG`.

use tracing_subscriber::EnvFilter;

/// Starts logging. Without `RUST_LOG`: everything from `info` on.
///
/// The HTTP libraries below us print headers at their finest levels; the token among them is marked sensitive, so they
/// print `Sensitive` in its place.
pub fn start() {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
