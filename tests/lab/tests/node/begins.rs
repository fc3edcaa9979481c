//! A start that is cut short, by SIGKILL at any moment or by a full disk: no process, mount, loop device, control group
//! or interface stays.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use jiyun_lab::doctor::Facts;
use jiyun_lab::{lives, wait_for};
use rustix::process::{Pid, Signal, kill_process};

use crate::dice::Dice;
use crate::machine::{DEADLINE, Seen, able, kill, mounts, processes};

/// Starts in the background.
const UP: [&str; 4] = ["up", "--without-charts", "--profile", "node"];

/// What is killed, a round each, most of all the lab itself. Chance says who is first.
const VICTIMS: [&str; 6] = ["lab", "keeper", "lab", "shell", "lab", "first"];

/// A round's part of the start, in milliseconds: all rounds together make the 12 s that one usually takes.
const PART: u64 = 2_000;

/// Runs a program with a folder on a disk of its own, which no other program sees: how many bytes it has, the folder, how
/// many bytes are taken, the program.
const ON_A_DISK: &str =
    r#"set -e; mount -t tmpfs -o "size=$1" lab "$2"; head -c "$3" /dev/zero >"$2/taken"; shift 3; exec "$@""#;

/// A folder for one lab, and the machine as it was before.
struct Ground {
    folder: tempfile::TempDir,
    before: Seen,
    groups: BTreeSet<PathBuf>,
}

impl Ground {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temp dir"), before: Seen::now(), groups: groups() }
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().expect("a plain path")
    }

    fn lab(&self) -> PathBuf {
        self.folder.path().join("default")
    }

    /// Runs the lab's program, by way of another one where that is named.
    fn start(&self, by: &[&str], arguments: &[&str]) -> Child {
        let words = [by, &[env!("CARGO_BIN_EXE_jiyun-lab"), "--dir", self.path()], arguments].concat();
        let said = File::create(self.folder.path().join("said")).expect("a file");
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env_remove("JIYUN_LAB_CLUSTER");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().expect("it starts")
    }

    /// What the last program said.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).expect("there")
    }

    /// Processes that name the folder or work in it.
    fn processes(&self) -> Vec<PathBuf> {
        let is_ours = |process: &PathBuf| {
            let works_in = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.folder.path()));
            works_in || command_line(process).contains(self.path())
        };
        processes().into_iter().filter(is_ours).collect()
    }

    /// Waits for the process that is this part of the node.
    async fn part(&self, role: &str) -> i32 {
        let told = format!(" node {role} {}", self.path());
        wait_for(format!("the node's {role} to run"), DEADLINE, || async {
            let found = processes().into_iter().find(|process| command_line(process).contains(&told));
            found.as_deref().and_then(number).ok_or("it does not")
        })
        .await
        .expect("it runs")
    }

    /// Nodes' control groups that were not there before, but for those of another lab that lives.
    fn new_groups(&self) -> Vec<PathBuf> {
        let of_another = |group: &PathBuf| {
            let keeper = group.file_name().and_then(|name| name.to_str()?.strip_prefix(GROUP));
            let line = command_line(&Path::new("/proc").join(keeper.unwrap_or_default()));
            line.contains(" node keeper ") && !line.contains(self.path())
        };
        groups().difference(&self.groups).filter(|group| !of_another(group)).cloned().collect()
    }

    /// Waits until nothing of the lab is left, and the machine is as it was.
    async fn is_as_before(&self) {
        wait_for("nothing of the lab to be left", DEADLINE, || async {
            let (processes, groups) = (self.processes(), self.new_groups());
            let mounts = mounts(self.folder.path());
            if processes.is_empty() && groups.is_empty() && mounts.is_empty() {
                return Ok(());
            }
            let lines: Vec<String> = processes.iter().map(|process| command_line(process)).collect();
            Err(format!("processes {processes:?} {lines:?}, groups {groups:?}, mounts {mounts:?}"))
        })
        .await
        .expect("nothing is left");
        // Some kernels give a loop device back a moment after its last process.
        let same = || async { if Seen::now() == self.before { Ok(()) } else { Err("it is not") } };
        let _ = wait_for("the machine to be as it was", DEADLINE, same).await;
        assert_eq!(Seen::now(), self.before, "the machine is as it was");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // After a failed assertion nothing may stay either; a node ends with its lab.
        for lab in self.processes().iter().filter(|process| command_line(process).contains(" up ")) {
            if let Some(lab) = number(lab).and_then(Pid::from_raw) {
                let _ = kill_process(lab, Signal::KILL);
            }
        }
    }
}

