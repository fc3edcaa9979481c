//! A book without a store or a writer: what is decided is applied at once.

use jiff::Timestamp;
use jiyun_ledger::{
    ClaimId, ClaimRequest, Command, Entry, Event, Lineage, Plan, State,
    core::{command, decide::decide},
};

use super::city::City;
use crate::bench::BenchError;

/// As many decisions as the writer puts into one entry.
pub const BATCH: usize = 128;

/// See the module.
#[derive(Clone, Debug)]
pub struct Book {
    state: State,
    /// The state as readers have it meanwhile, so that the working copy shares its structure as the writer's does.
    committed: State,
    changes: usize,
    at: Timestamp,
}

impl Book {
    /// A book with a city's accounts and pools.
    ///
    /// # Errors
    /// When they contradict each other.
    pub fn open(city: &City) -> Result<Self, BenchError> {
        let at = Timestamp::from_second(1_800_000_000).map_err(BenchError::ledger("the time"))?;
        let mut book = Self { state: State::default(), committed: State::default(), changes: 0, at };
        book.write(vec![Event::Opened { lineage: Lineage::new("bench"), peer_lineage: Lineage::new("hub") }])?;
        for command in city.commands() {
            book.record(&command)?;
        }
        Ok(book)
    }

    /// As it is now.
    pub const fn state(&self) -> &State {
        &self.state
    }

    fn write(&mut self, events: Vec<Event>) -> Result<(), BenchError> {
        if events.is_empty() {
            return Ok(());
        }
        let entry = Entry { seq: self.state.seq() + 1, at: self.at, epoch: 1, events };
        self.state.apply(&entry).map_err(BenchError::ledger("an entry"))?;
        self.changes += 1;
        if self.changes.is_multiple_of(BATCH) {
            self.committed = self.state.clone();
        }
        Ok(())
    }

    /// Records a command.
    ///
    /// # Errors
    /// When it may not be recorded.
    pub fn record(&mut self, wish: &Command) -> Result<(), BenchError> {
        let event = command::plan(&self.state, wish, self.at).map_err(BenchError::ledger("a command"))?;
        self.write(event.into_iter().collect())
    }

    /// Decides a request; the claim, unless it was refused.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn decide(&mut self, request: &ClaimRequest) -> Result<Option<ClaimId>, BenchError> {
        match decide(&self.state, request, self.at).map_err(BenchError::ledger("a request"))? {
            Plan::Keep(claim) => Ok(Some(claim.id)),
            Plan::Refuse { events, .. } => self.write(events).map(|()| None),
            Plan::Record { claim, events, .. } => self.write(events).map(|()| Some(claim)),
        }
    }
}
