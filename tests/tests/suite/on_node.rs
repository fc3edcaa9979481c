//! Jiyun as its users have it: installed by its charts on a node that runs pods. Needs root and images of the programs, so it
//! is run by `make test-node` and left out elsewhere.

mod database;
mod demo;
mod drained;
pub(super) mod guide;
mod host;
mod images;
mod killed;
mod load;
mod members;
mod restarted;
mod upgrade;

use std::{collections::BTreeSet, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use jiyun_lab::{
    Lab, LabOptions, Part, Profile,
    doctor::{Facts, Finding, examine},
    wait_for,
};
use jiyun_tests::{
    Caller, WorldError,
    installed::{self, NAMESPACE},
};
use tokio::{
    io::copy_bidirectional,
    net::TcpListener,
    process::Command,
    sync::{Mutex, MutexGuard},
};

use super::docs::{
    blocks::{Block, blocks},
    search_path,
};

/// How long one block of the guide may take: Helm's own patience and a little more.
const PATIENCE: Duration = Duration::from_mins(7);
/// How long a thing of the cluster may take.
const SOON: Duration = Duration::from_mins(2);
/// Who calls the API in these tests.
const DEPARTMENT: &str = "finance";

/// One node at a time: two would only slow each other down.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Leave to run a node with Jiyun on it. Where that was not asked for the test is left out and says so; where it was and none
/// can run, that is a failure.
async fn able(test: &str) -> Option<MutexGuard<'static, ()>> {
    able_with(test, &[]).await
}

/// The same with further parts.
async fn able_with(test: &str, further: &[Part]) -> Option<MutexGuard<'static, ()>> {
    let parts: BTreeSet<Part> = further.iter().copied().chain([Part::Jiyun]).collect();
    let asked = std::env::var("JIYUN_TEST_NODE_PARTS").unwrap_or_default();
    if !parts.iter().all(|part| asked.split(',').any(|name| name == part.name())) {
        eprintln!("{test} is LEFT OUT: it is run by `make test-node`");
        return None;
    }
    let missing: Vec<Finding> =
        examine(&Facts::read(), Profile::Node, &parts).into_iter().filter(Finding::is_missing).collect();
    assert!(missing.is_empty(), "this machine cannot run profile `node`, and {test} was asked for: {missing:?}");
    Some(ALONE.lock().await)
}

/// A node, a reader of the guide, and the folder with what the reader keeps.
#[derive(Debug)]
struct Cluster {
    lab: Arc<Lab>,
    work: PathBuf,
    guide: Vec<Block>,
    /// Names of the blocks that were run.
    ran: std::sync::Mutex<Vec<String>>,
}

impl Cluster {
    /// A node without Jiyun.
    async fn start() -> Result<Self, WorldError> {
        let options = installed::with_parts(LabOptions::default(), []);
        let lab = Lab::start(options.departments([DEPARTMENT])).await?;
        let work = lab.folder().join("work");
        std::fs::create_dir(&work)?;
        let guide = blocks(&jiyun_lab::source_root().join("docs/install.md"));
        Ok(Self { lab: Arc::new(lab), work, guide, ran: std::sync::Mutex::default() })
    }