/// What a node's control groups are called, before its keeper's number.
const GROUP: &str = "jiyun-lab-";

fn groups() -> BTreeSet<PathBuf> {
    let parents: BTreeSet<PathBuf> = Facts::read().hierarchies.into_values().map(|of| of.folder()).collect();
    let entries = parents.into_iter().filter_map(|parent| fs::read_dir(parent).ok()).flatten().flatten();
    let of_nodes = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(GROUP));
    of_nodes.map(|entry| entry.path()).collect()
}

fn command_line(process: &Path) -> String {
    String::from_utf8_lossy(&fs::read(process.join("cmdline")).unwrap_or_default()).replace('\0', " ")
}

fn number(process: &Path) -> Option<i32> {
    process.file_name()?.to_str()?.parse().ok()
}

async fn ended(program: &mut Child) -> ExitStatus {
    wait_for("the program to end", DEADLINE, || {
        let ended = program.try_wait().expect("it is this test's");
        async move { ended.ok_or("it runs") }
    })
    .await
    .expect("it ends")
}

#[tokio::test]
async fn a_start_killed_at_any_moment_leaves_nothing() {
    let Some(_alone) = able("a_start_killed_at_any_moment_leaves_nothing").await else { return };
    let mut dice = Dice::thrown();
    eprintln!("moments of {dice}");
    let ground = Ground::new();
    let first = usize::try_from(dice.below(VICTIMS.len() as u64)).expect("a small number");
    for (round, victim) in (0..).zip(VICTIMS.iter().cycle().skip(first).take(VICTIMS.len())) {
        let moment = Duration::from_millis(round * PART + dice.below(PART));
        // What the one before has left is in its way, if anything is.
        let mut lab = ground.start(&[], &[&UP[..], &["--foreground"]].concat());
        // The fault's moment; nothing is waited for.
        tokio::time::sleep(moment).await;
        eprintln!("round {round}: {victim} is killed after {moment:?}, or as soon as it is there");
        kill(match *victim {
            "lab" => i32::try_from(lab.id()).expect("a number"),
            part => ground.part(part).await,
        });
        let status = ended(&mut lab).await;
        if *victim != "lab" {
            let said = ground.said();
            // Whoever asks the node for something at that moment may notice first.
            let noticed = said.contains("node-1 ended unexpectedly") || said.contains("the node's network");
            assert!(status.code() == Some(1) && noticed, "{status}: {said}");
        }
        ground.is_as_before().await;
        assert!(!lives(&ground.lab()), "the lock is free, so the next lab may take the name");
    }
    let down = ended(&mut ground.start(&[], &["down"])).await;
    assert!(down.success() && !ground.lab().exists(), "the folder is gone as well: {}", ground.said());
}

#[tokio::test]
async fn a_disk_that_is_full_or_fills_up_while_a_node_starts_is_told_and_nothing_is_left() {
    let test = "a_disk_that_is_full_or_fills_up_while_a_node_starts_is_told_and_nothing_is_left";
    let Some(_alone) = able(test).await else { return };
    // On the second disk the etcds lay 64 MB by three times, and a node's first images, which are as large, find no room.
    for (bytes, taken) in [("65536", "65536"), ("209715200", "0")] {
        let ground = Ground::new();
        let unshared = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", ON_A_DISK, "sh"];
        let by = [&unshared[..], &[bytes, ground.path(), taken]].concat();
        let status = ended(&mut ground.start(&by, &UP)).await;
        let said = ground.said();
        assert!(!status.success(), "{said}");
        let told = format!("MiB are free on the disk that holds {}: free some", ground.lab().display());
        for expected in [told.as_str(), "the lab ended before it was ready", "`--dir`"] {
            assert!(said.contains(expected), "a disk of {bytes} bytes: `{expected}` is missing in\n{said}");
        }
        ground.is_as_before().await;
    }
}
