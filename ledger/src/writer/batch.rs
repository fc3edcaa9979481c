//! The requests that become one entry: decided one after the other, each seeing those before it.

use std::sync::Arc;

use jiff::Timestamp;

use super::again;
use crate::{
    core::{
        claim::ClaimId,
        command::{self, Command},
        decide::{Decision, Only, Plan, check, decide},
        event::{Event, HoldEnd, MAX_ENTRY_BYTES},
        placement::PlacementReport,
        request::ClaimRequest,
        state::State,
    },
    handle::{Commit, LedgerError, Message, Reply},
    store::{Draft, Sealed, StoreError},
};

/// The most requests in one entry: as many answers wait for one write.
const MAX_REQUESTS: usize = 128;
/// The most bytes of what one request records. An entry stays below [`MAX_ENTRY_BYTES`] if it takes no more once it has less room.
const MAX_EVENT_BYTES: usize = 256 * 1024;
/// The most holds ended in one entry; more wait for the next, which follows at once.
const MOST_SWEPT: usize = 512;

/// An answer that waits for the entry, with its request: if the batch comes to nothing, that is decided anew.
enum Pending {
    Decision(Box<ClaimRequest>, Only, Reply<Decision>, Result<Outcome, LedgerError>),
    Commit(Box<Command>, Reply<Commit>, Result<bool, LedgerError>),
}

/// A decision whose claim is read from the state the entry leads to.
enum Outcome {
    Done(Box<Decision>),
    Claimed(ClaimId, PlacementReport),
}

pub(super) struct Batch {
    base: Arc<State>,
    working: State,
    at: Timestamp,
    draft: Draft,
    /// Holds ended so far.
    swept: usize,
    pending: Vec<Pending>,
}

impl Batch {
    /// A batch of requests to be decided on `base`, dated `at`. Holds whose time has come are ended at once.
    pub(super) fn new(base: Arc<State>, at: Timestamp, epoch: i64) -> Result<Self, LedgerError> {
        let seq = base.seq() + 1;
        let draft = Draft::new(seq, at, epoch);
        let draft = draft.map_err(|source| LedgerError::Store(StoreError::unwritable(seq, source)))?;
        let working = State::clone(&base);
        let mut batch = Self { base, working, at, draft, swept: 0, pending: Vec::new() };
        batch.sweep();
        Ok(batch)
    }

    /// The date of what it records.
    pub(super) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether nobody waits for it and nothing is to be recorded.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.draft.events().is_empty()
    }

    pub(super) fn takes_more(&self) -> bool {
        self.pending.len() < MAX_REQUESTS && self.draft.len() + MAX_EVENT_BYTES < MAX_ENTRY_BYTES
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

    /// Decides one request; its answer waits. Holds are ended first: a quarantine may have been lifted just before.
    pub(super) fn take(&mut self, message: Message) {
        self.sweep();
        match message {
            // Nobody waits any more: what was not begun is not done.
            Message::Decide(_, _, reply) if reply.is_closed() => {}
            Message::Record(_, reply) if reply.is_closed() => {}
            Message::Decide(request, only, reply) => {
                let may = check(&self.working, &request, &only).map_err(LedgerError::from);
                let outcome = may.and_then(|()| self.decide(&request));
                self.pending.push(Pending::Decision(request, only, reply, outcome));
            }
            Message::Record(command, reply) => {
                let changed = command::plan(&self.working, &command, self.at).map_err(LedgerError::from);
                let changed = changed.and_then(|event| match event {
                    Some(event) => self.push(event).map(|()| true),
                    None => Ok(false),
                });
                self.pending.push(Pending::Commit(command, reply, changed));
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
        let too_large = |bytes| LedgerError::TooLarge { bytes, limit: MAX_EVENT_BYTES };
        let before = self.draft.write(&events, MAX_EVENT_BYTES).map_err(too_large)?;
        for event in &events {
            if let Err(error) = self.working.apply_event(self.at, event) {
                tracing::error!(%error, "an event that was planned cannot be applied");
                self.draft.take_back(before);
                self.working = again(&self.base, self.at, self.draft.events())?;
                return Err(error.into());
            }
        }
        self.draft.keep(events);
        Ok(())
    }

    /// Takes no more requests.
    pub(super) fn decided(self) -> Decided {
        let Self { base, mut working, at, draft, pending, .. } = self;
        if draft.events().is_empty() {
            return Decided { entry: None, state: base, pending };
        }
        let entry = draft.seal();
        working.seal(entry.seq(), at);
        Decided { entry: Some(entry), state: Arc::new(working), pending }
    }

    /// The requests, as if nobody had looked at them.
    pub(super) fn messages(self) -> impl Iterator<Item = Message> {
        self.pending.into_iter().map(|pending| match pending {
            Pending::Decision(request, only, reply, _) => Message::Decide(request, only, reply),
            Pending::Commit(command, reply, _) => Message::Record(command, reply),
        })
    }
}

/// A batch that is decided, and not yet answered.
pub(super) struct Decided {
    entry: Option<Sealed>,
    state: Arc<State>,
    pending: Vec<Pending>,
}

impl Decided {
    /// The entry to write; none if nothing changed.
    pub(super) const fn entry(&self) -> Option<&Sealed> {
        self.entry.as_ref()
    }

    /// The state the entry leads to.
    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// Answers everyone, once the entry is known to be written, or nobody else to have written if there is none.
    pub(super) fn answer(self) {
        let Self { state, pending, .. } = self;
        let commit = |changed| Commit { revision: state.seq(), at: state.at(), changed };
        for pending in pending {
            // A caller who went away needs no answer.
            match pending {
                Pending::Decision(_, _, reply, outcome) => {
                    drop(reply.send(outcome.and_then(|outcome| match outcome {
                        Outcome::Done(decision) => Ok(*decision),
                        Outcome::Claimed(id, report) => {
                            let claim = state.claim(id).map(Arc::clone).ok_or(LedgerError::Unknown)?;
                            Ok(Decision::Granted { claim, report, existing: false })
                        }
                    })));
                }
                Pending::Commit(_, reply, changed) => drop(reply.send(changed.map(commit))),
            }
        }
    }

    /// Tells everyone that nothing was recorded, save those who had an error of their own.
    pub(super) fn fail(self, error: &LedgerError) {
        for pending in self.pending {
            match pending {
                Pending::Decision(_, _, reply, outcome) => {
                    drop(reply.send(Err(outcome.err().unwrap_or(error.clone()))));
                }
                Pending::Commit(_, reply, changed) => drop(reply.send(Err(changed.err().unwrap_or(error.clone())))),
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
