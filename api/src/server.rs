//! Serving: two listeners, certificates that may change, an end without cutting anybody off.

mod certificate;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use axum_server::{Handle, Server, accept::NoDelayAcceptor, tls_rustls::RustlsAcceptor};
use jiyun_trail::{
    Options,
    heads::etcd::{DEFAULT_PREFIX, EtcdHeads},
    store::disk::RealDisk,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::certificate::Certificate;
use crate::{
    app::{App, Doors},
    bounds::{BoundOptions, Bounds},
    cli::{Serve, TrailArgs},
    console::ConsoleArgs,
    metrics::Metrics,
    router,
    store::{
        Kubernetes, Records,
        consoles::Consoles,
        follower::{self, LedgerAddress, LedgerFiles},
        kubernetes::ConnectError,
    },
    trail::{Keeping, Recorder},
    webhook,
};

/// How long requests may take to end once the program is told to stop; the pod is given 45 s. Who waits for a decision
/// is answered at once.
const DRAIN: Duration = Duration::from_secs(35);

/// How long to go on taking requests after that, while load balancers notice that the program is no longer ready.
const NOTICE: Duration = Duration::from_secs(3);

/// How long a caller may take to send the headers of a request.
const HEADERS: Duration = Duration::from_secs(15);

/// Why the program cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Plain http where others could listen in.
    #[error(
        "--listen {address} is not a loopback address: give --tls-cert and --tls-key, tokens must not travel in the clear"
    )]
    Plain {
        /// The address.
        address: SocketAddr,
    },
    /// No way to the API server.
    #[error(transparent)]
    Kubernetes(#[from] ConnectError),
    /// No way to the ledger.
    #[error(transparent)]
    Ledger(#[from] follower::OpenError),
    /// The certificate cannot be used.
    #[error("--tls-cert and --tls-key cannot be used")]
    Certificate(#[source] io::Error),
    /// Anybody could write into the trail.
    #[error(
        "--audit-webhook-bind {address} is not a loopback address: give --audit-webhook-cert, --audit-webhook-key and \
         --audit-webhook-client-ca, or anybody could write into the trail"
    )]
    OpenWebhook {
        /// The address.
        address: SocketAddr,
    },
    /// The certificate for audit events cannot be used.
    #[error("--audit-webhook-cert, --audit-webhook-key and --audit-webhook-client-ca cannot be used")]
    WebhookCertificate(#[source] io::Error),
    /// The metrics cannot be set up.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] prometheus::Error),
    /// The OpenAPI document cannot be written.
    #[error("the openapi document cannot be written")]
    Description(#[from] serde_json::Error),
    /// Signals cannot be heard.
    #[error("signals cannot be heard")]
    Signals(#[source] io::Error),
    /// A listener failed.
    #[error("serving on {address} failed")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Serves until told to stop by SIGTERM or SIGINT.
pub async fn serve(
    options: Serve,
    bounds: &BoundOptions,
    trail: &TrailArgs,
    consoles: &ConsoleArgs,
) -> Result<(), ServeError> {
    let certificate = match (&options.tls_cert, &options.tls_key) {
        (Some(cert), Some(key)) => {
            Some(Certificate::load(cert.clone(), key.clone()).await.map_err(ServeError::Certificate)?)
        }
        _ if options.listen.ip().is_loopback() => None,
        _ => return Err(ServeError::Plain { address: options.listen }),
    };
    let (terminate, interrupt) = signals().map_err(ServeError::Signals)?;
    let stopping = CancellationToken::new();
    let metrics = Arc::new(Metrics::new()?);
    let etcd = follower::connect(address(&options)).await?;
    let (recorder, keeping) = keep(trail, etcd.clone(), &metrics)?;
    recorder.ready().await;
    let webhook = Webhook::prepared(trail, &recorder).await?;
    let kubernetes = Kubernetes::new(&options.kubernetes_url, &options.kubernetes_ca)?.recorded(recorder);
    let doors = doors(&options, consoles, &metrics)?;
    let app = App::new(kubernetes, Arc::new(follower::follow(etcd)), stopping.clone()).with_consoles(doors);
    let app = Arc::new(app.with_records(trail.folder.clone().map(Records::of).unwrap_or_default()));
    let public = router::public(Arc::clone(&app), Arc::clone(&metrics), Arc::new(Bounds::new(bounds)))?;
    let private = router::private(app, metrics);

    let handle = Handle::new();
    tokio::spawn(stop(terminate, interrupt, stopping.clone(), handle.clone()));
    if let Some(certificate) = &certificate {
        tokio::spawn(certificate.clone().keep_current());
    }
    tracing::info!(listen = %options.listen, metrics = %options.metrics_listen, tls = certificate.is_some(), "serving");
    let main = listen(options.listen, certificate, public, handle);
    let side = listen(options.metrics_listen, None, private, Handle::new());
    let events = Webhook::serve(webhook);
    // The side listeners stay up until the main one has drained, and go with the program.
    tokio::select! {
        ended = main => ended?,
        ended = side => ended?,
        ended = events => ended?,
    }
    keeping.ended().await;
    tracing::info!("stopped");
    Ok(())
}

/// The way to consoles, where this program has an account for that.
fn doors(options: &Serve, arguments: &ConsoleArgs, metrics: &Metrics) -> Result<Option<Doors>, ServeError> {
    let Some(token) = &arguments.token else {
        tracing::info!("there are no consoles: --console-token is not given");
        return Ok(None);
    };
    let consoles = Consoles::new(&options.kubernetes_url, &options.kubernetes_ca, token)?;
    Ok(Some(Doors::new(consoles, arguments, metrics.consoles()?)))
}

/// Where the API server's audit events are received.
struct Webhook {
    address: SocketAddr,
    certificate: Option<Certificate>,
    router: Router,
}

impl Webhook {
    /// What is asked for; none if nothing is.
    async fn prepared(arguments: &TrailArgs, recorder: &Recorder) -> Result<Option<Self>, ServeError> {
        let Some(address) = arguments.audit_webhook_bind else { return Ok(None) };
        let certificate = match (&arguments.audit_webhook_cert, &arguments.audit_webhook_key) {
            (Some(cert), Some(key)) => {
                let clients = arguments.audit_webhook_client_ca.clone();
                let loaded = Certificate::load_for(cert.clone(), key.clone(), clients).await;
                Some(loaded.map_err(ServeError::WebhookCertificate)?)
            }
            _ if address.ip().is_loopback() => None,
            _ => return Err(ServeError::OpenWebhook { address }),
        };
        Ok(Some(Self { address, certificate, router: webhook::router(recorder.clone()) }))
    }

    /// Serves it; without one it never ends.
    async fn serve(webhook: Option<Self>) -> Result<(), ServeError> {
        let Some(Self { address, certificate, router }) = webhook else { return std::future::pending().await };
        if let Some(certificate) = &certificate {
            tokio::spawn(certificate.clone().keep_current());
        }
        listen(address, certificate, router, Handle::new()).await
    }
}

/// Keeps the audit trail where one is asked for, and says in the log where not.
fn keep(
    arguments: &TrailArgs,
    etcd: etcd_client::Client,
    metrics: &Metrics,
) -> Result<(Recorder, Keeping), prometheus::Error> {
    let Some(folder) = &arguments.folder else {
        tracing::warn!("no audit trail is kept: --trail-dir is not given");
        return Ok((Recorder::default(), Keeping::default()));
    };
    let options = Options { retention: arguments.retention, ..Options::new(folder, arguments.writer.clone()) };
    Ok(Recorder::start(options, EtcdHeads::new(etcd, DEFAULT_PREFIX), RealDisk, metrics.trail()?))
}

fn address(options: &Serve) -> LedgerAddress<'_> {
    let files = options.ledger_ca.as_deref().zip(options.ledger_cert.as_deref()).zip(options.ledger_key.as_deref());
    LedgerAddress {
        endpoints: &options.ledger_endpoints,
        files: files.map(|((ca, cert), key)| LedgerFiles { ca, cert, key }),
    }
}

fn signals() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

/// At the first signal: no longer ready, nobody waits any more, then no new connections. At the second: the end.
async fn stop(mut terminate: Signal, mut interrupt: Signal, stopping: CancellationToken, handle: Handle<SocketAddr>) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("told to stop");
    stopping.cancel();
    tokio::select! {
        () = tokio::time::sleep(NOTICE) => handle.graceful_shutdown(Some(DRAIN)),
        _ = terminate.recv() => return handle.shutdown(),
        _ = interrupt.recv() => return handle.shutdown(),
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    handle.shutdown();
}

async fn listen(
    address: SocketAddr,
    certificate: Option<Certificate>,
    router: Router,
    handle: Handle<SocketAddr>,
) -> Result<(), ServeError> {
    let mut server = Server::bind(address).handle(handle).first_request_timeout(HEADERS);
    server.http_builder().http1().header_read_timeout(HEADERS);
    // An order is small; a header list beyond this is no order.
    server.http_builder().http2().max_header_list_size(64 * 1024).max_concurrent_streams(100);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    // Without it, the first answer of a connection waits some 40 ms for the caller's delayed acknowledgement.
    let plain = NoDelayAcceptor::new();
    let outcome = match certificate {
        Some(certificate) => {
            let tls = RustlsAcceptor::new(certificate.config()).acceptor(plain);
            server.acceptor(tls).serve(service).await
        }
        None => server.acceptor(plain).serve(service).await,
    };
    outcome.map_err(|source| ServeError::Listen { address, source })
}
