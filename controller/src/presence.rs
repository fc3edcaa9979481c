//! Whether an engine is installed. What only some kinds need is not watched before somebody asks for it and it can be listed: a
//! watch of what is not installed fails again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, Stream};
use kube::runtime::reflector::Store;
use tokio::sync::watch;

use crate::watch::{Guarded, Watched};

/// How often an engine that is asked for and not there is looked for.
const ENGINE_EVERY: Duration = Duration::from_secs(10);

/// How soon it is asked again where that could not be told.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether an engine is known to be missing. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<AtomicBool>);

impl Presence {
    /// Whether it was looked for and not found.
    pub fn is_missing(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// It was looked for: whether it is `missing`. A look that failed says nothing, and is not noted.
    pub fn set(&self, missing: bool) {
        self.0.store(missing, Ordering::Relaxed);
    }
}

/// `stream`, from the moment one of `askers` is there and the engine is `served`; `changes` tells of new ones. Whether it is
/// served is not known where the answer is none: a request that failed says nothing.
pub fn once_served<S, K, F>(
    stream: S,
    askers: Store<Guarded<K>>,
    mut changes: watch::Receiver<()>,
    served: impl Fn() -> F + Send,
    presence: Presence,
) -> impl Stream<Item = S::Item> + Send
where
    S: Stream + Send,
    K: Watched,
    F: Future<Output = Option<bool>> + Send,
{
    let begun = async move {
        while askers.state().is_empty() {
            // What a first list brings is told of before it is in the store, and never again: the store is looked at, too.
            if let Ok(Err(_)) = tokio::time::timeout(AGAIN, changes.changed()).await {
                std::future::pending::<()>().await;
            }
        }
        loop {
            let asked = served();
            let is_served = asked.await;
            if is_served == Some(true) {
                break;
            }
            presence.set(is_served == Some(false));
            tokio::time::sleep(if is_served == Some(false) { ENGINE_EVERY } else { AGAIN }).await;
        }
        presence.set(false);
        stream
    };
    begun.flatten_stream()
}
