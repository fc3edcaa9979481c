//! What each profile needs of a machine.

use std::collections::BTreeSet;

use super::{Facts, Finding, Reading, Verdict};
use crate::debian::apt;
use crate::parts::Part;
use crate::profile::Profile;

/// Capabilities a node's namespaces, mounts, device files and network take, with their bits (`linux/capability.h`).
const CAPABILITIES: [(&str, u32); 5] =
    [("CAP_NET_ADMIN", 12), ("CAP_SYS_CHROOT", 18), ("CAP_SYS_ADMIN", 21), ("CAP_MKNOD", 27), ("CAP_SYS_PTRACE", 19)];
const NAMESPACES: [&str; 6] = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];
/// Controllers the kubelet and runc write to (kubelet, `pkg/kubelet/cm/container_manager_linux.go`, `expectedCgroups`;
/// runc makes a group in every hierarchy that is mounted).
const CONTROLLERS: [&str; 6] = ["cpu", "cpuacct", "cpuset", "devices", "memory", "pids"];

/// MiB that a lab of the profile takes, as it was measured, rounded up generously.
fn memory(profile: Profile) -> u64 {
    match profile {
        Profile::Scale => 1024,
        Profile::Real => 1536,
        Profile::Node => 2560,
    }
}

/// MiB that a part takes beside that, a guest or a database included.
fn memory_of(part: Part) -> u64 {
    match part {
        Part::Kubevirt => 1536,
        Part::Cdi | Part::Cnpg => 512,
        Part::Csi => 256,
        Part::S3 => 128,
        Part::Jiyun => 768,
    }
}

/// What a profile's labs are made of, as it is called in the cache; and the MiB it takes to make all of it, the compiler's own
/// cache included.
fn made(profile: Profile) -> (&'static [&'static str], u64) {
    match profile {
        Profile::Scale => (&["controlplane", "engine-crds", "helm"], 4096),
        Profile::Real => (&["controlplane", "engine-crds", "helm", "kubevirt"], 5120),
        Profile::Node => (&["controlplane", "node", "containerd", "coredns", "pods", "debian-node", "images"], 6144),
    }
}

/// MiB of data that a running lab writes.
const DATA: u64 = 1024;

/// Room for what is not made yet, and for the lab's data.
fn room(facts: &Facts, profile: Profile) -> Finding {
    let (parts, whole) = made(profile);
    let missing = parts.iter().filter(|part| !facts.built.contains(**part)).count();
    let share = |whole: u64| whole * missing as u64 / parts.len().max(1) as u64;
    let remedy = format!("free some in {}, or set JIYUN_LAB_CACHE to a folder with more", facts.cache.display());
    amount("room on disk", facts.cache_room, DATA + share(whole), &remedy)
}

/// Every need of the profile, and how this machine meets it.
pub fn examine(facts: &Facts, profile: Profile, parts: &BTreeSet<Part>) -> Vec<Finding> {
    let more: u64 = parts.iter().map(|part| memory_of(*part)).sum();
    let mut findings = vec![
        program(facts, "setpriv", "install util-linux (`sudo apt install util-linux`)"),
        program(facts, "setsid", "install util-linux (`sudo apt install util-linux`)"),
        program(
            facts,
            "go",
            "install Go 1.21 or later (`sudo apt install golang-go`); it builds the lab's programs once",
        ),
        amount("memory", facts.memory, memory(profile) + more, "stop other programs, or use a machine with more"),
        room(facts, profile),
        finding(
            "a loopback port",
            if facts.port { "free" } else { "none is free between 15000 and 32000" },
            facts.port,
            "stop labs that are no longer needed (`jiyun-lab down`)",
        ),
    ];
    if profile == Profile::Node {
        findings.splice(0..0, node(facts));
        if parts.contains(&Part::Csi) {
            findings.push(reading("file system btrfs", facts.filesystems.get("btrfs"), "use a kernel that has it"));
        }
        // Two of KubeVirt's programs call C. Built already, they need no compiler.
        if parts.contains(&Part::Kubevirt) && !facts.built.contains("kubevirt-node") {
            findings.push(program(facts, "cc", "install a C compiler (`sudo apt install gcc libc6-dev`)"));
        }
    }
    findings
}

