//! A handle on one running child.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::spawner::{self, Launch, SpawnError};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// It was ended by this signal.
    Signal(i32),
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        status.code().map_or_else(|| Self::Signal(status.signal().unwrap_or(0)), Self::Code)
    }
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A child ended though nobody asked it to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{name} ended unexpectedly ({exit}); the last lines of {log}:\n{tail}")]
pub struct Failure {
    /// The component.
    pub name: String,
    /// How it ended.
    pub exit: Exit,
    /// Its log file.
    pub log: PathBuf,
    /// The end of its log.
    pub tail: String,
}

/// A running child. Clones are handles on the same process; dropping them does not stop it.
#[derive(Debug, Clone)]
pub struct Process {
    name: String,
    pid: u32,
    log: PathBuf,
    descriptor: Arc<OwnedFd>,
    exit: watch::Receiver<Option<Exit>>,
    expected: Arc<AtomicBool>,
    /// Of a child that is told: the pipe whose end tells it.
    telling: Arc<Mutex<Option<ChildStdin>>>,
}

impl Process {
    /// Starts the child; `on_failure` is called once if it ends without having been asked to.
    pub fn start(launch: &Launch, on_failure: impl FnOnce(Failure) + Send + 'static) -> Result<Self, SpawnError> {
        let mut child = spawner::spawn(launch)?;
        let (ended, exit) = watch::channel(None);
        let refused = |source| SpawnError::Start { name: launch.name.clone(), program: launch.program.clone(), source };
        let pid = child.id();
        // The child is not reaped before the thread below waits for it, so its number cannot have been reused yet.
        let descriptor = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| std::io::Error::other("process number out of range"))
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(Into::into))
            .map_err(refused)?;
        let process = Self {
            name: launch.name.clone(),
            pid,
            log: launch.log.clone(),
            descriptor: Arc::new(descriptor),
            exit,
            expected: Arc::new(AtomicBool::new(false)),
            telling: Arc::new(Mutex::new(child.stdin.take())),
        };
        let watched = process.clone();
        std::thread::Builder::new()
            .name(format!("wait-{}", launch.name))
            .spawn(move || {
                let exit = child.wait().map_or(Exit::Signal(0), Exit::from);
                if !watched.expected.load(Ordering::SeqCst) {
                    on_failure(watched.failure(exit));
                }
                let _ = ended.send(Some(exit));
            })
            .map_err(refused)?;
        Ok(process)
    }

    /// The component's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended; nothing while it runs.
    pub fn exited(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits until it has ended.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(ended) => (*ended).unwrap_or(Exit::Signal(0)),
            // The waiting thread is gone, and with it the child.
            Err(_) => Exit::Signal(0),
        }
    }

    /// Sends SIGKILL, as a crash would look; not reported as a failure. A child that is to be told ([`super::Tie`]) is told.
    pub fn kill(&self) {
        self.expected.store(true, Ordering::SeqCst);
        if self.telling.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
            self.signal(Signal::KILL);
        }
    }

    /// Sends SIGKILL and leaves it to the lab to notice, as if the process had died by itself.
    pub fn crash(&self) {
        self.signal(Signal::KILL);
    }

    /// Sends SIGSTOP: it stands still where it is and knows nothing of it, as on a machine that froze.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Sends SIGCONT: it goes on where it stood still.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end with SIGTERM and waits; after `grace` it is killed.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.expected.store(true, Ordering::SeqCst);
        self.signal(Signal::TERM);
        if let Ok(exit) = tokio::time::timeout(grace, self.wait()).await {
            return exit;
        }
        tracing::warn!(component = %self.name, ?grace, "did not end after SIGTERM; sending SIGKILL");
        self.signal(Signal::KILL);
        self.wait().await
    }

    /// The last `lines` lines of its log.
    pub fn tail(&self, lines: usize) -> String {
        tail(&self.log, lines)
    }

    /// Describes an end nobody asked for.
    pub fn failure(&self, exit: Exit) -> Failure {
        Failure { name: self.name.clone(), exit, log: self.log.clone(), tail: self.tail(20) }
    }

    fn signal(&self, signal: Signal) {
        // An error means that the process has ended already, which is what the signal was for.
        let _ = pidfd_send_signal(&*self.descriptor, signal);
    }
}

/// The last `lines` lines of a file, read from its last 64 KiB.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    const END: u64 = 64 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let text = read().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all.get(all.len().saturating_sub(lines)..).unwrap_or_default().join("\n")
}
