//! Who sees a host become ready: one watch for all of them, running on both sides of a comparison.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use futures::StreamExt;
use jiyun_crds::v1alpha1::{CloudHost, ConditionType};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

use crate::world::has;

/// (namespace, name)
type Key = (String, String);

#[derive(Debug, Default)]
struct Seen {
    ready: HashSet<Key>,
    waiting: HashMap<Key, oneshot::Sender<Instant>>,
}

/// A watch on all hosts; it ends with this.
#[derive(Debug)]
pub struct Observer {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Begins to watch; returns when what is there has been listed.
    pub async fn start(client: Client) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (tell, mut listed) = watch::channel(false);
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut events =
                watcher(Api::<CloudHost>::all(client), watcher::Config::default()).default_backoff().boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Apply(host) | watcher::Event::InitApply(host)) => note(&noted, host),
                    Ok(watcher::Event::InitDone) => {
                        tell.send_replace(true);
                    }
                    // Hosts do not go during a run, and a watch that failed is begun again with a list.
                    Ok(watcher::Event::Init | watcher::Event::Delete(_)) | Err(_) => {}
                }
            }
        });
        // An error means that the task is gone; then nothing becomes ready, and that is told.
        let _ = listed.wait_for(|listed| *listed).await;
        Self { seen, task }
    }

    /// Tells when this host, which does not exist yet, has become ready.
    pub fn expect(&self, namespace: &str, name: &str) -> oneshot::Receiver<Instant> {
        let (tell, told) = oneshot::channel();
        lock(&self.seen).waiting.insert((namespace.to_owned(), name.to_owned()), tell);
        told
    }

    /// Hosts that have become ready.
    pub fn ready(&self) -> usize {
        lock(&self.seen).ready.len()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(seen: &Mutex<Seen>, host: CloudHost) {
    if !has(&host, ConditionType::Ready) {
        return;
    }
    let key = (host.metadata.namespace.unwrap_or_default(), host.metadata.name.unwrap_or_default());
    let mut seen = lock(seen);
    if let Some(waiting) = seen.waiting.remove(&key) {
        // Whoever waited may have given up.
        let _ = waiting.send(Instant::now());
    }
    seen.ready.insert(key);
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
