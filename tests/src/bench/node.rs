//! Figures of Jiyun in pods on a node where machines boot: `install_to_ready_s`, `order_to_http_s`, `api_pod_rss_mb`,
//! `controller_pod_rss_mb`.

use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiyun_crds::names::LABEL_CLOUDHOST;
use jiyun_lab::{
    Lab, LabOptions, Part, Profile,
    doctor::{Facts, Finding, examine},
    wait_for,
};
use serde_json::{Value, json};

use super::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::median,
};
use crate::{Order, World, WorldError, city, installed};

/// A disk is filled and a guest boots in half a minute; a busy machine takes longer.
const BOOT: Duration = Duration::from_mins(5);
/// Who orders.
const DEPARTMENT: &str = "finance";
/// Where the reference's machines run.
const BESIDE: &str = "beside";
/// Idle for so long before memory is looked at.
const SETTLING: Duration = Duration::from_secs(20);

/// What of this machine is missing for these figures.
pub fn missing() -> Vec<Finding> {
    let parts: BTreeSet<Part> = installed::BOOTING.into_iter().chain([Part::Jiyun]).collect();
    examine(&Facts::read(), Profile::Node, &parts).into_iter().filter(Finding::is_missing).collect()
}

/// What was measured on one node.
#[derive(Debug)]
pub struct Measured {
    install: f64,
    pods: f64,
    orders: Vec<f64>,
    machines: Vec<f64>,
    idle: Programs,
    city: Programs,
}

/// Resident memory in MB, of the larger replica.
#[derive(Clone, Copy, Debug)]
struct Programs {
    api: f64,
    controller: f64,
}

/// Measures all of them.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Measured, BenchError> {
    let lab = installed::with_parts(LabOptions::default(), installed::BOOTING);
    let lab = Lab::start(lab.departments([DEPARTMENT])).await.map_err(WorldError::from)?;
    let pods = plain_pods(&lab).await?;
    let began = Instant::now();
    let world = World::deployed(lab, &[]).await?;
    let install = began.elapsed().as_secs_f64();
    say(&format!("node: installed after {install:.1} s, as many pods that do nothing after {pods:.1} s"));
    tokio::time::sleep(SETTLING).await;
    let idle = resident(&world.lab)?;

    say("node: the example county is applied");
    world.catalogue(&city::PLATFORM_FILES).await?;
    world.department_ready(DEPARTMENT).await?;
    world
        .take("systems", &fs::read_to_string(city::folder().join("70-systems.yaml")).map_err(WorldError::from)?)
        .await?;
    tokio::time::sleep(SETTLING).await;
    let city = resident(&world.lab)?;

    world.lab.kubectl(&["create", "namespace", BESIDE]).await.map_err(WorldError::from)?;
    say("node: hosts are ordered, and the same machines created without us");
    let (mut orders, mut machines) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        // One machine at a time: they would take processor time from each other.
        let ours = ordered(&world, run).await?;
        let copy = copied(&world, run).await?;
        gone(&world, &["cloudhost", &order_name(run)], "dept-finance").await?;
        let theirs = beside(&world, run, &copy).await?;
        gone(&world, &["vm,datavolume", "--all"], BESIDE).await?;
        say(&format!("node: a host answers after {ours:.1} s, the same machine without us after {theirs:.1} s"));
        orders.push(ours);
        machines.push(theirs);
    }
    world.close().await?;
    Ok(Measured { install, pods, orders, machines, idle, city })
}

impl Measured {
    /// `install_to_ready_s`.
    pub fn install(&self) -> Figure {
        let comparison = Comparison {
            ours: self.install,
            reference: self.pods,
            what_reference_is: "five pods that do nothing, until all are ready".into(),
            unit: "s".into(),
            runs: 1,
            notes: vec!["from `helm install` of both charts until both programs and the ledger are available".into()],
        };
        // The ledger begins, gets its users and is loaded by both programs.
        let goal = Goal { value: 60.0, better: Better::Lower, judged: Judged::Ours };
        Figure::new(Name::InstallToReadyS, comparison, goal)
    }

