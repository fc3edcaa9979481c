//! What a lab is asked to be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cluster::Choice;
use crate::parts::Part;
use crate::profile::Profile;
use crate::simulate::Pace;

/// By what the API server knows people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeopleCome {
    /// By the tokens of a file.
    WithTokens,
    /// By those, and by what an identity provider of the lab's says.
    WithTokensAndFromIssuer,
}

/// Which network plugin a lab has the objects of; packets go nowhere either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// One that knows nothing but Kubernetes' own policies.
    Plain,
    /// Kube-OVN.
    KubeOvn,
}

/// Whether disks have volumes where no array is: claims (PVC) and volumes (PV), without a byte in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// Only where the profile simulates them anyway.
    AsTheProfileHasIt,
    /// In profile [`Profile::Scale`] too.
    Simulated,
}

/// Whether machines that run have instances where no KubeVirt makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    /// Only where the profile has them anyway.
    AsTheProfileHasIt,
    /// In profile [`Profile::Scale`] too.
    Simulated,
}

/// Whether a lab has the objects of what makes databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Databases {
    /// It has not.
    None,
    /// Those of CloudNativePG.
    Cnpg,
}

/// Whether a lab has the objects of what makes buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Buckets {
    /// It has not.
    None,
    /// Those of Rook.
    Rook,
}

/// Whether a lab has the objects by which snapshots of disks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Snapshots {
    /// It has not.
    None,
    /// Those of CSI.
    Csi,
}

/// The most nodes a lab may have. More would be told apart by the same means; nobody has tried.
pub const MOST_NODES: u8 = 2;

/// Options of a lab. The default is what tests want: profile `scale`, instant simulators, a folder under `target/lab`
/// which is removed with the lab, a Kubernetes of its own unless `JIYUN_LAB_CLUSTER` names another.
#[derive(Debug, Clone)]
pub struct LabOptions {
    pub(crate) parent: PathBuf,
    pub(crate) name: String,
    pub(crate) cluster: Choice,
    pub(crate) profile: Profile,
    pub(crate) parts: BTreeSet<Part>,
    pub(crate) nodes: Option<u8>,
    pub(crate) pace: Pace,
    pub(crate) departments: Vec<String>,
    pub(crate) people: Vec<(String, Vec<String>)>,
    pub(crate) audit: Option<PathBuf>,
    pub(crate) audit_webhook: Option<PathBuf>,
    pub(crate) people_come: PeopleCome,
    pub(crate) engines: bool,
    pub(crate) volumes: Volumes,
    pub(crate) instances: Instances,
    pub(crate) network: Network,
    pub(crate) databases: Databases,
    pub(crate) buckets: Buckets,
    pub(crate) snapshots: Snapshots,
    pub(crate) charts: bool,
    pub(crate) keep: bool,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            parent: crate::paths::target_folder().join("lab"),
            name: unique_name(),
            cluster: Choice::Environment,
            profile: Profile::Scale,
            parts: BTreeSet::new(),
            nodes: None,
            pace: Pace::INSTANT,
            departments: Vec::new(),
            people: Vec::new(),
            audit: None,
            audit_webhook: None,
            people_come: PeopleCome::WithTokens,
            engines: true,
            volumes: Volumes::AsTheProfileHasIt,
            instances: Instances::AsTheProfileHasIt,
            network: Network::Plain,
            databases: Databases::None,
            buckets: Buckets::None,
            snapshots: Snapshots::Csi,
            charts: true,
            keep: false,
        }
    }
}

impl LabOptions {
    /// Nothing but etcd and Kubernetes: no engines' definitions, no charts, no simulators. The Kubernetes is the lab's
    /// own, whatever the environment says.
    pub fn bare() -> Self {
        Self { engines: false, charts: false, cluster: Choice::Own, ..Self::default() }
    }

    /// Uses an existing cluster, as the user of this kubeconfig's current context, instead of a Kubernetes of the lab's
    /// own. The lab installs into it, and leaves it only what was applied: see `docs/lab.md`.
    #[must_use]
    pub fn cluster(mut self, kubeconfig: impl Into<PathBuf>) -> Self {
        self.cluster = Choice::Given { kubeconfig: kubeconfig.into(), context: None };
        self
    }

    /// As [`LabOptions::cluster`], in this context of the kubeconfig.
    #[must_use]
    pub fn cluster_context(mut self, kubeconfig: impl Into<PathBuf>, context: impl Into<String>) -> Self {
        self.cluster = Choice::Given { kubeconfig: kubeconfig.into(), context: Some(context.into()) };
        self
    }

    /// Uses a Kubernetes of the lab's own, whatever the environment says: for what can only be asked of that one.
    #[must_use]
    pub fn own_cluster(mut self) -> Self {
        self.cluster = Choice::Own;
        self
    }

