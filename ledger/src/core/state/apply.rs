//! From one state to the next: the only place that changes a state.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    super::{
        account::Account,
        command::CommandError,
        event::{Entry, Event},
    },
    PeerMark, PoolRecord, Quarantine, State,
    counters::OutOfRange,
    floors::{self, Amounts},
};

/// An entry that does not follow from the entries before it. The state it was applied to must be thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// An entry is missing or comes twice.
    #[error("entry {found} follows entry {head}: the stream has a gap or repeats itself; load it again")]
    Sequence {
        /// The last entry applied.
        head: u64,
        /// The entry offered.
        found: u64,
    },
    /// Time went backwards.
    #[error("entry {seq} is dated {at}, before the entry ahead of it ({head})")]
    TimeBack {
        /// The entry.
        seq: u64,
        /// Its time.
        at: Timestamp,
        /// The time of the entry before.
        head: Timestamp,
    },
    /// An event contradicts the state.
    #[error("entry {seq} records what cannot be")]
    Event {
        /// The entry.
        seq: u64,
        /// Why.
        #[source]
        source: CommandError,
    },
}

impl State {
    /// Applies one entry. After an error the state is unspecified and must be thrown away.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        self.check_head(entry.seq, entry.at)?;
        for event in &entry.events {
            self.apply_event(entry.at, event).map_err(|source| ApplyError::Event { seq: entry.seq, source })?;
        }
        self.seal(entry.seq, entry.at);
        Ok(())
    }

    fn check_head(&self, seq: u64, at: Timestamp) -> Result<(), ApplyError> {
        if seq != self.seq + 1 {
            return Err(ApplyError::Sequence { head: self.seq, found: seq });
        }
        if at < self.at {
            return Err(ApplyError::TimeBack { seq, at, head: self.at });
        }
        Ok(())
    }

    /// Notes that all events of entry `seq` are applied.
    pub(crate) fn seal(&mut self, seq: u64, at: Timestamp) {
        self.seq = seq;
        self.at = at;
    }

    /// Applies one event of an entry dated `at`.
    pub(crate) fn apply_event(&mut self, at: Timestamp, event: &Event) -> Result<(), CommandError> {
        match event {
            Event::Opened { lineage, peer_lineage } => {
                if let Some(own) = &self.lineage {
                    return Err(CommandError::AlreadyOpen { lineage: own.clone() });
                }
                self.lineage = Some(lineage.clone());
                self.peer = Some(PeerMark { lineage: peer_lineage.clone(), high_water: 0 });
            }
            Event::AccountSet { account } => self.set_account(account)?,
            Event::PoolSet { pool } => {
                self.check_pool(pool)?;
                let record = PoolRecord::set(self.pools.get(&pool.id).map(Arc::as_ref), pool.clone(), at);
                self.pools.insert(pool.id.clone(), Arc::new(record));
            }
            Event::PricesSet { book } => {
                self.check_book(book)?;
                self.books.insert(book.valid_from, Arc::new(book.clone()));
            }
            Event::ClaimGranted { claim } | Event::ClaimAdopted { claim } => self.grant(claim)?,
            Event::ClaimAmended { claim, item, lines, spec_digest, approved_spec } => {
                self.amend(*claim, at, item, lines, spec_digest, approved_spec)?;
            }
            Event::HoldPlaced { claim, hold, held } => self.place_hold(*claim, at, hold, held)?,
            Event::HoldConfirmed { claim } => self.confirm_hold(*claim, at)?,
            Event::HoldEnded { claim, .. } => self.end_hold(*claim, at)?,
            Event::RequestQueued { ticket, request } => self.queue(*ticket, at, request)?,
            Event::RequestsOvertaken { tickets } => self.overtake(tickets)?,
            Event::RequestUnqueued { ticket, .. } => self.unqueue(*ticket)?,
            Event::ClaimTransferred { claim, account, system, subject, engine_namespace } => {
                self.transfer(*claim, at, (account, system), subject, engine_namespace)?;
            }
            Event::ClaimBillable { claim } => self.hand_over(*claim, at)?,
            Event::ClaimEnding { claim } => self.end(*claim, at)?,
            Event::ClaimReleased { claim } => self.release(*claim, at)?,
            Event::ClaimRebound { claim, uid } => self.rebind(*claim, uid)?,
            Event::PeerMarked { lineage, high_water } => {
                self.peer = Some(PeerMark { lineage: lineage.clone(), high_water: *high_water });
            }
            Event::Quarantined { reason } => {
                self.quarantine = Some(Quarantine { reason: reason.clone(), since: at });
            }
            Event::QuarantineLifted { .. } => self.quarantine = None,
        }
        Ok(())
    }

    fn set_account(&mut self, account: &Account) -> Result<(), CommandError> {
        self.check_account(account)?;
        let previous = self.accounts.get(&account.id).cloned();
        let old = match previous.as_ref().and_then(|previous| previous.parent.as_ref()) {
            Some(parent) => self.ancestry_ids(Some(parent))?,
            None => Vec::new(),
        };
        let new = self.ancestry_ids(account.parent.as_ref())?;
        let kept = self.kept_by(&account.id);
        self.index
            .hang(account, previous.as_deref(), &old, &new)
            .map_err(|OutOfRange| CommandError::AccountCounter { account: account.id.clone() })?;
        self.keep_along(&old, floors::difference(&kept, &Amounts::new()));
        self.accounts.insert(account.id.clone(), Arc::new(account.clone()));
        let kept = self.keep_anew(&account.id);
        self.keep_along(&new, floors::difference(&Amounts::new(), &kept));
        Ok(())
    }
}