    /// `order_to_http_s`.
    ///
    /// # Errors
    /// When nothing was ordered.
    pub fn order(&self) -> Result<Figure, BenchError> {
        let nothing = || BenchError::Nothing("no machine was ordered");
        let comparison = Comparison {
            ours: median(&self.orders).ok_or_else(nothing)?,
            reference: median(&self.machines).ok_or_else(nothing)?,
            what_reference_is: "the same DataVolume and VirtualMachine, created with kubectl without us".into(),
            unit: "s".into(),
            runs: self.orders.len(),
            notes: vec![format!("ours {:.1?}, without us {:.1?}", self.orders, self.machines)],
        };
        let goal = Goal { value: 1.1, better: Better::Lower, judged: Judged::Ratio };
        Ok(Figure::new(Name::OrderToHttpS, comparison, goal))
    }

    /// `api_pod_rss_mb` and `controller_pod_rss_mb`: against what the chart requests for them.
    pub fn memory(&self, name: Name) -> Figure {
        // Requests of `charts/jiyun/values.yaml`, MiB as MB.
        let (city, idle, request) = match name {
            Name::ApiPodRssMb => (self.city.api, self.idle.api, 67.1),
            _ => (self.city.controller, self.idle.controller, 134.2),
        };
        let comparison = Comparison {
            ours: city,
            reference: request,
            what_reference_is: "what its chart requests".into(),
            unit: "MB".into(),
            runs: 1,
            notes: vec![format!("with the example county; idle, without any object, {idle:.1} MB")],
        };
        Figure::new(name, comparison, Goal { value: 1.0, better: Better::Lower, judged: Judged::Ratio })
    }
}

fn order_name(run: u32) -> String {
    format!("web-{run}")
}

fn beside_name(run: u32) -> String {
    format!("raw-{run}")
}

/// As many pods as an installation has, with nothing in them: seconds until all are ready.
async fn plain_pods(lab: &Lab) -> Result<f64, BenchError> {
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nothing", "namespace": "default"},
        "spec": {
            "replicas": 5, "selector": {"matchLabels": {"app": "nothing"}},
            "template": {
                "metadata": {"labels": {"app": "nothing"}},
                "spec": {"containers": [{"name": "pause", "image": "lab.jiyun.io/pause:1", "imagePullPolicy": "Never"}]},
            },
        },
    });
    let began = Instant::now();
    lab.apply_text(&deployment.to_string()).await.map_err(WorldError::from)?;
    let ready = ["rollout", "status", "deployment/nothing", "--timeout=120s"];
    lab.kubectl(&ready).await.map_err(WorldError::from)?;
    let took = began.elapsed().as_secs_f64();
    lab.kubectl(&["delete", "deployment", "nothing"]).await.map_err(WorldError::from)?;
    Ok(took)
}

