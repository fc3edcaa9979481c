//! The first process of a node: builds its tree and network, starts its services, imports images, reaps what ends. When it
//! ends, the kernel ends everything in the node.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions, WaitStatus, wait, waitpid};

use super::spec::{FOLDERS, Service, Sign, Spec};
use super::{NodeError, network, pool, root};
use crate::process::tail;

/// Where containerd listens in the node.
pub(super) const CONTAINERD: &str = "/run/containerd/containerd.sock";
/// A second is usual; a machine that also compiles takes longer.
const RUNTIME: Duration = Duration::from_mins(1);

/// Runs a node until one of its services ends.
pub(super) fn run(path: &Path) -> Result<(), NodeError> {
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        // Whoever started this process is gone.
        std::process::exit(0);
    });
    let spec = Spec::read(path)?;
    root::enter(&spec)?;
    rustix::system::sethostname(spec.name.as_bytes()).map_err(NodeError::doing("set the node's name"))?;
    network::raise(&spec)?;
    spec.give(Sign::Network, "")?;
    if let Some(file) = &spec.pool {
        pool::mount(file)?;
    }

    let mut services = Services::default();
    services.start(&spec.runtime)?;
    services.runtime_answers()?;
    let mut images = spec.images.iter();
    if let Some(first) = images.next() {
        services.import(first)?;
    }
    for service in &spec.services {
        services.start(service)?;
    }
    for archive in images {
        services.import(archive)?;
    }
    spec.give(Sign::Images, "")?;
    loop {
        services.reap()?;
    }
}

/// The running services, by their process numbers in the node.
#[derive(Default)]
struct Services(BTreeMap<i32, Service>);

impl Services {
    fn start(&mut self, service: &Service) -> Result<(), NodeError> {
        let failed = || NodeError::doing(format!("start {}", service.name));
        let log = OpenOptions::new().create(true).append(true).open(&service.log).map_err(failed())?;
        let errors = log.try_clone().map_err(failed())?;
        let child = command(&service.program)
            .args(&service.arguments)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(failed())?;
        self.0.insert(i32::try_from(child.id()).unwrap_or_default(), service.clone());
        Ok(())
    }

    /// Waits for any process to end; a service's end is the node's.
    fn reap(&self) -> Result<Option<(Pid, WaitStatus)>, NodeError> {
        let ended = match wait(WaitOptions::empty()) {
            // Signals, and a moment without any child, are no end of anything.
            Err(rustix::io::Errno::INTR | rustix::io::Errno::CHILD) => None,
            outcome => outcome.map_err(NodeError::doing("wait for processes of the node"))?,
        };
        if let Some((pid, status)) = ended {
            self.is_no_service(pid, status)?;
        }
        Ok(ended)
    }

    fn is_no_service(&self, pid: Pid, status: WaitStatus) -> Result<(), NodeError> {
        let Some(service) = self.0.get(&pid.as_raw_nonzero().get()) else { return Ok(()) };
        Err(NodeError::Service {
            name: service.name.clone(),
            how: how(status),
            log: service.log.clone(),
            tail: tail(&service.log, 10),
        })
    }

    fn runtime_answers(&self) -> Result<(), NodeError> {
        let end = Instant::now() + RUNTIME;
        while UnixStream::connect(CONTAINERD).is_err() {
            for number in self.0.keys() {
                let pid = Pid::from_raw(*number);
                if let Ok(Some((pid, status))) = waitpid(pid, WaitOptions::NOHANG) {
                    self.is_no_service(pid, status)?;
                }
            }
            if Instant::now() >= end {
                return Err(NodeError::Silent(RUNTIME));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Imports an archive of images. Other processes of the node are reaped meanwhile.
    fn import(&self, archive: &Path) -> Result<(), NodeError> {
        let failed = NodeError::doing(format!("import {}", archive.display()));
        let child = command(&Path::new(FOLDERS).join("containerd/ctr"))
            .args(["--address", CONTAINERD, "--namespace", "k8s.io", "images", "import"])
            .arg(archive)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(failed)?;
        loop {
            match self.reap()? {
                Some((pid, status)) if pid.as_raw_nonzero().get().unsigned_abs() == child.id() => {
                    return if status.exit_status() == Some(0) {
                        Ok(())
                    } else {
                        Err(NodeError::Import { archive: archive.to_owned(), how: how(status) })
                    };
                }
                _ => {}
            }
        }
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env(
            "PATH",
            format!("{FOLDERS}/containerd:{FOLDERS}/node:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        )
        .env("HOME", "/root")
        .current_dir("/");
    command
}

fn how(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}
