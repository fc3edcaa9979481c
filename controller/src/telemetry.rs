//! Logging: one line a fact, fields instead of prose, JSON where a machine reads it.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging to stderr: readable on a terminal, JSON otherwise; `RUST_LOG` filters, `info` by default.
pub fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        logging.init();
    } else {
        logging.json().flatten_event(true).init();
    }
}
