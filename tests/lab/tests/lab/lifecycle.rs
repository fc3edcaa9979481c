//! A lab's life and death: whatever ends it, no process and no port stays.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiyun_lab::{Lab, LabOptions, in_use, lives, wait_for};

const DEADLINE: Duration = Duration::from_mins(2);

/// Labs of the command line, in a folder of the test's own.
struct Cli {
    folder: tempfile::TempDir,
}

impl Cli {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temp dir") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jiyun-lab"));
        command.arg("--dir").arg(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("jiyun-lab runs")
    }

    fn lab(&self) -> PathBuf {
        self.folder.path().join("default")
    }

    fn ports(&self) -> Vec<u16> {
        let state = std::fs::read(self.lab().join("state.json")).expect("state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("state is JSON");
        serde_json::from_value(state["ports"].clone()).expect("ports")
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        // After a failed assertion nothing may stay either.
        let _ = self.command(&["down"]).output();
    }
}

/// Processes whose working directory is the lab's folder, as all its components' is.
fn processes(folder: &Path) -> Vec<PathBuf> {
    let here = folder.to_string_lossy().into_owned();
    let inside = |process: &PathBuf| {
        std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.to_string_lossy().starts_with(&here))
    };
    std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path()).filter(inside).collect()
}

async fn wait_until_nothing_is_left(folder: &Path, ports: &[u16]) {
    wait_for("processes and ports to be gone", DEADLINE, || async {
        let processes = processes(folder);
        let ports: Vec<_> = ports.iter().filter(|port| in_use(**port)).collect();
        if processes.is_empty() && ports.is_empty() { Ok(()) } else { Err(format!("{processes:?} {ports:?}")) }
    })
    .await
    .expect("nothing is left");
}

#[tokio::test]
async fn sigkill_of_the_holder_leaves_no_process_and_no_port() {
    let cli = Cli::new();
    let mut holder = cli
        .command(&["up", "--foreground", "--without-charts"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("jiyun-lab starts");
    wait_for("the lab to be ready", DEADLINE, || async {
        let status = cli.run(&["status"]);
        if status.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&status.stdout).into_owned()) }
    })
    .await
    .expect("ready");
    let ports = cli.ports();
    assert_eq!(processes(&cli.lab()).len(), 4, "two etcds, API server, controller manager");
    assert!(ports.len() == 6 && ports.iter().all(|port| in_use(*port)));

    holder.kill().expect("SIGKILL");
    holder.wait().expect("reaped");
    wait_until_nothing_is_left(&cli.lab(), &ports).await;
    assert!(!lives(&cli.lab()), "the lock is free, so the next lab may take the name");
}

#[tokio::test]
async fn up_status_logs_kubectl_and_down_work_and_down_leaves_nothing() {
    let cli = Cli::new();
    assert!(!cli.run(&["status"]).status.success(), "no lab is not a ready lab");
    let up = cli.run(&["up", "--without-charts", "--departments", "culture"]);
    let said = String::from_utf8_lossy(&up.stdout).into_owned();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let stop = format!("jiyun-lab --dir {} down", cli.folder.path().display());
    for expected in ["https://127.0.0.1:", "admin.kubeconfig", "culture-operator", &stop] {
        assert!(said.contains(expected), "`{expected}` is missing in\n{said}");
    }
    assert!(cli.run(&["status"]).status.success());
    assert!(cli.run(&["up"]).status.success(), "a lab that runs is shown, not started twice");
    let namespaces = cli.run(&["kubectl", "--", "get", "namespaces", "-o", "name"]);
    assert!(String::from_utf8_lossy(&namespaces.stdout).contains("namespace/kube-system"));
    let unknown = cli.run(&["logs", "nobody"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("kube-apiserver"), "the message names what there is");
    assert!(!cli.run(&["logs", "kube-apiserver"]).stdout.is_empty());

    let (lab, ports) = (cli.lab(), cli.ports());
    let down = cli.run(&["down"]);
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    assert!(processes(&lab).is_empty() && ports.iter().all(|port| !in_use(*port)));
    assert!(!lab.exists(), "the folder is gone as well");
    assert!(!cli.run(&["status"]).status.success());
}

#[tokio::test]
async fn a_killed_etcd_is_reported_with_its_name_and_the_lab_still_stops() {
    let lab = Lab::start(LabOptions::bare()).await.expect("starts");
    assert!(lab.failure().is_none());
    let etcd = lab.process("etcd-ledger").expect("runs");
    etcd.crash();
    let failure = tokio::time::timeout(DEADLINE, lab.failed()).await.expect("noticed");
    assert_eq!(failure.name, "etcd-ledger");
    assert!(failure.to_string().contains("signal 9"), "{failure}");
    let (folder, ports) = (lab.folder().to_owned(), lab.ports());
    lab.stop().await.expect("stops");
    wait_until_nothing_is_left(&folder, &ports).await;
}

#[tokio::test]
async fn a_dropped_lab_leaves_nothing() {
    let lab = Lab::start(LabOptions::bare()).await.expect("starts");
    let (folder, ports) = (lab.folder().to_owned(), lab.ports());
    assert!(folder.is_dir());
    drop(lab);
    assert!(processes(&folder).is_empty() && ports.iter().all(|port| !in_use(*port)) && !folder.exists());
}
