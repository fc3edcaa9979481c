//! How a lab comes up: etcds and API server at once, the rest as soon as what it needs answers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use kube::Client;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{Lab, LabError, Site, Threads};
use crate::apiserver::{Auditing, Nodes, SignIn};
use crate::cluster::given::{Access, Given, Intent, Survey, survey};
use crate::cluster::own::ControlPlane;
use crate::cluster::{Cluster, Engines};
use crate::etcd::{self, Etcd, LedgerUser, TlsFiles};
use crate::folder::{Folder, little_room};
use crate::install::{Installer, Manifests, Supplies};
use crate::kubeconfig;
use crate::oidc::{self, Issuer, OidcError};
use crate::options::{Buckets, Databases, LabOptions, MOST_NODES, Network, PeopleCome, Snapshots};
use crate::parts::Part;
use crate::people::{self, Person};
use crate::pki::Authority;
use crate::ports::Port;
use crate::prefill::{self, PrefillError};
use crate::process::Supervisor;
use crate::profile::{self, NodeSite, Profile, Supplies as NodeSupplies};
use crate::programs::{ControlPlanePrograms, LabPrograms};
use crate::simulate::Faults;

/// Ports are reserved among labs, but another program may bind one between its release and the server's start.
const ATTEMPTS: usize = 3;

type Report<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where Kubernetes comes from, before anything of the lab exists.
#[derive(Debug, Clone)]
enum Ground {
    /// From these programs.
    Own(ControlPlanePrograms),
    /// From there; these definitions are not the lab's to change.
    Given(Access, BTreeSet<String>),
}

/// What a lab is made of, found or built before it starts.
#[derive(Debug, Clone)]
pub(super) struct Provisions {
    ground: Ground,
    engines: Engines,
    programs: LabPrograms,
    supplies: Supplies,
    node: Option<NodeSupplies>,
}

