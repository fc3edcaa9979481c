//! What the ledger's etcd takes by itself: transactions of the very form the book writes, without a book.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Instant,
};

use etcd_client::{Client, Compare, CompareOp, Txn, TxnOp};
use jiyun_lab::Lab;
use tokio::task::JoinSet;

use super::reach;
use crate::bench::{BenchError, progress::say, statistics::number};

/// Connections tried: one is one task and one TLS stream, which a core can be too slow for.
const CONNECTIONS: [usize; 2] = [1, 4];
/// Transactions under way at the same time: those tried.
const CONCURRENCY: [usize; 4] = [1, 4, 16, 64];

/// How the transactions are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Connections.
    pub connections: usize,
    /// Transactions under way at the same time.
    pub concurrency: usize,
}

/// Sends transactions under a leader key of its own.
#[derive(Debug)]
pub struct Raw {
    sender: Arc<Sender>,
}

struct Sender {
    clients: Vec<Client>,
    prefix: String,
    epoch: i64,
    next: AtomicU64,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Raw {
    /// Connects, and makes a leader key below `prefix`.
    ///
    /// # Errors
    /// When etcd refuses.
    pub async fn start(lab: &Lab, prefix: &str) -> Result<Self, BenchError> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS.into_iter().max().unwrap_or(1) {
            clients.push(reach::connect(lab).await?);
        }
        let client = clients.first().ok_or(BenchError::Nothing("there is no client"))?;
        let put = client.kv_client().put(format!("{prefix}leader"), "bench", None).await;
        let put = put.map_err(BenchError::ledger("a leader key"))?;
        let epoch = put.header().map(etcd_client::ResponseHeader::revision).unwrap_or_default();
        let sender = Sender { clients, prefix: prefix.to_owned(), epoch, next: AtomicU64::new(1) };
        Ok(Self { sender: Arc::new(sender) })
    }

    /// Writes `count` entries of this value; transactions a second.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn run(&self, value: &[u8], count: usize, manner: Manner) -> Result<f64, BenchError> {
        let left = Arc::new(AtomicUsize::new(count));
        let started = Instant::now();
        let mut senders = JoinSet::new();
        for number in 0..manner.concurrency.max(1) {
            let (sender, left, value) = (Arc::clone(&self.sender), Arc::clone(&left), value.to_vec());
            let client = number % manner.connections.max(1);
            senders.spawn(async move {
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    sender.send(client, &value).await?;
                }
                Ok::<(), BenchError>(())
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended??;
        }
        Ok(number(count) / started.elapsed().as_secs_f64())
    }

    /// The manner of sending that is fastest.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn best(&self, value: &[u8], count: usize) -> Result<(Manner, f64), BenchError> {
        let mut best = None;
        for connections in CONNECTIONS {
            for concurrency in CONCURRENCY.into_iter().filter(|concurrency| *concurrency >= connections) {
                let manner = Manner { connections, concurrency };
                let rate = self.run(value, count, manner).await?;
                say(&format!(
                    "etcd alone, {} bytes, {connections} connections, {concurrency} under way: {rate:.0} transactions/s",
                    value.len()
                ));
                if best.is_none_or(|(_, other)| rate > other) {
                    best = Some((manner, rate));
                }
            }
        }
        best.ok_or(BenchError::Nothing("etcd was asked for nothing"))
    }
}

impl Sender {
    /// The same compares, puts and gets as the book's store sends.
    async fn send(&self, client: usize, value: &[u8]) -> Result<(), BenchError> {
        let key = format!("{}events/{:020}", self.prefix, self.next.fetch_add(1, Ordering::SeqCst));
        let txn = Txn::new()
            .when([
                Compare::create_revision(format!("{}leader", self.prefix), CompareOp::Equal, self.epoch),
                Compare::version(key.clone(), CompareOp::Equal, 0),
            ])
            .and_then([TxnOp::put(key.clone(), value, None)])
            .or_else([TxnOp::get(key, None)]);
        let client = self.clients.get(client).ok_or(BenchError::Nothing("there is no client"))?;
        let answer = client.kv_client().txn(txn).await.map_err(BenchError::ledger("a bare transaction"))?;
        if answer.succeeded() { Ok(()) } else { Err(BenchError::Nothing("etcd did not take a bare transaction")) }
    }
}
