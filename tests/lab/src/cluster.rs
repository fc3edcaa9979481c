//! The Kubernetes of a lab: a control plane of the lab's own, or an existing cluster that was running before.

mod choice;
mod engines;
pub(crate) mod given;
pub(crate) mod own;

use std::path::Path;

use crate::apiserver::Webhook;

pub(crate) use choice::Choice;
pub use engines::Engines;

/// Whoever serves Kubernetes to a lab.
#[derive(Debug)]
pub(crate) enum Cluster {
    /// Processes of the lab.
    Own(Box<own::ControlPlane>),
    /// Somebody else's.
    Given(Box<given::Given>),
}

impl Cluster {
    /// The API server's URL.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Own(own) => own.url(),
            Self::Given(given) => given.url().to_owned(),
        }
    }

    /// The certificate file of the authority that signed the API server's certificate.
    pub(crate) fn authority(&self) -> &Path {
        match self {
            Self::Own(own) => own.authority(),
            Self::Given(given) => given.authority(),
        }
    }

    /// The administrator's kubeconfig, as text.
    pub(crate) fn admin_kubeconfig(&self) -> &str {
        match self {
            Self::Own(own) => own.admin_kubeconfig(),
            Self::Given(given) => given.admin_kubeconfig(),
        }
    }

    /// The receiving end of its audit webhook; a given cluster has none of the lab's.
    pub(crate) fn webhook(&self) -> Option<&Webhook> {
        match self {
            Self::Own(own) => own.webhook(),
            Self::Given(_) => None,
        }
    }

    /// The ports the lab serves it on: none of a given cluster.
    pub(crate) fn ports(&self) -> Vec<u16> {
        match self {
            Self::Own(own) => own.ports(),
            Self::Given(_) => Vec::new(),
        }
    }

    /// The Kubernetes of the lab's own, if it is that.
    pub(crate) fn own(&self) -> Option<&own::ControlPlane> {
        match self {
            Self::Own(own) => Some(own),
            Self::Given(_) => None,
        }
    }

    /// What the lab's names carry to be unique where others put things too: nothing in a cluster of the lab's own.
    pub(crate) fn tag(&self) -> Option<&str> {
        match self {
            Self::Own(_) => None,
            Self::Given(given) => Some(given.tag()),
        }
    }
}