pub(super) async fn start(options: LabOptions, progress: Report<'_>) -> Result<Lab, LabError> {
    let provisions = provide(&options, progress).await?;
    let mut attempt = 1;
    loop {
        let attempted = attempt_start(options.clone(), provisions.clone(), progress);
        match Box::pin(attempted).await {
            Err(LabError::Failed(failure)) if attempt < ATTEMPTS && failure.tail.contains("address already in use") => {
                tracing::warn!(component = %failure.name, attempt, "a port was taken by another program; starting again");
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Finds or builds everything for a lab with a Kubernetes of its own. Blocks.
pub(super) fn build(profile: Profile, parts: &BTreeSet<Part>) -> Result<(), LabError> {
    if profile == Profile::Node {
        profile::check(profile, parts)?;
        NodeSupplies::provide(parts)?;
    }
    ControlPlanePrograms::provide()?;
    supplies(profile, Engines::of(profile, parts), true).map(drop)
}

/// Finds or builds everything a lab is made of. An existing cluster is asked first: what it has need not be built.
pub(super) async fn provide(options: &LabOptions, progress: Report<'_>) -> Result<Provisions, LabError> {
    let (profile, charts) = (options.profile, options.charts);
    if profile != Profile::Node && !options.parts.is_empty() {
        return Err(LabError::PartsWithoutNode);
    }
    node_count(options)?;
    let Some((kubeconfig, context)) = options.cluster.given() else {
        progress("programs");
        let engines = if options.engines { Engines::of(profile, &options.parts) } else { Engines::None };
        let parts = options.parts.clone();
        return blocking(move || {
            let has_node = profile == Profile::Node;
            if has_node {
                profile::check(profile, &parts)?;
            }
            let (programs, supplies) = supplies(profile, engines, charts)?;
            let node = has_node.then(|| NodeSupplies::provide(&parts)).transpose()?;
            Ok(Provisions { ground: Ground::Own(ControlPlanePrograms::provide()?), engines, programs, supplies, node })
        })
        .await;
    };
    if profile == Profile::Node {
        return Err(LabError::NodeOfAnotherCluster(kubeconfig));
    }
    progress(&format!("the existing cluster of {}", kubeconfig.display()));
    let access = Access::read(&kubeconfig, context.as_deref())?;
    let client = kubeconfig::client(&access.kubeconfig).await?;
    let intent = Intent {
        engines: options.engines.then_some(profile),
        charts,
        audit: options.audit.is_some() || options.audit_webhook.is_some(),
        issuer: wants_issuer(options),
    };
    let Survey { engines, foreign } = survey(&client, &access.url, intent).await?;
    progress("programs");
    let (programs, supplies) = blocking(move || supplies(profile, engines, charts)).await?;
    Ok(Provisions { ground: Ground::Given(access, foreign), engines, programs, supplies, node: None })
}

/// How many nodes there are to be, where that can be.
fn node_count(options: &LabOptions) -> Result<u8, LabError> {
    match options.nodes {
        None => Ok(1),
        Some(_) if options.profile != Profile::Node => Err(LabError::NodesWithoutNode),
        Some(count) if !(1..=MOST_NODES).contains(&count) => Err(LabError::NodeCount(count)),
        // Its driver keeps the volumes on one node.
        Some(count) if count > 1 && options.parts.contains(&Part::Csi) => Err(LabError::OnOneNode(Part::Csi)),
        Some(count) => Ok(count),
    }
}

/// Blocks.
fn supplies(profile: Profile, engines: Engines, charts: bool) -> Result<(LabPrograms, Supplies), LabError> {
    if engines.are_the_labs() {
        profile.provide_programs()?;
    }
    Ok((LabPrograms::provide()?, Supplies::provide(engines.are_the_labs(), charts)?))
}

async fn attempt_start(options: LabOptions, provisions: Provisions, progress: Report<'_>) -> Result<Lab, LabError> {
    // Megabytes of YAML: read while the servers start, where those need not wait for it.
    let (profile, supplies) = (options.profile, provisions.supplies.clone());
    let asked = (options.network, options.databases, options.buckets, options.snapshots);
    let parts = options.parts.clone();
    // In somebody's cluster the groups' names may be somebody's too; there the lab's people are bound by name.
    let own = matches!(provisions.ground, Ground::Own(_));
    let variant = prefill_of(&options).filter(|_| own);
    let manifests = tokio::spawn(blocking(move || Ok(supplies.read(profile, &parts, asked, own)?)));
    let foreign = match &provisions.ground {
        Ground::Own(_) => BTreeSet::new(),
        Ground::Given(_, foreign) => foreign.clone(),
    };
    let lab = Lab { site: Arc::new(prepare(options, provisions)?) };
    match Box::pin(bring_up(&lab, manifests, variant, &foreign, progress)).await {
        Ok(()) => Ok(lab),
        Err(error) => {
            if let Err(left) = lab.site.leave().await {
                tracing::warn!(error = %left, "the existing cluster was not left as it was found");
            }
            // Asked before the folder goes, and what fills the disk with it.
            Err(match little_room(lab.folder()) {
                Some(room) => LabError::Room { room, source: Box::new(error) },
                None => error,
            })
        }
    }
}

async fn bring_up(
    lab: &Lab,
    mut manifests: JoinHandle<Result<Manifests, LabError>>,
    variant: Option<String>,
    foreign: &BTreeSet<String>,
    progress: Report<'_>,
) -> Result<(), LabError> {
    let site = &lab.site;
    let (mut known, mut stored) = (None, Vec::new());
    if let Some(variant) = variant {
        let mut read = joined((&mut manifests).await)?;
        stored = prefill(site, variant, &mut read).await;
        known = Some(read);
    }
    start_servers(site, progress)?;
    let mut ledger = site.ledger_ready().await?;
    etcd::enable_authentication(&mut ledger, &site.ledger.endpoint()).await?;

    let client = lab.client().await?;
    match &site.cluster {
        Cluster::Own(own) => {
            or_failure(site, own.ready(&client)).await?;
            own.start_controller_manager(&site.folder, &site.supervisor)?;
        }
        Cluster::Given(given) => {
            progress("the claim on the cluster, and its people");
            or_failure(site, Box::pin(move_in(site, given, &client))).await?;
        }
    }
    for person in lab.people() {
        lab.write_kubeconfig(&person.name, &person.token)?;
    }

    let mut manifests = match known {
        Some(known) => known,
        None => joined(manifests.await)?,
    };
    manifests.definitions.retain(|definition| {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        !foreign.contains(name)
    });
    let installer = Installer::new(client.clone());
    or_failure(site, installer.defined(&stored)).await?;
    if !manifests.definitions.is_empty() {
        progress("definitions of the engines");
        or_failure(site, installer.apply(manifests.definitions)).await?;
    }
    if !manifests.charts.is_empty() {
        progress("charts");
    }
    for chart in manifests.charts {
        or_failure(site, installer.apply(chart)).await?;
    }
    if let Some(node) = &site.node {
        let parts = site.options.parts.iter().map(ToString::to_string);
        progress(&node.names().into_iter().chain(parts).collect::<Vec<_>>().join(", "));
        start_node(site).await?;
    }
    if site.engines != Engines::None {
        progress(&format!("engines: {}", site.engines));
    }
    if site.engines.are_the_labs() {
        start_engines(site).await?;
    }
    match &site.cluster {
        Cluster::Own(own) => or_failure(site, own.controllers_work(&client)).await,
        Cluster::Given(_) => Ok(()),
    }
}

/// The kind of etcd a lab begins with: labs that have the same definitions share one. A node's Kubernetes has some of its
/// own and starts once for many tests.
fn prefill_of(options: &LabOptions) -> Option<String> {
    let mut name = match options.profile {
        Profile::Node => return None,
        profile => format!("prefill-{profile}"),
    };
    let LabOptions { engines, charts, network, databases, buckets, snapshots, .. } = options;
    let has = [
        ("engines", *engines),
        ("jiyun", *charts),
        ("ovn", *network == Network::KubeOvn),
        ("cnpg", *databases == Databases::Cnpg),
        ("rook", *buckets == Buckets::Rook),
        ("csi", *snapshots == Snapshots::Csi),
    ];
    for (part, _) in has.iter().filter(|(_, has)| *has) {
        name.push('-');
        name.push_str(part);
    }
    Some(name)
}

/// Lets the lab's etcd begin with all definitions; they are out of the manifests then and returned. Where that cannot be,
/// they are applied as everywhere else.
async fn prefill(site: &Site, variant: String, manifests: &mut Manifests) -> Vec<Value> {
    let Some(own) = site.cluster.own() else { return Vec::new() };
    let programs = prefill::Programs { etcd: site.programs.etcd.clone(), control_plane: own.programs().clone() };
    if !programs.are_built() {
        return Vec::new();
    }
    let definitions = manifests.take_definitions();
    if definitions.is_empty() {
        return definitions;
    }
    let data = own.etcd_folder(&site.folder);
    let filled = match prefill::provide(programs, variant, definitions.clone()).await {
        Ok(made) => {
            let filled = tokio::task::spawn_blocking(move || prefill::fill(&made, &data)).await;
            filled.map_err(std::io::Error::other).and_then(|filled| filled).map_err(PrefillError::from)
        }
        Err(error) => Err(error),
    };
    match filled {
        Ok(()) => definitions,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "this lab is given its definitions one by one");
            manifests.definitions = definitions;
            Vec::new()
        }
    }
}

/// Runs work that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    joined(tokio::task::spawn_blocking(work).await)
}

pub(super) fn joined<T>(outcome: Result<Result<T, LabError>, tokio::task::JoinError>) -> Result<T, LabError> {
    outcome.map_err(|error| LabError::System { action: "finish a task", source: std::io::Error::other(error) })?
}

fn prepare(options: LabOptions, provisions: Provisions) -> Result<Site, LabError> {
    let started = Instant::now();
    let Provisions { ground, engines, programs, node, .. } = provisions;
    let folder = Folder::create(&options.parent, &options.name)?;
    let authority = Authority::create(&folder.path().join("pki"))?;
    let people = OnceLock::new();
    let issuer = wants_issuer(&options).then(|| Issuer::prepare(&authority)).transpose()?;
    let cluster = match ground {
        Ground::Own(programs) => {
            let known: Arc<[Person]> = people::people(&options.departments, &options.people)
                .map_err(|source| LabError::System { action: "read random numbers", source })?
                .into();
            let tokens = people::token_file(people.get_or_init(|| known));
            let sign_in =
                SignIn { tokens, jwt: issuer.as_ref().map(|issuer| told_of(issuer, &authority)).transpose()? };
            let auditing = Auditing {
                log: options.audit.as_ref().map(|log| folder.path().join(log)),
                webhook: options.audit_webhook.clone(),
            };
            let nodes =
                node.is_some().then(|| Nodes::prepare(&folder, &authority, profile::addresses::API)).transpose()?;
            Cluster::Own(Box::new(ControlPlane::prepare(programs, &folder, &authority, &sign_in, &auditing, nodes)?))
        }
        Ground::Given(access, _) => Cluster::Given(Box::new(Given::prepare(access, &folder)?)),
    };
    let node = match (node, cluster.own()) {
        (Some(supplies), Some(own)) => {
            let count = node_count(&options)?;
            Some(NodeSite::prepare(supplies, &folder, &authority, own.api_port(), count)?)
        }
        _ => None,
    };
    folder.write_etc("admin.kubeconfig", cluster.admin_kubeconfig())?;
    let user = |user: LedgerUser| {
        let client = authority.client(&format!("ledger-{}", user.name()), user.name(), None)?;
        Ok::<_, LabError>((user, TlsFiles { authority: authority.certificate().to_owned(), client }))
    };
    let [root, controller, api] = LedgerUser::ALL;
    let ledger_users = [user(root)?, user(controller)?, user(api)?];
    let threads = Threads::start().map_err(|source| LabError::System { action: "start the lab's threads", source })?;
    Ok(Site {
        ledger: Etcd::prepare("etcd-ledger", &authority, Port::reserve()?, Port::reserve()?)?,
        faults: Arc::new(Faults::default()),
        supervisor: Supervisor::default(),
        threads,
        counter: AtomicU32::new(1),
        keep: AtomicBool::new(options.keep),
        folder,
        options,
        programs,
        authority,
        node,
        cluster,
        engines,
        ledger_users,
        people,
        issuer,
        started,
    })
}

fn wants_issuer(options: &LabOptions) -> bool {
    options.people_come == PeopleCome::WithTokensAndFromIssuer
}

/// The configuration by which the API server knows the issuer.
fn told_of(issuer: &Issuer, authority: &Authority) -> Result<String, OidcError> {
    let path = authority.certificate();
    let pem = std::fs::read_to_string(path).map_err(|source| OidcError::Authority { path: path.to_owned(), source })?;
    oidc::configuration(issuer.url(), &pem)
}

fn start_servers(site: &Site, progress: Report<'_>) -> Result<(), LabError> {
    if let Some(issuer) = &site.issuer {
        // Before the API server, which asks at once and then again only after ten seconds.
        let serving = issuer.serve()?;
        site.threads.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the lab's identity provider has ended");
            }
        });
    }
    match &site.cluster {
        Cluster::Own(own) => {
            progress("etcd and API server");
            own.start(&site.programs.etcd, &site.folder, &site.supervisor)?;
        }
        Cluster::Given(_) => progress("the ledger's etcd"),
    }
    if let Some(node) = &site.node {
        node.launch(site)?;
    }
    site.ledger.hand_over();
    site.supervisor.start(&site.ledger.launch(&site.programs.etcd, &site.folder))?;
    Ok(())
}

