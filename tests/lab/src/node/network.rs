//! The node's network: addresses of its own in a namespace of its own, joined to nothing but the lab's other nodes.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::spec::Spec;
use super::{NodeError, switch};

/// Settings of the node's own network namespace.
const SETTINGS: [(&str, &str); 2] = [
    ("net/ipv4/ip_forward", "1"),
    // Answers between pods of one bridge must pass the rules that translate service addresses.
    ("net/bridge/bridge-nf-call-iptables", "1"),
];

/// Brings it up, with `ip` of the node's own root.
pub(super) fn raise(spec: &Spec) -> Result<(), NodeError> {
    match &spec.link {
        Some(link) => switch::join(&spec.name, link)?,
        // A pair, since some kernels have no `dummy` device; its far end only makes the near one carry.
        None => batch(&[], "link add eth0 type veth peer name outside\nlink set outside up\n")?,
    }
    let mut commands = format!(
        "link set lo up
address add {address}/24 dev eth0
address add {api}/32 dev lo
link set eth0 up
route add default dev eth0
",
        address = spec.address,
        api = spec.api
    );
    for (pods, node) in spec.link.iter().flat_map(|link| &link.others) {
        let _ = writeln!(commands, "route add {pods} via {node} dev eth0");
    }
    batch(&[], &commands)?;
    for (setting, value) in SETTINGS {
        let path = Path::new("/proc/sys").join(setting);
        if path.exists() {
            fs::write(&path, value).map_err(NodeError::doing(format!("write {}", path.display())))?;
        }
    }
    Ok(())
}

/// Has `ip` run commands, by way of another program where one is named.
pub(super) fn batch(by: &[&str], commands: &str) -> Result<(), NodeError> {
    let failed = |source| NodeError::Do { action: "run `ip` in the node".to_owned(), source };
    let words = [by, &["/usr/sbin/ip", "-batch", "-"]].concat();
    let (program, arguments) = words.split_first().unwrap_or((&"", &[]));
    let mut ip =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
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
