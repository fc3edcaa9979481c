//! A whole system on a lab: control plane, charts, catalogue, controller and API, ready to be used by people.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use jiyun_crds::{
    names::{FINALIZER_ACCOUNT, SYSTEM_NAMESPACE, department_namespace},
    v1alpha1::{CloudHost, ConditionType, Department, condition},
};
use jiyun_lab::{ApiOptions, ControllerOptions, Engines, Guest, Lab, LabError, LabOptions, NotInTime, wait_for};
use kube::{Api, Client, api::PostParams};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::{Caller, Order, city, installed};

/// How long a step may take on a busy machine before a test says it did not happen. Machines of others share their processors
/// and disks: steps of a second were seen to take more than one minute there.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// How long after their installation admission policies may be in force in part: some seconds on a busy machine.
const POLICIES: Duration = Duration::from_mins(1);

/// The suite and the benchmarks order as fast as they can, all from one address and many with one token: how much a caller
/// may ask for is tested apart.
const UNBOUNDED: [&str; 4] = ["--caller-rate=0", "--caller-under-way=0", "--address-rate=0", "--address-under-way=0"];

/// Departments of the shared world that tests take one after the other.
const DEPARTMENTS: u32 = 180;

/// Why there is no world, or something in it did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The lab.
    #[error("the lab failed")]
    Lab(#[source] Box<LabError>),
    /// Something did not come in time.
    #[error(transparent)]
    NotInTime(#[from] NotInTime),
    /// The API cannot be called.
    #[error("the API cannot be called")]
    Http(#[from] reqwest::Error),
    /// A file cannot be read.
    #[error("a file cannot be read")]
    File(#[from] std::io::Error),
    /// Kubernetes refused.
    #[error("kubernetes refused")]
    Kubernetes(#[source] Box<kube::Error>),
    /// Helm refused.
    #[error("helm {command}: {said}")]
    Helm {
        /// What it was asked.
        command: String,
        /// What it said.
        said: String,
    },
    /// The shared world has no department left; raise [`DEPARTMENTS`].
    #[error("the shared world has no department left for this test")]
    NoDepartmentLeft,
    /// Whoever asks expects more of the API than it has.
    #[error("the API program has no address")]
    NoAddress,
}

impl From<LabError> for WorldError {
    fn from(source: LabError) -> Self {
        Self::Lab(Box::new(source))
    }
}

impl From<kube::Error> for WorldError {
    fn from(source: kube::Error) -> Self {
        Self::Kubernetes(Box::new(source))
    }
}

/// What a world is asked to be.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// The lab beneath.
    pub lab: LabOptions,
    /// Files of the city to apply before anybody comes.
    pub files: Vec<&'static str>,
    /// Further arguments of the controller.
    pub controller_arguments: Vec<String>,
}

impl Default for WorldOptions {
    fn default() -> Self {
        let departments = (0..DEPARTMENTS).map(|number| format!("bureau-{number}"));
        Self {
            lab: LabOptions::default().departments(departments),
            files: city::CATALOGUE_FILES.to_vec(),
            controller_arguments: Vec::new(),
        }
    }
}

/// A running system.
#[derive(Debug)]
pub struct World {
    /// The control plane.
    pub lab: Lab,
    /// The controller's process.
    pub controller: Guest,
    /// The API's process.
    pub api: Guest,
    authority: Vec<u8>,
    base: String,
    patience: Option<Duration>,
    taken: AtomicU32,
}

impl World {
    /// Starts a world and waits until its API answers.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn start(options: WorldOptions) -> Result<Self, WorldError> {
        let lab = Lab::start(options.lab).await?;
        Self::on(lab, &options.files, options.controller_arguments).await
    }

    /// Starts controller and API on a lab that runs.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn on(lab: Lab, files: &[&str], controller_arguments: Vec<String>) -> Result<Self, WorldError> {
        let controller = ControllerOptions { arguments: controller_arguments, ..ControllerOptions::default() };
        Self::with(lab, files, controller).await
    }

    /// As [`World::on`], with a controller that is started in this way.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn with(lab: Lab, files: &[&str], controller: ControllerOptions) -> Result<Self, WorldError> {
        Self::assembled(lab, files, controller, &[]).await
    }

    /// Starts controller and API on a lab that runs, with an audit trail in its folder that both write.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn recorded(lab: Lab, files: &[&str]) -> Result<Self, WorldError> {
        let trail = format!("--trail-dir={}", lab.folder().join("trail").display());
        let controller = ControllerOptions { arguments: vec![trail.clone()], ..ControllerOptions::default() };
        Self::assembled(lab, files, controller, &[&trail]).await
    }

    async fn assembled(
        lab: Lab,
        files: &[&str],
        controller: ControllerOptions,
        api_arguments: &[&str],
    ) -> Result<Self, WorldError> {
        for file in files {
            // The API server reads policies once a second and those that mutate apart from those that validate: just
            // after the charts were installed an object may be refused for want of a finalizer nobody put on it yet.
            wait_for(format!("{file} to be taken"), POLICIES, || async {
                lab.apply(city::folder().join(file)).await.map_err(|error| format!("{error:?}"))
            })
            .await?;
        }
        // Whoever looks into a failure sets the filter of the suite's programs as of any other.
        let environment: Vec<_> =
            std::env::var("RUST_LOG").map(|filter| ("RUST_LOG".into(), filter)).into_iter().collect();
        // Made-up years, so that deadlines can be counted whenever this runs.
        let years = jiyun_lab::source_root().join("tests/calendars");
        let calendars = ("JIYUN_CALENDARS".into(), years.display().to_string());
        let controller = ControllerOptions {
            environment: [controller.environment.clone(), environment.clone(), vec![calendars]].concat(),
            ..controller
        };
        let controller = lab.spawn_controller(controller).await?;
        let consoles = console_token(&lab).await?;
        let arguments = UNBOUNDED.into_iter().chain(api_arguments.iter().copied()).chain([consoles.as_str()]);
        let api = lab.spawn_api(ApiOptions {
            environment,
            arguments: arguments.map(str::to_owned).collect(),
            ..ApiOptions::default()
        })?;
        Self::of(lab, controller, api).await
    }

    async fn of(lab: Lab, controller: Guest, api: Guest) -> Result<Self, WorldError> {
        let authority = std::fs::read(lab.authority())?;
        let base = api.url().ok_or(WorldError::NoAddress)?;
        for guest in [&controller, &api] {
            guest.wait_until_healthy("/readyz", PATIENCE).await?;
        }
        Ok(Self { lab, controller, api, authority, base, patience: None, taken: AtomicU32::new(0) })
    }

    /// Jiyun installed by its charts on a lab's node, with the catalogue of `files` as [`city::on_node`] has it. Its
    /// `controller` and `api` are the ways to one replica of each.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn deployed(lab: Lab, files: &[&str]) -> Result<Self, WorldError> {
        installed::install(&lab, &jiyun_lab::source_root().join("tests/calendars")).await?;
        lab.bind_people().await?;
        let controller = lab.spawn_forward("deployment/jiyun-controller", None, 8080)?;
        let api = lab.spawn_forward("deployment/jiyun-api", Some(8443), 8080)?;
        let world = Self::of(lab, controller, api).await?;
        world.catalogue(files).await?;
        Ok(world)
    }

    /// Applies files of the city to a world on a node.
    ///
    /// # Errors
    /// When they are refused for longer than policies take to be in force.
    pub async fn catalogue(&self, files: &[&str]) -> Result<(), WorldError> {
        for file in files {
            let text = std::fs::read_to_string(city::folder().join(file))?;
            // Simulated machines boot from any image.
            let text = if self.lab.engines() == Engines::OnNode { city::on_node(&text) } else { text };
            self.take(file, &text).await?;
        }
        Ok(())
    }

    /// Ends its programs, then its lab.
    ///
    /// # Errors
    /// When the lab does not end as it should.
    pub async fn close(self) -> Result<(), WorldError> {
        // The guests' handles go before the lab does.
        let Self { lab, controller, api, .. } = self;
        drop((controller, api));
        Ok(lab.stop().await?)
    }

    /// The same world, whose callers put up with an API that dies and comes back within this time.
    #[must_use]
    pub fn patient(self, within: Duration) -> Self {
        Self { patience: Some(within), ..self }
    }

    /// The world all tests of a program share. It keeps an audit trail: whatever they do is recorded. With
    /// `JIYUN_TEST_WORLD=node` it is Jiyun in pods on a node where machines boot, without a trail.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn shared() -> Result<&'static Self, WorldError> {
        static SHARED: OnceCell<World> = OnceCell::const_new();
        let begin = || async {
            let options = WorldOptions::default();
            if std::env::var_os("JIYUN_TEST_WORLD").is_some_and(|kind| kind == "node") {
                let lab = Lab::start(installed::on_node(options.lab)).await?;
                return Self::deployed(lab, &options.files).await;
            }
            Self::recorded(Lab::start(options.lab).await?, &options.files).await
        };
        SHARED.get_or_try_init(begin).await
    }

    /// A department nobody else uses, with an information system `portal`, and its operator as caller.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn department(&self, quota: Quota) -> Result<Bureau<'_>, WorldError> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= DEPARTMENTS {
            return Err(WorldError::NoDepartmentLeft);
        }
        self.named_department(&format!("bureau-{number}"), quota).await
    }

    /// Applies the first objects of their kinds: the policy that adds their finalizer may be in force later than the one
    /// that asks for it.
    ///
    /// # Errors
    /// When they are refused for longer.
    pub async fn take(&self, what: &str, yaml: &str) -> Result<(), WorldError> {
        let taken = wait_for(format!("{what} to be taken"), POLICIES, || async {
            self.lab.apply_text(yaml).await.map_err(|error| format!("{error:?}"))
        });
        Ok(taken.await?)
    }

    /// A department of this name, which the lab's options must name too.
    ///
    /// # Errors
    /// See [`WorldError`].
    pub async fn named_department(&self, name: &str, quota: Quota) -> Result<Bureau<'_>, WorldError> {
        let department = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
            "spec": {
                "displayName": format!("测试单位 {name}"), "code": format!("T-{}", name.to_uppercase()),
                "billingAccount": name, "zones": ["extranet-public"],
                "access": {
                    "readers": [format!("{name}-readers")], "operators": [format!("{name}-operators")],
                    "approvers": [format!("{name}-approvers")],
                },
                "quota": [
                    {"meter": "Vcpu", "limit": quota.vcpu.to_string()},
                    {"meter": "Memory", "limit": format!("{}Gi", quota.memory_gibibytes)},
                    {"meter": "BlockStorage", "limit": format!("{}Gi", quota.storage_gibibytes)},
                ],
            },
        });
        self.kept_on_creation(&department).await?;
        self.take(&format!("department {name}"), &department.to_string()).await?;
        self.department_ready(name).await?;
        let system = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem",
            "metadata": {"name": "portal", "namespace": department_namespace(name)},
            "spec": {
                "displayName": "门户网站", "protectionLevel": 2, "zoneRef": {"name": "extranet-public"},
                "owner": {"name": "张三"},
            },
        });
        self.lab.apply_text(&system.to_string()).await?;
        self.orders_taken(name).await?;
        let caller = self.caller(&format!("{name}-operator"))?;
        Ok(Bureau { world: self, name: name.to_owned(), caller })
    }

    /// Waits until a department would get its finalizer: one made before the policies are in force is taken without, and is
    /// gone as soon as it is deleted.
    async fn kept_on_creation(&self, department: &serde_json::Value) -> Result<(), WorldError> {
        let mut probe: Department = serde_json::from_value(department.clone()).map_err(std::io::Error::other)?;
        probe.metadata.name = Some("probe".to_owned());
        let api = Api::<Department>::all(self.lab.client().await?);
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        wait_for("finalizers to be set", POLICIES, || async {
            let made = api.create(&dry, &probe).await.map_err(|error| error.to_string())?;
            let kept = made.metadata.finalizers.is_some_and(|all| all.iter().any(|name| name == FINALIZER_ACCOUNT));
            if kept { Ok(()) } else { Err("no finalizer yet".to_owned()) }
        })
        .await?;
        Ok(())
    }

    /// Waits until an order is stamped before it is asked for its stamp: the API server may read one policy later than the
    /// other.
    async fn orders_taken(&self, department: &str) -> Result<(), WorldError> {
        let order = Order::new("probe", "portal").object(department);
        let order: CloudHost = serde_json::from_value(order).map_err(std::io::Error::other)?;
        let (hosts, dry) = (self.hosts(department).await?, PostParams { dry_run: true, ..PostParams::default() });
        wait_for(format!("orders of {department} to be taken"), POLICIES, || async {
            hosts.create(&dry, &order).await.map(drop).map_err(|error| error.to_string())
        })
        .await?;
        Ok(())
    }

    /// Waits until a department is ready for its people, and they for it.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn department_ready(&self, name: &str) -> Result<(), WorldError> {
        let api = Api::<Department>::all(self.lab.client().await?);
        let what = format!("department {name} to be ready");
        wait_for(what, PATIENCE, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let conditions = found.status.map(|status| status.conditions).unwrap_or_default();
            if condition::is_true(&conditions, ConditionType::Ready) { Ok(()) } else { Err(format!("{conditions:?}")) }
        })
        .await?;
        Ok(self.lab.people_ready(name).await?)
    }

    /// A person of the lab as caller of the API.
    ///
    /// # Errors
    /// When the lab has no such person.
    pub fn caller(&self, person: &str) -> Result<Caller, WorldError> {
        let token = self.lab.person(person)?.token.clone();
        Ok(Caller::new(http_client(&self.authority)?, &self.base, Some(token)).patient(self.patience))
    }

    /// Somebody without a token.
    ///
    /// # Errors
    /// When there is no client.
    pub fn stranger(&self) -> Result<Caller, WorldError> {
        Ok(Caller::new(http_client(&self.authority)?, &self.base, None))
    }

    /// A second API of this world, called `name`, with `arguments`; gone when it is dropped.
    ///
    /// # Errors
    /// When it does not become ready in time.
    pub async fn another_api(&self, name: &str, arguments: &[&str]) -> Result<Guest, WorldError> {
        let consoles = console_token(&self.lab).await?;
        let arguments = arguments.iter().copied().chain([consoles.as_str()]).map(str::to_owned).collect();
        let api = self.lab.spawn_api(ApiOptions { name: name.into(), arguments, ..ApiOptions::default() })?;
        api.wait_until_healthy("/readyz", PATIENCE).await?;
        Ok(api)
    }

    /// Reads the controller's metrics.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn controller_metrics(&self) -> Result<String, WorldError> {
        self.metrics_of(&self.controller).await
    }

    /// Reads a program's metrics.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn metrics_of(&self, guest: &Guest) -> Result<String, WorldError> {
        Ok(http_client(&self.authority)?.get(format!("{}/metrics", guest.metrics_url())).send().await?.text().await?)
    }

    /// Hosts of a department's namespace.
    ///
    /// # Errors
    /// When there is no client.
    pub async fn hosts(&self, department: &str) -> Result<Api<CloudHost>, WorldError> {
        Ok(self.hosts_with(self.lab.client().await?, department))
    }

    /// Hosts of a department's namespace through a client of somebody's.
    pub fn hosts_with(&self, client: Client, department: &str) -> Api<CloudHost> {
        Api::namespaced(client, &department_namespace(department))
    }
}

