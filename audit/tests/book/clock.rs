//! Clocks that are set forward and back while the writer works, and writers whose clocks differ.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use jiyun_ledger::{
    ClaimId, ClaimRequest, Command, Decision, Ledger, LedgerError, Lineage, OpenOptions, State,
    store::memory::MemoryStore,
};
use tokio_util::sync::CancellationToken;

use crate::{
    city::{assert_clean, compute, cores, host, lines},
    steps::Dice,
};

const START: i64 = 1_790_000_000;
const HOUR: i64 = 3600;
const STEPS: u64 = 600;

/// A book, its clock, and whoever leads.
struct Clocked {
    store: MemoryStore,
    clock: Arc<AtomicI64>,
    ledger: Ledger,
    lost: CancellationToken,
    epoch: i64,
}

impl Clocked {
    async fn new() -> Self {
        let (store, clock) = (MemoryStore::default(), Arc::new(AtomicI64::new(START)));
        let (ledger, lost) = open(&store, &clock, 1).await;
        Self { store, clock, ledger, lost, epoch: 1 }
    }

    /// Another replica takes over, whose clock differs by `seconds`.
    async fn succeed(&mut self, seconds: i64) {
        self.lost.cancel();
        self.clock.fetch_add(seconds, Ordering::SeqCst);
        self.epoch += 1;
        (self.ledger, self.lost) = open(&self.store, &self.clock, self.epoch).await;
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.clock.load(Ordering::SeqCst)).unwrap()
    }
}

async fn open(store: &MemoryStore, clock: &Arc<AtomicI64>, epoch: i64) -> (Ledger, CancellationToken) {
    let (tick, lost) = (Arc::clone(clock), CancellationToken::new());
    let options = OpenOptions::new(Lineage::new("book"), Lineage::new("hub"))
        .with_clock(Arc::new(move || Timestamp::from_second(tick.load(Ordering::SeqCst)).unwrap()));
    let (ledger, _) = Ledger::open(store.clone(), store.elect(epoch), lost.clone(), options).await.unwrap();
    (ledger, lost)
}

#[tokio::test]
async fn clocks_that_step_hours_forward_and_back_leave_a_clean_book_whose_time_only_goes_on() {
    let (mut dice, mut book) = (Dice(2026), Clocked::new().await);
    book.ledger.record(Command::SetPool(compute("c1", "east", 60))).await.unwrap();
    book.ledger.record(Command::SetAccount(cores("tax", None, Some(40), 0))).await.unwrap();
    let (mut claims, mut granted, mut held) = (Vec::<ClaimId>::new(), 0, 0);
    for number in 0..STEPS {
        let step = i64::try_from(dice.below(48)).unwrap() * HOUR;
        match dice.below(6) {
            0 => drop(book.clock.fetch_add(step, Ordering::SeqCst)),
            1 => drop(book.clock.fetch_sub(step, Ordering::SeqCst)),
            2 if dice.below(5) == 0 => book.succeed(if dice.below(2) == 0 { step } else { -step }).await,
            _ => {}
        }
        let chosen = usize::try_from(dice.below(claims.len().max(1) as u64)).unwrap();
        match (dice.below(4), claims.get(chosen).copied()) {
            (0, Some(claim)) => {
                allowed(&book.ledger.billable(claim).await);
                book.ledger.end(claim).await.unwrap();
                // A claim that was only held is gone by its end.
                allowed(&book.ledger.release(claim).await);
                claims.swap_remove(chosen);
            }
            (1, _) => {
                let until = book.now() + jiff::SignedDuration::from_hours(i64::try_from(dice.below(96)).unwrap());
                let wish = ClaimRequest {
                    hold_until: Some(until),
                    ..host("tax", &format!("h{number}"), 1 + dice.below(4), 0)
                };
                match book.ledger.decide(wish).await {
                    Ok(Decision::Granted { claim, .. }) => {
                        held += 1;
                        claims.push(claim.id);
                    }
                    // By the book's own time, which is ahead of a clock that was set back, the deadline is past.
                    Ok(Decision::Refused(_)) | Err(LedgerError::Request(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            _ => {
                let wish = host("tax", &format!("o{number}"), 1 + dice.below(4), 0);
                if let Decision::Granted { claim, .. } = book.ledger.decide(wish).await.unwrap() {
                    granted += 1;
                    claims.push(claim.id);
                }
            }
        }
    }
    let digest = book.ledger.snapshot().digest().unwrap();
    book.ledger.shutdown().await;
    let entries = book.store.entries();
    assert!(entries.is_sorted_by_key(|entry| entry.at), "the book's time went back");
    let mut replayed = State::default();
    for entry in &entries {
        replayed.apply(entry).unwrap();
    }
    assert_eq!(replayed.digest().unwrap(), digest);
    assert!(granted > 50 && held > 20 && book.epoch > 5, "{granted} granted, {held} held, {} leaders", book.epoch);
    assert_clean(&lines(&entries));
}

fn allowed<T: std::fmt::Debug>(outcome: &Result<T, LedgerError>) {
    assert!(matches!(outcome, Ok(_) | Err(LedgerError::Command(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_hold_ends_once_when_the_clock_jumps_over_its_deadline_and_back() {
    let book = Clocked::new().await;
    book.ledger.record(Command::SetPool(compute("c1", "east", 4))).await.unwrap();
    book.ledger.record(Command::SetAccount(cores("tax", None, Some(4), 0))).await.unwrap();
    let until = book.now() + jiff::SignedDuration::from_hours(2);
    let hold = ClaimRequest { hold_until: Some(until), ..host("tax", "held", 4, 0) };
    assert!(matches!(book.ledger.decide(hold).await.unwrap(), Decision::Granted { .. }));
    let full = book.ledger.decide(host("tax", "next", 4, 0)).await.unwrap();
    assert!(matches!(full, Decision::Refused(_)), "{full:?}");

    book.clock.fetch_add(3 * HOUR, Ordering::SeqCst);
    let free = book.ledger.decide(host("tax", "next", 4, 0)).await.unwrap();
    assert!(matches!(free, Decision::Granted { .. }), "{free:?}");
    // Back before its deadline: what is ended stays ended, and what was given stays given.
    book.clock.fetch_sub(3 * HOUR, Ordering::SeqCst);
    let full = book.ledger.decide(host("tax", "third", 4, 0)).await.unwrap();
    assert!(matches!(full, Decision::Refused(_)), "{full:?}");
    book.ledger.shutdown().await;
    let entries = book.store.entries();
    let ended = entries
        .iter()
        .flat_map(|entry| &entry.events)
        .filter(|event| matches!(event, jiyun_ledger::Event::HoldEnded { .. }));
    assert_eq!(ended.count(), 1);
    assert_clean(&lines(&entries));
}
