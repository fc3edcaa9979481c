//! KubeVirt's programs and the objects virt-operator would install for them.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::RealError;
use crate::install;
use crate::kubeconfig::{self, Credentials};
use crate::lab::Site;
use crate::pki::{KeyFiles, PkiError};
use crate::ports::{NoFreePort, Port};
use crate::process::{Launch, Tie};
use crate::programs::{self, ProgramError};

/// The names KubeVirt's program is called by.
pub(super) const PROGRAMS: [&str; 3] = ["virt-api", "virt-controller", "kubevirt-objects"];

/// The launcher image named in pods; nothing pulls it.
const LAUNCHER: &str = "simulated.lab.jiyun.io/virt-launcher:v1.8.2";

/// Paths of KubeVirt's programs.
pub(super) struct Programs {
    api: PathBuf,
    controller: PathBuf,
    objects: PathBuf,
}

impl Programs {
    pub(super) fn provide() -> Result<Self, ProgramError> {
        let [api, controller, objects] = PROGRAMS;
        Ok(Self {
            api: programs::program("kubevirt", api)?,
            controller: programs::program("kubevirt", controller)?,
            objects: programs::program("kubevirt", objects)?,
        })
    }
}

/// Ports of KubeVirt's programs.
pub(super) struct Ports {
    pub(super) api: Port,
    controller: Port,
    /// Where virt-api would find consoles on a node. Nothing listens.
    console: Port,
}

impl Ports {
    pub(super) fn reserve() -> Result<Self, NoFreePort> {
        Ok(Self { api: Port::reserve()?, controller: Port::reserve()?, console: Port::reserve()? })
    }
}

/// What `kubevirt-objects` writes, apart from the definitions, which are installed already.
pub(super) struct Objects {
    pub(super) before: Vec<Value>,
    pub(super) statuses: Vec<Value>,
    pub(super) registrations: Vec<Value>,
}

/// Writes and reads KubeVirt's objects.
pub(super) async fn objects(site: &Site, programs: &Programs, ports: &Ports) -> Result<Objects, RealError> {
    let folder = site.folder.path().join("virt-operator");
    let arguments = [
        folder.display().to_string(),
        format!("--ca-bundle={}", site.authority.certificate().display()),
        format!("--api-url={}", ports.api.https()),
    ];
    install::output(&programs.objects, &arguments).await?;
    Ok(Objects {
        before: install::read(&folder.join("objects"))?,
        statuses: install::read(&folder.join("statuses"))?,
        registrations: install::read(&folder.join("registrations"))?,
    })
}

/// A client certificate that makes its bearer one of KubeVirt's service accounts.
pub(super) fn account(site: &Site, name: &str) -> Result<KeyFiles, PkiError> {
    site.authority.client(
        name,
        &format!("system:serviceaccount:kubevirt:{name}"),
        Some("system:serviceaccounts:kubevirt"),
    )
}

/// A kubeconfig for the lab's API server.
pub(super) fn kubeconfig(site: &Site, user: &str, credentials: Credentials<'_>) -> String {
    kubeconfig::render(&site.cluster.url(), site.cluster.authority(), user, credentials)
}

/// Starts virt-api and virt-controller.
pub(super) fn launch(site: &Site, programs: &Programs, ports: &Ports) -> Result<(), RealError> {
    let server = site.authority.server("virt-api", &["127.0.0.1", "localhost", "virt-api.kubevirt.svc"])?;
    let (certificate, key) = (&server.certificate, &server.key);
    let controller =
        [file("prom-cert-file", certificate), file("prom-key-file", key), format!("--launcher-image={LAUNCHER}")];
    let api = [
        format!("--console-server-port={}", ports.console.number()),
        file("tls-cert-file", certificate),
        file("tls-key-file", key),
        file("handler-cert-file", certificate),
        file("handler-key-file", key),
    ];
    start(site, &programs.controller, ("virt-controller", "kubevirt-controller"), &ports.controller, &controller)?;
    start(site, &programs.api, ("virt-api", "kubevirt-apiserver"), &ports.api, &api)
}

fn file(flag: &str, path: &Path) -> String {
    format!("--{flag}={}", path.display())
}

fn start(
    site: &Site,
    program: &Path,
    (name, user): (&str, &str),
    port: &Port,
    arguments: &[String],
) -> Result<(), RealError> {
    let identity = account(site, user)?;
    let text = kubeconfig(site, user, Credentials::Certificate(&identity));
    let path = site.folder.write_etc(&format!("{name}.kubeconfig"), &text)?;
    let common = [file("kubeconfig", &path), "--listen=127.0.0.1".into(), format!("--port={}", port.number())];
    port.hand_over();
    site.supervisor.start(&Launch {
        name: name.into(),
        program: program.to_owned(),
        arguments: common.into_iter().chain(arguments.iter().cloned()).collect(),
        // virt-api leaves a temporary folder behind; it goes with the lab's.
        environment: vec![("TMPDIR".into(), site.folder.path().display().to_string())],
        directory: site.folder.path().to_owned(),
        log: site.folder.log(name),
        tie: Tie::Killed,
    })?;
    Ok(())
}