/// Orders a host over the API: seconds until its page answers.
async fn ordered(world: &World, run: u32) -> Result<f64, BenchError> {
    let (caller, host) = (world.caller("finance-operator")?, order_name(run));
    let began = Instant::now();
    let order = Order::new(&host, "budget").body();
    let answer =
        caller.post(&format!("/v1/departments/{DEPARTMENT}/hosts"), &order, 0).await.map_err(WorldError::from)?;
    if !answer.status.is_success() {
        return Err(BenchError::Refused { host, status: answer.status.as_u16(), text: answer.text });
    }
    answers(world, "engine-finance", &host).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// Deletes something and waits until it is gone.
async fn gone(world: &World, what: &[&str], namespace: &str) -> Result<(), BenchError> {
    let delete = [&["delete"], what, &["-n", namespace, "--timeout=180s"]].concat();
    world.lab.kubectl(&delete).await.map_err(WorldError::from)?;
    Ok(())
}

/// A file with what was created for the host of this run, under other names.
async fn copied(world: &World, run: u32) -> Result<PathBuf, BenchError> {
    let (host, name) = (order_name(run), beside_name(run));
    let mut objects = Vec::new();
    for kind in ["datavolume", "virtualmachine"] {
        let selected = format!("{LABEL_CLOUDHOST}={host}");
        let told = ["get", kind, "-n", "engine-finance", "-l", &selected, "-o", "json"];
        let listed = match world.lab.kubectl(&told).await {
            Ok(text) if text.contains("\"kind\"") => text,
            other => return Err(WorldError::from(std::io::Error::other(format!("{other:?}"))).into()),
        };
        let listed: Value = serde_json::from_str(&listed)?;
        for object in listed["items"].as_array().into_iter().flatten() {
            objects.push(json!({
                "apiVersion": object["apiVersion"], "kind": object["kind"],
                "metadata": {
                    "name": object["metadata"]["name"], "namespace": BESIDE,
                    "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"},
                },
                "spec": object["spec"],
            }));
        }
    }
    let text = serde_json::to_string(&json!({"apiVersion": "v1", "kind": "List", "items": objects}))?;
    let text = text.replace(&host, &name);
    let path = world.lab.folder().join(format!("{name}.json"));
    fs::write(&path, text).map_err(WorldError::from)?;
    Ok(path)
}

/// Creates that without us: seconds until the page answers.
async fn beside(world: &World, run: u32, copy: &Path) -> Result<f64, BenchError> {
    let began = Instant::now();
    world.lab.kubectl(&["create", "-f", &copy.display().to_string()]).await.map_err(WorldError::from)?;
    answers(world, BESIDE, &beside_name(run)).await?;
    Ok(began.elapsed().as_secs_f64())
}

/// Waits until a machine's page answers.
async fn answers(world: &World, namespace: &str, machine: &str) -> Result<(), BenchError> {
    let answered = wait_for(format!("{machine} to answer"), BOOT, || async {
        let printed = "jsonpath={.status.interfaces[0].ipAddress}";
        let told = world.lab.kubectl(&["get", "vmi", machine, "-n", namespace, "-o", printed]).await;
        let address = told.map_err(|error| error.to_string())?;
        let address: SocketAddr = format!("{}:80", address.trim()).parse().map_err(|_| "no address yet".to_owned())?;
        installed::page(&world.lab, address, "/").await.map(drop)
    });
    Ok(answered.await.map_err(WorldError::from)?)
}

/// What the control groups of this lab's node, and of no other's beside it, have in their paths: the number of its keeper.
fn groups(lab: &Lab) -> Result<String, BenchError> {
    let described = lab.folder().join("etc").display().to_string();
    let keeper = fs::read_dir("/proc").into_iter().flatten().flatten().find(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(" node keeper ") && line.contains(&described)
    });
    let keeper = keeper.ok_or(BenchError::Nothing("the lab's node has no keeper"))?;
    Ok(format!("/jiyun-lab-{}/", keeper.file_name().to_string_lossy()))
}

/// Resident memory of both programs as they run in pods of this lab.
///
/// # Errors
/// When one of them does not run.
fn resident(lab: &Lab) -> Result<Programs, BenchError> {
    let groups = groups(lab)?;
    let largest = |word: &'static str| {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of = entries.filter_map(|entry| {
            let line = fs::read(entry.path().join("cmdline")).ok()?;
            let in_pod = fs::read_to_string(entry.path().join("cgroup")).ok()?.contains(&groups);
            if !in_pod || !String::from_utf8_lossy(&line).starts_with(word) {
                return None;
            }
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u32>().ok()
        });
        // Kibibytes as MB.
        of.max()
            .map(|kibibytes| f64::from(kibibytes) * 1.024e-3)
            .ok_or(BenchError::Nothing("no such program runs in a pod"))
    };
    Ok(Programs { api: largest("/usr/bin/jiyun-api")?, controller: largest("/usr/bin/jiyun-controller")? })
}
