//! The first process of a node: builds its tree and network, starts its services, imports images, reaps what ends. When it
//! ends, the kernel ends everything in the node.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait, waitpid};

use super::spec::{FOLDERS, Service, Sign, Spec, Stock};
use super::{NodeError, network, pool, root, stock};
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
    let mut images = to_import(&spec, &mut services)?.iter();
    services.start(&spec.runtime)?;
    services.runtime_answers()?;
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

/// The archives that are still to be imported, when this node has the images it shares with others.
fn to_import<'a>(spec: &'a Spec, services: &mut Services) -> Result<&'a [PathBuf], NodeError> {
    // Those of an earlier life are still there.
    if spec.sign(Sign::Images).exists() {
        return Ok(&[]);
    }
    let own = spec.folder.join(root::CONTAINERD);
    match &spec.stock {
        None => return Ok(&spec.images),
        Some(Stock::Lay(stock)) => {
            services.start(&spec.runtime)?;
            services.runtime_answers()?;
            for archive in &spec.images {
                services.import(archive)?;
            }
            name_by_digests()?;
            // Its books are whole only when it has ended.
            services.end_all()?;
            stock::lay(&own, stock)?;
        }
        Some(Stock::Take(stock)) => stock::take(stock, &own)?,
    }
    Ok(&[])
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

    /// Ends all of them and waits for that.
    fn end_all(&mut self) -> Result<(), NodeError> {
        for (number, service) in std::mem::take(&mut self.0) {
            let Some(pid) = Pid::from_raw(number) else { continue };
            let failed = || NodeError::doing(format!("end {}", service.name));
            kill_process(pid, Signal::TERM).map_err(failed())?;
            waitpid(Some(pid), WaitOptions::empty()).map_err(failed())?;
        }
        Ok(())
    }

    /// Imports an archive of images. Other processes of the node are reaped meanwhile.
    fn import(&self, archive: &Path) -> Result<(), NodeError> {
        let failed = NodeError::doing(format!("import {}", archive.display()));
        let child =
            images_command("import").arg(archive).stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(failed)?;
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

/// containerd's own client, for images as the kubelet sees them.
fn images_command(does: &str) -> Command {
    let mut command = command(&Path::new(FOLDERS).join("containerd/ctr"));
    command.args(["--address", CONTAINERD, "--namespace", "k8s.io", "images", does]);
    command
}

/// Gives every image a second name by its content. A machine that moves to another node is asked for there by what its
/// images were here (KubeVirt, `pkg/container-disk/container-disk.go`, `ExtractImageIDsFromSourcePod`), and nothing is ever fetched.
fn name_by_digests() -> Result<(), NodeError> {
    let failed = || NodeError::doing("name images by their digests");
    let list = images_command("ls").stdin(Stdio::null()).output().map_err(failed())?;
    for (name, by_digest) in by_digests(&String::from_utf8_lossy(&list.stdout)) {
        let mut tag = images_command("tag");
        tag.args(["--force", name, &by_digest]).stdin(Stdio::null()).stdout(Stdio::null());
        let status = tag.status().map_err(failed())?;
        if !status.success() {
            return Err(NodeError::Name { image: name.to_owned(), status });
        }
    }
    Ok(())
}

/// What names an image by its content, for each `NAME:TAG` of a list by `ctr images ls`: the name it has, the name to give.
fn by_digests(list: &str) -> Vec<(&str, String)> {
    let named = |line| {
        let mut words = str::split_whitespace(line);
        let (name, digest) = (words.next()?, words.nth(1)?);
        let (repository, tag) = name.rsplit_once(':')?;
        let is_tagged = repository.contains('/')
            && !repository.contains('@')
            && !tag.contains('/')
            && digest.starts_with("sha256:");
        is_tagged.then(|| (name, format!("{repository}@{digest}")))
    };
    list.lines().filter_map(named).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_with_a_tag_get_a_name_by_their_digest() {
        let list = "REF TYPE DIGEST SIZE PLATFORMS LABELS
lab.jiyun.io/guest:1 application/vnd.oci.image.manifest.v1+json sha256:aa 12.4 MiB linux/amd64 -
lab.jiyun.io/guest@sha256:aa application/vnd.oci.image.manifest.v1+json sha256:aa 12.4 MiB linux/amd64 -
sha256:bb application/vnd.oci.image.manifest.v1+json sha256:aa 12.4 MiB linux/amd64 io.cri-containerd.image=managed
";
        let named = by_digests(list);
        assert_eq!(named, [("lab.jiyun.io/guest:1", "lab.jiyun.io/guest@sha256:aa".to_owned())]);
    }
}
