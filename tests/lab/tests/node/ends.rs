//! However a lab ends, or a process of its node: no process, mount, loop device, control group or interface stays.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use jiyun_lab::{Lab, LabOptions, Profile, lives, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able, kill};

fn options() -> LabOptions {
    LabOptions::default().profile(Profile::Node).own_cluster().engines(false).charts(false)
}

/// The nodes of a lab with two.
const NODES: [&str; 2] = ["node-1", "node-2"];

/// The process that holds the switch between them.
fn switch(lab: &Path) -> i32 {
    let number = fs::read_to_string(lab.join("data/switch")).expect("the switch is up");
    number.trim().parse().expect("a number")
}

async fn is_gone(process: i32) {
    wait_for(format!("process {process} to be gone"), DEADLINE, || async {
        if Path::new("/proc").join(process.to_string()).exists() { Err("it is there") } else { Ok(()) }
    })
    .await
    .expect("it ends");
}

/// Labs of the command line, in a folder of the test's own.
struct Cli(tempfile::TempDir);

impl Cli {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jiyun-lab"));
        command.arg("--dir").arg(self.0.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("jiyun-lab runs")
    }

    fn lab(&self) -> PathBuf {
        self.0.path().join("default")
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        // After a failed assertion nothing may stay either.
        let _ = self.command(&["down"]).output();
    }
}

#[tokio::test]
async fn sigkill_of_the_lab_leaves_nothing_of_its_nodes() {
    let Some(_alone) = able("sigkill_of_the_lab_leaves_nothing_of_its_nodes").await else { return };
    let before = Seen::now();
    let cli = Cli(tempfile::tempdir().expect("temp dir"));
    let mut holder = cli
        .command(&["up", "--foreground", "--without-charts", "--profile", "node", "--nodes", "2"])
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
    let nodes = NODES.map(|name| Node::named(&cli.lab(), name));
    for node in &nodes {
        node.is_there();
    }
    let switch = switch(&cli.lab());
    assert_eq!(Seen::now(), before, "running nodes change nothing of the machine either");
    holder.kill().expect("SIGKILL");
    holder.wait().expect("reaped");
    for node in nodes {
        node.is_gone(&before).await;
    }
    is_gone(switch).await;
    assert!(!lives(&cli.lab()), "the lock is free, so the next lab may take the name");
}

#[tokio::test]
async fn up_and_down_with_a_node_leave_nothing() {
    let Some(_alone) = able("up_and_down_with_a_node_leave_nothing").await else { return };
    let before = Seen::now();
    let cli = Cli(tempfile::tempdir().expect("temp dir"));
    let up = cli.run(&["up", "--without-charts", "--profile", "node"]);
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let node = Node::of(&cli.lab());
    node.is_there();
    let nodes = cli.run(&["kubectl", "--", "get", "nodes"]);
    assert!(String::from_utf8_lossy(&nodes.stdout).contains("node-1"), "the kubeconfig works outside the node");
    assert!(!cli.run(&["logs", "kubelet"]).stdout.is_empty(), "logs of the node's programs are shown like others");
    let down = cli.run(&["down"]);
    assert!(down.status.success(), "{}", String::from_utf8_lossy(&down.stderr));
    node.is_gone(&before).await;
    assert!(!cli.lab().exists(), "the folder is gone as well");
}

#[tokio::test]
async fn sigkill_of_any_process_of_the_node_ends_it_and_leaves_nothing() {
    let Some(_alone) = able("sigkill_of_any_process_of_the_node_ends_it_and_leaves_nothing").await else { return };
    for victim in ["keeper", "shell", "first", "kubelet", "kube-proxy", "containerd"] {
        let before = Seen::now();
        let lab = Lab::start(options()).await.expect("starts");
        let node = Node::of(lab.folder());
        node.is_there();
        kill(match victim {
            "keeper" => node.keeper,
            "shell" => node.shell,
            "first" => node.first,
            name => node.process(name),
        });
        let failure = tokio::time::timeout(DEADLINE, lab.failed()).await.expect("noticed");
        assert_eq!(failure.name, "node-1", "{victim}");
        if matches!(victim, "kubelet" | "kube-proxy" | "containerd") {
            assert!(failure.tail.contains(&format!("{victim} ended (signal 9)")), "{failure}");
        }
        lab.stop().await.expect("stops");
        node.is_gone(&before).await;
    }
}

#[tokio::test]
async fn sigkill_of_the_second_node_or_of_the_switch_ends_the_lab_and_leaves_nothing() {
    let test = "sigkill_of_the_second_node_or_of_the_switch_ends_the_lab_and_leaves_nothing";
    let Some(_alone) = able(test).await else { return };
    for victim in ["node-2", "switch"] {
        let before = Seen::now();
        let lab = Lab::start(options().nodes(2)).await.expect("starts");
        let nodes = NODES.map(|name| Node::named(lab.folder(), name));
        let switch = switch(lab.folder());
        kill(if victim == "switch" { switch } else { nodes[1].keeper });
        let failure = tokio::time::timeout(DEADLINE, lab.failed()).await.expect("noticed");
        assert_eq!(failure.name, victim);
        lab.stop().await.expect("stops");
        for node in nodes {
            node.is_gone(&before).await;
        }
        is_gone(switch).await;
    }
}

#[tokio::test]
async fn two_labs_with_nodes_stand_side_by_side_and_end_alone() {
    let Some(_alone) = able("two_labs_with_nodes_stand_side_by_side_and_end_alone").await else { return };
    let before = Seen::now();
    let (first, second) = tokio::join!(Lab::start(options()), Lab::start(options()));
    let (first, second) = (first.expect("starts"), second.expect("starts"));
    let (one, other) = (Node::of(first.folder()), Node::of(second.folder()));
    drop(first);
    one.is_gone(&before).await;
    other.is_there();
    assert!(second.kubectl(&["get", "node", "node-1"]).await.expect("answers").contains(" Ready"));
    second.stop().await.expect("stops");
    other.is_gone(&before).await;
}
