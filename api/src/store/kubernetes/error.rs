//! How a call to the API server can end badly, told apart by what the caller of ours must be told.

use std::{io, path::PathBuf, time::Duration};

use kube::core::{Status, request, response::reason};
use rustls::pki_types::{CertificateDer, pem, pem::PemObject};

/// Why there is no way to the API server at all; found at start.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address.
    #[error("--kubernetes-url {url:?} is not an address")]
    Url {
        /// As given.
        url: String,
        /// Why.
        #[source]
        source: http::uri::InvalidUri,
    },
    /// The file of trusted certificates cannot be read.
    #[error("--kubernetes-ca {path:?} cannot be read")]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file of trusted certificates is not PEM.
    #[error("--kubernetes-ca {path:?} holds no valid PEM")]
    Ca {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// The file of trusted certificates names none.
    #[error("--kubernetes-ca {path:?} holds no certificate")]
    NoCa {
        /// The file.
        path: PathBuf,
    },
    /// The client cannot be built from these.
    #[error("no client for the api server")]
    Client {
        /// Why.
        #[source]
        source: kube::Error,
    },
}

/// The certificates of a PEM file, in the form the client takes.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, pem::Error> {
    CertificateDer::pem_slice_iter(pem).map(|certificate| certificate.map(|der| der.to_vec())).collect()
}

/// Why a call to the API server came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum KubernetesError {
    /// 401: the token is not accepted.
    #[error("the api server does not accept the token")]
    Unauthenticated,
    /// 403: the caller may not do this.
    #[error("the api server forbids it")]
    Forbidden(#[source] Box<Status>),
    /// 404: not there.
    #[error("the api server does not have it")]
    NotFound(#[source] Box<Status>),
    /// 409, reason `AlreadyExists`.
    #[error("the api server has one of that name")]
    AlreadyExists(#[source] Box<Status>),
    /// 409: changed meanwhile, or being removed.
    #[error("the api server reports a conflict")]
    Conflict(#[source] Box<Status>),
    /// 410: the place in a list or watch is no longer kept.
    #[error("the api server no longer has that place in the list")]
    Gone(#[source] Box<Status>),
    /// 400: a parameter it cannot use.
    #[error("the api server cannot use the request")]
    BadRequest(#[source] Box<Status>),
    /// 422: the object breaks a rule.
    #[error("the api server refuses the object")]
    Invalid(#[source] Box<Status>),
    /// 429, 5xx: not now.
    #[error("the api server cannot answer now")]
    Busy(#[source] Box<Status>),
    /// No answer came.
    #[error("no answer from the api server")]
    Unreachable {
        /// Why.
        #[source]
        source: kube::Error,
    },
    /// No answer came in time; what was asked for may have happened.
    #[error("no answer from the api server within {after:?}")]
    TimedOut {
        /// How long it was given.
        after: Duration,
    },
    /// The answer is not the object asked for.
    #[error("the api server's answer cannot be read")]
    Decode {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The request cannot be built.
    #[error("no valid request to the api server")]
    Build {
        /// Why.
        #[source]
        source: request::Error,
    },
    /// The address cannot be built.
    #[error("no valid address at the api server")]
    Address {
        /// Why.
        #[source]
        source: http::uri::InvalidUri,
    },
    /// Who the caller is could not be found out for the audit trail, so nothing was written.
    #[error("nothing was asked for: it was not found out for whom")]
    Unasked(#[source] Box<KubernetesError>),
    /// The API server accepts the token and names nobody.
    #[error("the api server does not say who the caller is")]
    Nobody,
    /// The audit trail cannot be written, so nothing else was.
    #[error("nothing was asked for: it could not be recorded")]
    Unrecorded(#[from] jiyun_trail::Unwritable),
}

impl From<request::Error> for KubernetesError {
    fn from(source: request::Error) -> Self {
        Self::Build { source }
    }
}

impl From<kube::Error> for KubernetesError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from_status(status),
            source => Self::Unreachable { source },
        }
    }
}

impl KubernetesError {
    /// Tells refusals apart by status code and, where one code has several meanings, by reason.
    pub(in crate::store) fn from_status(status: Box<Status>) -> Self {
        match status.code {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden(status),
            404 => Self::NotFound(status),
            409 if status.reason == reason::ALREADY_EXISTS => Self::AlreadyExists(status),
            409 => Self::Conflict(status),
            410 => Self::Gone(status),
            422 => Self::Invalid(status),
            400..=428 => Self::BadRequest(status),
            _ => Self::Busy(status),
        }
    }

    /// Whether the caller sees nothing there: forbidden and missing look alike from outside.
    pub const fn is_invisible(&self) -> bool {
        matches!(self, Self::Forbidden(_) | Self::NotFound(_))
    }
}
