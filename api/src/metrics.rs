//! The program's figures, for Prometheus.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode};
use jiyun_trail::figures::Figures;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

use crate::{
    app::App,
    bounds::Bound,
    console::{Console, Ending},
};

/// Upper bounds in seconds: calls at the API server take milliseconds, waiting for a decision takes up to a minute.
const BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 90.0];

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    refused: IntCounterVec,
    ledger_revision: IntGauge,
    ledger_lag: IntGauge,
}

impl Metrics {
    /// With all counts at zero.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let requests = IntCounterVec::new(
            Opts::new("jiyun_api_requests_total", "Requests answered, by route, method and class of status."),
            &["route", "method", "status_class"],
        )?;
        let duration = HistogramVec::new(
            HistogramOpts::new("jiyun_api_request_duration_seconds", "Time to answer, by route and method.")
                .buckets(BUCKETS.to_vec()),
            &["route", "method"],
        )?;
        let refused = IntCounterVec::new(
            Opts::new("jiyun_api_refused_requests_total", "Requests answered 429, by the bound they ran into."),
            &["bound"],
        )?;
        let ledger_revision =
            IntGauge::new("jiyun_api_ledger_revision", "The last entry of the ledger that arrived here.")?;
        let ledger_lag = IntGauge::new(
            "jiyun_api_ledger_lag_seconds",
            "Time since the ledger was last known to be complete here; -1 before the first time.",
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        registry.register(Box::new(ledger_revision.clone()))?;
        registry.register(Box::new(ledger_lag.clone()))?;
        Ok(Self { registry, requests, duration, refused, ledger_revision, ledger_lag })
    }

    /// The audit trail's figures.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn trail(&self) -> Result<Figures, prometheus::Error> {
        Figures::new(&self.registry)
    }

    /// The figures of consoles.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn consoles(&self) -> Result<ConsoleFigures, prometheus::Error> {
        let open = IntGaugeVec::new(Opts::new("jiyun_api_consoles_open", "Consoles open now."), &["console"])?;
        let closed = IntCounterVec::new(
            Opts::new("jiyun_api_consoles_closed_total", "Consoles that were closed, by what ended them."),
            &["console", "ending"],
        )?;
        self.registry.register(Box::new(open.clone()))?;
        self.registry.register(Box::new(closed.clone()))?;
        Ok(ConsoleFigures { open, closed })
    }

    /// Counts one answer. `route` is the pattern, so names of departments and hosts make no series of their own.
    pub fn observe(&self, route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
        let method = known(method);
        let class = format!("{}xx", status.as_u16() / 100);
        self.requests.with_label_values(&[route, method, &class]).inc();
        self.duration.with_label_values(&[route, method]).observe(elapsed.as_secs_f64());
    }

    /// Counts one request that ran into `bound`.
    pub fn refuse(&self, bound: Bound) {
        self.refused.with_label_values(&[<&'static str>::from(bound)]).inc();
    }

    /// All figures in the text format, the ledger's as of now.
    pub fn text(&self, app: &Arc<App>) -> Result<String, prometheus::Error> {
        let book = app.book();
        self.ledger_revision.set(i64::try_from(book.revision()).unwrap_or(i64::MAX));
        let lag = book.lag_seconds().map_or(-1, |seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
        self.ledger_lag.set(lag);
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// What is counted of consoles.
#[derive(Clone, Debug)]
pub struct ConsoleFigures {
    open: IntGaugeVec,
    closed: IntCounterVec,
}

/// A console that counts as open until this is dropped.
#[derive(Debug)]
pub struct OpenConsole {
    console: &'static str,
    figures: ConsoleFigures,
}

impl ConsoleFigures {
    /// Counts one that is open.
    pub fn open(&self, console: Console) -> OpenConsole {
        let console = console.into();
        self.open.with_label_values(&[console]).inc();
        OpenConsole { console, figures: self.clone() }
    }
}

impl OpenConsole {
    /// Counts what ended it.
    pub fn closed(self, ending: Ending) {
        self.figures.closed.with_label_values(&[self.console, ending.into()]).inc();
    }
}

impl Drop for OpenConsole {
    fn drop(&mut self) {
        self.figures.open.with_label_values(&[self.console]).dec();
    }
}

/// Methods of our routes by name, all others together: callers may invent methods, and each would be a series.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