/// The argument with which an API reaches consoles: the token of its own account, in a file for its owner alone.
async fn console_token(lab: &Lab) -> Result<String, WorldError> {
    let path = lab.folder().join("console.token");
    if !path.exists() {
        let token = lab.user_token(SYSTEM_NAMESPACE, "jiyun-api").await?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(token.as_bytes())?;
    }
    Ok(format!("--console-token={}", path.display()))
}

/// A client that trusts the lab's authority and nothing else. A new one for each caller: its connections end with the
/// runtime that opened them, and every test has its own.
fn http_client(authority: &[u8]) -> Result<reqwest::Client, reqwest::Error> {
    client(authority, |builder| builder)
}

/// A client that trusts `authority` and nothing else, with what `change` makes of it.
///
/// # Errors
/// When the authority is no certificate.
pub fn client(
    authority: &[u8],
    change: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, reqwest::Error> {
    // Installing it twice is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(authority)?])
        .no_proxy()
        .timeout(Duration::from_secs(90));
    change(builder).build()
}

/// What a department of a test may have.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Cores.
    pub vcpu: u64,
    /// Memory in GiB.
    pub memory_gibibytes: u64,
    /// Block storage in GiB.
    pub storage_gibibytes: u64,
}

impl Quota {
    /// Enough for anything a test asks.
    pub const AMPLE: Self = Self { vcpu: 1000, memory_gibibytes: 4000, storage_gibibytes: 100_000 };

