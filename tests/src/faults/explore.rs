//! Fault points explored one after the other, and how many there are.

use std::fmt;

use etcd_client::Client;

use super::{
    FaultError, chain,
    grounds::{InEtcd, InMemory},
    play::Play,
    rehearse::{Ground, cut_at, undisturbed},
    script::script,
    stage::{Outcome, Stage, Turn},
    trace::{Cut, Side},
};

/// After so many violations there is enough to look at.
const ENOUGH: usize = 3;

/// What came of a number of deaths.
#[derive(Clone, Debug, Default)]
pub struct Explored {
    /// Points of the runs without a fault, each with both of its sides.
    pub possible: usize,
    /// Those at which somebody died, and all was the same in the end.
    pub explored: usize,
    /// Those chosen that the run did not come past.
    pub not_reached: Vec<String>,
    /// Those at which all was not the same in the end.
    pub violations: Vec<String>,
}

impl Explored {
    /// Adds other points.
    pub fn add(&mut self, other: Self) {
        self.possible += other.possible;
        self.explored += other.explored;
        self.not_reached.extend(other.not_reached);
        self.violations.extend(other.violations);
    }

    fn died(&mut self, outcome: Result<Outcome, FaultError>, cut: impl fmt::Display) {
        match outcome {
            Ok(Outcome::Same) => self.explored += 1,
            Ok(Outcome::NotReached) => self.not_reached.push(cut.to_string()),
            Err(error) => self.violations.push(chain(&error)),
        }
    }
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { possible, explored, not_reached, violations } = self;
        write!(f, "{explored} of {possible} fault points explored, {} violations", violations.len())?;
        if !not_reached.is_empty() {
            write!(f, ", not reached: {}", not_reached.join(", "))?;
        }
        Ok(())
    }
}

/// Which of `possible` deaths are tried: all of them, or some.
pub trait Choice {
    /// Indices below `possible`, each once.
    fn choose(&mut self, possible: usize) -> Vec<usize>;
}

/// All of them.
#[derive(Clone, Copy, Debug)]
pub struct All;

impl Choice for All {
    fn choose(&mut self, possible: usize) -> Vec<usize> {
        (0..possible).collect()
    }
}

/// The book's writer dies in memory, where its store is. For a runtime of one thread: there what is asked at once is
/// gathered into entries in the same way every time.
///
/// # Errors
/// When the book does not take its script without a fault.
pub async fn book_in_memory(choice: &mut impl Choice) -> Result<Explored, FaultError> {
    Box::pin(book(InMemory::default, choice)).await
}

/// The book's writer dies on a real etcd, which somebody reaches who may write everything.
///
/// # Errors
/// As [`book_in_memory`].
pub async fn book_in_etcd(client: &Client, choice: &mut impl Choice) -> Result<Explored, FaultError> {
    Box::pin(book(|| InEtcd::new(client.clone()), choice)).await
}

async fn book<G: Ground>(ground: impl Fn() -> G, choice: &mut impl Choice) -> Result<Explored, FaultError> {
    let script = script();
    let (expected, points) = undisturbed(&ground(), &script).await?;
    let cuts: Vec<Cut> =
        points.iter().flat_map(|point| Side::BOTH.map(|side| Cut { point: point.clone(), side })).collect();
    let mut explored = Explored { possible: cuts.len(), ..Explored::default() };
    for cut in choice.choose(cuts.len()).into_iter().filter_map(|index| cuts.get(index)) {
        let outcome = cut_at(&ground(), &script, cut, &expected).await;
        explored.died(outcome.map(|()| Outcome::Same), cut);
    }
    Ok(explored)
}

/// The controller is killed with SIGKILL at its changes to Kubernetes and to the book; `told` hears of each.
///
/// # Errors
/// When the plays do not work without a fault.
pub async fn controller(
    plays: &[Play],
    choice: &mut impl Choice,
    told: impl Fn(usize, &Explored),
) -> Result<Explored, FaultError> {
    let mut stage = Stage::build().await?;
    let mut deaths: Vec<(Turn, Cut)> = Vec::new();
    for play in plays {
        for turn in Box::pin(stage.undisturbed(*play)).await? {
            deaths.extend(Side::BOTH.map(|side| (turn.clone(), Cut { point: turn.point.clone(), side })));
        }
    }
    let mut explored = Explored { possible: deaths.len(), ..Explored::default() };
    for (number, index) in choice.choose(deaths.len()).into_iter().enumerate() {
        let Some((turn, cut)) = deaths.get(index) else { continue };
        let mut outcome = Box::pin(stage.cut_at(turn, cut)).await;
        if matches!(outcome, Ok(Outcome::NotReached)) {
            // What is written now and then came later this time.
            let patient = Turn { late: true, ..turn.clone() };
            outcome = Box::pin(stage.cut_at(&patient, cut)).await;
        }
        let spoilt = outcome.is_err();
        explored.died(outcome, format_args!("{:?}, {cut}", turn.play));
        told(number, &explored);
        if explored.violations.len() >= ENOUGH {
            break;
        }
        if spoilt {
            // What it left behind would be found again in every run after it.
            stage.close().await?;
            stage = Stage::build().await?;
            for play in plays {
                Box::pin(stage.undisturbed(*play)).await?;
            }
        }
    }
    stage.close().await?;
    Ok(explored)
}
