//! The script played against a store, without a fault or with a death at one point; the end must be the same.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use jiff::Timestamp;
use jiyun_ledger::{
    Entry, Fence, Ledger, LedgerError, Lineage, OpenOptions, PruneError, SnapshotOptions, Store, export, note_exported,
};
use tokio_util::sync::CancellationToken;

use super::{
    FaultError,
    mortal::Mortal,
    program::{told, verify_file},
    script::Step,
    trace::{Cut, Point, Trace},
};

/// Where a book lies, and who may write it.
pub trait Ground: Sync {
    /// The store.
    type Store: Store + Clone;

    /// The store itself, which nothing happens to.
    fn store(&self) -> Self::Store;

    /// Makes somebody else the leader; whoever led before is fenced.
    fn elect(&self) -> impl Future<Output = Result<Fence, FaultError>> + Send;
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The whole book but for the number of its last entry: a hold that has ended is recorded with the next request, or by
    /// itself where a writer begins.
    pub book: String,
}

/// The script without a fault: how it ends, and every point on the way.
///
/// # Errors
/// When the book does not take it.
pub async fn undisturbed<G: Ground>(ground: &G, script: &[Step]) -> Result<(Ending, Vec<Point>), FaultError> {
    let trace = Arc::new(Trace::default());
    let ending = play(ground, script, Arc::clone(&trace)).await?;
    Ok((ending, trace.points()))
}

/// The script with a death: the writer is gone at the cut, another opens the book, and whoever was not answered asks again.
///
/// # Errors
/// When it does not end as `expected`, or the cut was never reached.
pub async fn cut_at<G: Ground>(ground: &G, script: &[Step], cut: &Cut, expected: &Ending) -> Result<(), FaultError> {
    let trace = Arc::new(Trace::default());
    trace.begin(Some(cut.clone()));
    let ending = play(ground, script, Arc::clone(&trace)).await;
    let otherwise = |what: String| FaultError::Otherwise { cut: cut.to_string(), what };
    match ending {
        Err(error) => Err(otherwise(super::chain(&error))),
        Ok(_) if !trace.is_reached() => Err(otherwise("it was never reached".to_owned())),
        Ok(ending) if ending != *expected => {
            Err(otherwise(format!("ended as {}, undisturbed {}", ending.book, expected.book)))
        }
        Ok(_) => Ok(()),
    }
}

async fn play<G: Ground>(ground: &G, script: &[Step], trace: Arc<Trace>) -> Result<Ending, FaultError> {
    let seconds = Arc::new(AtomicI64::new(0));
    let mut actor = Actor { ground, seconds, trace, living: None };
    let mut kept = BTreeMap::new();
    for step in script {
        if matches!(step, Step::Prune(_)) {
            keep(&ground.store(), &mut kept).await?;
        }
        actor.take(step).await?;
    }
    keep(&ground.store(), &mut kept).await?;
    verify(kept.values()).await?;
    let Some(last) = actor.living.take() else { return Err(FaultError::Unsound("nobody writes the book".to_owned())) };
    let state = last.ledger.snapshot();
    if !state.verify().is_empty() {
        return Err(FaultError::Unsound(format!("{:?}", state.verify())));
    }
    let live = state.digest().map_err(FaultError::book("a digest"))?;
    // Read anew, from the last snapshot on, it is the same.
    last.lost.cancel();
    actor.open().await?;
    let Some(again) = actor.living.take() else { return Err(FaultError::Unsound("nobody reads the book".to_owned())) };
    let digest = again.ledger.snapshot().digest().map_err(FaultError::book("a digest"))?;
    again.lost.cancel();
    if digest != live {
        return Err(FaultError::Unsound("read anew the book is another".to_owned()));
    }
    let mut told = serde_json::to_value(&*state).map_err(FaultError::book("a book as JSON"))?;
    if let Some(fields) = told.as_object_mut() {
        fields.remove("seq");
    }
    Ok(Ending { book: told.to_string() })
}

/// A writer at work.
struct Living<S> {
    ledger: Ledger,
    lost: CancellationToken,
    store: Mortal<S>,
}

struct Actor<'a, G: Ground> {
    ground: &'a G,
    seconds: Arc<AtomicI64>,
    trace: Arc<Trace>,
    living: Option<Living<G::Store>>,
}

