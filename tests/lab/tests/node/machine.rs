//! What a node could leave on the machine, looked at before and after.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiyun_lab::doctor::{Facts, Finding, examine};
use jiyun_lab::{Lab, Part, Profile, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard};

pub const DEADLINE: Duration = Duration::from_mins(3);

/// One node at a time, but where a test starts two: loop devices belong to the whole machine.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Leave to run a node, for as long as it is held. Where none can run, the test that asks is left out, and says so.
pub async fn able(test: &str) -> Option<MutexGuard<'static, ()>> {
    let missing = examine(&Facts::read(), Profile::Node, &BTreeSet::new()).into_iter().filter(Finding::is_missing);
    let missing: Vec<Finding> = missing.collect();
    for finding in &missing {
        eprintln!("{test} is LEFT OUT, this machine cannot run profile `node`: {finding}");
    }
    if missing.is_empty() { Some(ALONE.lock().await) } else { None }
}

/// The same for a test that needs a part of a node. Parts take minutes to build, so they are tested where they are asked for:
/// `make test-node`.
pub async fn able_with(test: &str, part: Part) -> Option<MutexGuard<'static, ()>> {
    let asked = std::env::var("JIYUN_TEST_NODE_PARTS").unwrap_or_default();
    if asked.split(',').any(|name| name == part.name()) {
        return able(test).await;
    }
    eprintln!("{test} is LEFT OUT: part `{part}` is tested by `make test-node`");
    None
}

/// What of the machine a node must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    mounts: BTreeSet<String>,
    interfaces: BTreeSet<String>,
    pub loops: BTreeSet<String>,
    routes: String,
    routes6: BTreeSet<String>,
    settings: Vec<String>,
    devices: [BTreeSet<String>; 2],
    groups: BTreeSet<PathBuf>,
    /// Of what Debian has installed, a digest.
    packages: u64,
    folders: [Option<BTreeSet<String>>; 5],
}

/// Settings that a kubelet changes where it may.
const SETTINGS: [&str; 8] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
    "kernel/hostname",
];
/// Folders that a node's programs have of their own.
const FOLDERS: [&str; 5] = ["/etc/cni", "/opt/cni", "/var/lib/kubelet", "/var/lib/containerd", "/run/containerd"];

impl Seen {
    pub fn now() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mount_point = |line: &str| line.split(' ').nth(4).map(str::to_owned);
        let interface = |line: &str| line.split_once(':').map(|(name, _)| name.trim().to_owned());
        let used = |name: &String| Path::new("/sys/block").join(name).join("loop/backing_file").exists();
        let route = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Where to, by whom and over what; the other columns also count how often it is used.
            [0, 1, 4, 9].map(|column: usize| words.get(column).copied().unwrap_or_default()).join(" ")
        };
        // The kernel makes loop devices when all are in use, and keeps them.
        let kept = |name: &String| !name.starts_with("loop");
        let below = |mount: PathBuf| names(&mount).into_iter().map(move |name| mount.join(name));
        // Labs run side by side; each looks after its own.
        let no_lab = |group: &PathBuf| group.is_dir() && !group.to_string_lossy().contains("/jiyun-lab-");
        let mut packages = DefaultHasher::new();
        fs::read("/var/lib/dpkg/status").unwrap_or_default().hash(&mut packages);
        Self {
            mounts: read("/proc/self/mountinfo").lines().filter_map(mount_point).collect(),
            interfaces: read("/proc/net/dev").lines().filter_map(interface).collect(),
            loops: names("/sys/block").into_iter().filter(used).collect(),
            routes: read("/proc/net/route"),
            routes6: read("/proc/net/ipv6_route").lines().map(route).collect(),
            settings: SETTINGS.iter().map(|setting| read(&format!("/proc/sys/{setting}"))).collect(),
            devices: ["/dev", "/sys/block"].map(|folder| names(folder).into_iter().filter(kept).collect()),
            groups: Facts::read().hierarchies.into_values().flat_map(|of| below(of.mount)).filter(no_lab).collect(),
            packages: packages.finish(),
            folders: FOLDERS.map(|folder| Path::new(folder).exists().then(|| names(folder))),
        }
    }
}

/// What shows a lab's node: its processes' namespace and those that hold it.
#[derive(Debug)]
pub struct Node {
    pub keeper: i32,
    pub shell: i32,
    pub first: i32,
    name: String,
    namespace: PathBuf,
    lab: PathBuf,
}

impl Node {
    /// The first one of the running lab in this folder.
    pub fn of(lab: &Path) -> Self {
        Self::named(lab, "node-1")
    }

