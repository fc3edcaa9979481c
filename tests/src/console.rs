//! Consoles of machines: an engine that gives them, as `KubeVirt`'s aggregated API does, and people in front of them.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use data_encoding::BASE64;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiyun_lab::{Lab, wait_for};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::{client::generate_key, derive_accept_key, server::create_response_with_body},
        protocol::Role,
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    Caller, World, WorldError,
    person::Answer,
    world::{PATIENCE, client},
};

/// The group of `KubeVirt`'s aggregated API, and the service that serves it.
const GROUP: &str = "subresources.kubevirt.io";
const SERVICE: &str = "virt-api";
const NAMESPACE: &str = "kubevirt";
const MACHINES: &str = "virtualmachineinstances";

/// What a machine shows first on its serial console. Whatever is typed comes back after that.
pub const LOGIN: &str = "login: ";

/// What it shows first on its graphical one (RFC 6143, 7.1.1).
pub const SCREEN: &str = "RFB 003.008\n";

/// Typed on either, it makes the machine close it.
pub const SHUTDOWN: &str = "shutdown\n";

/// By console: `<namespace>/<machine>/console`, or `/vnc`.
#[derive(Debug, Default)]
struct Kept {
    visits: BTreeMap<String, Vec<String>>,
    turns: BTreeMap<String, CancellationToken>,
    refusals: BTreeMap<String, StatusCode>,
}

type Shared = Arc<Mutex<Kept>>;

/// An engine that gives a console of every machine it is asked about: whether there is one is for others to know. The API
/// server passes requests on to it as to virt-api. Dropping it closes the door, and with that the API server has one API less.
#[derive(Debug)]
pub struct Engine {
    kept: Shared,
    serving: JoinHandle<()>,
}

impl Engine {
    /// Opens at a port that is free, and waits until the API server passes requests on.
    ///
    /// # Errors
    /// When there is no port or no certificate, or the API server does not pass them on in time.
    pub async fn open(lab: &Lab) -> Result<Self, WorldError> {
        let name = format!("{SERVICE}.{NAMESPACE}.svc");
        let made = rcgen::generate_simple_self_signed([name]).map_err(std::io::Error::other)?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(std::io::Error::other)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(std::io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .map_err(std::io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let port = listener.local_addr()?.port();
        let kept = Shared::default();
        let shared = Arc::clone(&kept);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&shared)));
            }
        });
        let engine = Self { kept, serving };
        register(lab, port, &made.cert.pem()).await?;
        Ok(engine)
    }

    /// Whoever opened this console, each time, as the API server says who it was.
    pub fn visits(&self, console: &str) -> Vec<String> {
        lock(&self.kept).visits.get(console).cloned().unwrap_or_default()
    }

    /// Answers so whoever asks for this console; or gives it again.
    pub fn refuse(&self, console: &str, status: Option<StatusCode>) {
        let mut kept = lock(&self.kept);
        match status {
            Some(status) => kept.refusals.insert(console.to_owned(), status),
            None => kept.refusals.remove(console),
        };
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the API server of an engine at this port, which shows this certificate, and waits until it answers over it.
async fn register(lab: &Lab, port: u16, certificate: &str) -> Result<(), WorldError> {
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE, "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }),
        json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": format!("v1.{GROUP}")},
            "spec": {
                "group": GROUP, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 15,
                "service": {"name": SERVICE, "namespace": NAMESPACE, "port": port},
                "caBundle": BASE64.encode(certificate.as_bytes()),
            },
        }),
    ];
    for object in objects {
        lab.apply_text(&object.to_string()).await?;
    }
    let client = lab.client().await?;
    wait_for("the engine's API to be served", PATIENCE, || async {
        let request = Request::get(format!("/apis/{GROUP}/v1")).body(Vec::new()).map_err(|error| error.to_string())?;
        client.request_text(request).await.map(drop).map_err(|error| error.to_string())
    })
    .await?;
    Ok(())
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, kept: Shared) {
    // Whoever hangs up in the middle has asked for nothing.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answered(request, &kept);
        async move { Ok::<_, Infallible>(answer) }
    });
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await);
}

