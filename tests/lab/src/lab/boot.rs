//! How a lab comes up: etcds and API server at once, the rest as soon as what it needs answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use kube::Client;

use super::{Lab, LabError, Site, Threads};
use crate::apiserver::ApiServer;
use crate::controller_manager;
use crate::etcd::{self, Etcd, LedgerUser, TlsFiles};
use crate::folder::Folder;
use crate::install::{Installer, Supplies};
use crate::kubeconfig::{self, Credentials};
use crate::options::LabOptions;
use crate::people;
use crate::pki::Authority;
use crate::ports::Port;
use crate::process::Supervisor;
use crate::profile::Profile;
use crate::programs::ControlPlanePrograms;
use crate::simulate::Faults;
use crate::wait::wait_for;

/// Ports are reserved among labs, but another program may bind one between its release and the server's start.
const ATTEMPTS: usize = 3;

/// A loaded machine with cold caches needs some fifteen seconds; more means that something is wrong.
const READY: Duration = Duration::from_secs(90);

type Report<'a> = &'a (dyn Fn(&str) + Send + Sync);

pub(super) async fn start(options: LabOptions, progress: Report<'_>) -> Result<Lab, LabError> {
    progress("programs");
    let (profile, engines, charts) = (options.profile, options.engines, options.charts);
    let (programs, supplies) = blocking(move || supplies(profile, engines, charts)).await?;
    let mut attempt = 1;
    loop {
        let attempted = attempt_start(options.clone(), programs.clone(), supplies.clone(), progress);
        match Box::pin(attempted).await {
            Err(LabError::Failed(failure)) if attempt < ATTEMPTS && failure.tail.contains("address already in use") => {
                tracing::warn!(component = %failure.name, attempt, "a port was taken by another program; starting again");
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// Finds or builds everything a lab is made of. Blocks.
pub(super) fn supplies(
    profile: Profile,
    engines: bool,
    charts: bool,
) -> Result<(ControlPlanePrograms, Supplies), LabError> {
    if engines {
        profile.provide_programs()?;
    }
    Ok((ControlPlanePrograms::provide()?, Supplies::provide(engines, charts)?))
}

async fn attempt_start(
    options: LabOptions,
    programs: ControlPlanePrograms,
    supplies: Supplies,
    progress: Report<'_>,
) -> Result<Lab, LabError> {
    // Megabytes of YAML: read while the servers start.
    let profile = options.profile;
    let manifests = tokio::spawn(blocking(move || Ok(supplies.read(profile)?)));
    let site = Arc::new(prepare(options, programs)?);
    progress("etcd and API server");
    for etcd in [&site.etcd, &site.ledger] {
        etcd.hand_over();
        site.supervisor.start(&etcd.launch(&site.programs.etcd, &site.folder))?;
    }
    site.apiserver.port.hand_over();
    site.supervisor.start(&site.apiserver.launch(&site.programs.apiserver, &site.folder, &site.etcd))?;

    let mut ledger = site.ledger_ready().await?;
    etcd::enable_authentication(&mut ledger, &site.ledger.endpoint()).await?;

    let client = kubeconfig::client(&site.admin_kubeconfig).await?;
    wait_until_ready(&site, &client).await?;
    start_controller_manager(&site)?;

    let lab = Lab { site };
    for person in lab.people() {
        lab.write_kubeconfig(&person.name, &person.token)?;
    }
    let manifests = joined(manifests.await)?;
    let installer = Installer::new(client.clone());
    if !manifests.definitions.is_empty() {
        progress("definitions of the engines");
        or_failure(&lab.site, installer.apply(manifests.definitions)).await?;
    }
    if !manifests.charts.is_empty() {
        progress("charts");
    }
    for chart in manifests.charts {
        or_failure(&lab.site, installer.apply(chart)).await?;
    }
    if lab.site.options.engines {
        progress("engines");
        start_engines(&lab).await?;
    }
    wait_for_default_account(&lab.site, &client).await?;
    Ok(lab)
}

/// Runs work that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LabError> + Send + 'static,
) -> Result<T, LabError> {
    joined(tokio::task::spawn_blocking(work).await)
}

fn joined<T>(outcome: Result<Result<T, LabError>, tokio::task::JoinError>) -> Result<T, LabError> {
    outcome.map_err(|error| LabError::System { action: "finish a task", source: std::io::Error::other(error) })?
}

fn prepare(options: LabOptions, programs: ControlPlanePrograms) -> Result<Site, LabError> {
    let started = Instant::now();
    let folder = Folder::create(&options.parent, &options.name)?;
    let authority = Authority::create(&folder.path().join("pki"))?;
    let people = people::people(&options.departments, &options.people)
        .map_err(|source| LabError::System { action: "read random numbers", source })?;
    let tokens = people::token_file(&people);
    let audit = options.audit.as_ref().map(|log| folder.path().join(log));
    let apiserver = ApiServer::prepare(&folder, &authority, Port::reserve()?, &tokens, audit.as_deref())?;
    let admin = authority.client("admin", "lab-admin", Some("system:masters"))?;
    let (url, ca) = (apiserver.port.https(), authority.certificate());
    let admin_kubeconfig = kubeconfig::render(&url, ca, "lab-admin", Credentials::Certificate(&admin));
    folder.write_etc("admin.kubeconfig", &admin_kubeconfig)?;
    let manager = authority.client("controller-manager", "system:kube-controller-manager", None)?;
    let manager = kubeconfig::render(&url, ca, "controller-manager", Credentials::Certificate(&manager));
    folder.write_etc("controller-manager.kubeconfig", &manager)?;
    let user = |user: LedgerUser| {
        let client = authority.client(&format!("ledger-{}", user.name()), user.name(), None)?;
        Ok::<_, LabError>((user, TlsFiles { authority: ca.to_owned(), client }))
    };
    let [root, controller, api] = LedgerUser::ALL;
    let ledger_users = [user(root)?, user(controller)?, user(api)?];
    let threads = Threads::start().map_err(|source| LabError::System { action: "start the lab's threads", source })?;
    Ok(Site {
        etcd: Etcd::prepare("etcd", &authority, Port::reserve()?, Port::reserve()?)?,
        ledger: Etcd::prepare("etcd-ledger", &authority, Port::reserve()?, Port::reserve()?)?,
        manager_port: Port::reserve()?,
        faults: Arc::new(Faults::default()),
        supervisor: Supervisor::default(),
        threads,
        counter: AtomicU32::new(1),
        keep: AtomicBool::new(options.keep),
        folder,
        options,
        programs,
        authority,
        apiserver,
        ledger_users,
        people,
        admin_kubeconfig,
        started,
    })
}

async fn wait_until_ready(site: &Site, client: &Client) -> Result<(), LabError> {
    let what = format!("the API server at {} to be ready", site.apiserver.port.https());
    let ready = wait_for(what, READY, || async {
        let request = http_get("/readyz").map_err(|error| error.to_string())?;
        client.request_text(request).await.map(drop).map_err(|error| error.to_string())
    });
    site.or_failure(ready).await
}

fn http_get(path: &str) -> Result<http::Request<Vec<u8>>, http::Error> {
    http::Request::get(path).body(Vec::new())
}

fn start_controller_manager(site: &Site) -> Result<(), LabError> {
    let port = &site.manager_port;
    port.hand_over();
    let files = controller_manager::Files {
        kubeconfig: &site.folder.etc("controller-manager.kubeconfig"),
        token_private: &site.apiserver.token_private,
        authority: site.authority.certificate(),
    };
    site.supervisor.start(&controller_manager::launch(
        &site.programs.controller_manager,
        &site.folder,
        port,
        &files,
    ))?;
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

/// Simulators and their client live on the lab's own threads.
async fn start_engines(lab: &Lab) -> Result<(), LabError> {
    let site = Arc::clone(&lab.site);
    let started = lab.site.threads.spawn(async move {
        let client = kubeconfig::client(&site.admin_kubeconfig).await?;
        Ok::<_, LabError>(site.options.profile.start(Arc::clone(&site), client).await?)
    });
    match started {
        Some(started) => joined(started.await),
        None => Ok(()),
    }
}

/// The last sign of life of the controller manager: without it no pod, and no controller that is a ServiceAccount, works.
async fn wait_for_default_account(site: &Site, client: &Client) -> Result<(), LabError> {
    let accounts = kube::Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(client.clone(), "default");
    let ready = wait_for("the ServiceAccount default/default", READY, || async {
        accounts.get("default").await.map(drop).map_err(|error| error.to_string())
    });
    site.or_failure(ready).await
}
