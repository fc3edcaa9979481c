//! `down`: stops a lab and makes sure that nothing of it is left.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::foreground::STOPPING;
use super::state::State;
use super::{CliError, Which, tried};

/// Ordered stop of five components, each given ten seconds.
const ORDERED: Duration = Duration::from_mins(1);
/// After SIGKILL of the supervisor the kernel kills its children.
const KILLED: Duration = Duration::from_secs(10);

/// What a lab does not take from a cluster that was there before it.
const STAYS: &str = "on the cluster stays what was installed and applied: definitions, charts, departments and what is in \
                     them; docs/lab.md, `An existing cluster`, has the commands that uninstall it";

/// Stops a lab.
pub fn run(which: &Which) -> Result<ExitCode, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    let state = State::read(&folder)?;
    let given = state.as_ref().is_some_and(|state| state.given_cluster);
    let ports = state.map(|state| state.ports).unwrap_or_default();
    let holder = jiyun_lab::holder(&folder);
    let mut killed = false;
    if let Some(supervisor) = holder {
        terminate(supervisor);
        if !wait(ORDERED, || !jiyun_lab::lives(&folder)) {
            eprintln!("jiyun-lab: the lab does not stop; killing it");
            signal(supervisor, Signal::KILL);
            killed = true;
            wait(KILLED, || !jiyun_lab::lives(&folder));
        }
    }
    // The lock is given back a moment before the process is gone; of one that nobody has waited for, the program is.
    let alive = |process: i32| fs::read_link(Path::new("/proc").join(process.to_string()).join("exe")).is_ok();
    wait(KILLED, || !holder.is_some_and(alive));
    wait(KILLED, || processes(&folder).is_empty());
    let left = processes(&folder);
    if !left.is_empty() {
        return Err(CliError::Leftover(format!("processes {left:?} still run in {}", folder.display())));
    }
    // Of a lab that died long ago the ports may belong to others by now.
    if holder.is_some() && !wait(KILLED, || ports.iter().all(|port| !jiyun_lab::in_use(*port))) {
        return Err(CliError::Leftover(format!("one of the ports {ports:?} is still in use")));
    }
    let known = folder.exists();
    jiyun_lab::remove_dead(&folder)?;
    let output = tried("find the lab's folder", which.output())?;
    let trouble = last_words(&output);
    match fs::remove_file(&output) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return tried(format!("remove {}", output.display()), Err(error));
        }
        _ => {}
    }
    if holder.is_some() && given {
        println!("lab `{}` is stopped; nothing of it is left on this machine", which.name);
        on_the_cluster(killed, &trouble);
    } else if holder.is_some() {
        println!("lab `{}` is stopped; nothing of it is left", which.name);
    } else if known && given {
        println!("lab `{}` was dead; its folder is removed", which.name);
        println!("its people may still be on the cluster; the next lab there removes them");
        println!("{STAYS}");
    } else if known {
        println!("lab `{}` was dead; its folder is removed", which.name);
    } else {
        println!("no lab named `{}` runs in {}", which.name, which.dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is and what is not left on an existing cluster.
fn on_the_cluster(killed: bool, trouble: &str) {
    if killed || !trouble.is_empty() {
        println!("its people may still be on the cluster; the next lab there removes them. {trouble}");
    } else {
        println!("its people and their roles are gone from the cluster as well");
    }
    println!("{STAYS}");
}

/// What the lab said after it began to stop: nothing, if all went well.
fn last_words(output: &Path) -> String {
    let text = fs::read_to_string(output).unwrap_or_default();
    text.rsplit_once(STOPPING).map(|(_, after)| after.trim().to_owned()).unwrap_or_default()
}

/// Asks a lab to stop.
pub fn terminate(supervisor: i32) {
    signal(supervisor, Signal::TERM);
}

fn signal(process: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process) {
        // An error means that it is gone, which is what the signal was for.
        let _ = kill_process(pid, signal);
    }
}

fn wait(deadline: Duration, condition: impl Fn() -> bool) -> bool {
    let end = Instant::now() + deadline;
    while !condition() {
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
}

/// Processes of this user whose working directory is the lab's folder: all components' is.
fn processes(folder: &Path) -> Vec<String> {
    let here = folder.to_string_lossy().into_owned();
    let in_folder = |process: &Path| {
        // Of a removed folder the kernel says `<path> (deleted)`.
        fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.to_string_lossy().trim_end_matches(" (deleted)") == here)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    all.filter(|process| in_folder(process))
        .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
        .collect()
}
