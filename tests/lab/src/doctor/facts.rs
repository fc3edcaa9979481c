//! What the machine is: read once from the kernel's files, so that judging it needs no machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// The kernel does not say.
    Unknown,
}

impl Reading {
    fn of(there: bool) -> Self {
        if there { Self::Yes } else { Self::No }
    }
}

/// A program that was looked for.
pub type Found = Option<PathBuf>;

/// A hierarchy of control groups of version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// This process's group in it, relative to the mount.
    pub group: PathBuf,
}

impl Hierarchy {
    /// This process's group as a folder.
    pub fn folder(&self) -> PathBuf {
        self.mount.join(self.group.strip_prefix("/").unwrap_or(&self.group))
    }
}

/// What the machine has of what labs need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The effective user's number.
    pub user: u32,
    /// The effective capabilities, as the kernel writes them (capabilities(7)).
    pub capabilities: u64,
    /// Kinds of namespaces: `cgroup`, `ipc`, `mnt`, `net`, `pid`, `uts`.
    pub namespaces: BTreeSet<String>,
    /// Control group hierarchies of version 1, by controller.
    pub hierarchies: BTreeMap<String, Hierarchy>,
    /// Whether controllers of version 2 are there instead.
    pub unified: bool,
    /// File systems the kernel has or can load.
    pub filesystems: BTreeMap<&'static str, Reading>,
    /// Parts of the kernel's network.
    pub network: BTreeMap<&'static str, Reading>,
    /// Programs on the PATH.
    pub programs: BTreeMap<&'static str, Found>,
    /// Memory that can be had without swapping, in MiB (`MemAvailable`).
    pub memory: u64,
    /// Room for this user where built programs are kept, in MiB.
    pub cache_room: u64,
    /// The folder where built programs are kept.
    pub cache: PathBuf,
    /// What lies there, by name and without digests. It may be of other sources than these.
    pub built: BTreeSet<String>,
    /// Whether the keys are there by which Debian signs.
    pub keys: bool,
    /// Whether a loopback port can be reserved.
    pub port: bool,
}

/// Programs labs call. What is not on the PATH of a machine may still be unneeded by the profile.
const PROGRAMS: [&str; 8] = ["setpriv", "setsid", "go", "apt-get", "dpkg-deb", "tar", "cc", "mkfs.btrfs"];

impl Facts {
    /// Reads them.
    pub fn read() -> Self {
        let status = text("/proc/self/status");
        let cache = crate::programs::cache_folder();
        Self {
            user: rustix::process::geteuid().as_raw(),
            capabilities: field(&status, "CapEff:").and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0),
            namespaces: names("/proc/self/ns"),
            hierarchies: hierarchies(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo")),
            unified: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
            filesystems: filesystems(),
            network: network(),
            programs: PROGRAMS.iter().map(|program| (*program, on_path(program))).collect(),
            memory: field(&text("/proc/meminfo"), "MemAvailable:").and_then(|kib| kib.parse().ok()).unwrap_or(0) / 1024,
            cache_room: room(&cache),
            built: names(&cache).into_iter().filter_map(|name| Some(name.rsplit_once('-')?.0.to_owned())).collect(),
            cache,
            keys: Path::new(crate::debian::apt::KEYS).is_file(),
            port: crate::ports::Port::reserve().is_ok(),
        }
    }
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first word after `name` at the beginning of a line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

fn names(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Version 1 hierarchies by controller, from `/proc/self/cgroup` and `/proc/self/mountinfo` (cgroups(7), proc(5)).
fn hierarchies(groups: &str, mounts: &str) -> BTreeMap<String, Hierarchy> {
    let mut found = BTreeMap::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        for controller in controllers.split(',').filter(|controller| !controller.is_empty()) {
            if let Some((mount, root)) = mounted(controller, mounts) {
                // A container sees its own group as the root of the mount.
                let group = Path::new(group).strip_prefix(root).unwrap_or(Path::new(group)).to_owned();
                found.insert(controller.to_owned(), Hierarchy { mount, group });
            }
        }
    }
    found
}

/// Mount point and root of a controller's hierarchy.
fn mounted(controller: &str, mounts: &str) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, point) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let is_it = after.next()? == "cgroup" && after.nth(1)?.split(',').any(|option| option == controller);
        is_it.then(|| (PathBuf::from(point), PathBuf::from(root)))
    })
}

