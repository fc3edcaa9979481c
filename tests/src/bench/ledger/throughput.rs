//! `ledger_vs_etcd`: entries a second through the whole writer, against bare transactions of the same size.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use jiyun_lab::{Lab, LabOptions};
use jiyun_ledger::{Campaign, ClaimRequest, Decision, Ledger, Lineage, OpenOptions, store::etcd::EtcdStore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    ask::{Host, Size},
    book::BATCH,
    ceiling::{Manner, Raw},
    city::{City, Shape},
    random::Random,
    reach,
    scales::Scales,
};
use crate::bench::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::{median, number, range},
};

/// Deciding, counting and answering may cost less than a third.
const GOAL: Goal = Goal { value: 0.70, better: Better::Higher, judged: Judged::Ratio };

/// Askers at the same time: those tried.
const ASKERS: [usize; 4] = [64, 128, 256, 512];
/// Room for everything that is asked.
const CITY: Shape = Shape { departments: 200, cores: 10_000, above: 200 };
const SEED: u64 = 2;

/// What came of one run of the book.
#[derive(Clone, Copy, Debug)]
struct Written {
    entries: f64,
    decisions: f64,
    bytes: usize,
}

struct Bench<'a> {
    lab: &'a Lab,
    city: City,
    books: AtomicU64,
}

impl Bench<'_> {
    /// A fresh book that grants `grants` hosts to `askers`, each asking for the next when it was answered.
    async fn ours(&self, grants: usize, askers: usize) -> Result<Written, BenchError> {
        // Boxed: the library's futures are 16 KiB.
        Box::pin(self.write(grants, askers)).await
    }

    async fn write(&self, grants: usize, askers: usize) -> Result<Written, BenchError> {
        let prefix = format!("/jiyun/bench/book-{}/", self.books.fetch_add(1, Ordering::SeqCst));
        let client = reach::connect(self.lab).await?;
        let leadership = Campaign::new(&prefix, "bench").win(&client, &CancellationToken::new()).await;
        let leadership = leadership.map_err(BenchError::ledger("a leader"))?;
        let scales = Scales::new(EtcdStore::new(client, &prefix));
        let options = OpenOptions::new(Lineage::new("bench"), Lineage::new("hub"));
        let opened = Box::pin(Ledger::open(scales.clone(), leadership.fence(), leadership.lost(), options)).await;
        let (ledger, _) = opened.map_err(BenchError::ledger("the book"))?;
        for command in self.city.commands() {
            ledger.record(command).await.map_err(BenchError::ledger("a command"))?;
        }

        let mut random = Random::new(SEED);
        let request = |number: usize| {
            let host = Host { department: number, number: number as u64, size: Size::any(&mut random) };
            host.request(&self.city, None)
        };
        // Made up beforehand: that is the askers' work, not the book's.
        let requests: Arc<Mutex<Vec<ClaimRequest>>> = Arc::new(Mutex::new((0..grants).map(request).collect()));
        let before = scales.weight();
        let started = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..askers {
            let (ledger, requests) = (ledger.clone(), Arc::clone(&requests));
            asking.spawn(async move {
                loop {
                    let next = requests.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(request) = next else { return Ok(()) };
                    match ledger.decide(request).await.map_err(BenchError::ledger("a request"))? {
                        Decision::Granted { .. } => {}
                        Decision::Refused(_) => {
                            return Err(BenchError::Nothing("the book refused where there was room"));
                        }
                    }
                }
            });
        }
        while let Some(ended) = asking.join_next().await {
            ended??;
        }
        let seconds = started.elapsed().as_secs_f64();
        let weight = scales.weight().since(before);
        ledger.shutdown().await;
        leadership.resign().await;
        let entries = usize::try_from(weight.entries).unwrap_or(1).max(1);
        let bytes = usize::try_from(weight.bytes).unwrap_or_default() / entries;
        Ok(Written { entries: number(entries) / seconds, decisions: number(grants) / seconds, bytes })
    }

    /// The number of askers with the most decisions a second.
    async fn best_askers(&self, grants: usize) -> Result<usize, BenchError> {
        let mut best: Option<(usize, f64)> = None;
        for askers in ASKERS {
            let Written { entries, decisions, bytes } = self.ours(grants, askers).await?;
            say(&format!(
                "the book, {askers} askers: {decisions:.0} decisions/s in {entries:.0} entries/s of {bytes} bytes"
            ));
            if best.is_none_or(|(_, other)| decisions > other) {
                best = Some((askers, decisions));
            }
        }
        best.map(|(askers, _)| askers).ok_or(BenchError::Nothing("nobody asked"))
    }
}

