//! Watches that back off alone, survive undecodable objects and keep no more in memory than is read.

use std::{fmt::Debug, future::ready, mem, time::Duration};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiyun_crds::names::{
    ANNOTATION_APPLICANT, ANNOTATION_CREATED_BY, ANNOTATION_HANDOVER, ANNOTATION_ORDER, ANNOTATION_REQUESTED_BY,
    ANNOTATION_REQUESTED_BY_GROUPS,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    core::{DeserializeGuard, ObjectMeta},
    runtime::{
        WatchStreamExt,
        reflector::{self, Store, store::Writer},
        utils::Backoff,
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::warn;

use crate::{
    engines::{applied, cdi, cnpg},
    metrics::Metrics,
};

/// Seconds after which a watch is renewed: shorter than the idle limits of common load balancers (240 s), so that a
/// connection that died unseen is noticed.
const RENEWAL_SECONDS: u32 = 120;
/// Objects a page of the first list; small pages keep the API server's and our own peak memory low.
const PAGE: u32 = 250;

/// The longest pause after a failure. The usual half a minute, doubled by chance, would leave a minute without news once the API
/// server or an engine is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A kind that can be watched.
pub trait Watched: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static> Watched for K {}

/// An object of kind `K`, or what is wrong with it: one bad object must not end a watch.
pub type Guarded<K> = DeserializeGuard<K>;

/// A watched kind: what is there, what happens to it, and whether it was listed once.
pub struct Kind<K: Watched, S> {
    /// What is there. Filled only while `stream` is polled.
    pub store: Store<Guarded<K>>,
    /// Objects touched: created, changed, deleted.
    pub stream: S,
    /// Turns true when the first list is complete.
    ///
    /// Not `Store::wait_until_ready`: it wakes only the task that asked last, and the controller asks too.
    pub listed: watch::Receiver<bool>,
}

/// Watches a kind.
///
/// Errors are counted and swallowed here: passed on, they would slow every other watch of the same controller
/// (kube shares one backoff among all triggers).
pub fn watched<K: Watched>(
    api: Api<Guarded<K>>,
    selector: watcher::Config,
    metrics: &Metrics,
) -> Kind<K, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + use<K>> {
    let (store, writer): (Store<Guarded<K>>, Writer<Guarded<K>>) = reflector::store();
    let (tell, listed) = watch::channel(false);
    let kind = K::kind(&()).into_owned();
    let read = marks_of(&kind);
    let metrics = metrics.clone();
    let stream = begun_by_success(watcher(api, selector.timeout(RENEWAL_SECONDS).page_size(PAGE)))
        .backoff(Patience::default())
        .modify(|object: &mut Guarded<K>| {
            object.meta_mut().managed_fields = None;
            keep_marks(object.meta_mut(), read);
        })
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                tell.send_replace(true);
            }
        })
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
    Kind { store, stream, listed }
}

/// The usual pauses, none longer than [`LONGEST_PAUSE`].
#[derive(Default)]
struct Patience(watcher::DefaultBackoff);

impl Iterator for Patience {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(LONGEST_PAUSE))
    }
}

impl Backoff for Patience {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Tells that a list begins only when something of it came.
///
/// A watcher tells so before it asks (kube-runtime 5.0, `watcher.rs`, `State::Empty`), and whatever is not an error ends the
/// backoff: a list that always fails, of a kind that is not served or by an API server that has no room, would be asked for every
/// second by every one of our watches.
fn begun_by_success<K>(
    events: impl Stream<Item = Result<watcher::Event<K>, watcher::Error>>,
) -> impl Stream<Item = Result<watcher::Event<K>, watcher::Error>> {
    let mut begins = false;
    let told = move |event| {
        let told = match event {
            Ok(watcher::Event::Init) => {
                begins = true;
                [None, None]
            }
            Ok(event) => [mem::take(&mut begins).then_some(Ok(watcher::Event::Init)), Some(Ok(event))],
            Err(error) => [None, Some(Err(error))],
        };
        stream::iter(told.into_iter().flatten())
    };
    events.flat_map(told)
}

/// Keeps of the annotations those that are `read`: tenants can write a quarter of a megabyte of others on each object, and every
/// object is kept in memory.
fn keep_marks(meta: &mut ObjectMeta, read: &[&str]) {
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|name, _| read.contains(&name.as_str()));
    }
}

