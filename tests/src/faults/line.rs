//! A line between a program and one of its servers: it counts changes, stops at a fault point, can be cut, and can keep
//! what watches tell back.
//!
//! The program talks to it in the clear, on loopback; the line talks to the server as the lab's servers want it.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use jiyun_lab::{Lab, LedgerUser, TlsFiles};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{
    FaultError, label,
    trace::{Side, Trace},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Failure>;

/// How a line is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Mood {
    /// Every connection is closed, and new ones at once.
    cut: bool,
    /// Plurals of the kinds whose watches tell nothing.
    held: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Kubernetes,
    Etcd,
}

/// See the module. It ends when it is dropped.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    listening: tokio::task::JoinHandle<()>,
}

struct Passage {
    server: Server,
    target: Uri,
    client: Client<HttpsConnector<HttpConnector>, Body>,
    trace: Arc<Trace>,
    mood: watch::Sender<Mood>,
}

impl Line {
    /// A line to the lab's API server. Whoever uses it brings a token.
    ///
    /// # Errors
    /// When it cannot be laid.
    pub async fn to_kubernetes(lab: &Lab, trace: Arc<Trace>) -> Result<Self, FaultError> {
        let config = trusting(lab.kubernetes_authority())?.with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self::lay(Server::Kubernetes, &lab.url(), client, trace).await
    }

    /// A line to the lab's ledger, as the controller's user.
    ///
    /// # Errors
    /// When it cannot be laid.
    pub async fn to_ledger(lab: &Lab, trace: Arc<Trace>) -> Result<Self, FaultError> {
        let TlsFiles { authority, client: files } = lab.ledger_tls(LedgerUser::Controller);
        let certificate = CertificateDer::from_pem_file(&files.certificate).map_err(FaultError::line)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(FaultError::line)?;
        let config = trusting(&authority)?.with_client_auth_cert(vec![certificate], key).map_err(FaultError::line)?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http2().build();
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build(connector);
        Self::lay(Server::Etcd, &lab.ledger_endpoint(), client, trace).await
    }

    async fn lay(
        server: Server,
        target: &str,
        client: Client<HttpsConnector<HttpConnector>, Body>,
        trace: Arc<Trace>,
    ) -> Result<Self, FaultError> {
        let target: Uri = target.parse().map_err(FaultError::line)?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(FaultError::line)?;
        let address = listener.local_addr().map_err(FaultError::line)?;
        let mood = watch::Sender::new(Mood::default());
        let passage = Arc::new(Passage { server, target, client, trace, mood: mood.clone() });
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&passage).serve(stream));
            }
        });
        Ok(Self { address, mood, listening })
    }

    /// Where the program finds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks every connection and takes no new one.
    pub fn cut(&self) {
        self.mood.send_modify(|mood| mood.cut = true);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.mood.send_modify(|mood| mood.cut = false);
    }

    /// Keeps back what watches of a kind (its plural) tell.
    pub fn hold(&self, kind: &str) {
        self.mood.send_modify(|mood| {
            mood.held.insert(kind.to_owned());
        });
    }

    /// Tells everything that was kept back.
    pub fn release(&self) {
        self.mood.send_modify(|mood| mood.held.clear());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.cut();
        self.listening.abort();
    }
}

fn trusting(
    authority: &std::path::Path,
) -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::client::WantsClientCert>, FaultError> {
    // Installing it twice is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).map_err(FaultError::line)?).map_err(FaultError::line)?;
    Ok(rustls::ClientConfig::builder().with_root_certificates(roots))
}

impl Passage {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let mut cut = self.mood.subscribe();
        if cut.borrow().cut {
            return;
        }
        let handler = Arc::clone(&self);
        let service = hyper::service::service_fn(move |request| Arc::clone(&handler).pass(request));
        let builder = auto::Builder::new(TokioExecutor::new());
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            // A connection that breaks is the program's affair.
            _ = connection => {}
            _ = cut.wait_for(|mood| mood.cut) => {}
        }
    }

    async fn pass(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Failure> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        // Only changes are read whole: a stream has no end.
        let whole = match self.server {
            Server::Kubernetes => label::of_kubernetes(&parts.method, &parts.uri).is_some(),
            Server::Etcd => label::of_etcd(&path, b"").is_some(),
        };
        let watched = label::watched(&parts.uri).map(str::to_owned);
        let address = parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let mut target = self.target.clone().into_parts();
        target.path_and_query = Some(address);
        let uri = std::mem::replace(&mut parts.uri, Uri::from_parts(target)?);
        if !whole {
            let request = Request::from_parts(parts, body.map_err(Failure::from).boxed_unsync());
            let answer = self.client.request(request).await?;
            return Ok(answer.map(|body| self.told(body, watched)));
        }
        let bytes = body.collect().await?.to_bytes();
        let what = match self.server {
            Server::Kubernetes => label::of_kubernetes(&parts.method, &uri),
            Server::Etcd => label::of_etcd(&path, &bytes),
        };
        let point = self.trace.count(&what.unwrap_or_default());
        self.trace.pass(&point, Side::Before).await;
        let request = Request::from_parts(parts, Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
        let (parts, body) = self.client.request(request).await?.into_parts();
        // The trailers of gRPC, its outcome, are kept with it.
        let body = body.collect().await?;
        if parts.status.is_success() {
            self.trace.pass(&point, Side::After).await;
        } else {
            self.trace.discount(&point);
        }
        Ok(Response::from_parts(parts, body.map_err(|never| match never {}).boxed_unsync()))
    }

    /// What a server tells; of a watch, only while it is not held.
    fn told(&self, body: Incoming, watched: Option<String>) -> Body {
        let Some(kind) = watched else { return body.map_err(Failure::from).boxed_unsync() };
        let frames = futures::stream::unfold((body, self.mood.subscribe(), kind), |(mut body, mut mood, kind)| async {
            let frame = body.frame().await?;
            // An error means that the line is gone, and with it whoever listens.
            let _ = mood.wait_for(|mood| !mood.held.contains(&kind)).await;
            Some((frame.map_err(Failure::from), (body, mood, kind)))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}
