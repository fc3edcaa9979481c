//! Jiyun's own programs as processes of a lab, started, killed, stopped and started again as a test wishes; and the ways to
//! those that run in pods.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Lab, LabError, Site};
use crate::etcd::{LOOPBACK, LedgerUser, TlsFiles};
use crate::install::NAMESPACE;
use crate::paths::product_program;
use crate::pki::KeyFiles;
use crate::ports::Port;
use crate::process::{Exit, GUEST_GRACE, Launch, Process, Tie};
use crate::wait::wait_for;

/// As whom a program talks to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A ServiceAccount, with a token made for the program.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The administrator, for labs without charts.
    Administrator,
}

/// How `jiyun-controller` is started.
#[derive(Debug, Clone)]
pub struct ControllerOptions {
    /// Component name: several controllers of one lab need different ones.
    pub name: String,
    /// As whom it talks to the API server.
    pub identity: Identity,
    /// Where it finds the API server; the lab's where it is not given.
    pub kubernetes: Option<String>,
    /// Where it finds the ledger's etcd, without a certificate: a line of a test's own, which has one. The lab's where it
    /// is not given.
    pub ledger: Option<String>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Default for ControllerOptions {
    fn default() -> Self {
        Self {
            name: "jiyun-controller".into(),
            identity: Identity::ServiceAccount { namespace: NAMESPACE.into(), name: "jiyun-controller".into() },
            kubernetes: None,
            ledger: None,
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// How `jiyun-api` is started. It has no identity of its own: it forwards its callers' tokens.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Component name.
    pub name: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self { name: "jiyun-api".into(), arguments: Vec::new(), environment: Vec::new() }
    }
}

/// A program of the product that runs beside the lab. Dropping it kills the process.
#[derive(Debug)]
pub struct Guest {
    site: Arc<Site>,
    launch: Launch,
    process: Mutex<Process>,
    service: Option<Port>,
    metrics: Port,
}

impl Lab {
    /// Starts `jiyun-controller`.
    pub async fn spawn_controller(&self, options: ControllerOptions) -> Result<Guest, LabError> {
        let program = product_program("jiyun-controller")?;
        let kubeconfig = match &options.identity {
            Identity::Administrator => self.kubeconfig(),
            Identity::ServiceAccount { namespace, name } => {
                let token = self.user_token(namespace, name).await?;
                let server = options.kubernetes.clone().unwrap_or_else(|| self.url());
                self.write_kubeconfig_to(&server, &options.name, &token)?
            }
        };
        let metrics = Port::reserve()?;
        let mut arguments = vec!["run".into(), flag("kubeconfig", &kubeconfig)];
        match &options.ledger {
            Some(endpoint) => arguments.push(format!("--ledger-endpoints={endpoint}")),
            None => arguments.extend(self.ledger_flags(LedgerUser::Controller)),
        }
        arguments.push(format!("--listen={}", metrics.address()));
        arguments.extend(options.arguments);
        let launch = self.guest_launch(options.name, &program, arguments, options.environment);
        Guest::start(&self.site, launch, None, metrics)
    }

    /// Starts `jiyun-api`.
    pub fn spawn_api(&self, options: ApiOptions) -> Result<Guest, LabError> {
        let program = product_program("jiyun-api")?;
        let (service, metrics) = (Port::reserve()?, Port::reserve()?);
        let server = self.site.authority.server(&options.name, &LOOPBACK)?;
        let mut arguments =
            vec![format!("--kubernetes-url={}", self.url()), flag("kubernetes-ca", self.kubernetes_authority())];
        arguments.extend(self.ledger_flags(LedgerUser::Api));
        arguments.extend([
            format!("--listen={}", service.address()),
            flag("tls-cert", &server.certificate),
            flag("tls-key", &server.key),
            format!("--metrics-listen={}", metrics.address()),
        ]);
        arguments.extend(options.arguments);
        let launch = self.guest_launch(options.name, &program, arguments, options.environment);
        Guest::start(&self.site, launch, Some(service), metrics)
    }

    /// Starts a way to a program in a pod, `to` as kubectl names it (`deployment/jiyun-api`): it answers at addresses of this
    /// machine as a program beside the lab does. It is the way that is killed and restarted, not the program; it leads to one
    /// pod and ends with it.
    ///
    /// # Errors
    /// When no port is free or kubectl cannot be started.
    pub fn spawn_forward(&self, to: &str, service: Option<u16>, metrics: u16) -> Result<Guest, LabError> {
        let here = service.map(|_| Port::reserve()).transpose()?;
        let metrics_here = Port::reserve()?;
        let mut arguments = vec!["port-forward".into(), format!("--namespace={NAMESPACE}"), to.to_owned()];
        arguments.extend(here.iter().zip(service).map(|(here, there)| format!("{}:{there}", here.number())));
        arguments.push(format!("{}:{metrics}", metrics_here.number()));
        let environment = vec![("KUBECONFIG".into(), self.kubeconfig().display().to_string())];
        let name = format!("forward-{}", to.rsplit('/').next().unwrap_or(to));
        let launch = self.guest_launch(name, self.kubectl_program(), arguments, environment);
        Guest::start(&self.site, launch, here, metrics_here)
    }

    /// A certificate of the lab's authority for a program that is reached at this machine's loopback, called `name`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn serving_certificate(&self, name: &str) -> Result<KeyFiles, LabError> {
        Ok(self.site.authority.server(name, &LOOPBACK)?)
    }

    /// Arguments with which a `jiyun-api` that keeps a trail receives what the API server tells; none unless
    /// [`crate::LabOptions::audit_webhook`] was asked for. For one program at a time.
    pub fn audit_webhook_flags(&self) -> Vec<String> {
        let Some(webhook) = self.site.cluster.webhook() else { return Vec::new() };
        webhook.port.hand_over();
        vec![
            format!("--audit-webhook-bind={}", webhook.port.address()),
            flag("audit-webhook-cert", &webhook.server.certificate),
            flag("audit-webhook-key", &webhook.server.key),
            flag("audit-webhook-client-ca", self.site.authority.certificate()),
        ]
    }

    fn ledger_flags(&self, user: LedgerUser) -> [String; 4] {
        let TlsFiles { authority, client } = self.ledger_tls(user);
        [
            format!("--ledger-endpoints={}", self.ledger_endpoint()),
            flag("ledger-ca", &authority),
            flag("ledger-cert", &client.certificate),
            flag("ledger-key", &client.key),
        ]
    }

    fn guest_launch(
        &self,
        name: String,
        program: &Path,
        arguments: Vec<String>,
        environment: Vec<(String, String)>,
    ) -> Launch {
        let folder = &self.site.folder;
        let (log, directory) = (folder.log(&name), folder.path().to_owned());
        Launch { name, program: program.to_owned(), arguments, environment, directory, log, tie: Tie::Killed }
    }
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

impl Guest {
    fn start(site: &Arc<Site>, launch: Launch, service: Option<Port>, metrics: Port) -> Result<Self, LabError> {
        for port in service.iter().chain([&metrics]) {
            port.hand_over();
        }
        let process = Mutex::new(site.supervisor.start_guest(&launch)?);
        Ok(Self { site: Arc::clone(site), launch, process, service, metrics })
    }

    /// `https://127.0.0.1:<port>` of its service; only the API has one.
    pub fn url(&self) -> Option<String> {
        self.service.as_ref().map(Port::https)
    }

    /// `http://127.0.0.1:<port>` of metrics and health.
    pub fn metrics_url(&self) -> String {
        format!("http://{}", self.metrics.address())
    }

    /// The process that runs, or ran last.
    pub fn process(&self) -> Process {
        self.lock().clone()
    }

    /// How it ended; nothing while it runs.
    pub fn exited(&self) -> Option<Exit> {
        self.process().exited()
    }

    /// The last lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        self.process().tail(lines)
    }

    /// SIGKILL, as a crash; returns when the process is gone.
    pub async fn kill(&self) -> Exit {
        let process = self.process();
        process.kill();
        process.wait().await
    }

    /// SIGSTOP: it stands still and knows nothing of it.
    pub fn pause(&self) {
        self.process().pause();
    }

    /// SIGCONT: it goes on.
    pub fn resume(&self) {
        self.process().resume();
    }

    /// SIGTERM, as a rollout; killed if it takes longer than ten seconds.
    pub async fn stop(&self) -> Exit {
        self.process().stop(GUEST_GRACE).await
    }

    /// Starts it again on the same ports; stops it first if it still runs.
    pub async fn restart(&self) -> Result<(), LabError> {
        if self.exited().is_none() {
            self.stop().await;
        }
        let process = self.site.supervisor.start_guest(&self.launch)?;
        *self.lock() = process;
        Ok(())
    }

    /// Waits until `path` below [`Guest::metrics_url`] answers with success; gives up as soon as the process ends.
    pub async fn wait_until_healthy(&self, path: &str, deadline: Duration) -> Result<(), LabError> {
        let url = format!("{}{path}", self.metrics_url());
        let process = self.process();
        let healthy = wait_for(format!("{} to answer {url}", process.name()), deadline, || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        });
        tokio::select! {
            biased;
            exit = process.wait() => Err(process.failure(exit).into()),
            outcome = healthy => Ok(outcome?),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.process().kill();
    }
}
