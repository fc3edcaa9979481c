//! The two etcds of a lab: the API server's, and the ledger's, whose users are known by their certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, Permission, TlsOptions, UserAddOptions};

use crate::folder::Folder;
use crate::pki::{Authority, KeyFiles, PkiError};
use crate::ports::Port;
use crate::process::{Launch, Tie};

/// Names under which the lab's servers answer.
pub(crate) const LOOPBACK: [&str; 2] = ["127.0.0.1", "localhost"];

/// Everything below this key belongs to Jiyun.
const JIYUN: &str = "/jiyun/";
/// Everything below this key is the account book.
const LEDGER: &str = "/jiyun/ledger/";
/// Every key with this beginning is a head of a chain that an API writes: `jiyun-api`, `jiyun-api-0`.
const API_TRAILS: &str = "/jiyun/trail/jiyun-api";

/// An etcd could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum EtcdError {
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A certificate file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// etcd refused.
    #[error("etcd at {endpoint}: cannot {action}")]
    Refused {
        /// The endpoint.
        endpoint: String,
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: etcd_client::Error,
    },
}

/// Who talks to the ledger's etcd. The certificate's common name is etcd's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerUser {
    /// etcd's administrator.
    Root,
    /// Reads and writes below `/jiyun/`.
    Controller,
    /// Reads below `/jiyun/ledger/`, and writes the heads of its own chains of the audit trail.
    Api,
}

impl LedgerUser {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Root, Self::Controller, Self::Api];

    /// The user's name in etcd, which is also its role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Controller => "jiyun-controller",
            Self::Api => "jiyun-api",
        }
    }
}

/// The files with which a client reaches an etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that signed the server's certificate.
    pub authority: PathBuf,
    /// The client's certificate and key.
    pub client: KeyFiles,
}

impl TlsFiles {
    /// Options for a client with this certificate.
    pub fn connect_options(&self) -> Result<ConnectOptions, EtcdError> {
        let read =
            |path: &Path| std::fs::read(path).map_err(|source| EtcdError::Read { path: path.to_owned(), source });
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(read(&self.authority)?))
            .identity(Identity::from_pem(read(&self.client.certificate)?, read(&self.client.key)?));
        Ok(ConnectOptions::new()
            .with_tls(tls)
            .with_connect_timeout(Duration::from_secs(2))
            .with_timeout(Duration::from_secs(5)))
    }
}

/// One etcd: its ports and its files.
#[derive(Debug)]
pub struct Etcd {
    /// Component name: `etcd` or `etcd-ledger`.
    pub name: &'static str,
    clients: Port,
    peers: Port,
    server: KeyFiles,
    authority: PathBuf,
}

impl Etcd {
    /// Reserves ports and issues the server's certificate.
    pub fn prepare(name: &'static str, authority: &Authority, clients: Port, peers: Port) -> Result<Self, PkiError> {
        Ok(Self {
            name,
            clients,
            peers,
            server: authority.peer(name, &LOOPBACK)?,
            authority: authority.certificate().to_owned(),
        })
    }

    /// Lets go of its ports, so that the server about to start can bind them.
    pub fn hand_over(&self) {
        self.clients.hand_over();
        self.peers.hand_over();
    }

    /// Its two ports.
    pub fn ports(&self) -> [u16; 2] {
        [self.clients.number(), self.peers.number()]
    }

    /// The client endpoint.
    pub fn endpoint(&self) -> String {
        self.clients.https()
    }

    /// Where its files are.
    pub fn data(&self, folder: &Folder) -> PathBuf {
        folder.path().join("data").join(self.name)
    }

    /// How to start it.
    pub fn launch(&self, program: &Path, folder: &Folder) -> Launch {
        let data = self.data(folder);
        let (clients, peers) = (self.clients.https(), self.peers.https());
        let path = |path: &Path| path.display().to_string();
        let arguments = [
            format!("--name={}", self.name),
            format!("--data-dir={}", path(&data)),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster={}={peers}", self.name),
            "--client-cert-auth".into(),
            format!("--trusted-ca-file={}", path(&self.authority)),
            format!("--cert-file={}", path(&self.server.certificate)),
            format!("--key-file={}", path(&self.server.key)),
            "--peer-client-cert-auth".into(),
            format!("--peer-trusted-ca-file={}", path(&self.authority)),
            format!("--peer-cert-file={}", path(&self.server.certificate)),
            format!("--peer-key-file={}", path(&self.server.key)),
            // The HTTP gateway would reach etcd with the server's own certificate and so under its name.
            "--enable-grpc-gateway=false".into(),
            // For a lab only: a power cut may lose what was acknowledged. Never in production.
            "--unsafe-no-fsync".into(),
            // Far more than a lab writes; the default of 2 GiB can be reached by a benchmark.
            "--quota-backend-bytes=8589934592".into(),
            "--log-level=warn".into(),
        ];
        Launch {
            name: self.name.into(),
            program: program.to_owned(),
            arguments: arguments.into(),
            environment: Vec::new(),
            directory: folder.path().to_owned(),
            log: folder.log(self.name),
            tie: Tie::Killed,
        }
    }
}

/// Connects and asks for the member's status: the answer means that it serves.
pub async fn connect(endpoint: &str, tls: &TlsFiles) -> Result<Client, EtcdError> {
    let refused = |action| move |source| EtcdError::Refused { endpoint: endpoint.to_owned(), action, source };
    let mut client = Client::connect([endpoint], Some(tls.connect_options()?)).await.map_err(refused("connect"))?;
    client.status().await.map_err(refused("read the status"))?;
    Ok(client)
}

/// Gives the ledger's etcd its users and roles and turns authentication on.
///
/// Users have no passwords: they are known by the common name of their certificates (etcd, op-guide/authentication,
/// "Using TLS Common Name").
pub async fn enable_authentication(client: &mut Client, endpoint: &str) -> Result<(), EtcdError> {
    let refused = |action| move |source| EtcdError::Refused { endpoint: endpoint.to_owned(), action, source };
    for user in LedgerUser::ALL {
        let name = user.name();
        let options = UserAddOptions::new().with_no_pwd();
        client.user_add(name, "", Some(options)).await.map_err(refused("add a user"))?;
        client.role_add(name).await.map_err(refused("add a role"))?;
        let permissions = match user {
            LedgerUser::Root => vec![],
            LedgerUser::Controller => vec![Permission::read_write(JIYUN)],
            LedgerUser::Api => vec![Permission::read(LEDGER), Permission::read_write(API_TRAILS)],
        };
        for permission in permissions {
            let permission = permission.with_prefix();
            client.role_grant_permission(name, permission).await.map_err(refused("grant a permission"))?;
        }
        client.user_grant_role(name, name).await.map_err(refused("grant a role"))?;
    }
    client.auth_enable().await.map_err(refused("enable authentication"))?;
    Ok(())
}
