//! Whether what makes databases is installed. Nothing of it is watched before a database asks for it and it can be listed: a
//! watch of what is not installed fails more than once a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, Stream};
use jiyun_crds::v1alpha1::CloudDatabase;
use kube::{Client, runtime::reflector::Store};
use tokio::sync::watch;

use crate::{context::Context, engines::cnpg::ClusterView, networks::is_served, watch::Guarded};

/// How often an engine that is asked for and not there is looked for.
const ENGINE_EVERY: Duration = Duration::from_secs(10);

/// How soon it is asked again where that could not be told.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether the engine is known to be missing. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Presence(Arc<AtomicBool>);

/// Whether it was looked for, and what it has is read where it is there.
pub fn is_known(context: &Context) -> bool {
    is_missing(context) || context.clusters_listed.is_open()
}

/// Whether it is not installed.
pub fn is_missing(context: &Context) -> bool {
    context.database_engine.0.load(Ordering::Relaxed)
}

/// `clusters`, from the moment a database is there and the engine is.
pub fn once_served<S: Stream + Send>(
    clusters: S,
    databases: Store<Guarded<CloudDatabase>>,
    mut changes: watch::Receiver<()>,
    client: Client,
    presence: Presence,
) -> impl Stream<Item = S::Item> + Send {
    let begun = async move {
        while databases.state().is_empty() {
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        loop {
            let served = is_served::<ClusterView>(&client).await;
            if served == Some(true) {
                break;
            }
            // A request that failed says nothing.
            presence.0.store(served == Some(false), Ordering::Relaxed);
            tokio::time::sleep(if served == Some(false) { ENGINE_EVERY } else { AGAIN }).await;
        }
        presence.0.store(false, Ordering::Relaxed);
        clusters
    };
    begun.flatten_stream()
}
