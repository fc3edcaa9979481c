//! Without root: what cannot run says so, and what to do.

use std::process::{Command, Output, Stdio};

use rustix::process::geteuid;

/// Debian's `nobody`.
const NOBODY: &str = "65534";

/// Runs the command as a user without rights.
fn as_nobody(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("temp dir");
    let mut command = if geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"])
            .arg(env!("CARGO_BIN_EXE_jiyun-lab"));
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_jiyun-lab"))
    };
    command.args(arguments).env("JIYUN_LAB_DIR", folder.path()).env("JIYUN_LAB_CACHE", folder.path());
    command.env_remove("JIYUN_LAB_CLUSTER").stdin(Stdio::null()).output().expect("jiyun-lab runs")
}

#[test]
fn a_node_without_root_is_refused_with_what_to_do_and_nothing_is_built() {
    let up = as_nobody(&["up", "--profile", "node"]);
    let said = String::from_utf8_lossy(&up.stderr).into_owned();
    assert!(!up.status.success());
    for expected in ["cannot run profile `node`", "missing  root: this is user", "sudo", "jiyun-lab doctor"] {
        assert!(said.contains(expected), "`{expected}` is missing in\n{said}");
    }
    assert!(!said.contains("building"), "{said}");
}

#[test]
fn parts_without_a_node_and_a_node_beside_an_existing_cluster_are_refused() {
    let parts = as_nobody(&["up", "--profile", "scale", "--with", "kubevirt"]);
    let said = String::from_utf8_lossy(&parts.stderr).into_owned();
    assert!(!parts.status.success() && said.contains("--profile node"), "{said}");
    let cluster = as_nobody(&["up", "--profile", "node", "--cluster", "some.kubeconfig"]);
    let said = String::from_utf8_lossy(&cluster.stderr).into_owned();
    assert!(!cluster.status.success() && said.contains("some.kubeconfig names an existing one"), "{said}");
}

#[test]
fn a_number_of_nodes_is_refused_where_there_are_none_or_another_number_can_be() {
    for (arguments, expected) in [
        (["--profile", "scale", "--nodes", "2"].as_slice(), "only profile `node` has nodes"),
        (&["--profile", "node", "--nodes", "0"], "1 to 2 nodes (`--nodes`), not 0"),
        (&["--profile", "node", "--nodes", "3"], "1 to 2 nodes (`--nodes`), not 3"),
        (&["--profile", "node", "--nodes", "2", "--with", "csi"], "the part `csi` serves one node"),
    ] {
        let up = as_nobody(&[&["up"], arguments].concat());
        let said = String::from_utf8_lossy(&up.stderr).into_owned();
        assert!(!up.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn the_doctor_s_exit_code_says_whether_what_was_asked_for_can_run() {
    let node = as_nobody(&["doctor", "--profile", "node"]);
    assert!(!node.status.success());
    let said = String::from_utf8_lossy(&node.stdout).into_owned();
    assert!(said.contains("profile node: cannot run here") && said.contains("missing  root"), "{said}");
    assert!(!said.contains("profile scale"), "{said}");
}