fn node(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![finding(
        "root",
        &format!("this is user {}", facts.user),
        facts.user == 0,
        "start it as root, for example with `sudo --preserve-env`: a node makes mounts, devices and namespaces",
    )];
    if facts.user == 0 {
        findings.push(capabilities(facts.capabilities));
    }
    findings.push(all(
        "namespaces of its own",
        &NAMESPACES,
        |kind| facts.namespaces.contains(kind),
        "use a kernel with these namespaces",
    ));
    findings.push(control_groups(facts));
    let loadable = "use a kernel that has it, or load its module as root (`modprobe`)";
    findings.push(reading("file system overlay", facts.filesystems.get("overlay"), loadable));
    for part in ["veth", "bridge", "nf_tables"] {
        let need = match part {
            "veth" => "network pairs (veth)",
            "bridge" => "network bridges",
            _ => "packet rules (nf_tables)",
        };
        findings.push(reading(need, facts.network.get(part), loadable));
    }
    let debian = "install it: the node's own programs come from Debian's packages, which it fetches and unpacks";
    findings.extend(["apt-get", "dpkg-deb", "tar"].map(|name| program(facts, name, debian)));
    findings.push(finding(
        "Debian's keys",
        apt::KEYS,
        facts.keys,
        "install debian-archive-keyring (`sudo apt install debian-archive-keyring`): by them packages are checked",
    ));
    findings
}

fn finding(need: &'static str, seen: &str, met: bool, remedy: &str) -> Finding {
    let verdict = if met { Verdict::Met } else { Verdict::Missing { remedy: remedy.to_owned() } };
    Finding { need, seen: seen.to_owned(), verdict }
}

fn amount(need: &'static str, found: u64, needed: u64, remedy: &str) -> Finding {
    finding(need, &format!("{found} MiB, {needed} needed"), found >= needed, remedy)
}

fn program(facts: &Facts, name: &'static str, remedy: &str) -> Finding {
    let found = facts.programs.get(name).and_then(Option::as_ref);
    let seen = found.map_or_else(|| "not on the PATH".to_owned(), |path| path.display().to_string());
    finding(name, &seen, found.is_some(), remedy)
}

fn reading(need: &'static str, reading: Option<&Reading>, remedy: &str) -> Finding {
    match reading.copied().unwrap_or(Reading::Unknown) {
        Reading::Yes => finding(need, "the kernel has it", true, remedy),
        Reading::No => finding(need, "the kernel does not have it", false, remedy),
        Reading::Unknown => Finding { need, seen: "the kernel does not say".to_owned(), verdict: Verdict::Unknown },
    }
}

fn all(need: &'static str, names: &[&str], there: impl Fn(&str) -> bool, remedy: &str) -> Finding {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !there(name)).collect();
    let seen = if missing.is_empty() { names.join(", ") } else { format!("not there: {}", missing.join(", ")) };
    finding(need, &seen, missing.is_empty(), remedy)
}

fn capabilities(mask: u64) -> Finding {
    let names = CAPABILITIES.map(|(name, _)| name);
    let has = |name: &str| CAPABILITIES.iter().any(|(known, bit)| *known == name && mask & (1 << bit) != 0);
    all("capabilities of root", &names, has, "start it outside a container, or in one that is privileged")
}

