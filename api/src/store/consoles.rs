//! Consoles of machines at their engine, reached with this program's own account. It is the one thing that is not done with
//! the caller's token: people have no rights where machines live, and the machine of a host that was handed over lies where
//! those of its former department do. Whoever asks here has asked about the caller before (`app/console.rs`).

use std::path::Path;

use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Collected, Limited};
use hyper_util::rt::TokioIo;
use kube::{
    Client,
    client::{Body, ClientBuilder},
    config::AuthInfo,
    core::Status,
};
use serde::Deserialize;
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::client::generate_key, handshake::derive_accept_key, protocol::Role},
};

use super::{
    KubernetesError,
    kubernetes::{CALL_TIMEOUT, ConnectError, configured},
};
use crate::console::{Console, Upgraded, frames};

/// `KubeVirt`'s word for bytes in frames (client-go, `PlainStreamProtocolName`).
const PROTOCOL: &str = "plain.kubevirt.io";

/// The longest answer read that is no console.
const MAX_REFUSAL: usize = 64 * 1024;

/// Where a machine is, and whose it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The namespace of engine objects.
    pub namespace: String,
    /// What the machine is called.
    pub name: String,
    /// The claim it has to be labelled with.
    pub claim: String,
}

/// Why there is no console of a machine.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// It does not run.
    #[error("the machine does not run")]
    NotRunning,
    /// A machine of that name runs, and is another claim's.
    #[error("the machine {place:?} is labelled with {found:?}")]
    Another {
        /// Where it was looked for.
        place: Place,
        /// What it is labelled with.
        found: Option<String>,
    },
    /// The API server or the engine says no, or nothing.
    #[error("no console")]
    Kubernetes(#[from] KubernetesError),
    /// What was answered is no WebSocket.
    #[error("the engine does not answer a handshake as a server of WebSockets does: {what}")]
    Handshake {
        /// What is wrong.
        what: &'static str,
    },
    /// The connection was not handed over.
    #[error("the connection to the engine was lost during the handshake")]
    Upgrade(#[source] hyper::Error),
}

/// What is read of a machine as it runs.
#[derive(Debug, Deserialize)]
struct Running {
    metadata: Metadata,
    #[serde(default)]
    status: RunningStatus,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
struct RunningStatus {
    #[serde(default)]
    phase: String,
}

/// See the module.
#[derive(Clone)]
pub struct Consoles {
    client: Client,
}

impl Consoles {
    /// By the API server at `url`, whose certificate one of the file `ca` has signed, with the token in the file `token`.
    pub fn new(url: &str, ca: &Path, token: &Path) -> Result<Self, ConnectError> {
        let mut config = configured(url, ca)?;
        config.auth_info = AuthInfo { token_file: Some(token.display().to_string()), ..AuthInfo::default() };
        let builder = ClientBuilder::try_from(config).map_err(|source| ConnectError::Client { source })?;
        Ok(Self { client: builder.build() })
    }

    /// The way that `client` knows; for tests.
    #[cfg(test)]
    pub fn over(client: Client) -> Self {
        Self { client }
    }

    /// Makes sure that the machine runs, and is that claim's; gives the UID of what runs.
    pub async fn check(&self, place: &Place) -> Result<String, ConsoleError> {
        let Place { namespace, name, claim } = place;
        let path = format!("/apis/kubevirt.io/v1/namespaces/{namespace}/virtualmachineinstances/{name}");
        let request = Request::get(path).body(Vec::new()).map_err(|_| Self::no_address())?;
        let answer = timeout(CALL_TIMEOUT, self.client.request_text(request)).await;
        let text = match answer.map_err(|_| KubernetesError::TimedOut { after: CALL_TIMEOUT })? {
            Ok(text) => text,
            Err(error) => return Err(not_there(error.into())),
        };
        let found: Running = serde_json::from_str(&text).map_err(|source| KubernetesError::Decode { source })?;
        let label = found.metadata.labels.get(jiyun_crds::names::LABEL_CLAIM);
        if label != Some(claim) {
            return Err(ConsoleError::Another { place: place.clone(), found: label.cloned() });
        }
        if found.status.phase == "Running" { Ok(found.metadata.uid) } else { Err(ConsoleError::NotRunning) }
    }

    /// Opens a console of a machine; whoever had it open loses it, which is the engine's way (pkg/virt-handler/rest/console.go,
    /// `newStopChan`).
    pub async fn open(&self, place: &Place, console: Console) -> Result<Upgraded, ConsoleError> {
        let opened = timeout(CALL_TIMEOUT, self.connect(place, console)).await;
        opened.map_err(|_| KubernetesError::TimedOut { after: CALL_TIMEOUT })?
    }

    async fn connect(&self, Place { namespace, name, .. }: &Place, console: Console) -> Result<Upgraded, ConsoleError> {
        let machine = format!("namespaces/{namespace}/virtualmachineinstances/{name}");
        let path = format!("/apis/subresources.kubevirt.io/v1/{machine}/{}", console.subresource());
        let key = generate_key();
        let request = Request::get(path)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key)
            .header(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL))
            .body(Body::empty())
            .map_err(|_| Self::no_address())?;
        let answer = self.client.send(request).await.map_err(KubernetesError::from)?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(answer).await);
        }
        let accepted = answer.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
        if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
            return Err(ConsoleError::Handshake { what: "Sec-WebSocket-Accept is another key's" });
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(ConsoleError::Upgrade)?;
        Ok(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(frames())).await)
    }

    /// Names come from the ledger and are Kubernetes's: all of them make addresses.
    const fn no_address() -> ConsoleError {
        ConsoleError::Handshake { what: "the machine's name makes no address" }
    }
}

/// What an answer that is no console says.
async fn refused(answer: http::Response<Body>) -> ConsoleError {
    let code = answer.status();
    let body = Limited::new(answer.into_body(), MAX_REFUSAL).collect().await.map(Collected::to_bytes);
    let told = body.ok().and_then(|body| serde_json::from_slice::<Status>(&body).ok());
    let told = told.unwrap_or_else(|| Status::failure("no status", "Unknown"));
    let error = KubernetesError::from_status(Box::new(told.with_code(code.as_u16())));
    match code {
        // 404 of a machine that was there a moment ago is the engine's API that is gone.
        StatusCode::BAD_REQUEST | StatusCode::CONFLICT => not_there(error),
        _ => error.into(),
    }
}

/// `KubeVirt` says 400 or 409 of a machine that does not run, and 404 of none (pkg/virt-api/rest/console.go,
/// `validateVMIForConsole`).
fn not_there(error: KubernetesError) -> ConsoleError {
    match error {
        KubernetesError::NotFound(_) | KubernetesError::BadRequest(_) | KubernetesError::Conflict(_) => {
            ConsoleError::NotRunning
        }
        error => error.into(),
    }
}
