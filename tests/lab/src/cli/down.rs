//! `down`: stops a lab and makes sure that nothing of it is left.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::state::State;
use super::{CliError, Which, tried};

/// Ordered stop of five components, each given ten seconds.
const ORDERED: Duration = Duration::from_mins(1);
/// After SIGKILL of the supervisor the kernel kills its children.
const KILLED: Duration = Duration::from_secs(10);

/// Stops a lab.
pub fn run(which: &Which) -> Result<ExitCode, CliError> {
    let folder = tried("find the lab's folder", which.folder())?;
    let ports = State::read(&folder)?.map(|state| state.ports).unwrap_or_default();
    let holder = jiyun_lab::holder(&folder);
    if let Some(supervisor) = holder {
        terminate(supervisor);
        if !wait(ORDERED, || !jiyun_lab::lives(&folder)) {
            eprintln!("jiyun-lab: the lab does not stop; killing it");
            signal(supervisor, Signal::KILL);
            wait(KILLED, || !jiyun_lab::lives(&folder));
        }
    }
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
    match fs::remove_file(&output) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return tried(format!("remove {}", output.display()), Err(error));
        }
        _ => {}
    }
    if holder.is_some() {
        println!("lab `{}` is stopped; nothing of it is left", which.name);
    } else if known {
        println!("lab `{}` was dead; its folder is removed", which.name);
    } else {
        println!("no lab named `{}` runs in {}", which.name, which.dir.display());
    }
    Ok(ExitCode::SUCCESS)
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