/// The annotations of a kind that are read.
fn marks_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "NetworkFlow" | "CloudDatabase" | "CloudVolume" | "CloudBucket" | "CloudSnapshot" => {
            &[ANNOTATION_ORDER, ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY, ANNOTATION_APPLICANT]
        }
        // Whether it runs, and whether its instances were seen to be what was applied.
        "Cluster" => &[applied::ANNOTATION, cnpg::HIBERNATION, cnpg::instances::FOLLOWED],
        "CloudHost" => &[
            ANNOTATION_HANDOVER,
            ANNOTATION_ORDER,
            ANNOTATION_CREATED_BY,
            ANNOTATION_REQUESTED_BY,
            ANNOTATION_APPLICANT,
        ],
        // What a disk was grown to, and which restore it was made for, is written on it and nowhere else.
        "DataVolume" => &[applied::ANNOTATION, cdi::GROWN_TO, cdi::RESTORED_AT],
        // Whoever decides is judged by the groups they were in.
        "Approval" => &[ANNOTATION_REQUESTED_BY, ANNOTATION_REQUESTED_BY_GROUPS],
        "Order" => &[ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY],
        _ => &[applied::ANNOTATION, ANNOTATION_HANDOVER],
    }
}

/// [`watched`] over all namespaces of `client`.
pub fn watched_everywhere<K: Watched>(
    client: &Client,
    metrics: &Metrics,
) -> Kind<K, impl Stream<Item = Result<Guarded<K>, watcher::Error>> + Send + use<K>> {
    watched(Api::all(client.clone()), watcher::Config::default(), metrics)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::engines::cdi::DiskView;

    #[test]
    fn what_is_written_on_a_disk_is_read_of_it_as_it_is_kept_in_memory() {
        let mut disk: DiskView = serde_json::from_value(json!({
            "metadata": {
                "name": "files-volume",
                "annotations": {
                    (cdi::GROWN_TO): "80Gi", (cdi::RESTORED_AT): "2026-03-01T08:00:00Z", "somebody.example/note": "long",
                },
            },
        }))
        .unwrap();
        keep_marks(&mut disk.metadata, marks_of(&DiskView::kind(&())));
        assert_eq!(cdi::mebibytes(&disk), 80 * 1024);
        assert_eq!(cdi::restored_at(&disk), Some("2026-03-01T08:00:00Z".parse().unwrap()));
        assert_eq!(disk.annotations().len(), 2, "and nothing else");
    }

    #[test]
    fn a_list_that_fails_has_not_begun_and_what_goes_through_comes_in_its_order() {
        use watcher::{Error, Event};
        let came = [
            Ok(Event::Init),
            Err(Error::NoResourceVersion),
            Ok(Event::Init),
            Err(Error::NoResourceVersion),
            Ok(Event::Init),
            Ok(Event::InitApply(1)),
            Ok(Event::InitDone),
            Ok(Event::Apply(2)),
            Ok(Event::Init),
            Ok(Event::InitDone),
            Err(Error::NoResourceVersion),
            Ok(Event::Delete(2)),
        ];
        let told = |event: Result<Event<i32>, Error>| match event {
            Ok(Event::Init) => "begins".to_owned(),
            Ok(Event::InitApply(object)) => format!("has {object}"),
            Ok(Event::InitDone) => "ends".to_owned(),
            Ok(Event::Apply(object)) => format!("{object}"),
            Ok(Event::Delete(object)) => format!("no {object}"),
            Err(_) => "fails".to_owned(),
        };
        let all: Vec<_> = begun_by_success(stream::iter(came)).map(told).collect().now_or_never().unwrap();
        let expected = ["fails", "fails", "begins", "has 1", "ends", "2", "begins", "ends", "fails", "no 2"];
        assert_eq!(all, expected);
    }

    #[test]
    fn pauses_grow_to_ten_seconds_and_are_short_again_after_a_success() {
        let mut patience = Patience::default();
        let pauses: Vec<_> = patience.by_ref().take(8).collect();
        assert!(pauses[0] < Duration::from_secs(2), "{pauses:?}");
        assert_eq!(pauses[7], LONGEST_PAUSE);
        patience.reset();
        assert!(patience.next().unwrap() < Duration::from_secs(2));
    }
}
