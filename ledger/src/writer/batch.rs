//! The requests that become one entry: decided one after the other, each seeing those before it.

use std::sync::Arc;

use jiff::Timestamp;

use super::again;
use crate::{
    core::{
        claim::ClaimId,
        command,
        decide::{Decision, Plan, decide},
        event::{Entry, Event, MAX_ENTRY_BYTES},
        placement::PlacementReport,
        request::ClaimRequest,
        state::State,
    },
    handle::{Commit, LedgerError, Message, Reply},
};

/// The most bytes of one event. An entry stays below [`MAX_ENTRY_BYTES`] if it takes no more once it has less room.
const MAX_EVENT_BYTES: usize = 256 * 1024;
/// What an entry needs besides its events.
const FRAME_BYTES: usize = 1024;

/// An answer that waits for the entry.
enum Pending {
    Decision(Reply<Decision>, Result<Outcome, LedgerError>),
    Commit(Reply<Commit>, Result<bool, LedgerError>),
}

/// A decision whose claim is read from the state the entry leads to.
enum Outcome {
    Done(Decision),
    Claimed(ClaimId, PlacementReport),
}

pub(super) struct Batch<'a> {
    committed: &'a State,
    working: State,
    at: Timestamp,
    events: Vec<Event>,
    bytes: usize,
    pending: Vec<Pending>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(committed: &'a State, at: Timestamp) -> Self {
        Self { committed, working: committed.clone(), at, events: Vec::new(), bytes: FRAME_BYTES, pending: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes + MAX_EVENT_BYTES < MAX_ENTRY_BYTES
    }

    /// Decides one request; its answer waits.
    pub(super) fn take(&mut self, message: Message) {
        match message {
            // Nobody waits any more: what was not begun is not done.
            Message::Decide(_, reply) if reply.is_closed() => {}
            Message::Record(_, reply) if reply.is_closed() => {}
            Message::Decide(request, reply) => {
                let outcome = self.decide(&request);
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
                Ok(Outcome::Done(Decision::Granted { claim, report: PlacementReport::default(), existing: true }))
            }
            Plan::Refuse(refusal) => Ok(Outcome::Done(Decision::Refused(refusal))),
            Plan::Record(event, report) => {
                let claim = match &event {
                    Event::ClaimGranted { claim } => Some(claim.id),
                    Event::ClaimAmended { claim, .. } => Some(*claim),
                    _ => None,
                };
                self.push(event)?;
                claim.map(|claim| Outcome::Claimed(claim, report)).ok_or(LedgerError::Unknown)
            }
        }
    }

    fn push(&mut self, event: Event) -> Result<(), LedgerError> {
        let bytes = serde_json::to_vec(&event).map_or(usize::MAX, |json| json.len() + 1);
        if bytes > MAX_EVENT_BYTES {
            return Err(LedgerError::TooLarge { bytes, limit: MAX_EVENT_BYTES });
        }
        if let Err(error) = self.working.apply_event(self.at, &event) {
            tracing::error!(%error, "an event that was planned cannot be applied");
            self.working = again(self.committed, self.at, &self.events)?;
            return Err(error.into());
        }
        self.bytes += bytes;
        self.events.push(event);
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
                    Outcome::Done(decision) => Ok(decision),
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
        Message::Decide(_, reply) => drop(reply.send(Err(error.clone()))),
        Message::Record(_, reply) => drop(reply.send(Err(error.clone()))),
    }
}