fn answered(request: Request<Incoming>, kept: &Mutex<Kept>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let group = || {
        let version = json!({"groupVersion": format!("{GROUP}/v1"), "version": "v1"});
        json!({"kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": [version], "preferredVersion": version})
    };
    match parts.as_slice() {
        ["apis"] => said(StatusCode::OK, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group()]})),
        ["apis", GROUP] => said(StatusCode::OK, &group()),
        ["apis", GROUP, "v1"] => said(StatusCode::OK, &resources()),
        ["apis", GROUP, "v1", "namespaces", namespace, MACHINES, machine, console @ ("console" | "vnc")] => {
            opened(request, &format!("{namespace}/{machine}/{console}"), kept)
        }
        _ => refused(StatusCode::NOT_FOUND),
    }
}

/// What discovery tells of it, as far as it goes here.
fn resources() -> Value {
    let console = |name: &str| {
        json!({"name": format!("{MACHINES}/{name}"), "singularName": "", "namespaced": true, "kind": "",
            "verbs": ["get"]})
    };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": format!("{GROUP}/v1"),
        "resources": [console("console"), console("vnc")]})
}

fn said(status: StatusCode, document: &Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(document.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let (code, reason) = (status.as_u16(), status.canonical_reason().unwrap_or_default());
    let document = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code,
        "reason": reason.replace(' ', ""), "message": "the engine of a test says no"});
    said(status, &document)
}

/// Gives a console. Whoever had it before loses it: pkg/virt-handler/rest/console.go, `newStopChan`.
fn opened(request: Request<Incoming>, console: &str, kept: &Mutex<Kept>) -> Response<Full<Bytes>> {
    let mut kept = lock(kept);
    if let Some(status) = kept.refusals.get(console) {
        return refused(*status);
    }
    let Ok(mut answer) = create_response_with_body(&request, Full::default) else {
        return refused(StatusCode::BAD_REQUEST);
    };
    answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("plain.kubevirt.io"));
    let user = request.headers().get("x-remote-user").and_then(|user| user.to_str().ok());
    kept.visits.entry(console.to_owned()).or_default().push(user.unwrap_or_default().to_owned());
    let turn = CancellationToken::new();
    if let Some(before) = kept.turns.insert(console.to_owned(), turn.clone()) {
        before.cancel();
    }
    let first = if console.ends_with("/vnc") { SCREEN } else { LOGIN };
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let line = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        // A line that breaks is the affair of whoever was at its other end.
        drop(machine(line, first, turn).await);
    });
    answer
}

/// A machine with nobody in it: it echoes what is typed until it is shut down, or it is somebody else's turn.
async fn machine(
    mut line: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    first: &'static str,
    turn: CancellationToken,
) -> Result<(), Error> {
    line.send(Message::binary(first)).await?;
    loop {
        let frame = tokio::select! {
            // As virt-handler does: no frame says so.
            () = turn.cancelled() => return Ok(()),
            frame = line.next() => frame,
        };
        match frame {
            Some(Ok(Message::Binary(typed))) if typed == SHUTDOWN => break,
            Some(Ok(Message::Binary(typed))) => line.send(Message::Binary(typed)).await?,
            // What is to be answered to these goes out with the next look.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_))) => {}
            _ => return Ok(()),
        }
    }
    line.send(Message::Close(None)).await?;
    let read = async { while let Some(Ok(_)) = line.next().await {} };
    drop(timeout(PATIENCE, read).await);
    Ok(())
}

/// A person of the lab who calls the world's API over HTTP/1.1: only there a request becomes a WebSocket.
///
/// # Errors
/// When the lab has no such person.
pub fn person(world: &World, name: &str) -> Result<Caller, WorldError> {
    let authority = std::fs::read(world.lab.authority())?;
    let base = world.api.url().ok_or(WorldError::NoAddress)?;
    let token = world.lab.person(name)?.token.clone();
    Ok(Caller::new(client(&authority, reqwest::ClientBuilder::http1_only)?, base, Some(token)))
}

/// Somebody in front of an open console.
#[derive(Debug)]
pub struct Seat {
    socket: WebSocketStream<reqwest::Upgraded>,
    headers: HeaderMap,
}

