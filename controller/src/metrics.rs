//! The controller's own figures, in Prometheus' text format under `/metrics`.
//!
//! No label holds an object's name but that of a site: their number must not grow with the number of hosts.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiyun_crds::v1alpha1::EngineReport;
use jiyun_ledger::store::etcd::StoreSize;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::Collector,
};

/// Seconds in which a reconcile usually ends: from an answer out of the cache to an engine's slow reply.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Seconds that a host's stages take: a decision by a policy comes within one, that of people within days; an image of some
/// gigabytes takes minutes.
const STAGES: [f64; 12] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0, 432_000.0];

/// All figures; cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    reconciliations: IntCounterVec,
    duration: HistogramVec,
    errors: IntCounterVec,
    writes: IntCounterVec,
    watch_errors: IntCounterVec,
    invalid_objects: IntCounterVec,
    decisions: IntCounterVec,
    stages: HistogramVec,
    unknown_claims: IntCounter,
    notices: IntCounterVec,
    notices_waiting: IntGaugeVec,
    notifications_unusable: IntGauge,
    leader: IntGauge,
    quarantined: IntGauge,
    broken: IntGaugeVec,
    audited: IntGauge,
    ledger_revision: IntGauge,
    snapshot_revision: IntGauge,
    entries_since_snapshot: IntGauge,
    store_bytes: IntGauge,
    store_bytes_in_use: IntGauge,
    store_limit_bytes: IntGauge,
    engines: IntGaugeVec,
    /// What `engines` shows, by site: what is not so any more has to be taken away.
    shown_engines: Arc<Mutex<HashMap<String, Vec<EngineReport>>>>,
}

impl Metrics {
    /// The audit trail's own figures, registered beside the others.
    ///
    /// # Errors
    /// When they are registered already.
    pub fn trail(&self) -> Result<jiyun_trail::figures::Figures, prometheus::Error> {
        jiyun_trail::figures::Figures::new(&self.registry)
    }