/// Claims a given cluster, makes the people there, and keeps both for as long as the lab lives.
async fn move_in(site: &Arc<Site>, given: &Given, client: &Client) -> Result<(), LabError> {
    given.claim(client).await?;
    let named = people::named(&site.options.departments, &site.options.people);
    let people: Arc<[Person]> = given.people(client, named).await?.into();
    let people = Arc::clone(site.people.get_or_init(|| people));
    // The task must not keep the site: it ends when its last handle goes.
    let weak = Arc::downgrade(site);
    let keeper = given.keeper();
    site.threads.spawn(async move {
        match keeper.keep(people).await {
            Ok(()) => tracing::error!("another lab has taken the existing cluster; this lab's simulators end"),
            Err(error) => tracing::error!(%error, "the existing cluster cannot be kept; this lab's simulators end"),
        }
        if let Some(site) = weak.upgrade() {
            site.threads.end();
        }
    });
    Ok(())
}

async fn or_failure<T, E: Into<LabError>>(
    site: &Site,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, LabError> {
    tokio::select! {
        biased;
        failure = site.supervisor.failed() => Err(failure.into()),
        outcome = work => outcome.map_err(Into::into),
    }
}

/// The ways into the node live on the lab's own threads.
async fn start_node(site: &Arc<Site>) -> Result<(), LabError> {
    let kept = Arc::clone(site);
    let started = site.threads.spawn(async move {
        let client = kubeconfig::client(kept.cluster.admin_kubeconfig()).await?;
        tokio::select! {
            biased;
            failure = kept.supervisor.failed() => Err(LabError::from(failure)),
            started = profile::start_node(Arc::clone(&kept), client) => Ok(started?),
        }
    });
    match started {
        Some(started) => joined(started.await),
        None => Ok(()),
    }
}

/// Simulators and their client live on the lab's own threads.
async fn start_engines(site: &Arc<Site>) -> Result<(), LabError> {
    let kept = Arc::clone(site);
    let started = site.threads.spawn(async move {
        let client = kubeconfig::client(kept.cluster.admin_kubeconfig()).await?;
        Ok::<_, LabError>(kept.options.profile.start(Arc::clone(&kept), client).await?)
    });
    match started {
        Some(started) => joined(started.await),
        None => Ok(()),
    }
}