impl<G: Ground> Actor<'_, G> {
    /// Takes one step, with as many writers as that takes.
    async fn take(&mut self, step: &Step) -> Result<(), FaultError> {
        let mut repeated = false;
        loop {
            self.open().await?;
            let Some(living) = &self.living else { continue };
            let trace = Arc::clone(&self.trace);
            let outcome = tokio::select! {
                biased;
                () = trace.reached() => None,
                outcome = act(living, step, &self.seconds) => Some(outcome),
            };
            match outcome {
                None => self.bury(),
                // What was done already need not be possible again, as long as the end is the same.
                Some(Err(FaultError::Book { source, .. })) if repeated && is_refused(&*source) => return Ok(()),
                Some(outcome) => return outcome,
            }
            repeated = true;
        }
    }

    /// Makes sure that somebody writes the book.
    async fn open(&mut self) -> Result<(), FaultError> {
        while self.living.is_none() {
            let fence = self.ground.elect().await?;
            let (lost, store) = (CancellationToken::new(), Mortal::new(self.ground.store(), Arc::clone(&self.trace)));
            let seconds = Arc::clone(&self.seconds);
            let clock = move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap_or_default();
            let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"))
                .with_clock(Arc::new(clock))
                .with_snapshots(SnapshotOptions { entries: u64::MAX, bytes: u64::MAX, ..SnapshotOptions::default() });
            let trace = Arc::clone(&self.trace);
            let opened = tokio::select! {
                biased;
                () = trace.reached() => None,
                opened = Ledger::open(store.clone(), fence, lost.clone(), options) => Some(opened),
            };
            match opened {
                None => self.bury(),
                Some(opened) => {
                    let (ledger, _) = opened.map_err(FaultError::book("an opening"))?;
                    self.living = Some(Living { ledger, lost, store });
                }
            }
        }
        Ok(())
    }

    /// The writer died; the next one is immortal.
    fn bury(&mut self) {
        if let Some(dead) = self.living.take() {
            dead.lost.cancel();
        }
        self.trace = Arc::new(Trace::default());
    }
}

fn is_refused(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref::<LedgerError>(), Some(LedgerError::Command(_) | LedgerError::Request(_)))
}

async fn act<S: Store + Clone>(living: &Living<S>, step: &Step, seconds: &AtomicI64) -> Result<(), FaultError> {
    let ledger = &living.ledger;
    match step {
        Step::Clock(at) => seconds.store(at.as_second(), Ordering::SeqCst),
        Step::Record(command) => {
            ledger.record(command.clone()).await.map_err(FaultError::book("a command"))?;
        }
        Step::Decide(requests) => {
            let asked = requests.iter().map(|request| ledger.decide(request.clone()));
            for decided in futures::future::join_all(asked).await {
                decided.map_err(FaultError::book("a request"))?;
            }
        }
        Step::Snapshot => {
            ledger.take_snapshot().await.map_err(FaultError::book("a snapshot"))?;
        }
        Step::Archive => {
            let receipt = export(&living.store, Some(1), Some(ledger.revision()), Vec::new()).await;
            let receipt = receipt.map_err(FaultError::book("an archive"))?;
            note_exported(&living.store, &receipt).await.map_err(FaultError::book("a note of an archive"))?;
        }
        Step::Prune(up_to) => match ledger.prune(*up_to).await {
            Ok(_) => {}
            Err(PruneError::Stopped) => return Err(FaultError::book("a writer to prune")(PruneError::Stopped)),
            Err(error) => return Err(FaultError::book("a pruning")(error)),
        },
    }
    Ok(())
}

/// Keeps every entry that is in the store.
async fn keep<S: Store>(store: &S, kept: &mut BTreeMap<u64, Entry>) -> Result<(), FaultError> {
    let mut from = 1;
    loop {
        let page = match store.page(from).await {
            Err(jiyun_ledger::StoreError::Pruned { first, .. }) => {
                from = first;
                continue;
            }
            page => page.map_err(FaultError::book("a read of its entries"))?,
        };
        from = page.entries.last().map_or(from, |last| last.seq + 1);
        kept.extend(page.entries.into_iter().map(|entry| (entry.seq, entry)));
        if !page.more {
            return Ok(());
        }
    }
}

/// Lets the program that shares no code with the writer judge.
async fn verify<'a>(entries: impl Iterator<Item = &'a Entry>) -> Result<(), FaultError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut text = String::new();
    for entry in entries {
        text.push_str(&serde_json::to_string(entry).map_err(FaultError::book("an entry"))?);
        text.push('\n');
    }
    let folder = jiyun_lab::target_folder().join("faults");
    let path = folder.join(format!("{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let write = || std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(&path, &text));
    write().map_err(FaultError::book("a file"))?;
    let verified = verify_file(&path).await?;
    if verified.status.code() != Some(0) {
        return Err(FaultError::Unsound(format!("{}: {}", path.display(), told(&verified))));
    }
    std::fs::remove_file(&path).map_err(FaultError::book("a file"))
}
