//! Watches that back off alone, survive undecodable objects and keep no more in memory than is read.

use std::{fmt::Debug, future::ready};

use futures::{Stream, StreamExt};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::DeserializeGuard,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store, store::Writer},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::metrics::Metrics;

/// Seconds after which a watch is renewed: shorter than the idle limits of common load balancers (240 s), so that a
/// connection that died unseen is noticed.
const RENEWAL_SECONDS: u32 = 120;
/// Objects a page of the first list; small pages keep the API server's and our own peak memory low.
const PAGE: u32 = 250;

/// An object of kind `K`, or what is wrong with it: one bad object must not end a watch.
pub type Guarded<K> = DeserializeGuard<K>;

/// A stream of touched objects and the store it fills.
///
/// Errors are counted and swallowed here: passed on, they would slow every other watch of the same controller
/// (kube shares one backoff among all triggers).
pub fn watched<K>(
    api: Api<Guarded<K>>,
    selector: watcher::Config,
    metrics: &Metrics,
) -> (Store<Guarded<K>>, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer): (Store<Guarded<K>>, Writer<Guarded<K>>) = reflector::store();
    let kind = K::kind(&()).into_owned();
    let metrics = metrics.clone();
    let stream = watcher(api, selector.timeout(RENEWAL_SECONDS).page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut Guarded<K>| {
            let meta = object.meta_mut();
            meta.managed_fields = None;
            if let Some(annotations) = &mut meta.annotations {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        })
        .reflect(writer)
        .touched_objects()
        .filter_map(move |event| {
            ready(match event {
                Ok(object) => {
                    if let Err(invalid) = &object.0 {
                        metrics.invalid_object(&kind);
                        warn!(kind, name = object.name_any(), error = %invalid.error, "object does not fit its kind");
                    }
                    Some(Ok(object))
                }
                Err(error) => {
                    metrics.watch_failed(&kind);
                    warn!(kind, error = %error, "watch failed; it is renewed with a delay of its own");
                    None
                }
            })
        });
    (store, stream)
}

/// [`watched`] over all namespaces of `client`.
pub fn watched_everywhere<K>(
    client: &Client,
    metrics: &Metrics,
) -> (Store<Guarded<K>>, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + 'static)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    watched(Api::all(client.clone()), watcher::Config::default(), metrics)
}