    /// Runs one block of the guide and returns what it printed.
    async fn run(&self, name: &str) -> Result<String, WorldError> {
        let block = self.guide.iter().find(|block| block.run.as_deref() == Some(name));
        let block = block.unwrap_or_else(|| panic!("docs/install.md has no block {name}"));
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &block.script])
            .current_dir(jiyun_lab::source_root())
            .env("PATH", search_path(&self.lab)?)
            .env("KUBECONFIG", self.lab.kubeconfig())
            .env("HELM_CACHE_HOME", &self.work)
            .env("HELM_CONFIG_HOME", &self.work)
            .env("HELM_DATA_HOME", &self.work)
            .env("REGISTRY", "lab.jiyun.io")
            .env("TAG", "lab")
            .env("ETCD_TAG", "lab")
            .env("MEMBERS", "1")
            .env("WORK", &self.work)
            .env("YOU", "zhang.san")
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("{name} took longer than {PATIENCE:?}"))?;
        let printed =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        assert!(
            output.status.success(),
            "docs/install.md:{} ({name}): {}\n{printed}\n{}",
            block.line,
            output.status,
            installed::state(&self.lab).await
        );
        self.ran.lock().unwrap().push(name.to_owned());
        Ok(printed)
    }

    /// Kubectl in Jiyun's own namespace.
    async fn kubectl(&self, arguments: &[&str]) -> Result<String, WorldError> {
        Ok(self.lab.kubectl(&[&["--namespace", NAMESPACE], arguments].concat()).await?)
    }

    /// A local address behind which the Service `name` answers at `port`, as it does for programs on the node.
    async fn open(&self, name: &str, port: u16) -> Result<SocketAddr, WorldError> {
        let address = self.kubectl(&["get", "service", name, "-o", "jsonpath={.spec.clusterIP}"]).await?;
        self.open_at(SocketAddr::new(address.parse().map_err(std::io::Error::other)?, port)).await
    }

    /// The same for an address in the node's network.
    async fn open_at(&self, address: SocketAddr) -> Result<SocketAddr, WorldError> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let (here, lab) = (listener.local_addr()?, Arc::clone(&self.lab));
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let lab = Arc::clone(&lab);
                tokio::spawn(async move {
                    // A connection that cannot be made is closed: that is what its caller sees.
                    let Ok(mut inside) = lab.connect_from_node(address).await else { return };
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                });
            }
        });
        Ok(here)
    }

    /// The department's operator, who calls the API by the name in its certificate; `anew`, over another connection each time.
    async fn operator(&self, anew: bool) -> Result<Caller, WorldError> {
        const NAME: &str = "jiyun-api.jiyun-system.svc";
        let here = self.open("jiyun-api", 443).await?;
        let told = ["get", "secret", "jiyun-api-tls", "-o", "jsonpath={.data.ca\\.crt}"];
        let authority = data_encoding::BASE64.decode(self.kubectl(&told).await?.trim().as_bytes());
        let authority = authority.map_err(std::io::Error::other)?;
        let kept = if anew { 0 } else { 8 };
        let client =
            jiyun_tests::world::client(&authority, |builder| builder.resolve(NAME, here).pool_max_idle_per_host(kept))?;
        let token = self.lab.person(&format!("{DEPARTMENT}-operator"))?.token.clone();
        Ok(Caller::new(client, format!("https://{NAME}:{}", here.port()), Some(token)))
    }

    /// Waits until both replicas of both programs are available.
    async fn serves(&self) -> Result<(), WorldError> {
        wait_for("both replicas of both programs", SOON, || async {
            let printed = "jsonpath={.items[*].status.availableReplicas}";
            let told = ["get", "deployments", "jiyun-controller", "jiyun-api", "-o", printed];
            let told = self.kubectl(&told).await.map_err(|error| error.to_string())?;
            if told == "2 2" { Ok(()) } else { Err(told) }
        })
        .await?;
        Ok(())
    }

    /// The condition `Ready` of the department is that of its newest generation.
    async fn department_ready(&self) -> Result<(), WorldError> {
        let name = format!("department/{DEPARTMENT}");
        wait_for(format!("{name} to be ready"), SOON, || async {
            let told = self.lab.kubectl(&["get", &name, "-o", "json"]).await.map_err(|error| error.to_string())?;
            let found: serde_json::Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
            let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let is_ready =
                conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
            let is_new = found["status"]["observedGeneration"] == found["metadata"]["generation"];
            if is_ready && is_new { Ok(()) } else { Err(found["status"].to_string()) }
        })
        .await?;
        Ok(())
    }
}
