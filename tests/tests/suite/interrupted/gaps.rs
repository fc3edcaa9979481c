//! Kills the controller in the four gaps between the two stores, and makes sure that it was in the gap.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use jiyun_crds::names::{FINALIZER_CLAIM, system_disk_name};
use jiyun_lab::wait_for;
use jiyun_ledger::ClaimStage;
use jiyun_tests::{
    World,
    demo::{Beat, Prompter},
    world::PATIENCE,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{
    book::Book,
    hold::Hold,
    program::{Lead, Program},
};

/// The host of the story.
const HOST: &str = "tax-portal";
/// Where its machine lives.
const ENGINES: &str = "engine-finance";
/// Before the order is sent.
const ORDER: Beat = Beat { step: 2, command: 1 };
/// Before its end is asked for.
const END: Beat = Beat { step: 6, command: 1 };

/// Who waits in the gaps.
#[derive(Debug)]
pub struct Gaps {
    world: Arc<World>,
    /// Claims in the book before this telling.
    since: usize,
    waiting: Mutex<Vec<JoinHandle<()>>>,
}

impl Gaps {
    /// For a story on `world`, which has `since` claims in its book.
    pub fn new(world: &Arc<World>, since: usize) -> Arc<Self> {
        Arc::new(Self { world: Arc::clone(world), since, waiting: Mutex::default() })
    }

    /// Waits for all; both beats must have come.
    pub async fn done(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        assert_eq!(waiting.len(), 2, "order and end both have gaps");
        for one in waiting {
            one.await.unwrap();
        }
    }

    fn wait(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(tokio::spawn(task));
    }
}

/// As the stage knows them.
#[derive(Clone, Debug)]
pub struct Prompting(pub Arc<Gaps>);

impl Prompter for Prompting {
    fn cue(&self, beat: Beat) -> BoxFuture<'_, ()> {
        let gaps = &self.0;
        Box::pin(async move {
            let world = Arc::clone(&gaps.world);
            let book = Book::open(&world).await;
            match beat {
                ORDER => {
                    Hold::MakingDisks.set(&world, &["create", "-f", &disk(&world)]).await;
                    gaps.wait(grant_before_engines(world, book, gaps.since));
                }
                END => {
                    let bare = r#"{"metadata": {"finalizers": null}}"#;
                    let go = ["patch", "cloudhost", HOST, "-n", "dept-finance", "--type=merge", "-p", bare];
                    Hold::LettingGo.set(&world, &go).await;
                    let disk = system_disk_name(HOST);
                    Hold::DeletingDisks.set(&world, &["delete", "datavolume", &disk, "-n", ENGINES]).await;
                    Hold::DeletingMachines.set(&world, &["delete", "vm", HOST, "-n", ENGINES]).await;
                    gaps.wait(the_end(world, book, gaps.since));
                }
                _ => {}
            }
        })
    }
}

/// Writes a disk that could be made into a file, as kubectl wants it.
fn disk(world: &World) -> String {
    let disk = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume",
        "metadata": {"name": "probe", "namespace": ENGINES},
        "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}},
    });
    let path = world.lab.folder().join("probe.json");
    std::fs::write(&path, disk.to_string()).unwrap();
    path.display().to_string()
}

/// Between the ledger's grant and the first engine object.
async fn grant_before_engines(world: Arc<World>, book: Book, since: usize) {
    book.at_stage(HOST, since, ClaimStage::Reserved).await;
    Program::Controller.kill(&world).await;
    let made = world.lab.kubectl(&["get", "vm,vmi,datavolume,pvc", "-n", ENGINES, "-o", "name"]).await.unwrap();
    assert_eq!(made.trim(), "", "nothing was made for the grant yet");
    Hold::MakingDisks.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
}

/// Between `ClaimEnding` and the machine's deletion, between that and `ClaimReleased`, between that and the finalizer.
async fn the_end(world: Arc<World>, book: Book, since: usize) {
    book.at_stage(HOST, since, ClaimStage::Ending).await;
    Program::Controller.kill(&world).await;
    let machine = object(&world, "vm", ENGINES, HOST).await.expect("the machine is still there");
    assert!(machine["metadata"]["deletionTimestamp"].is_null(), "nothing was deleted yet: {machine}");
    Hold::DeletingMachines.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;

    wait_for("the machine to go", PATIENCE * 2, || async {
        object(&world, "vm", ENGINES, HOST).await.map_or(Ok(()), |machine| Err(machine["metadata"].to_string()))
    })
    .await
    .unwrap();
    Program::Controller.kill(&world).await;
    let claim = book.at_stage(HOST, since, ClaimStage::Ending).await;
    assert!(object(&world, "datavolume", ENGINES, &system_disk_name(HOST)).await.is_some(), "{claim:?}");
    Hold::DeletingDisks.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;

    book.at_stage(HOST, since, ClaimStage::Released).await;
    Program::Controller.kill(&world).await;
    let host = object(&world, "cloudhost", "dept-finance", HOST).await.expect("the host is still there");
    assert_eq!(host["metadata"]["finalizers"], json!([FINALIZER_CLAIM]));
    Hold::LettingGo.lift(&world).await;
    Program::Controller.revive(&world, Lead::IsTaken).await;
}

/// An object, if it is there.
async fn object(world: &World, kind: &str, namespace: &str, name: &str) -> Option<Value> {
    let arguments = ["get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "json"];
    serde_json::from_str(&world.lab.kubectl(&arguments).await.unwrap()).ok()
}
