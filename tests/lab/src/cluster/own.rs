//! A Kubernetes of the lab's own: etcd, API server and controller manager as processes of the lab.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;

use crate::apiserver::{ApiServer, Auditing, Nodes, SignIn, Webhook};
use crate::controller_manager;
use crate::etcd::Etcd;
use crate::folder::Folder;
use crate::kubeconfig::{self, Credentials};
use crate::lab::LabError;
use crate::pki::Authority;
use crate::ports::Port;
use crate::process::Supervisor;
use crate::programs::ControlPlanePrograms;
use crate::wait::{NotInTime, wait_for};

/// A loaded machine with cold caches needs some fifteen seconds; more means that something is wrong.
const READY: Duration = Duration::from_secs(90);

/// The control plane: its ports, its files, its programs.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    programs: ControlPlanePrograms,
    apiserver: ApiServer,
    etcd: Etcd,
    manager_port: Port,
    has_nodes: bool,
    manager_kubeconfig: PathBuf,
    authority: PathBuf,
    admin_kubeconfig: String,
}

impl ControlPlane {
    /// Reserves ports, issues certificates and writes files. `sign_in` says whom the API server knows.
    pub(crate) fn prepare(
        programs: ControlPlanePrograms,
        folder: &Folder,
        authority: &Authority,
        sign_in: &SignIn,
        auditing: &Auditing,
        nodes: Option<Nodes>,
    ) -> Result<Self, LabError> {
        let has_nodes = nodes.is_some();
        let apiserver = ApiServer::prepare(folder, authority, Port::reserve()?, sign_in, auditing, nodes)?;
        let (url, ca) = (apiserver.port.https(), authority.certificate());
        let admin = authority.client("admin", "lab-admin", Some("system:masters"))?;
        let admin_kubeconfig = kubeconfig::render(&url, ca, "lab-admin", Credentials::Certificate(&admin));
        let manager = authority.client("controller-manager", "system:kube-controller-manager", None)?;
        let manager = kubeconfig::render(&url, ca, "controller-manager", Credentials::Certificate(&manager));
        Ok(Self {
            programs,
            apiserver,
            etcd: Etcd::prepare("etcd", authority, Port::reserve()?, Port::reserve()?)?,
            manager_port: Port::reserve()?,
            has_nodes,
            manager_kubeconfig: folder.write_etc("controller-manager.kubeconfig", &manager)?,
            authority: ca.to_owned(),
            admin_kubeconfig,
        })
    }

    /// The receiving end of its audit webhook, where it has one.
    pub(crate) fn webhook(&self) -> Option<&Webhook> {
        self.apiserver.webhook.as_ref()
    }

    /// The API server's URL.
    pub(crate) fn url(&self) -> String {
        self.apiserver.port.https()
    }

    /// The certificate file of the authority that signed the API server's certificate.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The administrator's kubeconfig.
    pub(crate) fn admin_kubeconfig(&self) -> &str {
        &self.admin_kubeconfig
    }

    /// The port of its API server.
    pub(crate) fn api_port(&self) -> u16 {
        self.apiserver.port.number()
    }

    /// The ports of its components.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.etcd.ports().into_iter().chain([self.apiserver.port.number(), self.manager_port.number()]).collect()
    }

    /// Where the files of its etcd are.
    pub(crate) fn etcd_folder(&self, folder: &Folder) -> PathBuf {
        self.etcd.data(folder)
    }

    /// Where its etcd answers.
    pub(crate) fn etcd_endpoint(&self) -> String {
        self.etcd.endpoint()
    }

    /// Its programs beside etcd.
    pub(crate) fn programs(&self) -> &ControlPlanePrograms {
        &self.programs
    }

    /// Starts etcd and the API server.
    pub(crate) fn start(&self, etcd: &Path, folder: &Folder, supervisor: &Supervisor) -> Result<(), LabError> {
        self.etcd.hand_over();
        supervisor.start(&self.etcd.launch(etcd, folder))?;
        self.apiserver.port.hand_over();
        supervisor.start(&self.apiserver.launch(&self.programs.apiserver, folder, &self.etcd))?;
        Ok(())
    }

    /// Waits until the API server is ready.
    pub(crate) async fn ready(&self, client: &Client) -> Result<(), NotInTime> {
        wait_for(format!("the API server at {} to be ready", self.url()), READY, || async {
            let request = http::Request::get("/readyz").body(Vec::new()).map_err(|error| error.to_string())?;
            client.request_text(request).await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }

    /// Starts the controller manager, which does not wait for an API server.
    pub(crate) fn start_controller_manager(&self, folder: &Folder, supervisor: &Supervisor) -> Result<(), LabError> {
        let port = &self.manager_port;
        port.hand_over();
        let files = controller_manager::Files {
            kubeconfig: &self.manager_kubeconfig,
            token_private: &self.apiserver.token_private,
            authority: &self.authority,
            nodes: self.has_nodes,
        };
        supervisor.start(&controller_manager::launch(&self.programs.controller_manager, folder, port, &files))?;
        Ok(())
    }

    /// The last sign of life of the controller manager: without it no pod, and no controller that is a ServiceAccount,
    /// works.
    pub(crate) async fn controllers_work(&self, client: &Client) -> Result<(), NotInTime> {
        let accounts = kube::Api::<k8s_openapi::api::core::v1::ServiceAccount>::namespaced(client.clone(), "default");
        wait_for("the ServiceAccount default/default", READY, || async {
            accounts.get("default").await.map(drop).map_err(|error| error.to_string())
        })
        .await
    }
}
