//! The lab's kube-controller-manager: the controllers of Kubernetes that work without nodes.

use std::path::Path;

use crate::folder::Folder;
use crate::ports::Port;
use crate::process::{Launch, Tie};

/// Controllers that run where no node does. Left out are those that watch nodes, hand out addresses or talk to a cloud.
const CONTROLLERS: [&str; 20] = [
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "garbage-collector-controller",
    "resourcequota-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-expander-controller",
    "clusterrole-aggregation-controller",
    "validatingadmissionpolicy-status-controller",
    "statefulset-controller",
    "deployment-controller",
    "replicaset-controller",
    "job-controller",
    "cronjob-controller",
    "disruption-controller",
    "endpointslice-controller",
    "ttl-after-finished-controller",
];

/// Files the controller manager is started with.
#[derive(Debug)]
pub struct Files<'a> {
    /// Its kubeconfig.
    pub kubeconfig: &'a Path,
    /// The key that signs ServiceAccount tokens.
    pub token_private: &'a Path,
    /// The lab's authority, published in every namespace.
    pub authority: &'a Path,
    /// Whether there are nodes that run pods: then all controllers run.
    pub nodes: bool,
}

/// How to start it.
pub fn launch(program: &Path, folder: &Folder, port: &Port, files: &Files<'_>) -> Launch {
    let path = |path: &Path| path.display().to_string();
    let kubeconfig = path(files.kubeconfig);
    let arguments = [
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        format!("--service-account-private-key-file={}", path(files.token_private)),
        format!("--root-ca-file={}", path(files.authority)),
        format!("--cert-dir={}", path(&folder.path().join("pki"))),
        "--use-service-account-credentials".into(),
        "--leader-elect=false".into(),
        "--enable-hostpath-provisioner".into(),
        "--bind-address=127.0.0.1".into(),
        format!("--secure-port={}", port.number()),
        format!("--controllers={}", if files.nodes { "*".to_owned() } else { CONTROLLERS.join(",") }),
        // The defaults (20, 30) make the garbage collector the slowest part of a lab with thousands of objects.
        "--kube-api-qps=1000".into(),
        "--kube-api-burst=2000".into(),
    ];
    Launch {
        name: "kube-controller-manager".into(),
        program: program.to_owned(),
        arguments: arguments.into(),
        environment: Vec::new(),
        directory: folder.path().to_owned(),
        log: folder.log("kube-controller-manager"),
        tie: Tie::Killed,
    }
}
