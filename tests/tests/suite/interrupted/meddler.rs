//! Kills programs at given moments of the story while it is told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use jiyun_tests::{
    World,
    demo::{Beat, Prompter},
};
use tokio::task::JoinSet;

use super::program::{Lead, Program};

/// One death.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Who dies.
    pub program: Program,
    /// The beat that is cued then.
    pub beat: Beat,
    /// How long after the cue; nothing is before the beat, which then meets a program that just died.
    pub after: Duration,
    /// What becomes of the lead.
    pub lead: Lead,
}

/// How often each program died in each step.
pub type Deaths = BTreeMap<(usize, Program), usize>;

/// Carries out cuts, and notes where they fell.
#[derive(Debug)]
pub struct Meddler {
    world: Arc<World>,
    cuts: Vec<Cut>,
    /// The step the story is at.
    step: AtomicUsize,
    beats: Mutex<Vec<Beat>>,
    deaths: Arc<Mutex<Deaths>>,
    /// One death at a time.
    knife: Arc<tokio::sync::Mutex<()>>,
    later: Mutex<JoinSet<()>>,
}

impl Meddler {
    /// For a story on `world`.
    pub fn new(world: &Arc<World>, cuts: Vec<Cut>) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            cuts,
            step: AtomicUsize::new(0),
            beats: Mutex::default(),
            deaths: Arc::default(),
            knife: Arc::default(),
            later: Mutex::default(),
        })
    }

    /// The beats told so far.
    pub fn beats(&self) -> Vec<Beat> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the deaths that were still to come when the story had ended; says which there were.
    pub async fn done(&self) -> Deaths {
        let mut later = std::mem::take(&mut *self.later.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(ended) = later.join_next().await {
            ended.unwrap();
        }
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn cut(&self, cut: Cut) {
        let _knife = self.knife.lock().await;
        let step = self.step.load(Ordering::SeqCst);
        cut.program.interrupt(&self.world, cut.lead).await;
        *self.deaths.lock().unwrap_or_else(PoisonError::into_inner).entry((step, cut.program)).or_default() += 1;
    }
}

/// The meddler as the stage knows it.
#[derive(Clone, Debug)]
pub struct Prompting(pub Arc<Meddler>);

impl Prompter for Prompting {
    fn cue(&self, beat: Beat) -> BoxFuture<'_, ()> {
        let meddler = &self.0;
        Box::pin(async move {
            meddler.step.store(beat.step, Ordering::SeqCst);
            meddler.beats.lock().unwrap_or_else(PoisonError::into_inner).push(beat);
            for cut in meddler.cuts.iter().filter(|cut| cut.beat == beat) {
                if cut.after.is_zero() {
                    meddler.cut(*cut).await;
                    continue;
                }
                let (meddler, cut) = (Arc::clone(meddler), *cut);
                let mut later = self.0.later.lock().unwrap_or_else(PoisonError::into_inner);
                later.spawn(async move {
                    tokio::time::sleep(cut.after).await;
                    meddler.cut(cut).await;
                });
            }
        })
    }
}
