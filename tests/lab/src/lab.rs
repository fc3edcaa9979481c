//! A running lab and what a test, the demo or a benchmark can ask of it.

mod boot;
mod guest;
mod nodes;
mod outage;
mod threads;
mod users;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use crate::apiserver::PrepareError;
use crate::cluster::given::ClusterError;
use crate::cluster::{Cluster, Engines};
use crate::etcd::{self, Etcd, EtcdError, LedgerUser, TlsFiles};
use crate::folder::{Folder, FolderError, LittleRoom};
use crate::install::{self, InstallError, Installer};
use crate::kubeconfig::{self, ClientError};
use crate::oidc::{Issuer, OidcError};
use crate::options::{LabOptions, MOST_NODES};
use crate::parts::Part;
use crate::people::Person;
use crate::pki::{Authority, PkiError};
use crate::ports::NoFreePort;
use crate::process::{Failure, Process, SpawnError, Supervisor};
use crate::profile::{NodeProfileError, NodeSite, Profile, ProfileError, jiyun};
use crate::programs::{LabPrograms, ProgramError};
use crate::simulate::Faults;
use crate::wait::NotInTime;

use threads::Threads;

pub use guest::{ApiOptions, ControllerOptions, Guest, Identity};
pub(crate) use users::issue_token;

/// A lab could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program could not be found or built.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The lab's folder is unusable.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A certificate could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The API server could not be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The identity provider failed.
    #[error(transparent)]
    Oidc(#[from] OidcError),
    /// There is no identity provider.
    #[error("this lab has no identity provider: ask for one with LabOptions::oidc before it starts")]
    NoIssuer,
    /// No port is free.
    #[error(transparent)]
    Port(#[from] NoFreePort),
    /// A process could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// An etcd refused.
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    /// A component ended though nobody asked it to.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// It did not come up where there is little room: its components may have had none to say why.
    #[error("the lab does not come up, and {room}")]
    Room {
        /// How little.
        room: LittleRoom,
        /// What was seen to fail.
        #[source]
        source: Box<LabError>,
    },
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// A client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An existing cluster cannot be used.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// Definitions, charts or manifests could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The profile's engines could not be started.
    #[error(transparent)]
    Profile(Box<ProfileError>),
    /// A program of the product is missing.
    #[error(transparent)]
    NotBuilt(#[from] crate::paths::NotBuilt),
    /// The API server refused.
    #[error("the lab's API server refused to {action}")]
    Refused {
        /// What was asked.
        action: String,
        /// The cause.
        #[source]
        source: kube::Error,
    },
    /// The operating system refused.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Parts of a node without one.
    #[error("parts run on a node: ask for profile `node` (`--profile node`), or leave them out")]
    PartsWithoutNode,
    /// A number of nodes without any.
    #[error(
        "only profile `node` has nodes that run pods: ask for it (`--profile node`), or leave out their number (`--nodes`)"
    )]
    NodesWithoutNode,
    /// Too many nodes, or none.
    #[error("a lab has 1 to {MOST_NODES} nodes (`--nodes`), not {0}")]
    NodeCount(u8),
    /// A part that one node has.
    #[error("the part `{0}` serves one node: leave it out of `--with`, or `--nodes` with it")]
    OnOneNode(Part),
    /// No node of that name.
    #[error("this lab has no node `{name}`; it has {known}")]
    NoSuchNode {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// It was killed.
    #[error("the node {0} was killed: start it again first")]
    NodeIsDead(String),
    /// It is not a component that stands alone.
    #[error("{0} is a node: start it again with Lab::start_node")]
    IsNode(String),
    /// It was not killed.
    #[error("the node {0} runs: kill it first")]
    NodeLives(String),
    /// A node beside an existing cluster.
    #[error(
        "profile `node` starts a Kubernetes of its own, and {0} names an existing one: leave out `--cluster` and unset \
         JIYUN_LAB_CLUSTER, or choose another profile"
    )]
    NodeOfAnotherCluster(PathBuf),
    /// There is no node.
    #[error("this lab has no node that runs pods: start one of profile `node`")]
    NoNode,
    /// No component of that name.
    #[error("this lab has no component `{0}`")]
    NoSuchComponent(String),
    /// No user of that name.
    #[error("this lab has no user `{0}`: name departments and people in its options before it starts")]
    NoSuchPerson(String),
    /// The API server answered a request for a token without one.
    #[error("the API server issued no token for the ServiceAccount {0}")]
    NoToken(String),
    /// A program called by the lab ended with an error.
    #[error("`{command}` failed ({exit}):\n{output}")]
    Command {
        /// The command.
        command: String,
        /// How it ended.
        exit: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
}

