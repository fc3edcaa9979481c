//! The node's network: addresses of its own in a namespace of its own, joined to nothing.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::NodeError;
use super::spec::Spec;

/// Settings of the node's own network namespace.
const SETTINGS: [(&str, &str); 2] = [
    ("net/ipv4/ip_forward", "1"),
    // Answers between pods of one bridge must pass the rules that translate service addresses.
    ("net/bridge/bridge-nf-call-iptables", "1"),
];

/// Brings it up, with `ip` of the node's own root.
pub(super) fn raise(spec: &Spec) -> Result<(), NodeError> {
    // A pair, since some kernels have no `dummy` device; its far end only makes the near one carry.
    let commands = format!(
        "link set lo up
link add eth0 type veth peer name outside
address add {address}/24 dev eth0
address add {api}/32 dev lo
link set outside up
link set eth0 up
route add default dev eth0
",
        address = spec.address,
        api = spec.api
    );
    batch(&commands)?;
    for (setting, value) in SETTINGS {
        let path = Path::new("/proc/sys").join(setting);
        if path.exists() {
            fs::write(&path, value).map_err(NodeError::doing(format!("write {}", path.display())))?;
        }
    }
    Ok(())
}

fn batch(commands: &str) -> Result<(), NodeError> {
    let failed = |source| NodeError::Do { action: "run `ip` in the node".to_owned(), source };
    let mut ip = Command::new("/usr/sbin/ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = ip.stdin.take() {
        input.write_all(commands.as_bytes()).map_err(failed)?;
    }
    let output = ip.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NodeError::Network { said })
}
