//! `decisions_per_second`: how many decisions one core makes in a city of 200 departments, before any of it is written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiyun_lab::{Lab, LabOptions};
use jiyun_ledger::{ClaimId, Command, Entry, Event};

use super::{
    ask::{Host, Size},
    book::{BATCH, Book},
    ceiling::Raw,
    city::{City, Shape},
    random::Random,
};
use crate::bench::{
    BenchError, Figure, Name, Options,
    figure::{Better, Comparison, Goal, Judged},
    progress::say,
    statistics::{median, number, range},
};

/// Deciding may not be what etcd waits for.
const GOAL: Goal = Goal { value: 1.0, better: Better::Higher, judged: Judged::Ratio };

/// Claims that are open while decisions are made.
const OPEN: usize = 10_000;
const CITY: Shape = Shape { departments: 200, cores: 240, above: 99 };
/// Transactions of one try at etcd's rate.
const TRANSACTIONS: usize = 300;
const SEED: u64 = 4;

/// Hosts that hold claims, and what comes next.
#[derive(Clone)]
struct Traffic {
    book: Book,
    open: Vec<(Host, ClaimId)>,
    next: u64,
    random: Random,
    taken: Duration,
    asked: usize,
    refused: usize,
}

impl Traffic {
    fn fill(city: &City) -> Result<Self, BenchError> {
        let (book, random) = (Book::open(city)?, Random::new(SEED));
        let mut filled = Self { book, open: Vec::new(), next: 0, random, taken: Duration::ZERO, asked: 0, refused: 0 };
        while filled.open.len() < OPEN && filled.asked < 4 * OPEN {
            filled.grant(city)?;
        }
        if filled.open.len() < OPEN {
            Err(BenchError::Nothing("the city has no room for its claims"))
        } else {
            Ok(filled)
        }
    }

    fn grant(&mut self, city: &City) -> Result<(), BenchError> {
        self.next += 1;
        let department = self.random.index(city.departments());
        let host = Host { department, number: self.next, size: Size::any(&mut self.random) };
        if let Some(claim) = self.decide(city, host)? {
            self.open.push((host, claim));
        }
        Ok(())
    }

    fn decide(&mut self, city: &City, host: Host) -> Result<Option<ClaimId>, BenchError> {
        // Making the request up is the asker's work.
        let request = host.request(city, None);
        let started = Instant::now();
        let claim = self.book.decide(&request)?;
        self.taken += started.elapsed();
        self.asked += 1;
        self.refused += usize::from(claim.is_none());
        Ok(claim)
    }

    fn resize(&mut self, city: &City) -> Result<(), BenchError> {
        let index = self.random.index(self.open.len());
        let Some((host, _)) = self.open.get(index).copied() else { return Ok(()) };
        let resized = Host { size: Size::any(&mut self.random), ..host };
        if self.decide(city, resized)?.is_some()
            && let Some(open) = self.open.get_mut(index)
        {
            open.0 = resized;
        }
        Ok(())
    }

    fn release(&mut self) -> Result<(), BenchError> {
        let index = self.random.index(self.open.len());
        if self.open.is_empty() {
            return Ok(());
        }
        let (_, claim) = self.open.swap_remove(index);
        let started = Instant::now();
        self.book.record(&Command::End(claim))?;
        self.book.record(&Command::Release(claim))?;
        self.taken += started.elapsed();
        self.asked += 1;
        Ok(())
    }

    /// Grants, resizes and releases, about as many claims open after as before.
    fn mixed(mut self, city: &City, count: usize) -> Result<Self, BenchError> {
        (self.taken, self.asked, self.refused) = (Duration::ZERO, 0, 0);
        while self.asked < count {
            let grants = if self.open.len() > OPEN { 25 } else { 45 };
            match self.random.below(100) {
                draw if draw < grants => self.grant(city)?,
                draw if draw < grants + 25 => self.resize(city)?,
                _ => self.release()?,
            }
        }
        Ok(self)
    }

    fn rate(&self) -> f64 {
        number(self.asked) / self.taken.as_secs_f64()
    }
}

