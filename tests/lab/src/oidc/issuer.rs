//! The issuer: who is asked for its keys, and who signs tokens with them.

use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use serde_json::{Value, json};

use super::Claims;
use super::key::Key;
use crate::etcd::LOOPBACK;
use crate::pki::{Authority, KeyFiles, PkiError};
use crate::ports::{NoFreePort, Port};

/// Where the keys are.
const KEYS: &str = "/keys";

/// The lab's identity provider failed.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// No port.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// No certificate.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A key or a signature could not be made.
    #[error("cannot make a key or sign a token")]
    Sign(#[from] jsonwebtoken::errors::Error),
    /// The operating system gives no random numbers.
    #[error("cannot read random numbers")]
    Random(#[source] io::Error),
    /// It cannot serve.
    #[error("the lab's identity provider cannot serve at {address}")]
    Serve {
        /// Where.
        address: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The authority's certificate cannot be read.
    #[error("cannot read {path}")]
    Authority {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The example is no configuration with an issuer.
    #[error("examples/identity/authentication.yaml names no issuer")]
    Example(#[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// How often its documents were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedUp {
    /// The discovery document.
    pub discovery: u32,
    /// The keys.
    pub keys: u32,
}

/// An OIDC issuer: its keys are made at its start and lie in memory alone.
#[derive(Debug)]
pub struct Issuer {
    port: Port,
    certificate: KeyFiles,
    current: Mutex<Key>,
    /// Never published.
    foreign: Key,
    served: Arc<Served>,
}

/// What is served, and how often it was.
#[derive(Debug)]
struct Served {
    url: String,
    keys: Mutex<Vec<Jwk>>,
    discovery_reads: AtomicU32,
    keys_reads: AtomicU32,
}

impl Issuer {
    /// Reserves its port, issues its certificate and makes its first key.
    pub(crate) fn prepare(authority: &Authority) -> Result<Self, OidcError> {
        let port = Port::reserve()?;
        let [address, host] = LOOPBACK;
        let certificate = authority.server("oidc-issuer", &[address, host])?;
        let current = Key::generate()?;
        let served = Arc::new(Served {
            url: port.https(),
            keys: Mutex::new(vec![current.public()?]),
            discovery_reads: AtomicU32::new(0),
            keys_reads: AtomicU32::new(0),
        });
        Ok(Self { port, certificate, current: Mutex::new(current), foreign: Key::generate()?, served })
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Serves for as long as the returned future is polled. The port is bound when this returns.
    pub(crate) fn serve(&self) -> Result<impl Future<Output = Result<(), OidcError>> + Send + use<>, OidcError> {
        let address = self.port.address();
        let failed = move |source| OidcError::Serve { address: address.clone(), source };
        let listener = self.port.listener().map_or_else(|| TcpListener::bind(self.port.address()), Ok);
        let listener =
            listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(failed.clone())?;
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route(KEYS, get(keys))
            .with_state(Arc::clone(&self.served));
        let KeyFiles { certificate, key } = self.certificate.clone();
        Ok(async move {
            // Installing it twice is refused and does no harm.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let tls = RustlsConfig::from_pem_file(certificate, key).await.map_err(failed.clone())?;
            let server = axum_server::from_tcp_rustls(listener, tls).map_err(failed.clone())?;
            server.serve(router.into_make_service()).await.map_err(failed)
        })
    }

    /// Its address, which is also its name (`iss`).
    pub fn url(&self) -> &str {
        &self.served.url
    }

    /// What it would say of a person in these groups, for an hour from now on; change it at will before it is signed.
    pub fn claims<S: Into<String>>(&self, person: &str, groups: impl IntoIterator<Item = S>) -> Claims {
        Claims::of(self.url(), person, groups.into_iter().map(Into::into).collect())
    }

    /// A token that says so.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, claims: &Claims) -> Result<String, OidcError> {
        let key = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        key.sign(claims, &key.id)
    }

    /// A token that says so and names the issuer's key, signed by another: what somebody makes who knows all but the key.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn forge(&self, claims: &Claims) -> Result<String, OidcError> {
        let id = self.current.lock().unwrap_or_else(PoisonError::into_inner).id.clone();
        self.foreign.sign(claims, &id)
    }

    /// Signs with a new key from now on, and publishes it in place of the old one: what was signed before is worth nothing
    /// to whoever reads the keys again.
    ///
    /// # Errors
    /// When there is no new key.
    pub fn rotate(&self) -> Result<(), OidcError> {
        let key = Key::generate()?;
        *self.served.keys.lock().unwrap_or_else(PoisonError::into_inner) = vec![key.public()?];
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// How often its documents were read so far.
    pub fn looked_up(&self) -> LookedUp {
        LookedUp {
            discovery: self.served.discovery_reads.load(Ordering::Relaxed),
            keys: self.served.keys_reads.load(Ordering::Relaxed),
        }
    }
}

/// OIDC Discovery 1.0, section 3: what is required of the document.
async fn discovery(State(served): State<Arc<Served>>) -> Json<Value> {
    served.discovery_reads.fetch_add(1, Ordering::Relaxed);
    let url = &served.url;
    Json(json!({
        "issuer": url,
        // Nobody signs in here by hand.
        "authorization_endpoint": format!("{url}/authorize"),
        "jwks_uri": format!("{url}{KEYS}"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
}

async fn keys(State(served): State<Arc<Served>>) -> Json<JwkSet> {
    served.keys_reads.fetch_add(1, Ordering::Relaxed);
    Json(JwkSet { keys: served.keys.lock().unwrap_or_else(PoisonError::into_inner).clone() })
}