    /// The one of that name.
    pub fn named(lab: &Path, name: &str) -> Self {
        let number = fs::read_to_string(lab.join("data").join(name).join("process")).expect("the node runs");
        let first: i32 = number.trim().parse().expect("a number");
        let told = lab.join(format!("etc/{name}.json")).display().to_string();
        let holder = |role: &str| -> i32 {
            let found = processes().into_iter().find(|process| {
                let line = fs::read(process.join("cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                line.contains(&format!(" node {role} ")) && line.contains(&told)
            });
            let found = found.expect("who holds the node runs");
            found.file_name().and_then(|name| name.to_str()?.parse().ok()).expect("a number")
        };
        let namespace = fs::read_link(format!("/proc/{first}/ns/pid")).expect("it has namespaces");
        let (keeper, shell) = (holder("keeper"), holder("shell"));
        Self { keeper, shell, first, name: name.to_owned(), namespace, lab: lab.to_owned() }
    }

    /// A process of the node, by the beginning of its name, as its number outside.
    pub fn process(&self, name: &str) -> i32 {
        self.finds(name).expect("the program runs in the node")
    }

    /// The same of a program that may not run.
    pub fn finds(&self, name: &str) -> Option<i32> {
        let named = self.inside().into_iter().filter_map(|process| {
            let comm = fs::read_to_string(process.join("comm")).ok()?;
            comm.starts_with(name).then_some((comm.len(), process))
        });
        // The shortest name: `containerd` is none of its shims.
        let (_, found) = named.min()?;
        found.file_name().and_then(|number| number.to_str()?.parse().ok())
    }

    /// Processes in the node. Those of pods are in process namespaces below its own, but in its control groups.
    pub fn inside(&self) -> Vec<PathBuf> {
        let group = format!("/jiyun-lab-{}", self.keeper);
        let here = |process: &PathBuf| {
            fs::read_link(process.join("ns/pid")).is_ok_and(|of| of == self.namespace)
                || fs::read_to_string(process.join("cgroup")).is_ok_and(|groups| groups.contains(&group))
        };
        processes().into_iter().filter(here).collect()
    }

    /// Its control groups, in all hierarchies.
    fn groups(&self) -> Vec<PathBuf> {
        let name = format!("jiyun-lab-{}", self.keeper);
        let parents = Facts::read().hierarchies.into_values().map(|hierarchy| hierarchy.folder());
        parents.map(|parent| parent.join(&name)).filter(|group| group.exists()).collect()
    }

    /// Waits until nothing of it is left, and the machine is as it was.
    pub async fn is_gone(&self, before: &Seen) {
        self.ends_below(&self.lab).await;
        // Some kernels give a loop device back a moment after its last process.
        let same = || async { if Seen::now() == *before { Ok(()) } else { Err("it is not") } };
        let _ = wait_for("the machine to be as it was", DEADLINE, same).await;
        assert_eq!(&Seen::now(), before, "the machine is as it was");
    }

    /// Waits until nothing of it is left, while its lab lives on.
    pub async fn is_gone_alone(&self) {
        // What another node has mounted is that node's.
        self.ends_below(&self.lab.join("data").join(&self.name)).await;
    }

    async fn ends_below(&self, folder: &Path) {
        wait_for("nothing of the node to be left", DEADLINE, || async {
            let (inside, groups, mounts) = (self.inside(), self.groups(), mounts(folder));
            let keeper = Path::new("/proc").join(self.keeper.to_string()).exists();
            if inside.is_empty() && groups.is_empty() && mounts.is_empty() && !keeper {
                Ok(())
            } else {
                Err(format!("processes {inside:?}, groups {groups:?}, mounts {mounts:?}, keeper {keeper}"))
            }
        })
        .await
        .expect("nothing is left");
    }

    /// The node has what a node has; else its absence would prove nothing.
    pub fn is_there(&self) {
        assert!(self.inside().len() > 3, "containerd, kubelet, kube-proxy, pods: {:?}", self.inside());
        assert!(self.groups().len() > 3 && !mounts(&self.lab).is_empty());
        for kind in ["cgroup", "ipc", "mnt", "net", "pid", "uts"] {
            let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/{kind}")).expect("it has namespaces");
            assert_ne!(of("self"), of(&self.first.to_string()), "{kind}: the node has one of its own");
        }
    }
}

pub fn kill(process: i32) {
    kill_process(Pid::from_raw(process).expect("a process"), Signal::KILL).expect("SIGKILL");
}

/// What an address in the node's network answers to a request for `/`.
pub async fn get(lab: &Lab, address: &str) -> Result<String, String> {
    let address: SocketAddr = address.parse().map_err(|_| "not an address")?;
    ask(lab.connect_from_node(address).await.map_err(|error| error.to_string())?, "/").await
}

/// The same, from the node of this name, to a request for a path.
pub async fn get_from(lab: &Lab, node: &str, address: &str, path: &str) -> Result<String, String> {
    let address: SocketAddr = address.parse().map_err(|_| "not an address")?;
    ask(lab.connect_from(node, address).await.map_err(|error| error.to_string())?, path).await
}

async fn ask(mut stream: TcpStream, path: &str) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.map_err(said)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(said)?;
    Ok(answer)
}

/// Mounts of any process that show a folder.
pub fn mounts(folder: &Path) -> BTreeSet<String> {
    let folder = folder.display().to_string();
    let all = processes().into_iter().filter_map(|process| fs::read_to_string(process.join("mountinfo")).ok());
    all.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.contains(&folder))
        .collect()
}

pub fn processes() -> Vec<PathBuf> {
    let is_process = |name: &String| name.chars().all(|letter| letter.is_ascii_digit());
    names("/proc").into_iter().filter(is_process).map(|name| Path::new("/proc").join(name)).collect()
}

fn names(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
