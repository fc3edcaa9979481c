//! What this program tells its audit trail; without `--trail-dir` nothing.

use std::{future::ready, time::Duration};

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use jiyun_crds::names::{LABEL_DEPARTMENT, department_of_namespace};
use jiyun_trail::{
    Options, Trail, Unwritable,
    core::{action::Action, actor::Actor, object::Object, outcome::Outcome, record::Record},
    heads::etcd::{DEFAULT_PREFIX, EtcdHeads},
    store::disk::RealDisk,
};
use kube::Resource;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::WatchStream;
use tracing::{error, info, warn};

use crate::{args::TrailArgs, error::chain, metrics::Metrics};

/// How long a leader waits for its trail before it begins: usually it is open within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long records under way may take at the end of the process.
const DRAIN: Duration = Duration::from_secs(3);

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    trail: Option<Trail>,
}

/// Ends when the last recorder is gone and everything is written.
#[derive(Debug, Default)]
pub struct Keeping(Option<JoinHandle<()>>);

impl Keeping {
    /// Waits for it, not for ever.
    pub async fn ended(self) {
        if let Some(task) = self.0
            && tokio::time::timeout(DRAIN, task).await.is_err()
        {
            warn!("records of the audit trail under way were not written before the end");
        }
    }
}

impl Recorder {
    /// Begins to keep a trail where one is asked for, and says in the log where not.
    ///
    /// # Errors
    /// When its figures are registered already.
    pub fn start(
        arguments: &TrailArgs,
        etcd: etcd_client::Client,
        metrics: &Metrics,
    ) -> Result<(Self, Keeping), prometheus::Error> {
        let Some(folder) = &arguments.folder else {
            warn!("no audit trail is kept: --trail-dir is not given");
            return Ok((Self::default(), Keeping::default()));
        };
        let figures = metrics.trail()?;
        let options = Options { retention: arguments.retention, ..Options::new(folder, arguments.writer.clone()) };
        info!(folder = %folder.display(), writer = %arguments.writer, "an audit trail is kept");
        let (trail, task) = Trail::start(options, EtcdHeads::new(etcd, DEFAULT_PREFIX), RealDisk, figures);
        Ok((Self { trail: Some(trail) }, Keeping(Some(task))))
    }

    /// Over this trail.
    #[cfg(test)]
    pub fn over(trail: Trail) -> Self {
        Self { trail: Some(trail) }
    }

    /// The trail, where one is kept.
    pub fn trail(&self) -> Option<&Trail> {
        self.trail.as_ref()
    }

    /// Waits until the trail is open, but not for long: a leader that cannot write it stands by its books and says so.
    pub async fn ready(&self) {
        if let Some(trail) = self.trail()
            && tokio::time::timeout(PATIENCE, trail.writable()).await.is_err()
        {
            warn!("the audit trail is not open yet: nothing is changed until it is");
        }
    }

    /// Waits until what is done can be recorded, however long that takes.
    pub async fn open(&self) {
        if let Some(trail) = self.trail()
            && trail.writable().await.is_err()
        {
            // It is closed, and the process with it.
            std::future::pending::<()>().await;
        }
    }

    /// Tells each time it can be written again: whatever was refused meanwhile need not wait for its next turn.
    pub fn reopenings(&self) -> impl Stream<Item = ()> + Send + use<> {
        let told = self.trail().map(|trail| WatchStream::from_changes(trail.troubles()));
        let told = told.map_or_else(|| stream::pending().left_stream(), StreamExt::right_stream);
        told.filter_map(|trouble: Option<Unwritable>| ready(trouble.is_none().then_some(())))
    }

    /// Whether anything may be changed.
    ///
    /// # Errors
    /// Why not: what is done could not be recorded.
    pub fn check(&self) -> Result<(), Unwritable> {
        self.trail().and_then(Trail::trouble).map_or(Ok(()), Err)
    }

    /// Records that an object is about to be deleted; see [`Begun::ended`].
    ///
    /// # Errors
    /// When it could not be recorded: then nothing may be deleted.
    pub async fn deleting<K: Resource<DynamicType = ()>>(&self, object: &K) -> Result<Begun, Unwritable> {
        self.begin(|| deletion(object, Timestamp::now())).await
    }

    /// Records that something is about to be done.
    ///
    /// # Errors
    /// When it could not be recorded: then it may not be done.
    pub(super) async fn begin(&self, record: impl FnOnce() -> Record) -> Result<Begun, Unwritable> {
        let Some(trail) = self.trail() else { return Ok(Begun(None)) };
        let record = record();
        trail.append(record.clone()).await?;
        Ok(Begun(Some((trail.clone(), record))))
    }

    /// Appends a record nothing waits for; a failure is told in the log.
    pub fn note(&self, record: Record) {
        let Some(trail) = self.trail().cloned() else { return };
        tokio::spawn(async move {
            if let Err(failed) = trail.append(record.clone()).await {
                error!(action = %record.action, object = record.object.name, error = chain(&failed), "not recorded");
            }
        });
    }
}

/// Something that was begun.
#[derive(Debug)]
pub struct Begun(Option<(Trail, Record)>);

