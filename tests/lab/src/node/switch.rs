//! The switch between a lab's nodes: a bridge in a network namespace of its own, so that a node that dies takes no other's
//! link along. A process holds it; the namespace ends with that and the nodes.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, unmount};
use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};

use super::spec::{self, Link};
use super::{NodeError, mounts, network};

/// Where a node sees the switch's namespace while it joins it.
pub(super) const SEEN: &str = "/run/jiyun-lab.switch";
/// The bridge in it.
const BRIDGE: &str = "nodes";
/// A tenth of a second is usual; a machine that also compiles takes longer.
const UP: Duration = Duration::from_secs(30);

/// What the process that holds it is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Switch {
    /// A root with the program `ip`.
    pub root: PathBuf,
    /// Where it says that it is up: by its process number.
    pub sign: PathBuf,
}

/// Holds the switch of this description until it is killed.
pub(super) fn run(path: &Path) -> Result<(), NodeError> {
    let switch: Switch = spec::read(path)?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe for the sake of UnshareFlags::FILES, which is not among these"
    )]
    rustix::thread::unshare(UnshareFlags::NEWNET).map_err(NodeError::doing("make the switch's network namespace"))?;
    let failed = || NodeError::doing(format!("write {}", switch.sign.display()));
    // Before the root changes. Whoever reads it waits for the end of the line.
    let mut sign = File::create(&switch.sign).map_err(failed())?;
    std::os::unix::fs::chroot(&switch.root).map_err(NodeError::doing("change the switch's root"))?;
    std::env::set_current_dir("/").map_err(NodeError::doing("change to the switch's root"))?;
    network::batch(&[], &format!("link set lo up\nlink add name {BRIDGE} type bridge\nlink set {BRIDGE} up\n"))?;
    writeln!(sign, "{}", std::process::id()).map_err(failed())?;
    drop(sign);
    loop {
        std::thread::park();
    }
}

/// Shows the namespace at a place of the node's tree.
pub(super) fn show(link: &Link, at: &Path) -> Result<(), NodeError> {
    let process = process(link)?;
    fs::write(at, "").map_err(NodeError::doing(format!("make {}", at.display())))?;
    mounts::show(&Path::new("/proc").join(process).join("ns/net"), at)
}

/// Waits for the switch and reads its number.
fn process(link: &Link) -> Result<String, NodeError> {
    let end = Instant::now() + UP;
    loop {
        match fs::read_to_string(&link.switch) {
            Ok(text) if text.ends_with('\n') => return Ok(text.trim().to_owned()),
            _ if Instant::now() >= end => return Err(NodeError::NoSwitch(UP)),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Joins the node of this name: its `eth0` is one end of a pair, a port of the switch the other.
pub(super) fn join(name: &str, link: &Link) -> Result<(), NodeError> {
    let inside = ["/usr/bin/nsenter", &format!("--net={SEEN}")];
    // What an earlier life of the node has left: its kernel may still be at it.
    let _ = network::batch(&inside, &format!("link delete {name}\n"));
    let hardware = &link.hardware;
    network::batch(&[], &format!("link add eth0 address {hardware} type veth peer name {name} netns {SEEN}\n"))?;
    network::batch(&inside, &format!("link set {name} master {BRIDGE}\nlink set {name} up\n"))?;
    unmount(SEEN, UnmountFlags::DETACH).map_err(NodeError::doing("let go of the switch"))
}
