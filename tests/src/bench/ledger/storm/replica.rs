//! One of those who fight for leadership: wins it, opens the book, and loses it again in one of four ways.

use std::time::Duration;

use etcd_client::Client;
use jiyun_ledger::{
    Campaign, Leadership, Ledger, Lineage, OpenOptions,
    store::etcd::{EtcdConfig, EtcdStore},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use super::PREFIX;
use crate::bench::{BenchError, ledger::random::Random};

/// The shortest lease there is: some leaders are left to run out.
const LEASE: Duration = Duration::from_secs(5);

/// How a term ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Everything of it stops at once, and its lease is taken.
    Crash,
    /// Everything of it stops at once; its lease runs out.
    Expire,
    /// Its lease is taken, and it goes on as long as it can.
    Depose,
    /// It hands over.
    Resign,
}

impl Fate {
    /// How the term of this number ends; every eighth waits for a lease.
    pub fn drawn(term: u64, random: &mut Random) -> Self {
        match random.below(10) {
            _ if term.is_multiple_of(8) => Self::Expire,
            0..=3 => Self::Crash,
            4..=7 => Self::Depose,
            _ => Self::Resign,
        }
    }

    /// Whether somebody else takes the lease.
    pub const fn takes_lease(self) -> bool {
        matches!(self, Self::Crash | Self::Depose)
    }
}

/// A leader everybody can ask.
#[derive(Clone, Debug)]
pub struct Term {
    /// The create revision of its key.
    pub epoch: i64,
    /// Its book.
    pub ledger: Ledger,
    /// How it is to end.
    pub fate: mpsc::Sender<Fate>,
}

/// See the module.
pub struct Replica {
    /// Which.
    pub number: usize,
    /// Where it says that it leads.
    pub leaders: watch::Sender<Option<Term>>,
    /// When to end for good.
    pub stopping: CancellationToken,
}

impl Replica {
    /// Leads again and again until told to stop.
    ///
    /// # Errors
    /// When the book cannot be opened.
    pub async fn run(self, etcd: EtcdConfig) -> Result<(), BenchError> {
        loop {
            // A runtime for each term: what crashes is all of it, the writer in the middle of a write included.
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let runtime = runtime.map_err(BenchError::ledger("a runtime"))?;
            let won = runtime.spawn(lead(etcd.clone(), self.number));
            let won = tokio::select! {
                won = won => Some(won?),
                () = self.stopping.cancelled() => None,
            };
            let ended = match won {
                Some(Ok((leadership, ledger))) => self.reign(&runtime, leadership, ledger).await,
                Some(Err(BenchError::Nothing(_))) => Ok(false),
                Some(Err(error)) => Err(error),
                None => Ok(true),
            };
            runtime.shutdown_background();
            if ended? {
                return Ok(());
            }
        }
    }

    /// Leads until the term's fate; whether it was the last.
    async fn reign(&self, runtime: &Runtime, leadership: Leadership, ledger: Ledger) -> Result<bool, BenchError> {
        let (fate, mut fates) = mpsc::channel(1);
        let epoch = leadership.fence().epoch;
        self.leaders.send_replace(Some(Term { epoch, ledger: ledger.clone(), fate }));
        let stopped = ledger.stopped();
        let fate = tokio::select! {
            fate = fates.recv() => fate,
            () = stopped.cancelled() => None,
            () = self.stopping.cancelled() => {
                runtime.spawn(async move {
                    ledger.shutdown().await;
                    leadership.resign().await;
                }).await?;
                return Ok(true);
            }
        };
        match fate {
            Some(Fate::Resign) => {
                let handed_over = runtime.spawn(async move {
                    ledger.shutdown().await;
                    leadership.resign().await;
                });
                handed_over.await?;
            }
            // The writer must find out by itself that it no longer leads.
            Some(Fate::Depose) => stopped.cancelled().await,
            // Dropped with the runtime.
            Some(Fate::Crash | Fate::Expire) | None => {}
        }
        Ok(false)
    }
}

/// Wins leadership and opens the book. [`BenchError::Nothing`] where it was lost before it was used.
async fn lead(etcd: EtcdConfig, number: usize) -> Result<(Leadership, Ledger), BenchError> {
    let client: Client = etcd.connect().await.map_err(BenchError::ledger("a connection"))?;
    let campaign = Campaign::new(PREFIX, format!("replica-{number}")).with_ttl(LEASE);
    let leadership = campaign.win(&client, &CancellationToken::new()).await;
    let leadership = leadership.map_err(BenchError::ledger("a candidate"))?;
    let options = OpenOptions::new(Lineage::new("storm"), Lineage::new("hub"));
    let store = EtcdStore::new(client, PREFIX);
    match Ledger::open(store, leadership.fence(), leadership.lost(), options).await {
        Ok((ledger, _)) => Ok((leadership, ledger)),
        Err(jiyun_ledger::OpenError::Fenced) => Err(BenchError::Nothing("leadership was lost before it was used")),
        Err(error) => Err(BenchError::ledger("a leader")(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fates_are_drawn() {
        let mut random = Random::new(3);
        let drawn: Vec<Fate> = (1..100).map(|term| Fate::drawn(term, &mut random)).collect();
        for fate in [Fate::Crash, Fate::Expire, Fate::Depose, Fate::Resign] {
            assert!(drawn.contains(&fate), "{fate:?}");
        }
    }
}