impl Begun {
    /// Records how it ended. That it was begun is in the trail already, so a failure here is only told in the log.
    pub async fn ended(self, outcome: Outcome) {
        let Some((trail, record)) = self.0 else { return };
        let record = Record { at: Timestamp::now(), result: outcome, ..record };
        if let Err(failed) = trail.append(record).await {
            error!(error = chain(&failed), "how it ended was not recorded");
        }
    }
}

/// This program, as an actor.
pub fn controller() -> Actor {
    Actor::platform("jiyun-controller")
}

fn deletion<K: Resource<DynamicType = ()>>(object: &K, at: Timestamp) -> Record {
    let (meta, kind) = (object.meta(), K::kind(&()).into_owned());
    // A running instance is deleted by its engine, or for a restart; what is deleted of a machine here is the machine.
    let action = if kind == "VirtualMachine" { Action::MachineDeleted } else { Action::Delete };
    let name = Object::new(kind, meta.name.clone().unwrap_or_default());
    let name = Object { namespace: meta.namespace.clone(), uid: meta.uid.clone(), ..name };
    let mut record = Record::new(at, controller(), action, name, Outcome::Begun);
    let labelled = meta.labels.as_ref().and_then(|labels| labels.get(LABEL_DEPARTMENT)).cloned();
    let placed = || meta.namespace.as_deref().and_then(department_of_namespace).map(str::to_owned);
    record.department = labelled.or_else(placed);
    record
}

#[cfg(test)]
mod tests {
    use jiyun_trail::{
        figures::Figures,
        heads::memory::MemoryHeads,
        store::{query::Query, rows::page},
    };
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::*;
    use crate::engines::kubevirt::MachineView;

    #[test]
    fn a_machine_that_is_deleted_is_called_so_and_belongs_to_its_department() {
        let machine: MachineView = serde_json::from_value(json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": "web", "namespace": "somewhere", "uid": "u-1",
                "labels": {LABEL_DEPARTMENT: "finance"}},
        }))
        .unwrap();
        let record = deletion(&machine, Timestamp::UNIX_EPOCH);
        assert_eq!((record.action, record.result), (Action::MachineDeleted, Outcome::Begun));
        assert_eq!(record.department.as_deref(), Some("finance"));
        assert_eq!(record.object.uid.as_deref(), Some("u-1"));
        let other: ConfigMap =
            serde_json::from_value(json!({"metadata": {"name": "x", "namespace": "dept-tax"}})).unwrap();
        let record = deletion(&other, Timestamp::UNIX_EPOCH);
        assert_eq!((record.action, record.department.as_deref()), (Action::Delete, Some("tax")));
    }

    fn started(folder: &std::path::Path) -> Trail {
        let figures = Figures::new(&prometheus::Registry::new()).unwrap();
        let options = Options::new(folder, "controller".parse().unwrap());
        Trail::start(options, MemoryHeads::default(), RealDisk, figures).0
    }

    fn some() -> ConfigMap {
        serde_json::from_value(json!({"metadata": {"name": "x", "namespace": "dept-tax", "uid": "u"}})).unwrap()
    }

    #[tokio::test]
    async fn a_deletion_is_recorded_before_it_is_done_and_again_when_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let trail = started(folder.path());
        trail.writable().await.unwrap();
        let recorder = Recorder::over(trail);
        let results = || {
            let page = page(folder.path(), Query::default(), 10).unwrap();
            page.rows.into_iter().map(|row| row.record.result).collect::<Vec<_>>()
        };
        let begun = recorder.deleting(&some()).await.unwrap();
        assert_eq!(results(), [Outcome::Begun]);
        begun.ended(Outcome::failed("silent")).await;
        assert_eq!(results(), [Outcome::Begun, Outcome::failed("silent")]);
    }

    #[tokio::test]
    async fn what_cannot_be_recorded_is_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let recorder = Recorder::over(started(&file));
        recorder.check().unwrap_err();
        recorder.deleting(&some()).await.unwrap_err();
    }

    #[tokio::test]
    async fn a_trail_that_can_be_written_again_is_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let figures = Figures::new(&prometheus::Registry::new()).unwrap();
        let usual = Options::new(&file, "controller".parse().unwrap());
        let options = Options { probe_every: Duration::from_millis(10), ..usual };
        let recorder = Recorder::over(Trail::start(options, MemoryHeads::default(), RealDisk, figures).0);
        let mut reopened = std::pin::pin!(recorder.reopenings());
        let early = tokio::time::timeout(Duration::from_millis(100), reopened.next()).await;
        early.unwrap_err();
        recorder.check().unwrap_err();
        std::fs::remove_file(&file).unwrap();
        let told = tokio::time::timeout(Duration::from_secs(30), reopened.next()).await;
        assert_eq!(told.unwrap(), Some(()));
        recorder.check().unwrap();
    }

    #[tokio::test]
    async fn without_a_trail_everything_may_be_changed_and_nothing_reopens() {
        let recorder = Recorder::default();
        recorder.check().unwrap();
        let told = futures::poll!(std::pin::pin!(recorder.reopenings()).next());
        assert!(told.is_pending());
    }
}