impl From<ProfileError> for LabError {
    fn from(error: ProfileError) -> Self {
        Self::Profile(Box::new(error))
    }
}

impl From<NodeProfileError> for LabError {
    fn from(error: NodeProfileError) -> Self {
        ProfileError::from(error).into()
    }
}

impl From<ClusterError> for LabError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

/// A running lab. Dropping it kills its processes and removes its folder; [`Lab::stop`] does so in order
/// and also removes its people from a given cluster, which after a drop wait for the next lab there.
#[derive(Debug)]
pub struct Lab {
    site: Arc<Site>,
}

/// Everything that makes up one lab.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) folder: Folder,
    pub(crate) options: LabOptions,
    pub(crate) programs: LabPrograms,
    pub(crate) authority: Authority,
    /// Of profile `node`. Dropped after its processes have ended.
    pub(crate) node: Option<NodeSite>,
    pub(crate) cluster: Cluster,
    pub(crate) engines: Engines,
    pub(crate) ledger: Etcd,
    pub(crate) ledger_users: [(LedgerUser, TlsFiles); 3],
    /// Of a given cluster they are known when it has issued their tokens.
    pub(crate) people: OnceLock<Arc<[Person]>>,
    /// Where the options ask for it.
    pub(crate) issuer: Option<Issuer>,
    pub(crate) supervisor: Supervisor,
    pub(crate) faults: Arc<Faults>,
    threads: Threads,
    started: Instant,
    counter: AtomicU32,
    keep: AtomicBool,
}

impl Lab {
    /// Starts a lab and waits until it is ready: API server, ledger's etcd, definitions, charts, simulators.
    ///
    /// The lab has threads of its own, so it outlives the caller's runtime.
    pub async fn start(options: LabOptions) -> Result<Self, LabError> {
        Box::pin(boot::start(options, &|_| {})).await
    }

    /// As [`Lab::start`]; `progress` is told each step as it begins.
    pub async fn start_with_progress(
        options: LabOptions,
        progress: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<Self, LabError> {
        Box::pin(boot::start(options, progress)).await
    }

    /// Builds all programs a lab of this profile with a Kubernetes of its own needs, where they are not in the cache.
    /// Blocks; the first build takes minutes and shows its progress on standard error.
    pub fn build(profile: Profile, parts: &BTreeSet<Part>) -> Result<(), LabError> {
        boot::build(profile, parts)
    }

    /// Writes the container images of Jiyun's programs, as they are built now, to `archive`, and returns their names. Blocks.
    ///
    /// # Errors
    /// When a program is not built, Debian's C library cannot be had, or the archive cannot be written.
    pub fn write_images(registry: &str, tag: &str, archive: &Path) -> Result<Vec<String>, LabError> {
        Ok(jiyun::write(registry, tag, archive)?)
    }

    /// Finds or builds what a lab with these options needs, and asks an existing cluster whether it can be used. Changes
    /// nothing there.
    pub async fn provide(options: &LabOptions) -> Result<(), LabError> {
        Box::pin(boot::provide(options, &|_| {})).await.map(drop)
    }

    /// The one lab all tests of a program share, with default options; it ends with the program.
    pub async fn shared() -> Result<&'static Self, LabError> {
        Self::shared_with(LabOptions::default).await
    }

