//! Reads the account book along and records what was booked, from where an earlier leader stopped.
//!
//! How far it came lies beside the entries (note `trailed`) and moves after the records were acknowledged: a leader that
//! ends in between leaves records twice, which carry the same `entry-<n>.<m>`, and never none.

use std::{fmt::Debug, time::Duration};

use jiyun_crds::{
    names::ANNOTATION_REQUESTED_BY,
    v1alpha1::{CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume},
};
use jiyun_ledger::{
    Fence, Ledger, StoreError, Subject,
    store::{Edit, EditError, Store, etcd::EtcdStore},
};
use jiyun_trail::{Trail, Unwritable};
use kube::{Api, Client, Resource, ResourceExt, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::booked::{Before, Booked, records};
use crate::{bucket, database, error::chain, snapshot, volume};

/// The name of the note.
const TRAILED: &str = "trailed";

/// How soon it is tried again after a failure.
const AGAIN: Duration = Duration::from_secs(2);

/// What it takes to follow.
pub struct Following {
    /// The trail.
    pub trail: Trail,
    /// The book.
    pub ledger: Ledger,
    /// Its store.
    pub store: EtcdStore,
    /// Who leads.
    pub fence: Fence,
    /// The hub, which knows who asked.
    pub client: Client,
}

/// Why it did not come further.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the account book cannot be read")]
    Store(#[from] StoreError),
    #[error("how far the book was recorded cannot be noted")]
    Edit(#[from] EditError),
    #[error("what was booked cannot be recorded")]
    Trail(#[from] Unwritable),
}

/// Where it stands.
struct Place {
    next: u64,
    before: Before,
}

impl Following {
    /// Follows until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut revisions = self.ledger.revisions();
        let mut place = None;
        loop {
            let reading = async {
                let read = self.step(&mut place).await;
                if let Err(failed) = &read {
                    warn!(error = chain(failed), "the account book is not recorded at the moment; it is caught up");
                    tokio::time::sleep(AGAIN).await;
                    return true;
                }
                revisions.changed().await.is_ok()
            };
            match stop.run_until_cancelled(reading).await {
                Some(true) => {}
                Some(false) | None => break,
            }
        }
        // What was booked until now, if nothing is in the way; else the next leader does it.
        if tokio::time::timeout(AGAIN, self.step(&mut place)).await.is_err() {
            warn!("what was booked last is recorded by the next leader");
        }
    }

    /// Records everything that was booked since.
    async fn step(&self, place: &mut Option<Place>) -> Result<(), Failed> {
        if place.is_none() {
            *place = Some(self.begin().await?);
        }
        let Some(place) = place else { return Ok(()) };
        while place.next <= self.ledger.revision() {
            let page = match self.store.page(place.next).await {
                Err(StoreError::Pruned { from, first }) => {
                    error!(from, to = first - 1, "entries were pruned before they were recorded in the audit trail");
                    place.next = first;
                    continue;
                }
                page => page?,
            };
            let Some(last) = page.entries.last().map(|entry| entry.seq) else { return Ok(()) };
            let state = self.ledger.snapshot();
            let claim = |id| state.claim(id).map(AsRef::as_ref);
            let booked: Vec<Booked> =
                page.entries.iter().flat_map(|entry| records(entry, &mut place.before, claim)).collect();
            if !booked.is_empty() {
                // Together: they share the wait for the disk. They are taken in this order.
                let appended = futures::future::join_all(booked.into_iter().map(|booked| self.append(booked))).await;
                appended.into_iter().collect::<Result<Vec<_>, _>>()?;
                self.note(last).await?;
            }
            place.next = last + 1;
        }
        Ok(())
    }

    /// Where an earlier leader stopped; the first of all begins with what is booked next.
    async fn begin(&self) -> Result<Place, Failed> {
        let state = self.ledger.snapshot();
        let note = self.store.note(TRAILED).await?;
        let noted = note.and_then(|note| String::from_utf8(note).ok()?.parse::<u64>().ok());
        if let Some(last) = noted {
            info!(after = last, "the account book is recorded in the audit trail");
            // What was before is only known if nothing was booked since.
            let before = if last == state.seq() { Before::of(&state) } else { Before::default() };
            return Ok(Place { next: last + 1, before });
        }
        info!(after = state.seq(), "the account book is recorded in the audit trail from now on");
        self.note(state.seq()).await?;
        Ok(Place { next: state.seq() + 1, before: Before::of(&state) })
    }

    async fn append(&self, Booked { mut record, asked_by }: Booked) -> Result<(), Unwritable> {
        if let Some(subject) = asked_by {
            record.actor.on_behalf_of = self.who_asked(&subject).await;
        }
        self.trail.append(record).await.map(drop)
    }

    /// Who made the object or changed it last, as the API server stamped it; none if it is gone or cannot be read.
    async fn who_asked(&self, subject: &Subject) -> Option<String> {
        match subject.kind.as_str() {
            database::KIND => self.asked::<CloudDatabase>(subject).await,
            volume::KIND => self.asked::<CloudVolume>(subject).await,
            bucket::KIND => self.asked::<CloudBucket>(subject).await,
            snapshot::KIND => self.asked::<CloudSnapshot>(subject).await,
            _ => self.asked::<CloudHost>(subject).await,
        }
    }

    async fn asked<K>(&self, subject: &Subject) -> Option<String>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api = Api::<K>::namespaced(self.client.clone(), &subject.namespace);
        let found = api.get_metadata_opt(&subject.name).await.ok().flatten()?;
        let is_it = found.metadata.uid.as_deref() == Some(subject.uid.as_str());
        found.annotations().get(ANNOTATION_REQUESTED_BY).filter(|_| is_it).cloned()
    }

    async fn note(&self, last: u64) -> Result<(), EditError> {
        let put = Edit::Put { name: TRAILED.to_owned(), value: last.to_string().into_bytes() };
        self.store.edit(&[put], Some(self.fence)).await
    }
}
