//! The requests that become one entry: decided one after the other, each seeing those before it.

use std::sync::Arc;

use jiff::Timestamp;

use super::again;
use crate::{
    core::{
        claim::ClaimId,
        command,
        decide::{Decision, Plan, check_holder, decide},
        event::{Entry, Event, HoldEnd, MAX_ENTRY_BYTES},
        placement::PlacementReport,
        request::ClaimRequest,
        state::State,
    },
    handle::{Commit, LedgerError, Message, Reply},
};

/// The most bytes of what one request records. An entry stays below [`MAX_ENTRY_BYTES`] if it takes no more once it has less room.
const MAX_EVENT_BYTES: usize = 256 * 1024;
/// The most holds ended in one entry; more wait for the next, which follows at once.
const MOST_SWEPT: usize = 512;
/// What an entry needs besides its events.
const FRAME_BYTES: usize = 1024;

/// An answer that waits for the entry.
enum Pending {
    Decision(Reply<Decision>, Result<Outcome, LedgerError>),
    Commit(Reply<Commit>, Result<bool, LedgerError>),
}

/// A decision whose claim is read from the state the entry leads to.
enum Outcome {
    Done(Box<Decision>),
    Claimed(ClaimId, PlacementReport),
}

pub(super) struct Batch<'a> {
    committed: &'a State,
    working: State,
    at: Timestamp,
    events: Vec<Event>,
    bytes: usize,
    /// Holds ended so far.
    swept: usize,
    pending: Vec<Pending>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(committed: &'a State, at: Timestamp) -> Self {
        let mut batch = Self {
            committed,
            working: committed.clone(),
            at,
            events: Vec::new(),
            bytes: FRAME_BYTES,
            swept: 0,
            pending: Vec::new(),
        };
        batch.sweep();
        batch
    }

    /// Ends the holds whose deadline has passed, before anything is decided: what they set aside is free. Not in
    /// quarantine, when nothing is.
    fn sweep(&mut self) {
        if self.working.quarantine().is_some() {
            return;
        }
        let left = MOST_SWEPT.saturating_sub(self.swept);
        let ended: Vec<ClaimId> = self.working.holds_ended_by(self.at).take(left).collect();
        self.swept += ended.len();
        for claim in ended {
            if let Err(error) = self.push(Event::HoldEnded { claim, why: HoldEnd::Expired }) {
                tracing::error!(%claim, %error, "a hold whose deadline passed cannot be ended");
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// About what the entry takes in the store.
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes + MAX_EVENT_BYTES < MAX_ENTRY_BYTES
    }

    /// Decides one request; its answer waits. Holds are ended first: a quarantine may have been lifted just before.
    pub(super) fn take(&mut self, message: Message) {
        self.sweep();
        match message {
            // Nobody waits any more: what was not begun is not done.
            Message::Decide(_, _, reply) if reply.is_closed() => {}
            Message::Record(_, reply) if reply.is_closed() => {}
            Message::Decide(request, claim, reply) => {
                let held = claim.map_or(Ok(()), |claim| check_holder(&self.working, &request, claim));
                let outcome = held.map_err(LedgerError::from).and_then(|()| self.decide(&request));
                self.pending.push(Pending::Decision(reply, outcome));
            }
            Message::Record(command, reply) => {
                let changed = command::plan(&self.working, &command, self.at).map_err(LedgerError::from);
                let changed = changed.and_then(|event| match event {
                    Some(event) => self.push(event).map(|()| true),
                    None => Ok(false),
                });
                self.pending.push(Pending::Commit(reply, changed));
            }
        }
    }

    fn decide(&mut self, request: &ClaimRequest) -> Result<Outcome, LedgerError> {
        match decide(&self.working, request, self.at)? {
            Plan::Keep(claim) => {
                let report = PlacementReport::default();
                Ok(Outcome::Done(Box::new(Decision::Granted { claim, report, existing: true })))
            }
            Plan::Refuse { refusal, events } => {
                self.push_all(events)?;
                Ok(Outcome::Done(Box::new(Decision::Refused(refusal))))
            }
            Plan::Record { claim, events, report } => {
                self.push_all(events)?;
                Ok(Outcome::Claimed(claim, report))
            }
        }
    }

    fn push(&mut self, event: Event) -> Result<(), LedgerError> {
        self.push_all(vec![event])
    }

    /// All of them or none.
    fn push_all(&mut self, events: Vec<Event>) -> Result<(), LedgerError> {
        let size = |event: &Event| serde_json::to_vec(event).map_or(usize::MAX, |json| json.len() + 1);
        let bytes = events.iter().map(size).fold(0, usize::saturating_add);
        if bytes > MAX_EVENT_BYTES {
            return Err(LedgerError::TooLarge { bytes, limit: MAX_EVENT_BYTES });
        }
        for event in &events {
            if let Err(error) = self.working.apply_event(self.at, event) {
                tracing::error!(%error, "an event that was planned cannot be applied");
                self.working = again(self.committed, self.at, &self.events)?;
                return Err(error.into());
            }
        }
        self.bytes += bytes;
        self.events.extend(events);
        Ok(())
    }

    /// The entry to write; none if nothing changed.
    pub(super) fn entry(&self, epoch: i64) -> Option<Entry> {
        (!self.events.is_empty()).then(|| Entry {
            seq: self.committed.seq() + 1,
            at: self.at,
            epoch,
            events: self.events.clone(),
        })
    }

    /// The state after `entry`.
    pub(super) fn sealed(&mut self, entry: &Entry) -> State {
        self.working.seal(entry.seq, entry.at);
        self.working.clone()
    }

    /// Answers everyone, after the commit (or without one, if nothing changed).
    pub(super) fn answer(self) {
        let Self { working, pending, .. } = self;
        let commit = |changed| Commit { revision: working.seq(), at: working.at(), changed };
        for pending in pending {
            // A caller who went away needs no answer.
            match pending {
                Pending::Decision(reply, outcome) => drop(reply.send(outcome.and_then(|outcome| match outcome {
                    Outcome::Done(decision) => Ok(*decision),
                    Outcome::Claimed(id, report) => {
                        let claim = working.claim(id).map(Arc::clone).ok_or(LedgerError::Unknown)?;
                        Ok(Decision::Granted { claim, report, existing: false })
                    }
                }))),
                Pending::Commit(reply, changed) => drop(reply.send(changed.map(commit))),
            }
        }
    }

    /// Tells everyone that nothing was recorded, save those who had an error of their own.
    pub(super) fn fail(self, error: &LedgerError) {
        for pending in self.pending {
            match pending {
                Pending::Decision(reply, outcome) => drop(reply.send(Err(outcome.err().unwrap_or(error.clone())))),
                Pending::Commit(reply, changed) => drop(reply.send(Err(changed.err().unwrap_or(error.clone())))),
            }
        }
    }
}

/// Tells one caller that its request was not looked at.
pub(super) fn refuse(message: Message, error: &LedgerError) {
    match message {
        Message::Decide(_, _, reply) => drop(reply.send(Err(error.clone()))),
        Message::Record(_, reply) => drop(reply.send(Err(error.clone()))),
    }
}