/// An entry as full as the writer makes them: its bytes in the store.
///
/// # Errors
/// When it cannot be made.
pub fn full_entry(city: &City) -> Result<Vec<u8>, BenchError> {
    let (mut book, mut random) = (Book::open(city)?, Random::new(SEED));
    for granted in 0..BATCH {
        let host = Host { department: granted, number: granted as u64, size: Size::any(&mut random) };
        book.decide(&host.request(city, None))?;
    }
    let events = book.state().claims().map(|claim| Event::ClaimGranted { claim: Arc::clone(claim) });
    let entry = Entry { seq: 1, at: book.state().at(), epoch: 1, events: events.collect() };
    Ok(serde_json::to_vec(&entry)?)
}

/// Measures it.
///
/// # Errors
/// See [`BenchError`].
pub async fn measure(options: &Options) -> Result<Figure, BenchError> {
    let count = usize::try_from(options.decisions).unwrap_or(usize::MAX);
    let runs = options.runs;
    say(&format!("decisions: {OPEN} claims, then {runs} times {count} decisions"));
    let decided = tokio::task::spawn_blocking(move || {
        let city = City::new(CITY);
        let filled = Traffic::fill(&city)?;
        let runs = (0..runs).map(|_| filled.clone().mixed(&city, count)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, BenchError>((runs, full_entry(&city)?))
    });
    let (runs, entry) = decided.await??;

    let lab = Lab::start(LabOptions::bare()).await?;
    let raw = Raw::start(&lab, "/jiyun/bench/decisions/").await?;
    let (manner, transactions) = raw.best(&entry, TRANSACTIONS).await?;
    lab.stop().await?;

    let rates: Vec<f64> = runs.iter().map(Traffic::rate).collect();
    let ours = median(&rates).ok_or(BenchError::Nothing("nothing was decided"))?;
    let (least, most) = range(&rates).unwrap_or_default();
    let refused = runs.iter().map(|run| run.refused).sum::<usize>();
    let asked = runs.iter().map(|run| run.asked).sum::<usize>().max(1);
    let events = runs.first().map(|run| run.book.state().claims().count()).unwrap_or_default();
    let comparison = Comparison {
        ours,
        reference: transactions * number(BATCH),
        what_reference_is: format!(
            "decisions the ledger's etcd could write, {BATCH} in a transaction of {} bytes, at its best rate \
             ({transactions:.0} transactions/s, {} connections, {} under way)",
            entry.len(),
            manner.connections,
            manner.concurrency
        ),
        unit: "decisions/s".into(),
        runs: runs.len(),
        notes: vec![
            format!("ours: {least:.0} to {most:.0} decisions/s; {:.1} µs each, on one core", 1e6 / ours),
            format!(
                "{OPEN} claims open, {events} in the book at the end; {:.1} % refused; a release is two commands and \
                 counts once",
                100.0 * number(refused) / number(asked)
            ),
            "ours decides and applies, and neither writes JSON nor waits; etcd does not decide".into(),
            "for scale: Kueue publishes 42.7 admissions/s of its own harness, held at 50 requests/s; another machine and \
             another task"
                .into(),
        ],
    };
    Ok(Figure::new(Name::DecisionsPerSecond, comparison, GOAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traffic_comes_again_with_its_seed_and_the_book_stays_right() {
        let city = City::new(Shape { departments: 20, cores: 4000, above: 99 });
        let run = || Traffic::fill(&city).unwrap().mixed(&city, 500).unwrap();
        let (one, other) = (run(), run());
        assert_eq!(one.book.state().digest().unwrap(), other.book.state().digest().unwrap());
        assert_eq!((one.asked, one.refused), (other.asked, other.refused));
        assert!(one.book.state().verify().is_empty());
    }

    #[test]
    fn a_full_entry_holds_as_many_grants_as_the_writer_takes() {
        let bytes = full_entry(&City::new(CITY)).unwrap();
        let entry: Entry = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(entry.events.len(), BATCH);
    }
}