fn control_groups(facts: &Facts) -> Finding {
    let remedy = if facts.unified {
        "this machine has control groups of version 2 only, with which this profile has not been tried: start the kernel \
         with `systemd.unified_cgroup_hierarchy=0`"
    } else {
        "mount the controllers below /sys/fs/cgroup (`sudo apt install cgroupfs-mount`)"
    };
    all("control groups (version 1)", &CONTROLLERS, |name| facts.hierarchies.contains_key(name), remedy)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Hierarchy;
    use super::*;

    fn able() -> Facts {
        let hierarchy = |name: &str| Hierarchy { mount: format!("/sys/fs/cgroup/{name}").into(), group: "/".into() };
        let programs = ["setpriv", "setsid", "go", "apt-get", "dpkg-deb", "tar"];
        Facts {
            user: 0,
            capabilities: u64::MAX,
            namespaces: NAMESPACES.map(str::to_owned).into(),
            hierarchies: CONTROLLERS.map(|name| (name.to_owned(), hierarchy(name))).into(),
            unified: false,
            filesystems: BTreeMap::from([("overlay", Reading::Yes)]),
            network: ["veth", "bridge", "nf_tables"].map(|part| (part, Reading::Yes)).into(),
            programs: programs.map(|program| (program, Some(format!("/usr/bin/{program}").into()))).into(),
            memory: 8192,
            cache_room: 40_000,
            cache: "/cache".into(),
            built: BTreeSet::new(),
            keys: true,
            port: true,
        }
    }

    fn missing(facts: &Facts, profile: Profile) -> Vec<&'static str> {
        examine(facts, profile, &BTreeSet::new())
            .iter()
            .filter(|finding| finding.is_missing())
            .map(|finding| finding.need)
            .collect()
    }

    #[test]
    fn a_machine_that_has_everything_can_run_every_profile() {
        for profile in [Profile::Scale, Profile::Real, Profile::Node] {
            assert_eq!(missing(&able(), profile), Vec::<&str>::new(), "{profile:?}");
        }
    }

    #[test]
    fn without_root_only_the_node_cannot_run_and_capabilities_are_not_asked_for_twice() {
        let facts = Facts { user: 1000, capabilities: 0, ..able() };
        assert_eq!(missing(&facts, Profile::Real), Vec::<&str>::new());
        assert_eq!(missing(&facts, Profile::Node), ["root"]);
    }

    #[test]
    fn root_of_a_container_is_told_which_capabilities_it_lacks() {
        let facts = Facts { capabilities: !(1 << 21), ..able() };
        let findings = examine(&facts, Profile::Node, &BTreeSet::new());
        let said: Vec<String> =
            findings.iter().filter(|finding| finding.is_missing()).map(ToString::to_string).collect();
        assert_eq!(said.len(), 1);
        assert!(said[0].contains("not there: CAP_SYS_ADMIN") && said[0].contains("privileged"), "{said:?}");
    }

    #[test]
    fn a_machine_with_the_unified_hierarchy_alone_is_told_how_to_get_the_other() {
        let facts = Facts { hierarchies: BTreeMap::new(), unified: true, ..able() };
        let findings = examine(&facts, Profile::Node, &BTreeSet::new());
        let said = findings.iter().find(|finding| finding.is_missing()).map(ToString::to_string).unwrap_or_default();
        assert!(said.contains("systemd.unified_cgroup_hierarchy=0"), "{said}");
    }

    #[test]
    fn what_alone_is_missing_is_told_with_its_remedy() {
        let filesystems = |overlay, btrfs| BTreeMap::from([("overlay", overlay), ("btrfs", btrfs)]);
        let loadable = "use a kernel that has it, or load its module as root (`modprobe`)";
        for (facts, need, expected) in [
            (
                Facts { hierarchies: BTreeMap::new(), ..able() },
                "control groups (version 1)",
                "mount the controllers below /sys/fs/cgroup (`sudo apt install cgroupfs-mount`)",
            ),
            (Facts { filesystems: filesystems(Reading::No, Reading::Yes), ..able() }, "file system overlay", loadable),
            (
                Facts { filesystems: filesystems(Reading::Yes, Reading::No), ..able() },
                "file system btrfs",
                "use a kernel that has it",
            ),
            (
                Facts { port: false, ..able() },
                "a loopback port",
                "stop labs that are no longer needed (`jiyun-lab down`)",
            ),
        ] {
            let findings = examine(&facts, Profile::Node, &BTreeSet::from([Part::Csi]));
            let told = findings.iter().filter_map(|finding| match &finding.verdict {
                Verdict::Missing { remedy } => Some((finding.need, remedy.as_str())),
                _ => None,
            });
            assert_eq!(told.collect::<Vec<_>>(), [(need, expected)]);
        }
    }

    #[test]
    fn what_the_kernel_does_not_say_is_no_reason_to_refuse() {
        let network = ["veth", "bridge", "nf_tables"].map(|part| (part, Reading::Unknown)).into();
        let facts = Facts { network, ..able() };
        assert_eq!(missing(&facts, Profile::Node), Vec::<&str>::new());
        let unknown =
            examine(&facts, Profile::Node, &BTreeSet::new()).iter().filter(|f| f.verdict == Verdict::Unknown).count();
        assert_eq!(unknown, 3);
    }

    #[test]
    fn a_part_needs_memory_of_its_own_and_kubevirt_a_c_compiler_until_it_is_built() {
        let parts = BTreeSet::from([Part::Kubevirt]);
        let said = |facts: &Facts| {
            let findings = examine(facts, Profile::Node, &parts);
            findings.iter().filter(|finding| finding.is_missing()).map(|finding| finding.need).collect::<Vec<_>>()
        };
        assert_eq!(said(&able()), ["cc"]);
        let built = BTreeSet::from(["kubevirt-node".to_owned()]);
        assert_eq!(said(&Facts { built: built.clone(), ..able() }), Vec::<&str>::new());
        assert_eq!(said(&Facts { built, memory: 3000, ..able() }), ["memory"]);
    }

    #[test]
    fn what_is_built_already_needs_no_room_to_be_built() {
        let little = Facts { cache_room: 1500, ..able() };
        assert_eq!(missing(&little, Profile::Scale), ["room on disk"]);
        let built = ["controlplane", "engine-crds", "helm", "other"].map(str::to_owned).into();
        assert_eq!(missing(&Facts { built, ..little }, Profile::Scale), Vec::<&str>::new());
    }

    #[test]
    fn too_little_memory_disk_or_no_program_is_said_with_numbers_and_a_remedy() {
        let facts = Facts { memory: 100, cache_room: 7, programs: BTreeMap::new(), ..able() };
        let said: Vec<String> =
            examine(&facts, Profile::Scale, &BTreeSet::new()).iter().map(ToString::to_string).collect();
        let said = said.join("\n");
        assert!(said.contains("missing  memory: 100 MiB, 1024 needed; stop other programs"), "{said}");
        assert!(said.contains("7 MiB") && said.contains("JIYUN_LAB_CACHE"), "{said}");
        assert!(said.contains("missing  go: not on the PATH; install Go"), "{said}");
    }
}
