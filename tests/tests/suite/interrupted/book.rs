//! The ledger as a test reads it: every event replayed, and word of each new one as soon as etcd has it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use jiyun_lab::LedgerUser;
use jiyun_ledger::{
    Claim, ClaimStage, Follower, State,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use jiyun_tests::{World, world::PATIENCE};

/// A reader of the whole book.
#[derive(Debug)]
pub struct Book(Follower);

impl Book {
    /// Reads everything there is.
    pub async fn open(world: &World) -> Self {
        let etcd = world.lab.ledger_client(LedgerUser::Root).await.unwrap();
        let follower = Follower::start(EtcdStore::new(etcd, DEFAULT_PREFIX), Arc::new(Timestamp::now));
        follower.caught_up(Duration::from_secs(30)).await.unwrap();
        Self(follower)
    }

    /// As it is now.
    pub fn state(&self) -> Arc<State> {
        self.0.snapshot()
    }

    /// How many claims there ever were.
    pub fn claims(&self) -> usize {
        self.0.read(|state| state.claims().count())
    }

    /// Waits for the next entry; never returns where there is none.
    pub async fn turned(&self, seen: u64) {
        let mut revisions = self.0.revisions();
        revisions.wait_for(|revision| *revision > seen).await.unwrap();
    }

    /// Waits until the newest claim of the host called `name` is at `stage`.
    pub async fn at_stage(&self, name: &str, since: usize, stage: ClaimStage) -> Arc<Claim> {
        let mut revisions = self.0.revisions();
        let found = async {
            loop {
                let book = self.state();
                let claims = book.claims().skip(since).filter(|claim| claim.subject.name == name);
                if let Some(claim) = claims.last().filter(|claim| claim.stage() == stage) {
                    return Arc::clone(claim);
                }
                revisions.changed().await.unwrap();
            }
        };
        let seen = || format!("{name} at {stage}; claims are {:?}", self.state().claims().collect::<Vec<_>>());
        tokio::time::timeout(PATIENCE * 2, found).await.unwrap_or_else(|_| panic!("not in time: {}", seen()))
    }
}