/// Built in or loaded, or a module that is loaded at the first mount.
fn filesystems() -> BTreeMap<&'static str, Reading> {
    let listed = text("/proc/filesystems");
    let listed: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    let modules = modules();
    let known = [("overlay", "overlay"), ("btrfs", "btrfs"), ("mqueue", "mqueue")];
    known.map(|(name, module)| (name, Reading::of(listed.contains(name) || modules.contains(module)))).into()
}

/// The kernel lists no network parts; a function of theirs among its symbols, or a module, shows them.
fn network() -> BTreeMap<&'static str, Reading> {
    let symbols = text("/proc/kallsyms");
    let modules = modules();
    let known = [("veth", "veth_newlink"), ("bridge", "br_add_if"), ("nf_tables", "nft_register_chain_type")];
    known
        .map(|(name, symbol)| {
            let named = |line: &str| line.split_whitespace().nth(2) == Some(symbol);
            let reading = match (modules.contains(name), symbols.is_empty()) {
                (true, _) => Reading::Yes,
                (false, true) => Reading::Unknown,
                (false, false) => Reading::of(symbols.lines().any(named)),
            };
            (name, reading)
        })
        .into()
}

/// Names of the kernel's modules, loaded or built in or on disk.
fn modules() -> BTreeSet<String> {
    let release = text("/proc/sys/kernel/osrelease");
    let folder = Path::new("/lib/modules").join(release.trim());
    let listed = ["modules.dep", "modules.builtin"].map(|file| text(&folder.join(file).to_string_lossy()));
    let on_disk = listed.iter().flat_map(|list| list.lines()).filter_map(|line| {
        let path = line.split(':').next()?;
        Some(Path::new(path).file_name()?.to_string_lossy().split('.').next()?.replace('-', "_"))
    });
    on_disk.chain(names("/sys/module")).collect()
}

fn on_path(program: &str) -> Found {
    let named = std::env::var_os("GO").filter(|_| program == "go").map(PathBuf::from);
    if named.is_some() {
        return named;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Administration programs may not be on a user's PATH; what calls them adds these folders.
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// MiB free in the file system that holds `path`, or would.
pub(crate) fn room(path: &Path) -> u64 {
    let stat = path.ancestors().find_map(|ancestor| rustix::fs::statvfs(ancestor).ok());
    stat.map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize) / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "9:name=systemd:/\n4:memory:/jobs/one\n2:cpu,cpuacct:/\n0::/\n";
    const MOUNTS: &str = "\
30 29 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 29 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
33 29 0:29 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
";

    #[test]
    fn each_controller_has_the_folder_of_this_process_s_group() {
        let found = hierarchies(GROUPS, MOUNTS);
        let folder = |controller: &str| found.get(controller).map(Hierarchy::folder);
        assert_eq!(folder("memory"), Some("/sys/fs/cgroup/memory/jobs/one".into()));
        assert_eq!(folder("cpuacct"), Some("/sys/fs/cgroup/cpu,cpuacct/".into()));
        assert_eq!(folder("name=systemd"), Some("/sys/fs/cgroup/systemd/".into()));
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn a_group_that_is_the_root_of_its_mount_is_not_named_twice() {
        let mounts = "30 29 0:26 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
        let found = hierarchies("4:memory:/docker/abc\n", mounts);
        assert_eq!(found.get("memory").map(Hierarchy::folder), Some("/sys/fs/cgroup/memory/".into()));
    }

    #[test]
    fn a_field_is_the_first_word_after_its_name() {
        assert_eq!(field("MemTotal: 5 kB\nMemAvailable:   123 kB\n", "MemAvailable:"), Some("123"));
        assert_eq!(field("", "MemAvailable:"), None);
    }
}