/// A value that makes key and value together as long as the book's.
fn value(bytes: usize, prefix: &str) -> Vec<u8> {
    let key = prefix.len() + "events/".len() + 20;
    b"{\"claim\":\"0123456789\"}".iter().copied().cycle().take(bytes.saturating_sub(key)).collect()
}

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let lab = Lab::start(LabOptions::bare()).await?;
    let entries = usize::try_from(options.entries).unwrap_or(usize::MAX);
    let bench = Bench { lab: &lab, city: City::new(CITY), books: AtomicU64::new(0) };
    let prefix = "/jiyun/bench/bare/";
    let raw = Raw::start(&lab, prefix).await?;

    let askers = bench.best_askers(entries * BATCH / 4).await?;
    let bytes = bench.ours(entries * BATCH / 4, askers).await?.bytes;
    let value_of = |bytes| value(bytes, prefix);
    let (manner, _) = raw.best(&value_of(bytes), entries / 2).await?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for run in 0..options.runs {
        // Ours, bare, bare, ours: what changes slowly on the machine meets both sides alike.
        for is_ours in [run.is_multiple_of(2), !run.is_multiple_of(2)] {
            if is_ours {
                ours.push(bench.ours(entries * BATCH, askers).await?);
            } else {
                bare.push(raw.run(&value_of(bytes), entries, manner).await?);
            }
        }
        say(&format!("ledger against etcd: {} of {} pairs", run + 1, options.runs));
    }
    let single = bench.ours(entries, 1).await?;
    let alone = Manner { connections: 1, concurrency: 1 };
    let bare_single = raw.run(&value_of(single.bytes), entries, alone).await?;
    let bare_in_turn = raw.run(&value_of(bytes), entries, alone).await?;
    lab.stop().await?;

    let rates: Vec<f64> = ours.iter().map(|run| run.entries).collect();
    let decisions = median(&ours.iter().map(|run| run.decisions).collect::<Vec<_>>()).unwrap_or_default();
    let spread =
        |rates: &[f64]| range(rates).map(|(least, most)| format!("{least:.0} to {most:.0}")).unwrap_or_default();
    let mine = median(&rates).ok_or(BenchError::Nothing("nothing was written"))?;
    let comparison = Comparison {
        ours: mine,
        reference: median(&bare).ok_or(BenchError::Nothing("etcd was asked for nothing"))?,
        what_reference_is: format!(
            "bare transactions of the same compares, keys and {bytes} bytes on the same etcd; {} connections, {} under way",
            manner.connections, manner.concurrency
        ),
        unit: "entries/s".into(),
        runs: ours.len(),
        notes: vec![
            format!(
                "ours: {askers} askers, {decisions:.0} decisions/s, {:.0} in an entry; {} entries/s, bare {}",
                decisions / mine,
                spread(&rates),
                spread(&bare)
            ),
            "ours decides, counts, keeps a copy for readers and answers each asker, and has one transaction under way: an \
             entry follows from the one before; bare transactions depend on nothing"
                .into(),
            format!("bare, of the same size but one after the other: {bare_in_turn:.0} transactions/s"),
            format!(
                "one asker: {:.0} entries/s of {} bytes, bare one after the other {bare_single:.0}",
                single.entries, single.bytes
            ),
            "the lab's etcd does not wait for its disk (--unsafe-no-fsync)".into(),
        ],
    };
    Ok(Figure::new(Name::LedgerVsEtcd, comparison, GOAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_transaction_is_as_long_as_an_entry_of_the_book() {
        let prefix = "/x/";
        let key = "/x/events/00000000000000000001";
        assert_eq!(value(1000, prefix).len() + key.len(), 1000);
        assert!(value(10, prefix).is_empty());
    }
}
