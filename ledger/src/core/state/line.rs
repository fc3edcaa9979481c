//! The line of requests that wait for room.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    super::{
        account::AccountId,
        claim::Subject,
        command::CommandError,
        request::ClaimRequest,
        waiting::{Ticket, Waiting},
    },
    State,
};

impl State {
    pub(super) fn queue(&mut self, ticket: Ticket, at: Timestamp, request: &ClaimRequest) -> Result<(), CommandError> {
        let uid = &request.subject.uid;
        if ticket.0 <= self.last_ticket || self.index.waiting_by_subject.contains_key(uid) {
            return Err(CommandError::Ticket { ticket: ticket.0 });
        }
        self.last_ticket = ticket.0;
        self.index.waiting_by_subject.insert(uid.clone(), ticket);
        let waiting = Waiting { ticket, request: request.clone(), since: at, overtaken: 0 };
        self.waiting.insert(ticket, Arc::new(waiting));
        Ok(())
    }

    /// Whoever waits and becomes another object, or another account's, keeps the place; of two places the earlier.
    pub(super) fn keep_place(&mut self, old: &Subject, new: &Subject, holder: Option<(&AccountId, &str)>) {
        let Some(mut ticket) = self.index.waiting_by_subject.remove(&old.uid) else { return };
        if let Some(other) = self.index.waiting_by_subject.remove(&new.uid).filter(|other| *other != ticket) {
            self.waiting.remove(&ticket.max(other));
            ticket = ticket.min(other);
        }
        self.index.waiting_by_subject.insert(new.uid.clone(), ticket);
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            let request = &mut Arc::make_mut(waiting).request;
            new.clone_into(&mut request.subject);
            if let Some((account, system)) = holder {
                account.clone_into(&mut request.account);
                system.clone_into(&mut request.system);
            }
        }
    }

    pub(super) fn overtake(&mut self, tickets: &[Ticket]) -> Result<(), CommandError> {
        for ticket in tickets {
            let waiting = self.waiting.get_mut(ticket).ok_or(CommandError::Ticket { ticket: ticket.0 })?;
            let passed = Arc::make_mut(waiting);
            passed.overtaken = passed.overtaken.saturating_add(1);
        }
        Ok(())
    }

    pub(super) fn unqueue(&mut self, ticket: Ticket) -> Result<(), CommandError> {
        let waiting = self.waiting.remove(&ticket).ok_or(CommandError::Ticket { ticket: ticket.0 })?;
        self.index.waiting_by_subject.remove(&waiting.request.subject.uid);
        Ok(())
    }
}
