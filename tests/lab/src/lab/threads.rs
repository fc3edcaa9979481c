//! The lab's own threads: simulators outlive the runtime of the test that started the lab, and end before it.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// A runtime that ends when told to or when dropped, in either case without waiting for its tasks.
#[derive(Debug)]
pub(crate) struct Threads(Mutex<Option<Runtime>>);

impl Threads {
    /// Starts them.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(2).thread_name("lab").enable_all().build()?;
        Ok(Self(Mutex::new(Some(runtime))))
    }

    /// Runs a task on them; nothing if they have ended.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Option<JoinHandle<T>> {
        let runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runtime.as_ref().map(|runtime| runtime.spawn(task))
    }

    /// Ends them.
    pub(crate) fn end(&self) {
        let runtime = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            // Waiting is forbidden where this may be called: inside another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end();
    }
}
