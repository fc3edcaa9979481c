//! The life of the process: health, election, leading, and a clean end on SIGTERM or when leadership is lost.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiyun_approvals::Calendar;
use jiyun_ledger::{
    Campaign, ElectionError, Ledger, OpenError, OpenOptions, StoreError,
    store::etcd::{DEFAULT_PREFIX, EtcdConfig, EtcdStore, EtcdTls},
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use thiserror::Error;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    args::{LedgerArgs, Run},
    auditing,
    calendars::{self, CalendarsError},
    error::ReconcileError,
    health::{self, Readiness},
    leading::{self, Beginning},
    lineage,
    metrics::Metrics,
    notices::{self, ConfigError, Desk, Source},
    store_size,
    trail::{Following, Recorder},
};

/// How long Kubernetes may take to answer at the start: a leader that waits longer keeps others from leading.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the process ends.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The kubeconfig or in-cluster configuration cannot be used.
    #[error("the configuration of the kubernetes client cannot be used; check --kubeconfig")]
    Configuration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A certificate or key file cannot be read.
    #[error("{} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A figure cannot be registered.
    #[error("metrics cannot be registered")]
    Metrics(#[from] prometheus::Error),
    /// The address for health and metrics cannot be used.
    #[error("health and metrics cannot be served; check --listen")]
    Listen(#[source] std::io::Error),
    /// Signals cannot be awaited.
    #[error("signals cannot be awaited")]
    Signal(#[source] std::io::Error),
    /// The ledger's etcd cannot be reached.
    #[error("the ledger's etcd cannot be used; check --ledger-endpoints and its certificates")]
    Store(#[from] StoreError),
    /// The working days cannot be read.
    #[error("the calendars cannot be read; check --calendars")]
    Calendars(#[from] CalendarsError),
    /// Who is told what is not said as it should be.
    #[error("nobody can be told anything; check --notifications")]
    Notifications(#[from] ConfigError),
    /// There is no election.
    #[error("the election failed")]
    Election(#[from] ElectionError),
    /// The ledger cannot be opened.
    #[error("the ledger cannot be opened")]
    Open(#[from] OpenError),
    /// Kubernetes cannot be read at the start.
    #[error("kubernetes cannot be read")]
    Kubernetes(#[from] ReconcileError),
    /// Kubernetes does not answer.
    #[error("kubernetes did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// Another replica leads now, or the ledger cannot be reached: this process must start anew.
    #[error("leadership ended; the process starts anew as a standby")]
    LeadershipLost,
}

/// Runs until told to stop.
///
/// # Errors
/// See [`ServeError`]; the process should then be started again.
pub async fn run(args: &Run) -> Result<(), ServeError> {
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone())?;
    let metrics = Metrics::new()?;
    let readiness = Readiness::default();
    // Health is served until everything else has ended: a drain is not the time to look dead.
    let drained = CancellationToken::new();
    let health = tokio::spawn(health::serve(args.listen, metrics.clone(), readiness.clone(), drained.clone()));

    let calendar = Arc::new(calendars::read(args.calendars.as_deref())?);
    let notifications = args.notifications.as_deref().map(Source::open).transpose()?;
    if notifications.is_none() {
        info!("nobody is told what waits for them: --notifications is not given");
    }
    let client = kubernetes(args.kubeconfig.as_deref()).await?;
    let etcd = ledger_config(&args.ledger)?.connect().await?;
    readiness.set(true);
    info!(version = env!("CARGO_PKG_VERSION"), identity = args.identity, "standing by");

    tokio::spawn(auditing::follow(EtcdStore::new(etcd.clone(), DEFAULT_PREFIX), metrics.clone(), stop.clone()));

    let outcome = tokio::select! {
        outcome = lead(args, client, etcd, metrics, (calendar, notifications), &stop) => outcome,
        served = health => match served {
            Ok(Err(source)) => Err(ServeError::Listen(source)),
            Ok(Ok(())) | Err(_) => Ok(()),
        },
    };
    readiness.set(false);
    stop.cancel();
    drained.cancel();
    outcome
}

async fn lead(
    args: &Run,
    client: Client,
    etcd: etcd_client::Client,
    metrics: Metrics,
    (calendar, notifications): (Arc<Calendar>, Option<(Source, notices::Config)>),
    stop: &CancellationToken,
) -> Result<(), ServeError> {
    let leadership = match Campaign::new(DEFAULT_PREFIX, &args.identity).win(&etcd, stop).await {
        Ok(leadership) => leadership,
        Err(ElectionError::Withdrawn) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    metrics.set_leader(true);
    let lost = leadership.lost();
    let store = EtcdStore::new(etcd.clone(), DEFAULT_PREFIX);
    let opening = async {
        let peer = tokio::time::timeout(PATIENCE, lineage::peer(&client)).await.map_err(|_| ServeError::Silent)??;
        let options = OpenOptions::new(leading::new_lineage(), peer.lineage.clone());
        let (ledger, report) = Ledger::open(store.clone(), leadership.fence(), lost.clone(), options).await?;
        Ok::<_, ServeError>((ledger, report, peer))
    };
    let Some(opened) = Box::pin(stop.run_until_cancelled(opening)).await else {
        leadership.resign().await;
        return Ok(());
    };
    let (ledger, report, peer) = opened?;
    info!(lineage = %report.lineage, revision = report.head_seq, fresh = report.fresh, snapshot = report.snapshot, "leading");

    let working = stop.child_token();
    let notices = notifications.map(|(source, config)| {
        let (etcd, fence) = (etcd.clone(), leadership.fence());
        Desk { source, config, etcd, fence }
    });
    let (trail, keeping) = Recorder::start(&args.trail, etcd, &metrics)?;
    trail.ready().await;
    if let Some(trail) = trail.trail().cloned() {
        let (ledger, client, fence) = (ledger.clone(), client.clone(), leadership.fence());
        tokio::spawn(Following { trail, ledger, store: store.clone(), fence, client }.run(working.clone()));
    }
    tokio::spawn(store_size::watch(store, args.ledger_store_limit, metrics.clone(), working.clone()));
    let figures = metrics.clone();
    let beginning =
        Beginning { client, ledger: ledger.clone(), report, peer, metrics: figures, calendar, trail, notices };
    let led = tokio::select! {
        led = leading::lead(beginning, args, &working) => led.map_err(ServeError::from),
        // Past this point nothing may be written any more: no draining, the process ends.
        () = lost.cancelled() => Err(ServeError::LeadershipLost),
        () = ledger.stopped().cancelled_owned() => Err(ServeError::LeadershipLost),
    };
    metrics.set_leader(false);
    if led.is_ok() {
        ledger.shutdown().await;
        keeping.ended().await;
        leadership.resign().await;
        info!("everything under way was finished; leadership handed over");
    }
    led
}

/// A client of the hub, by this kubeconfig or as a pod.
///
/// # Errors
/// When the configuration cannot be used.
pub async fn kubernetes(kubeconfig: Option<&Path>) -> Result<Client, ServeError> {
    let config = match kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| ServeError::Configuration(Box::new(error)))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .map_err(|error| ServeError::Configuration(Box::new(error)))?
        }
        None => Config::incluster().map_err(|error| ServeError::Configuration(Box::new(error)))?,
    };
    Client::try_from(config).map_err(|error| ServeError::Configuration(Box::new(error)))
}

/// How to reach the ledger's etcd, certificates read.
///
/// # Errors
/// When a certificate or key file cannot be read.
pub fn ledger_config(args: &LedgerArgs) -> Result<EtcdConfig, ServeError> {
    let read = |path: &PathBuf| std::fs::read(path).map_err(|source| ServeError::File { path: path.clone(), source });
    let tls = match (&args.ca, &args.cert, &args.key) {
        (Some(ca), Some(cert), Some(key)) => {
            Some(EtcdTls { ca: read(ca)?, cert: read(cert)?, key: read(key)?, server_name: None })
        }
        _ => None,
    };
    Ok(EtcdConfig { endpoints: args.endpoints.clone(), tls })
}

/// The first SIGTERM or SIGINT asks for a clean end, the second ends at once.
///
/// # Errors
/// When signals cannot be awaited.
pub fn stop_on_signal(stop: CancellationToken) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signal)?;
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            if again {
                warn!("told twice: stopping without waiting");
                std::process::exit(1);
            }
            info!("stopping: finishing what is under way");
            stop.cancel();
        }
    });
    Ok(())
}
