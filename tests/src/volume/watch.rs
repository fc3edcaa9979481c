//! What became of volumes from a moment on: every version of the machines, instances and disks of a department, in the order
//! in which they came to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, TryStreamExt};
use jiyun_crds::names::volume_disk_name;
use jiyun_lab::wait_for;
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, ListParams, WatchEvent, WatchParams},
};

use super::has;
use crate::{WorldError, world::PATIENCE};

/// The kind of disks.
pub(super) const DISK: &str = "DataVolume";

/// Seconds a watch lasts: longer than any test.
const LASTS: u32 = 290;

/// How it was with one volume for a while.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The hosts whose machine or instance had it.
    pub hosts: BTreeSet<String>,
    /// Whether its disk was gone, or on its way out.
    pub without_disk: bool,
}

/// Watches until it is asked.
#[derive(Default)]
pub struct Watch {
    kinds: Vec<(&'static str, Api<DynamicObject>)>,
    events: Arc<Mutex<Vec<Event>>>,
}

struct Event {
    kind: &'static str,
    object: DynamicObject,
    is_gone: bool,
}

impl Watch {
    /// Watches one more kind.
    pub(super) async fn follow(&mut self, kind: &'static str, api: Api<DynamicObject>) -> Result<(), WorldError> {
        let mut stream = api.watch(&WatchParams::default().timeout(LASTS), "0").await?.boxed();
        let events = Arc::clone(&self.events);
        tokio::spawn(async move {
            while let Ok(Some(event)) = stream.try_next().await {
                let (object, is_gone) = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => (object, false),
                    WatchEvent::Deleted(object) => (object, true),
                    WatchEvent::Bookmark(_) | WatchEvent::Error(_) => continue,
                };
                locked(&events).push(Event { kind, object, is_gone });
            }
        });
        self.kinds.push((kind, api));
        Ok(())
    }

    /// How it was with the volume `name` from the beginning until now, one moment after the other.
    ///
    /// # Errors
    /// When what is there now was not seen in time.
    pub async fn moments(&self, name: &str) -> Result<Vec<Moment>, WorldError> {
        self.catch_up().await?;
        let disk = volume_disk_name(name);
        let mut events = locked(&self.events);
        // The versions of all kinds are revisions of one etcd.
        events.sort_by_key(|event| version(&event.object));
        let (mut having, mut now) = (BTreeMap::new(), Moment::default());
        let mut moments = vec![now.clone()];
        for event in events.iter() {
            let called = event.object.name_any();
            if event.kind != DISK {
                having.insert((event.kind, called), !event.is_gone && has(&event.object.data, &disk));
            } else if called == disk {
                now.without_disk = event.is_gone || event.object.metadata.deletion_timestamp.is_some();
            }
            now.hosts = having.iter().filter(|(_, has)| **has).map(|((_, host), _)| host.clone()).collect();
            if moments.last() != Some(&now) {
                moments.push(now.clone());
            }
        }
        Ok(moments)
    }

    /// Waits until the newest version of everything that is there was seen: then all before were, too.
    async fn catch_up(&self) -> Result<(), WorldError> {
        for (kind, api) in &self.kinds {
            let all = api.list(&ListParams::default()).await?;
            let newest = all.items.iter().map(version).max().unwrap_or_default();
            wait_for(format!("the newest {kind} to be seen"), PATIENCE, || async {
                let events = locked(&self.events);
                let seen = events.iter().filter(|event| event.kind == *kind).map(|event| version(&event.object)).max();
                if seen.unwrap_or_default() >= newest { Ok(()) } else { Err(format!("{seen:?} of {newest}")) }
            })
            .await?;
        }
        Ok(())
    }
}

fn locked(events: &Mutex<Vec<Event>>) -> MutexGuard<'_, Vec<Event>> {
    events.lock().unwrap_or_else(PoisonError::into_inner)
}

fn version(object: &DynamicObject) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or_default()
}
