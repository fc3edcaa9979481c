//! Jiyun installed by its charts on a node of the lab, as its users have it: what the suites, the demo and the benchmarks need
//! for that.

use std::{net::SocketAddr, path::Path, process::Stdio};

use clap::ValueEnum as _;
use jiyun_lab::{Lab, LabOptions, Part, Profile, programs};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
};

use crate::WorldError;

/// Where the charts are installed.
pub const NAMESPACE: &str = "jiyun-system";

/// One member, since there is one node; images of the programs as they are built; a certificate of the lab's authority; and
/// callers may ask as much as they like, since all come from one address.
const VALUES: &str = "
images: {registry: lab.jiyun.io, tag: lab}
ledger:
  etcd: {image: {repository: lab.jiyun.io/etcd, tag: lab}, replicas: 1, size: 1Gi}
api:
  tlsSecret: lab-api-tls
  bounds:
    caller: {rate: 0, burst: 1, underWay: 0}
    address: {rate: 0, burst: 1, underWay: 0}
";

/// A lab with a node for Jiyun, without anything of it yet. Which parts of the node are real, `JIYUN_TEST_NODE_PARTS` says:
/// without `kubevirt` machines are simulated.
pub fn on_node(lab: LabOptions) -> LabOptions {
    let named = std::env::var("JIYUN_TEST_NODE_PARTS").unwrap_or_default();
    let parts = Part::value_variants().iter().copied().filter(|part| named.split(',').any(|name| name == part.name()));
    with_parts(lab, parts)
}

/// The parts with which machines boot from disks that are filled.
pub const BOOTING: [Part; 2] = [Part::Kubevirt, Part::Cdi];

/// A lab with a node for Jiyun and with these parts of it.
pub fn with_parts(lab: LabOptions, parts: impl IntoIterator<Item = Part>) -> LabOptions {
    lab.profile(Profile::Node).with(parts.into_iter().chain([Part::Jiyun])).own_cluster().charts(false)
}

/// What an address in the node's network answers to a request for a path, without headers.
///
/// # Errors
/// When nothing answers there, or not with success; the error is what was seen.
pub async fn page(lab: &Lab, address: SocketAddr, path: &str) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut stream = lab.connect_from_node(address).await.map_err(|error| error.to_string())?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.map_err(told)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(told)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}

/// What Helm prints.
///
/// # Errors
/// When it cannot be started, or does not do it; the error has what it said.
pub async fn helm(lab: &Lab, arguments: &[&str]) -> Result<String, WorldError> {
    let program = programs::program("helm", "helm").map_err(jiyun_lab::LabError::from)?;
    let output = Command::new(program)
        .args(arguments)
        .args(["--namespace", NAMESPACE, "--kubeconfig"])
        .arg(lab.kubeconfig())
        .current_dir(jiyun_lab::source_root())
        .envs(["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"].map(|name| (name, lab.folder())))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(WorldError::Helm { command: arguments.join(" "), said }) }
}

/// Installs both charts and waits until both programs are available. `calendars` is a folder of further years.
///
/// # Errors
/// When Kubernetes or Helm does not do it.
pub async fn install(lab: &Lab, calendars: &Path) -> Result<(), WorldError> {
    lab.kubectl(&["create", "namespace", NAMESPACE]).await?;
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    lab.kubectl(&["label", "namespace", NAMESPACE, restricted]).await?;
    let served = lab.serving_certificate("api-in-pods")?;
    let (certificate, key) = (flag("cert", &served.certificate), flag("key", &served.key));
    lab.kubectl(&["create", "secret", "tls", "lab-api-tls", "--namespace", NAMESPACE, &certificate, &key]).await?;
    let values = lab.folder().join("values.yaml");
    std::fs::write(&values, VALUES)?;
    helm(lab, &["install", "jiyun-crds", "charts/jiyun-crds"]).await?;
    let values = flag("values", &values);
    let mut arguments: Vec<String> =
        ["install", "jiyun", "charts/jiyun", &values, "--wait", "--timeout=5m"].map(str::to_owned).to_vec();
    for entry in std::fs::read_dir(calendars)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        arguments.push(format!("--set-file=controller.calendars.{}={}", name.replace('.', "\\."), path.display()));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    helm(lab, &arguments).await?;
    Ok(())
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// What runs in Jiyun's namespace and says what, for whoever looks for the cause of a failure.
pub async fn state(lab: &Lab) -> String {
    let mut seen = String::new();
    let of_jiyun = ["-l", "app.kubernetes.io/part-of=jiyun", "--tail=15", "--all-containers", "--prefix"];
    for looked in [&["get", "pods,jobs,pvc,events", "-o", "wide"][..], &[&["logs"], &of_jiyun[..]].concat()] {
        let looked = lab.kubectl(&[looked, &["-n", NAMESPACE]].concat()).await;
        seen += &looked.unwrap_or_else(|error| error.to_string());
    }
    seen
}