    /// Registers every figure.
    ///
    /// # Errors
    /// When two figures share a name, which a test excludes.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        Ok(Self {
            reconciliations: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_reconciliations_total", "Reconciliations by controller and outcome."),
                    &["controller", "outcome"],
                )?,
            )?,
            duration: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("jiyun_reconcile_duration_seconds", "Time a reconciliation took.")
                        .buckets(BUCKETS.to_vec()),
                    &["controller"],
                )?,
            )?,
            errors: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_reconcile_errors_total", "Failed reconciliations by controller and reason."),
                    &["controller", "reason"],
                )?,
            )?,
            writes: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_api_writes_total", "Changing requests to Kubernetes by kind, verb and result."),
                    &["kind", "verb", "result"],
                )?,
            )?,
            watch_errors: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_watch_errors_total", "Errors of a watch by kind; each watch backs off alone."),
                    &["kind"],
                )?,
            )?,
            invalid_objects: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_invalid_objects_total", "Objects seen that do not fit their kind's schema."),
                    &["kind"],
                )?,
            )?,
            decisions: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_decisions_total", "Decisions of the ledger by code (Granted, ExceedsLimit, ...)."),
                    &["code"],
                )?,
            )?,
            stages: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new(
                        "jiyun_host_stage_seconds",
                        "Time new hosts took: to their grant (decision), and from there to being usable (provision).",
                    )
                    .buckets(STAGES.to_vec()),
                    &["stage"],
                )?,
            )?,
            unknown_claims: registered(
                &registry,
                IntCounter::new(
                    "jiyun_unknown_claims_total",
                    "Looks at hosts that are kept since the ledger does not know their claim: page somebody.",
                )?,
            )?,
            notices: registered(
                &registry,
                IntCounterVec::new(
                    Opts::new("jiyun_notices_total", "Notices by channel and outcome: told, failed, refused, dropped."),
                    &["channel", "outcome"],
                )?,
            )?,
            notices_waiting: registered(
                &registry,
                IntGaugeVec::new(
                    Opts::new("jiyun_notices_waiting", "Notices that have not arrived yet, by channel."),
                    &["channel"],
                )?,
            )?,
            notifications_unusable: registered(
                &registry,
                IntGauge::new(
                    "jiyun_notifications_unusable",
                    "1 while the file of --notifications cannot be used and what it said before goes on, else 0.",
                )?,
            )?,
            leader: registered(&registry, IntGauge::new("jiyun_leader", "1 while this replica leads, else 0.")?)?,
            quarantined: registered(
                &registry,
                IntGauge::new("jiyun_quarantined", "1 while the ledger is quarantined: page somebody.")?,
            )?,
            broken: registered(
                &registry,
                IntGaugeVec::new(
                    Opts::new(
                        "jiyun_invariant_violations",
                        "Violations of the account book's invariants: page somebody.",
                    ),
                    &["invariant"],
                )?,
            )?,
            audited: registered(
                &registry,
                IntGauge::new(
                    "jiyun_audited_revision",
                    "Last ledger entry that this replica's audit has looked at; 0 where it cannot.",
                )?,
            )?,
            ledger_revision: registered(
                &registry,
                IntGauge::new("jiyun_ledger_revision", "Sequence number of the last committed ledger entry.")?,
            )?,
            snapshot_revision: registered(
                &registry,
                IntGauge::new("jiyun_ledger_snapshot_revision", "Last entry in the newest snapshot; 0 without one.")?,
            )?,
            entries_since_snapshot: registered(
                &registry,
                IntGauge::new("jiyun_ledger_entries_since_snapshot", "Entries a start reads after the snapshot.")?,
            )?,
            store_bytes: registered(
                &registry,
                IntGauge::new("jiyun_ledger_store_bytes", "Size of the database of the ledger's etcd.")?,
            )?,
            store_bytes_in_use: registered(
                &registry,
                IntGauge::new("jiyun_ledger_store_bytes_in_use", "The part of it that is in use.")?,
            )?,
            store_limit_bytes: registered(
                &registry,
                IntGauge::new("jiyun_ledger_store_limit_bytes", "Size at which that etcd takes nothing more.")?,
            )?,
            engines: registered(
                &registry,
                IntGaugeVec::new(
                    Opts::new("jiyun_engine_info", "1 for each engine of a site, as the site's status has it."),
                    &["site", "engine", "version", "state"],
                )?,
            )?,
            shown_engines: Arc::default(),
            registry,
        })
    }

    /// Counts a reconciliation and its time.
    pub fn reconciled(&self, controller: &str, outcome: &str, took: Duration) {
        self.reconciliations.with_label_values(&[controller, outcome]).inc();
        self.duration.with_label_values(&[controller]).observe(took.as_secs_f64());
    }

    /// Counts a failed reconciliation under its reason, a word of a documented enum.
    pub fn failed(&self, controller: &str, reason: &str) {
        self.errors.with_label_values(&[controller, reason]).inc();
    }

    /// Counts a changing request to Kubernetes.
    pub fn wrote(&self, kind: &str, verb: &str, succeeded: bool) {
        self.writes.with_label_values(&[kind, verb, if succeeded { "ok" } else { "error" }]).inc();
    }

    /// Counts an error of a watch.
    pub fn watch_failed(&self, kind: &str) {
        self.watch_errors.with_label_values(&[kind]).inc();
    }

    /// Counts an object that could not be read as its kind.
    pub fn invalid_object(&self, kind: &str) {
        self.invalid_objects.with_label_values(&[kind]).inc();
    }

    /// Counts a decision.
    pub fn decided(&self, code: &str) {
        self.decisions.with_label_values(&[code]).inc();
    }

    /// Notes how long a stage of a new host took: `decision` or `provision`.
    pub fn staged(&self, stage: &str, took: Duration) {
        self.stages.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    /// Counts a look at a host that is kept since its claim is not known. It grows for as long as there is one.
    pub fn unknown_claim(&self) {
        self.unknown_claims.inc();
    }

    /// Counts what became of a notice on a channel: a webhook of the configuration's, or `mail`.
    pub fn noticed(&self, channel: &str, outcome: &str) {
        self.notices.with_label_values(&[channel, outcome]).inc();
    }

    /// Shows how many notices have not arrived on a channel.
    pub fn set_notices_waiting(&self, channel: &str, count: usize) {
        self.notices_waiting.with_label_values(&[channel]).set(gauge(count as u64));
    }

    /// Says whether what is written about who is told cannot be used.
    pub fn set_notifications_unusable(&self, is_unusable: bool) {
        self.notifications_unusable.set(i64::from(is_unusable));
    }

    /// Says whether this replica leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Says whether the ledger is quarantined.
    pub fn set_quarantined(&self, quarantined: bool) {
        self.quarantined.set(i64::from(quarantined));
    }

    /// Shows up to which entry this replica's own audit has read the book.
    pub fn set_audited(&self, revision: u64) {
        self.audited.set(gauge(revision));
    }

    /// Shows how often an invariant (`I1` to `I7` of `docs/ledger.md`, or `stream`) is broken.
    pub fn set_broken(&self, invariant: &str, count: usize) {
        self.broken.with_label_values(&[invariant]).set(gauge(count as u64));
    }

    /// Shows the ledger's revision.
    pub fn set_ledger_revision(&self, revision: u64) {
        self.ledger_revision.set(gauge(revision));
    }

    /// Shows the newest snapshot and how far the ledger has gone on since.
    pub fn set_snapshot(&self, snapshot: Option<u64>, revision: u64) {
        let snapshot = snapshot.unwrap_or(0);
        self.snapshot_revision.set(gauge(snapshot));
        self.entries_since_snapshot.set(gauge(revision.saturating_sub(snapshot)));
    }

    /// Shows the size of the ledger's store.
    pub fn set_store_size(&self, size: StoreSize) {
        self.store_bytes.set(gauge(size.bytes));
        self.store_bytes_in_use.set(gauge(size.in_use));
        self.store_limit_bytes.set(gauge(size.limit));
    }

    /// Shows the engines of a site in place of what was shown of it before.
    pub fn set_engines(&self, site: &str, engines: &[EngineReport]) {
        let mut shown = self.shown_engines();
        let before = shown.insert(site.to_owned(), engines.to_vec()).unwrap_or_default();
        for gone in before.iter().filter(|gone| !engines.contains(gone)) {
            self.hide(site, gone);
        }
        for engine in engines {
            self.engines.with_label_values(&labels(site, engine)).set(1);
        }
    }

    /// Takes away what is shown of sites that are not among these.
    pub fn keep_engines_of(&self, sites: &HashSet<String>) {
        self.shown_engines().retain(|site, engines| {
            let stays = sites.contains(site);
            for gone in engines.iter().filter(|_| !stays) {
                self.hide(site, gone);
            }
            stays
        });
    }

    fn shown_engines(&self) -> MutexGuard<'_, HashMap<String, Vec<EngineReport>>> {
        // Whoever panicked while holding it left a whole map behind.
        self.shown_engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hide(&self, site: &str, engine: &EngineReport) {
        // It fails where nothing is shown under these labels, which is what is wanted.
        let _ = self.engines.remove_label_values(&labels(site, engine));
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// When a figure cannot be encoded.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn labels<'a>(site: &'a str, engine: &'a EngineReport) -> [&'a str; 4] {
    let state: &'static str = engine.state.into();
    [site, &engine.name, engine.version.as_deref().unwrap_or_default(), state]
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, figure: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(figure.clone()))?;
    Ok(figure)
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::EngineState;

    use super::*;

    #[test]
    fn every_figure_is_registered_once_and_shown() {
        let metrics = Metrics::new().unwrap();
        metrics.wrote("VirtualMachine", "apply", true);
        metrics.decided("Granted");
        metrics.staged("provision", Duration::from_secs(42));
        metrics.set_quarantined(true);
        metrics.set_broken("I5", 2);
        metrics.set_snapshot(Some(7), 10);
        metrics.set_store_size(StoreSize { bytes: 3, in_use: 2, limit: 4 });
        let text = metrics.text().unwrap();
        assert!(text.contains(r#"jiyun_api_writes_total{kind="VirtualMachine",result="ok",verb="apply"} 1"#), "{text}");
        assert!(text.contains(r#"jiyun_decisions_total{code="Granted"} 1"#), "{text}");
        assert!(text.contains(r#"jiyun_host_stage_seconds_sum{stage="provision"} 42"#), "{text}");
        assert!(text.contains("jiyun_quarantined 1"), "{text}");
        assert!(text.contains(r#"jiyun_invariant_violations{invariant="I5"} 2"#), "{text}");
        assert!(text.contains("jiyun_ledger_snapshot_revision 7"), "{text}");
        assert!(text.contains("jiyun_ledger_entries_since_snapshot 3"), "{text}");
        assert!(text.contains("jiyun_ledger_store_bytes 3"), "{text}");
        assert!(text.contains("jiyun_ledger_store_bytes_in_use 2"), "{text}");
        assert!(text.contains("jiyun_ledger_store_limit_bytes 4"), "{text}");
    }

    #[test]
    fn an_engine_is_shown_as_it_is_now_and_not_where_its_site_is_gone() {
        let metrics = Metrics::new().unwrap();
        let engine = |version: &str, state| EngineReport {
            name: "KubeVirt".into(),
            version: Some(version.into()),
            minimum: "1.8.0".into(),
            state,
        };
        metrics.set_engines("main", &[engine("1.7.0", EngineState::TooOld)]);
        metrics.set_engines("main", &[engine("1.8.2", EngineState::Supported)]);
        let text = metrics.text().unwrap();
        let line = r#"jiyun_engine_info{engine="KubeVirt",site="main",state="Supported",version="1.8.2"} 1"#;
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("1.7.0"), "{text}");
        metrics.keep_engines_of(&HashSet::from(["main".to_owned()]));
        assert!(metrics.text().unwrap().contains(line));
        metrics.keep_engines_of(&HashSet::new());
        assert!(!metrics.text().unwrap().contains("jiyun_engine_info{"));
    }
}