    /// As [`Lab::shared`]; whoever asks first decides the options.
    pub async fn shared_with(options: impl FnOnce() -> LabOptions) -> Result<&'static Self, LabError> {
        static SHARED: OnceCell<Lab> = OnceCell::const_new();
        SHARED.get_or_try_init(|| Self::start(options())).await
    }

    /// The lab's folder: certificates, kubeconfigs, data, logs.
    pub fn folder(&self) -> &Path {
        self.site.folder.path()
    }

    /// The API server's URL.
    pub fn url(&self) -> String {
        self.site.cluster.url()
    }

    /// Whether an existing cluster serves Kubernetes to the lab.
    pub fn uses_given_cluster(&self) -> bool {
        matches!(self.site.cluster, Cluster::Given(_))
    }

    /// Who moves the machines.
    pub fn engines(&self) -> Engines {
        self.site.engines
    }

    /// The certificate file of the authority that signed all certificates of the lab: of the ledger's etcd, of Jiyun's
    /// API, and of an API server of the lab's own.
    pub fn authority(&self) -> &Path {
        self.site.authority.certificate()
    }

    /// The certificate file of the authority that signed the API server's certificate: the lab's own, or that of a given
    /// cluster.
    pub fn kubernetes_authority(&self) -> &Path {
        self.site.cluster.authority()
    }

    /// Kubeconfig file of the administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.site.folder.etc("admin.kubeconfig")
    }

    /// A fresh client with the administrator's rights. It belongs to the caller's runtime: clone it, don't share it
    /// between tests.
    pub async fn client(&self) -> Result<kube::Client, LabError> {
        Ok(kubeconfig::client(self.site.cluster.admin_kubeconfig()).await?)
    }

    /// A fresh client with a bearer token.
    pub async fn client_as(&self, token: &str) -> Result<kube::Client, LabError> {
        let credentials = kubeconfig::Credentials::Token(token);
        let text = kubeconfig::render(&self.url(), self.kubernetes_authority(), "user", credentials);
        Ok(kubeconfig::client(&text).await?)
    }

    /// The endpoint of the ledger's etcd.
    pub fn ledger_endpoint(&self) -> String {
        self.site.ledger.endpoint()
    }

    /// Files with which `user` reaches the ledger's etcd.
    pub fn ledger_tls(&self, user: LedgerUser) -> TlsFiles {
        self.site.ledger_tls(user)
    }

    /// A connection to the ledger's etcd.
    pub async fn ledger_client(&self, user: LedgerUser) -> Result<etcd_client::Client, LabError> {
        let endpoint = self.ledger_endpoint();
        let options = self.ledger_tls(user).connect_options()?;
        let connected = etcd_client::Client::connect([&endpoint], Some(options)).await;
        Ok(connected.map_err(|source| EtcdError::Refused { endpoint, action: "connect", source })?)
    }

    /// Faults of the simulators, switchable at any time.
    pub fn faults(&self) -> &Faults {
        &self.site.faults
    }

    /// A name no other call on this lab returns: `<prefix>-<number>`; in a given cluster, which may hold what an earlier
    /// lab put there, `<prefix>-<the lab's own letters>-<number>`.
    pub fn unique_name(&self, prefix: &str) -> String {
        let number = self.site.counter.fetch_add(1, Ordering::Relaxed);
        match self.site.cluster.tag() {
            None => format!("{prefix}-{number}"),
            Some(tag) => format!("{prefix}-{tag}-{number}"),
        }
    }

    /// Creates a namespace with a name of its own.
    pub async fn namespace(&self) -> Result<String, LabError> {
        let name = self.unique_name("test");
        let manifest = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        Installer::new(self.client().await?).apply(vec![manifest]).await?;
        Ok(name)
    }

    /// Applies the objects of a YAML file, or of all YAML files of a folder and its subfolders, in the order of what
    /// they depend on.
    pub async fn apply(&self, path: impl AsRef<Path>) -> Result<(), LabError> {
        let objects = install::read(path.as_ref())?;
        Ok(Installer::new(self.client().await?).apply(objects).await?)
    }

    /// Applies the objects of a YAML text.
    pub async fn apply_text(&self, yaml: &str) -> Result<(), LabError> {
        let objects = install::parse(Path::new("inline"), yaml)?;
        Ok(Installer::new(self.client().await?).apply(objects).await?)
    }

    /// Gives the platform's people (operator, finance, auditor, ...) their roles, where Jiyun's charts were not the lab's to
    /// install.
    ///
    /// # Errors
    /// When the roles are not there, or the API server refuses.
    pub async fn bind_people(&self) -> Result<(), LabError> {
        Ok(Installer::new(self.client().await?).apply(install::people()?).await?)
    }

    /// Runs kubectl as administrator and returns what it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, LabError> {
        let output = tokio::process::Command::new(&self.site.programs.kubectl)
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|source| LabError::System { action: "run kubectl", source })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(LabError::Command {
            command: format!("kubectl {}", arguments.join(" ")),
            exit: output.status,
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The path of kubectl.
    pub fn kubectl_program(&self) -> &Path {
        &self.site.programs.kubectl
    }

    /// A component's process: `etcd`, `etcd-ledger`, `kube-apiserver`, `kube-controller-manager`, or a guest's name. Of a
    /// given cluster there is none but `etcd-ledger`.
    pub fn process(&self, name: &str) -> Option<Process> {
        self.site.supervisor.find(name)
    }

    /// The ports of its own components.
    pub fn ports(&self) -> Vec<u16> {
        let issuer = self.site.issuer.as_ref().map(Issuer::port);
        let node = self.site.node.iter().flat_map(NodeSite::ports);
        self.site.ledger.ports().into_iter().chain(self.site.cluster.ports()).chain(issuer).chain(node).collect()
    }

    /// What a machine wrote on its serial console since it was started. Of a node with part `kubevirt`: its launcher keeps it
    /// (KubeVirt, `pkg/virt-launcher/virtwrap/converter/compute/console.go`).
    ///
    /// # Errors
    /// When no launcher of a machine of that name runs, or it has no console yet.
    pub async fn console(&self, namespace: &str, machine: &str) -> Result<String, LabError> {
        let selector = format!("vm.kubevirt.io/name={machine}");
        let running = "--field-selector=status.phase=Running";
        let pods = self.kubectl(&["get", "pods", "-n", namespace, "-l", &selector, running, "-o", "name"]).await?;
        let pod = pods.lines().next().unwrap_or("pod/no-launcher-runs");
        let read = "cat /run/kubevirt-private/*/virt-serial0-log";
        self.kubectl(&["exec", "-n", namespace, pod, "-c", "compute", "--", "sh", "-c", read]).await
    }

    /// All processes that run now.
    pub fn processes(&self) -> Vec<Process> {
        self.site.supervisor.running()
    }

    /// The first component that ended unasked, if one did.
    pub fn failure(&self) -> Option<Failure> {
        self.site.supervisor.failure()
    }

    /// Waits until a component ends unasked.
    pub async fn failed(&self) -> Failure {
        self.site.supervisor.failed().await
    }

    /// Time since the start began.
    pub fn age(&self) -> Duration {
        self.site.started.elapsed()
    }

    /// Stops as [`Lab::stop`] does but leaves the folder, for whoever looks for the cause of a failure.
    pub async fn stop_and_keep(self) -> Result<(), LabError> {
        self.site.keep.store(true, Ordering::Relaxed);
        self.site.stop().await
    }

    /// Stops guests, API server and etcds in this order, and removes the folder. From a given cluster it removes what is
    /// the lab's alone: its people, their bindings and its Lease. What was installed or applied there stays.
    pub async fn stop(self) -> Result<(), LabError> {
        // Dropping the last handle removes the folder.
        self.site.stop().await
    }
}

impl Site {
    /// Simulators first: an API server waits ten seconds for watches that are still open.
    async fn stop(&self) -> Result<(), LabError> {
        self.threads.end();
        self.supervisor.stop_all().await;
        self.leave().await
    }

    /// Leaves a given cluster.
    async fn leave(&self) -> Result<(), LabError> {
        match &self.cluster {
            Cluster::Own(_) => Ok(()),
            Cluster::Given(given) => Ok(given.leave().await?),
        }
    }

    pub(crate) fn people(&self) -> &[Person] {
        self.people.get().map_or(&[], |people| people)
    }

    pub(crate) fn ledger_tls(&self, user: LedgerUser) -> TlsFiles {
        let [(_, root), (_, controller), (_, api)] = &self.ledger_users;
        match user {
            LedgerUser::Root => root.clone(),
            LedgerUser::Controller => controller.clone(),
            LedgerUser::Api => api.clone(),
        }
    }

    /// Waits for a condition, but not longer than all components live.
    pub(crate) async fn or_failure<T>(
        &self,
        condition: impl Future<Output = Result<T, NotInTime>>,
    ) -> Result<T, LabError> {
        tokio::select! {
            biased;
            failure = self.supervisor.failed() => Err(failure.into()),
            value = condition => Ok(value?),
        }
    }

    pub(crate) async fn ledger_ready(&self) -> Result<etcd_client::Client, LabError> {
        let (endpoint, tls) = (self.ledger.endpoint(), self.ledger_tls(LedgerUser::Root));
        let what = format!("etcd at {endpoint} to answer");
        let condition =
            crate::wait::wait_for(what, Duration::from_secs(30), || async { etcd::connect(&endpoint, &tls).await });
        self.or_failure(condition).await
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.threads.end();
        self.supervisor.kill_all();
        // SIGKILL takes effect within milliseconds; the folder must not be removed under a process that still writes.
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.supervisor.running().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.keep.load(Ordering::Relaxed) || std::thread::panicking() {
            tracing::info!(folder = %self.folder.path().display(), "the lab's folder is kept");
        } else if let Err(error) = self.folder.remove() {
            tracing::warn!(%error, "the lab's folder could not be removed");
        }
    }
}