    /// This many cores, and enough of everything else.
    pub const fn cores(vcpu: u64) -> Self {
        Self { vcpu, ..Self::AMPLE }
    }
}

/// A department in use.
#[derive(Debug)]
pub struct Bureau<'a> {
    /// The world it is in.
    pub world: &'a World,
    /// Its name.
    pub name: String,
    /// Its operator.
    pub caller: Caller,
}

impl Bureau<'_> {
    /// Path of its hosts.
    pub fn hosts_path(&self) -> String {
        format!("/v1/departments/{}/hosts", self.name)
    }

    /// Path of one host.
    pub fn host_path(&self, host: &str) -> String {
        format!("{}/{host}", self.hosts_path())
    }

    /// Waits until a condition of a host holds.
    ///
    /// # Errors
    /// When it does not in time; the error shows what was seen last.
    pub async fn wait_for_host(
        &self,
        host: &str,
        what: &str,
        holds: impl Fn(&CloudHost) -> bool,
    ) -> Result<CloudHost, WorldError> {
        let api = self.world.hosts(&self.name).await?;
        let what = format!("host {}/{host}: {what}", self.name);
        // A machine that really boots, in software emulation and beside others, takes its time.
        let patience = if self.world.lab.engines() == Engines::OnNode { PATIENCE * 2 } else { PATIENCE };
        Ok(wait_for(what, patience, || async {
            let found = api.get(host).await.map_err(|error| error.to_string())?;
            if holds(&found) { Ok(found) } else { Err(format!("{:?}", found.status)) }
        })
        .await?)
    }

    /// Waits until a host is ready.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_ready(&self, host: &str) -> Result<CloudHost, WorldError> {
        self.wait_for_host(host, "ready", |found| has(found, ConditionType::Ready)).await
    }

    /// Waits until a host is gone.
    ///
    /// # Errors
    /// When it is not in time.
    pub async fn wait_gone(&self, host: &str) -> Result<(), WorldError> {
        let api = self.world.hosts(&self.name).await?;
        let what = format!("host {}/{host} to be gone", self.name);
        wait_for(what, PATIENCE, || async {
            match api.get_opt(host).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(found) => Err(format!("{:?}", found.status)),
            }
        })
        .await?;
        Ok(())
    }

    /// What the API says is used of one meter, over all dimensions.
    ///
    /// # Errors
    /// When the API cannot be called.
    pub async fn used(&self, meter: &str) -> Result<(u64, u64), WorldError> {
        let answer = self.caller.get(&format!("/v1/departments/{}/quota", self.name)).await?;
        let document = answer.json();
        let rows = document["rows"].as_array().cloned().unwrap_or_default();
        let row =
            rows.iter().find(|row| row["meter"] == meter && row.get("tier").is_none_or(serde_json::Value::is_null));
        let read = |field: &str| row.and_then(|row| row[field].as_u64()).unwrap_or_default();
        Ok((read("used"), read("held")))
    }
}

/// Whether a condition of a host is true for the generation it has now.
pub fn has(host: &CloudHost, kind: ConditionType) -> bool {
    let Some(status) = &host.status else { return false };
    status.observed_generation == host.metadata.generation && condition::is_true(&status.conditions, kind)
}

/// The reason of a host's condition.
pub fn reason(host: &CloudHost, kind: ConditionType) -> Option<&str> {
    condition::find(&host.status.as_ref()?.conditions, kind).map(|found| found.reason.as_str())
}