    /// The lab's folder is `parent/name`.
    #[must_use]
    pub fn folder(mut self, parent: impl AsRef<Path>, name: impl Into<String>) -> Self {
        parent.as_ref().clone_into(&mut self.parent);
        self.name = name.into();
        self
    }

    /// Which engines are real.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// What runs on a node beside Kubernetes; of profile [`Profile::Node`] only.
    #[must_use]
    pub fn with(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.parts = parts.into_iter().collect();
        self
    }

    /// How many nodes there are, 1 to [`MOST_NODES`]; of profile [`Profile::Node`] only, which has one if this is left out.
    /// Another number is refused at the start.
    #[must_use]
    pub fn nodes(mut self, nodes: u8) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Has disks get volumes (PVC and PV) in profile [`Profile::Scale`] too, which are left out there for the writes they
    /// cost: for what is about their size.
    #[must_use]
    pub fn volumes(mut self) -> Self {
        self.volumes = Volumes::Simulated;
        self
    }

    /// Has machines that run have instances in profile [`Profile::Scale`] too, which are left out there for the writes they
    /// cost: for what is about volumes that machines take on and give up while they run.
    #[must_use]
    pub fn instances(mut self) -> Self {
        self.instances = Instances::Simulated;
        self
    }

    /// How fast simulators go.
    #[must_use]
    pub fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Departments that get people: `<department>-operator`, `-reader` and `-approver`, each in the group
    /// `<department>-operators`, `-readers` and `-approvers`.
    #[must_use]
    pub fn departments<S: Into<String>>(mut self, departments: impl IntoIterator<Item = S>) -> Self {
        self.departments = departments.into_iter().map(Into::into).collect();
        self
    }

    /// One more user with these groups; its token is [`crate::Lab::person`]'s. Tokens are read at the start of the API
    /// server, so people cannot be added later. In a given cluster the name is that of a ServiceAccount, and of the
    /// groups only those of the platform and of departments (`<department>-operators` and so on) mean anything.
    #[must_use]
    pub fn person<S: Into<String>>(mut self, name: impl Into<String>, groups: impl IntoIterator<Item = S>) -> Self {
        self.people.push((name.into(), groups.into_iter().map(Into::into).collect()));
        self
    }

    /// Writes the API server's audit log to this file: level `Request`, changing requests only. A relative path is below
    /// the lab's folder and ends with it. A given cluster is not asked for one: the start is refused.
    #[must_use]
    pub fn audit(mut self, path: impl Into<PathBuf>) -> Self {
        self.audit = Some(path.into());
        self
    }

    /// The API server tells every change of Jiyun's objects to an audit webhook, as `examples/audit` says, and refuses what
    /// is not heard: until a program listens that was given [`crate::Lab::audit_webhook_flags`], all of them. A given cluster
    /// is not asked for it: the start is refused.
    #[must_use]
    pub fn audit_webhook(mut self) -> Self {
        self.audit_webhook = Some(crate::paths::source_root().join("examples/audit"));
        self
    }

    /// An identity provider beside the token file, [`crate::Lab::issuer`]: the API server takes its tokens as
    /// `examples/identity/authentication.yaml` says. A given cluster has its own: the start is refused.
    #[must_use]
    pub fn oidc(mut self) -> Self {
        self.people_come = PeopleCome::WithTokensAndFromIssuer;
        self
    }

    /// Whether the engines' definitions and simulators are installed.
    #[must_use]
    pub fn engines(mut self, engines: bool) -> Self {
        self.engines = engines;
        self
    }

    /// Installs Kube-OVN's definitions of routers and subnets and simulates them. Left out otherwise: most clusters have
    /// another network, and what is said there is to be seen, too.
    #[must_use]
    pub fn kube_ovn(mut self) -> Self {
        self.network = Network::KubeOvn;
        self
    }

    /// With CloudNativePG's clusters of databases, moved by a simulator unless the lab's node has its operator. Their definition
    /// is half a megabyte, which costs the API server seconds: only who asks for it has it.
    #[must_use]
    pub fn cnpg(mut self) -> Self {
        self.databases = Databases::Cnpg;
        self
    }

    /// With Rook's claims on buckets and the users of its object stores, moved by a simulator. Left out otherwise: a platform
    /// without Rook is to be seen, too.
    #[must_use]
    pub fn rook(mut self) -> Self {
        self.buckets = Buckets::Rook;
        self
    }

    /// Without the kinds by which snapshots of disks are taken, and without what takes them: what is said then is to be seen,
    /// too.
    #[must_use]
    pub fn without_snapshots(mut self) -> Self {
        self.snapshots = Snapshots::None;
        self
    }

    /// Whether Jiyun's own charts are installed.
    #[must_use]
    pub fn charts(mut self, charts: bool) -> Self {
        self.charts = charts;
        self
    }

    /// Keeps the lab's folder after its end.
    #[must_use]
    pub fn keep(mut self, keep: bool) -> Self {
        self.keep = keep;
        self
    }
}

fn unique_name() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
