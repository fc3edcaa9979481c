//! Why an existing cluster cannot be used, and what to do about it.

use std::path::PathBuf;

use crate::folder::FolderError;
use crate::install::InstallError;
use crate::kubeconfig::ClientError;
use crate::wait::NotInTime;

/// An existing cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The kubeconfig cannot be read.
    #[error("the kubeconfig {path} of the existing cluster cannot be read")]
    Kubeconfig {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such context.
    #[error("the kubeconfig {path} has no context `{context}`: name one of {known} with --context")]
    NoContext {
        /// Which file.
        path: PathBuf,
        /// The context asked for, or the file's current one.
        context: String,
        /// The contexts it has.
        known: String,
    },
    /// The kubeconfig says something the lab cannot hand on to Jiyun's programs.
    #[error("the kubeconfig {path}, context `{context}`, {problem}")]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// The context.
        context: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// No client could be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A file could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The cluster does not answer.
    #[error("the existing cluster at {url} does not answer: start it, or correct the server in its kubeconfig")]
    Unreachable {
        /// Its address.
        url: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cluster says nothing at all.
    #[error("the existing cluster at {url} did not answer within {seconds} s: check that this machine can reach it")]
    Silent {
        /// Its address.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The cluster does not know the user.
    #[error("the existing cluster at {url} does not know the user of the kubeconfig: renew its certificate or token")]
    Unknown {
        /// Its address.
        url: String,
    },
    /// The cluster refused a request.
    #[error("the existing cluster refused to {action}")]
    Refused {
        /// What was asked.
        action: String,
        /// The cause.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cluster is too old.
    #[error(
        "the existing cluster at {url} runs Kubernetes {version}, and Jiyun needs 1.36 or later \
         (MutatingAdmissionPolicy as v1): upgrade it, or use another"
    )]
    TooOld {
        /// Its address.
        url: String,
        /// Its version.
        version: String,
    },
    /// The cluster is new enough, but the kind is turned off.
    #[error(
        "the existing cluster at {url} does not serve mutatingadmissionpolicies in admissionregistration.k8s.io/v1: \
         turn the feature MutatingAdmissionPolicy of its API server on"
    )]
    NoMutatingPolicies {
        /// Its address.
        url: String,
    },
    /// The user is no administrator.
    #[error(
        "the user of the kubeconfig may not do everything in the existing cluster, and a lab installs definitions, \
         roles and admission policies: use one bound to cluster-admin"
    )]
    NotAdministrator,
    /// A namespace the lab needs is somebody else's.
    #[error(
        "the existing cluster has a namespace {namespace} that no lab made (it lacks the annotation {annotation}): a lab \
         would overwrite what is installed there. Use another cluster; nothing was changed in this one"
    )]
    Foreign {
        /// The namespace.
        namespace: &'static str,
        /// The mark it lacks.
        annotation: &'static str,
    },
    /// Jiyun's kinds are somebody else's.
    #[error(
        "the existing cluster has the definition {0} that no lab installed: a lab would overwrite an installation of \
         Jiyun, or what one left. Use another cluster; nothing was changed in this one"
    )]
    ForeignKinds(String),
    /// An installation took the place of what a lab left.
    #[error(
        "the existing cluster runs the Deployment {0}, and a lab's has no replicas: Jiyun was installed where a lab had \
         been, and a lab would overwrite it. Use another cluster; nothing was changed in this one"
    )]
    Installed(String),
    /// Another lab uses the cluster.
    #[error(
        "another lab uses the existing cluster (it renews the Lease {lease}): stop that lab, or use another cluster; \
         nothing was changed in this one"
    )]
    Living {
        /// Namespace and name of the Lease.
        lease: &'static str,
    },
    /// An earlier lab's controller marked a ledger that is gone.
    #[error(
        "the existing cluster remembers the ledger of an earlier lab ({mark}), and this lab's ledger begins empty: the \
         controller would stand still in quarantine. Remove what the earlier lab installed first, with the commands in \
         docs/lab.md, `An existing cluster`"
    )]
    Remembers {
        /// Namespace and name of the mark.
        mark: &'static str,
    },
    /// Only one of two engines is there.
    #[error(
        "the existing cluster has the definition {present} but not {missing}: install the engine that is missing, or \
         use a cluster with both KubeVirt and CDI, or with neither"
    )]
    HalfEngines {
        /// The definition it has.
        present: &'static str,
        /// The definition it lacks.
        missing: &'static str,
    },
    /// The profile needs KubeVirt.
    #[error(
        "profile `real` in an existing cluster means the cluster's own KubeVirt and CDI, and this one has neither: \
         install them, or use profile `scale` (`--profile scale`, `make demo PROFILE=scale`), which simulates them"
    )]
    NoKubeVirt,
    /// The lab has no say over the cluster's audit log.
    #[error("the audit log of an existing cluster is not the lab's to set: leave the audit log out")]
    NoAudit,
    /// The lab has no say over whom the cluster knows.
    #[error("whom an existing cluster knows is not the lab's to set: leave the identity provider out")]
    NoIssuer,
    /// No mark could be made.
    #[error("cannot read random numbers")]
    Random(#[source] std::io::Error),
    /// The cluster issued no token.
    #[error("the existing cluster issued no token for the ServiceAccount {0}")]
    NoToken(String),
    /// People or their roles were refused.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Something did not come, or did not go, in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
}

/// Words what was asked when the cluster refuses.
pub(super) fn asked<T>(action: impl Into<String>, answer: Result<T, kube::Error>) -> Result<T, ClusterError> {
    answer.map_err(|source| ClusterError::Refused { action: action.into(), source: Box::new(source) })
}

/// As [`asked`], of something to be removed: what is gone already is gone.
pub(super) fn removed<T>(action: impl Into<String>, answer: Result<T, kube::Error>) -> Result<(), ClusterError> {
    match answer {
        Err(kube::Error::Api(refusal)) if refusal.code == 404 => Ok(()),
        answer => asked(action, answer).map(drop),
    }
}