/// Asks for the console at `path`, in English; gives the answer where there is none.
///
/// # Errors
/// When the API cannot be reached, or does not keep to the protocol.
pub async fn open(caller: &Caller, path: &str) -> Result<Result<Seat, Answer>, WorldError> {
    asked(caller.request(Method::GET, path).header(header::ACCEPT_LANGUAGE, "en")).await
}

/// As [`open`], with a request that was begun otherwise.
///
/// # Errors
/// As there.
pub async fn asked(request: reqwest::RequestBuilder) -> Result<Result<Seat, Answer>, WorldError> {
    let key = generate_key();
    let request = request
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, key.as_str());
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Err(Answer { status, headers, text: answer.text().await? }));
    }
    let accepted = headers.get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(std::io::Error::other(format!("not the answer to this key: {headers:?}")).into());
    }
    let becomes = async { answer.upgrade().await.map_err(std::io::Error::other) };
    let upgraded = in_time("the connection to be handed over", becomes).await?;
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    Ok(Ok(Seat { socket, headers }))
}

async fn in_time<T>(what: &str, happens: impl Future<Output = std::io::Result<T>>) -> Result<T, WorldError> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, format!("waited {PATIENCE:?} for {what}"));
    Ok(timeout(PATIENCE, happens).await.map_err(|_| late())??)
}

impl Seat {
    /// The subprotocol that was agreed upon; empty where none was.
    pub fn protocol(&self) -> &str {
        self.headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Types.
    ///
    /// # Errors
    /// When the console has ended.
    pub async fn type_in(&mut self, text: &str) -> Result<(), WorldError> {
        let typed = Message::binary(text.as_bytes().to_vec());
        let sent = async { self.socket.send(typed).await.map_err(std::io::Error::other) };
        in_time("what is typed to be taken", sent).await
    }

    /// Reads until this was shown; what was shown before is forgotten.
    ///
    /// # Errors
    /// When the console ends before, or it is not shown in time.
    pub async fn wait_for(&mut self, text: &str) -> Result<(), WorldError> {
        let shown = async {
            let mut shown = Vec::new();
            while let Some(frame) = self.socket.next().await {
                match frame.map_err(std::io::Error::other)? {
                    Message::Binary(data) => shown.extend_from_slice(&data),
                    Message::Ping(_) | Message::Pong(_) => {}
                    other => return Err(std::io::Error::other(format!("instead of {text:?}: {other:?}"))),
                }
                if String::from_utf8_lossy(&shown).contains(text) {
                    return Ok(());
                }
            }
            Err(std::io::Error::other(format!("the console ended before {text:?}: {shown:?}")))
        };
        in_time(&format!("{text:?} to be shown"), shown).await
    }

    /// Reads to the end, and gives the code and the reason of the frame that closed it.
    ///
    /// # Errors
    /// When it ends without one, or not in time.
    pub async fn closed(&mut self) -> Result<(u16, String), WorldError> {
        let told = async {
            let mut told = None;
            while let Some(frame) = self.socket.next().await {
                match frame {
                    Ok(Message::Close(frame)) => {
                        told = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
                    }
                    Err(error) if told.is_none() => return Err(std::io::Error::other(error)),
                    // Once it was told, the connection goes in whichever way.
                    Ok(_) | Err(_) => {}
                }
            }
            told.ok_or_else(|| std::io::Error::other("the console ended without a reason"))
        };
        in_time("the console to be closed", told).await
    }

    /// Closes it, and waits until that is answered (RFC 6455, 5.5.1).
    ///
    /// # Errors
    /// When it is not, or not in time.
    pub async fn leave(mut self) -> Result<(), WorldError> {
        let left = async {
            self.socket.send(Message::Close(None)).await.map_err(std::io::Error::other)?;
            while let Some(frame) = self.socket.next().await {
                if frame.map_err(std::io::Error::other)?.is_close() {
                    return Ok(());
                }
            }
            Err(std::io::Error::other("the closing frame was not answered"))
        };
        in_time("the console to be left", left).await
    }
}
