//! The children of one lab, in the order they started.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::{Failure, Launch, Process, SpawnError, Tie};

/// How long a component may take to end after SIGTERM before it is killed. A lab's data ends with it, so there is little
/// to lose; an API server with open watches would take ten seconds.
const COMPONENT_GRACE: Duration = Duration::from_secs(3);
/// How long one may take that removes what it leaves: all processes of a node end first.
const TOLD_GRACE: Duration = Duration::from_secs(20);
/// How long a program of the product may take: it finishes what it has begun.
pub const GUEST_GRACE: Duration = Duration::from_secs(10);

/// Starts children, notices when one ends unasked, stops them in the reverse of their order.
#[derive(Debug)]
pub struct Supervisor {
    processes: Mutex<Vec<(Process, Duration)>>,
    /// How each component was started.
    components: Mutex<Vec<Launch>>,
    failure: Arc<watch::Sender<Option<Failure>>>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self { processes: Mutex::default(), components: Mutex::default(), failure: Arc::new(watch::channel(None).0) }
    }
}

impl Supervisor {
    /// Starts a component the lab cannot do without: its unasked end is the lab's failure.
    pub fn start(&self, launch: &Launch) -> Result<Process, SpawnError> {
        let failure = Arc::clone(&self.failure);
        let process = Process::start(launch, move |ended| {
            tracing::error!(component = %ended.name, exit = %ended.exit, "a component of the lab ended unexpectedly");
            // The first failure is the cause; those after it are its consequences.
            failure.send_if_modified(|first| {
                let is_first = first.is_none();
                if is_first {
                    *first = Some(ended);
                }
                is_first
            });
        })?;
        let grace = match launch.tie {
            Tie::Killed => COMPONENT_GRACE,
            Tie::Told => TOLD_GRACE,
        };
        self.adopt(process.clone(), grace);
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        components.retain(|known| known.name != launch.name);
        components.push(launch.clone());
        Ok(process)
    }

    /// Starts a component that was killed again, as it was started; nothing where there is none of that name.
    pub fn start_again(&self, name: &str) -> Result<Option<Process>, SpawnError> {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        let launch = components.iter().find(|known| known.name == name).cloned();
        drop(components);
        launch.map(|launch| self.start(&launch)).transpose()
    }

    /// Starts a process of a test, which may end when it likes; it is stopped with the lab.
    pub fn start_guest(&self, launch: &Launch) -> Result<Process, SpawnError> {
        let process = Process::start(launch, |ended| {
            tracing::info!(component = %ended.name, exit = %ended.exit, "a guest of the lab ended");
        })?;
        self.adopt(process.clone(), GUEST_GRACE);
        Ok(process)
    }

    /// The first unasked end of a component, if there was one.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.borrow().clone()
    }

    /// Waits until a component ends unasked.
    pub async fn failed(&self) -> Failure {
        let mut changes = self.failure.subscribe();
        loop {
            if let Some(failure) = changes.borrow_and_update().clone() {
                return failure;
            }
            if changes.changed().await.is_err() {
                // The sender lives as long as `self`, so this is not reached; waiting forever is the honest answer.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Handles on the processes that run now, in the order they started.
    pub fn running(&self) -> Vec<Process> {
        self.running_with_grace().into_iter().map(|(process, _)| process).collect()
    }

    /// The newest process of that name, running or not.
    pub fn find(&self, name: &str) -> Option<Process> {
        self.lock().iter().rev().map(|(process, _)| process).find(|process| process.name() == name).cloned()
    }

    /// Asks all to end, the last started first; each is killed if it takes too long. An API server that outlives its
    /// etcd lingers, hence the order.
    pub async fn stop_all(&self) {
        for (process, grace) in self.running_with_grace().into_iter().rev() {
            process.stop(grace).await;
        }
    }

    /// Kills all at once, without waiting.
    pub fn kill_all(&self) {
        for process in self.running().into_iter().rev() {
            process.kill();
        }
    }

    fn running_with_grace(&self) -> Vec<(Process, Duration)> {
        self.lock().iter().filter(|(process, _)| process.exited().is_none()).cloned().collect()
    }

    fn adopt(&self, process: Process, grace: Duration) {
        let mut processes = self.lock();
        processes.retain(|(known, _)| known.exited().is_none() || known.name() != process.name());
        processes.push((process, grace));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Process, Duration)>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
