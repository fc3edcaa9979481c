//! The lab's kube-apiserver: its files, its flags.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::etcd::{Etcd, LOOPBACK};
use crate::folder::{Folder, FolderError};
use crate::pki::{Authority, KeyFiles, PkiError};
use crate::ports::{NoFreePort, Port};
use crate::process::{Launch, Tie};
use crate::profile::{addresses, egress};

/// The API server could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A file could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// No port is free.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// An example could not be read.
    #[error("cannot read {path}")]
    Example {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Who wrote what with which body: enough to count writes and to show who asked. Reads are left out.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: Request
";

/// Where the example of a webhook's kubeconfig has what the lab puts its own in for.
const WEBHOOK_SERVER: &str = "https://jiyun-audit.example:8444/";
const WEBHOOK_FOLDER: &str = "/etc/kubernetes/jiyun-audit/";

/// What the API server tells of changes, and to whom.
#[derive(Debug, Default)]
pub struct Auditing {
    /// A file for its audit log.
    pub log: Option<PathBuf>,
    /// The folder with `kubeadm.yaml`, `policy.yaml` and `webhook.yaml` for its audit webhook.
    pub webhook: Option<PathBuf>,
}

/// The receiving end of the audit webhook.
#[derive(Debug)]
pub struct Webhook {
    /// Where it is to listen.
    pub port: Port,
    /// The certificate it is to show.
    pub server: KeyFiles,
    flags: Vec<String>,
}

/// What of kubeadm's configuration the lab goes by.
#[derive(Deserialize)]
struct Kubeadm {
    #[serde(rename = "apiServer")]
    api_server: ExtraArgs,
}

#[derive(Deserialize)]
struct ExtraArgs {
    #[serde(rename = "extraArgs")]
    extra_args: Vec<ExtraArg>,
}

#[derive(Deserialize)]
struct ExtraArg {
    name: String,
    value: String,
}

impl Webhook {
    /// Reserves its port, issues both sides' certificates, and fills in the example.
    fn prepare(folder: &Folder, authority: &Authority, examples: &Path) -> Result<Self, PrepareError> {
        let [address, host] = LOOPBACK;
        let port = Port::reserve()?;
        let client = authority.client("apiserver-audit", "kube-apiserver", None)?;
        let read = |name: &str| {
            let path = examples.join(name);
            std::fs::read_to_string(&path).map_err(|source| PrepareError::Example { path, source })
        };
        let put = |text: &str, files: &[(&str, &Path)]| {
            files.iter().fold(text.to_owned(), |text, (name, path)| {
                text.replace(&format!("{WEBHOOK_FOLDER}{name}"), &path.display().to_string())
            })
        };
        let keys: [(&str, &Path); 3] =
            [("ca.crt", authority.certificate()), ("tls.crt", &client.certificate), ("tls.key", &client.key)];
        let kubeconfig = read("webhook.yaml")?.replace(WEBHOOK_SERVER, &format!("{}/", port.https()));
        let kubeconfig = folder.write_etc("audit-webhook.kubeconfig", &put(&kubeconfig, &keys))?;
        let policy = folder.write_etc("audit-webhook-policy.yaml", &read("policy.yaml")?)?;
        let files: [(&str, &Path); 2] = [("policy.yaml", &policy), ("webhook.yaml", &kubeconfig)];
        let kubeadm: Kubeadm = serde_yaml::from_str(&read("kubeadm.yaml")?).map_err(|error| PrepareError::Example {
            path: examples.join("kubeadm.yaml"),
            source: std::io::Error::other(error),
        })?;
        let flag = |ExtraArg { name, value }: ExtraArg| format!("--{name}={}", put(&value, &files));
        Ok(Self {
            server: authority.server("jiyun-audit", &[address, host])?,
            flags: kubeadm.api_server.extra_args.into_iter().map(flag).collect(),
            port,
        })
    }
}

/// What the API server does for nodes that run pods.
#[derive(Debug)]
pub struct Nodes {
    client: KeyFiles,
    egress: PathBuf,
    address: Ipv4Addr,
}

impl Nodes {
    /// Issues the certificate it shows to kubelets and writes how it reaches what is in nodes; `address` is its own there.
    pub fn prepare(folder: &Folder, authority: &Authority, address: Ipv4Addr) -> Result<Self, PrepareError> {
        Ok(Self {
            client: authority.client("apiserver-kubelet-client", "kube-apiserver", Some("system:masters"))?,
            egress: folder.write_etc("egress.json", &egress::configuration())?,
            address,
        })
    }

    fn arguments(&self, authority: &Path) -> [String; 8] {
        let Self { client, egress, address } = self;
        [
            "--authorization-mode=Node,RBAC".into(),
            "--enable-admission-plugins=NodeRestriction".into(),
            format!("--kubelet-client-certificate={}", client.certificate.display()),
            format!("--kubelet-client-key={}", client.key.display()),
            format!("--kubelet-certificate-authority={}", authority.display()),
            "--kubelet-preferred-address-types=InternalIP".into(),
            format!("--egress-selector-config-file={}", egress.display()),
            // Published as the address behind the service `kubernetes`.
            format!("--advertise-address={address}"),
        ]
    }
}

/// By what the API server knows people.
#[derive(Debug)]
pub struct SignIn {
    /// The content of its token file.
    pub tokens: String,
    /// An `AuthenticationConfiguration` with an issuer of tokens, where there is one. It stands beside the token file; it
    /// takes the place of the flags `--oidc-*` only.
    pub jwt: Option<String>,
}

/// The API server: its port and its files.
#[derive(Debug)]
pub struct ApiServer {
    /// Where it serves.
    pub port: Port,
    server: KeyFiles,
    etcd_client: KeyFiles,
    front_proxy: KeyFiles,
    authority: PathBuf,
    token_public: PathBuf,
    /// The key that signs ServiceAccount tokens; the controller manager needs it too.
    pub token_private: PathBuf,
    tokens: PathBuf,
    jwt: Option<PathBuf>,
    audit: Option<(PathBuf, PathBuf)>,
    nodes: Option<Nodes>,
    /// Where it sends what is changed.
    pub webhook: Option<Webhook>,
}

impl ApiServer {
    /// Issues its certificates and writes its files.
    pub fn prepare(
        folder: &Folder,
        authority: &Authority,
        port: Port,
        sign_in: &SignIn,
        auditing: &Auditing,
        nodes: Option<Nodes>,
    ) -> Result<Self, PrepareError> {
        let [address, host] = LOOPBACK;
        let mut names = vec![address.to_owned(), host.to_owned(), "kubernetes.default.svc".to_owned()];
        if let Some(nodes) = &nodes {
            names.extend([nodes.address.to_string(), addresses::KUBERNETES.to_owned()]);
            names.extend(
                ["kubernetes", "kubernetes.default", "kubernetes.default.svc.cluster.local"].map(str::to_owned),
            );
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (token_public, token_private) = authority.key_pair("service-account")?;
        let policy = folder.write_etc("audit-policy.yaml", AUDIT_POLICY)?;
        Ok(Self {
            port,
            server: authority.server("apiserver", &names)?,
            etcd_client: authority.client("apiserver-etcd-client", "apiserver", None)?,
            front_proxy: authority.client("front-proxy-client", "front-proxy-client", None)?,
            authority: authority.certificate().to_owned(),
            token_public,
            token_private,
            tokens: folder.write_etc("tokens.csv", &sign_in.tokens)?,
            jwt: sign_in.jwt.as_ref().map(|jwt| folder.write_etc("authentication.json", jwt)).transpose()?,
            nodes,
            audit: auditing.log.as_ref().map(|log| (policy, log.clone())),
            webhook: auditing
                .webhook
                .as_ref()
                .map(|examples| Webhook::prepare(folder, authority, examples))
                .transpose()?,
        })
    }

    /// How to start it.
    pub fn launch(&self, program: &Path, folder: &Folder, etcd: &Etcd) -> Launch {
        let path = |path: &Path| path.display().to_string();
        let authority = path(&self.authority);
        let mut arguments = vec![
            format!("--etcd-servers={}", etcd.endpoint()),
            format!("--etcd-cafile={authority}"),
            format!("--etcd-certfile={}", path(&self.etcd_client.certificate)),
            format!("--etcd-keyfile={}", path(&self.etcd_client.key)),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={}", self.port.number()),
            format!("--tls-cert-file={}", path(&self.server.certificate)),
            format!("--tls-private-key-file={}", path(&self.server.key)),
            format!("--client-ca-file={authority}"),
            format!("--token-auth-file={}", path(&self.tokens)),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            format!("--service-account-key-file={}", path(&self.token_public)),
            format!("--service-account-signing-key-file={}", path(&self.token_private)),
            "--service-cluster-ip-range=10.0.0.0/16".into(),
            "--allow-privileged=true".into(),
            format!("--requestheader-client-ca-file={authority}"),
            "--requestheader-allowed-names=front-proxy-client".into(),
            "--requestheader-username-headers=X-Remote-User".into(),
            "--requestheader-group-headers=X-Remote-Group".into(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
            format!("--proxy-client-cert-file={}", path(&self.front_proxy.certificate)),
            format!("--proxy-client-key-file={}", path(&self.front_proxy.key)),
            // Ten times the defaults: a benchmark measures the machine, not this limit.
            "--max-requests-inflight=4000".into(),
            "--max-mutating-requests-inflight=2000".into(),
        ];
        match &self.nodes {
            Some(nodes) => arguments.extend(nodes.arguments(&self.authority)),
            // No node can reach a loopback address, so there is nothing to publish.
            None => {
                arguments.extend(["--authorization-mode=RBAC", "--endpoint-reconciler-type=none"].map(str::to_owned));
            }
        }
        if let Some(jwt) = &self.jwt {
            arguments.push(format!("--authentication-config={}", path(jwt)));
        }
        if let Some((policy, log)) = &self.audit {
            arguments.push(format!("--audit-policy-file={}", path(policy)));
            arguments.push(format!("--audit-log-path={}", path(log)));
            // Megabytes before the file is rotated: a benchmark counts lines of one file.
            arguments.push("--audit-log-maxsize=4096".into());
            // Every line is written when its request has been answered; `batch` may drop some under load.
            arguments.push("--audit-log-mode=blocking".into());
        }
        if let Some(webhook) = &self.webhook {
            // One policy is for both: the last one that is given.
            arguments.extend(webhook.flags.iter().cloned());
        }
        Launch {
            name: "kube-apiserver".into(),
            program: program.to_owned(),
            arguments,
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            log: folder.log("kube-apiserver"),
            tie: Tie::Killed,
        }
    }
}
