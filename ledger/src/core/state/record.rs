//! A state as a row of records, for keeping it outside: everything but what can be derived.

use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        account::Account, claim::Claim, command::CommandError, event::Lineage, price::PriceBook, waiting::Waiting,
    },
    PeerMark, PoolRecord, Quarantine, State,
    index::Index,
};

/// One part of a state. The head comes first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Record {
    /// What there is one of.
    Head(Box<Head>),
    /// An account.
    Account(Arc<Account>),
    /// A pool with the history of its capacity.
    Pool(Arc<PoolRecord>),
    /// A price book.
    Book(Arc<PriceBook>),
    /// A claim, open or released.
    Claim(Arc<Claim>),
    /// A request that waits.
    Waiting(Arc<Waiting>),
}

/// What a state has one of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    seq: u64,
    at: Timestamp,
    lineage: Option<Lineage>,
    peer: Option<PeerMark>,
    quarantine: Option<Quarantine>,
    last_claim: u64,
    last_ticket: u64,
}

/// Records that make no state.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RestoreError {
    /// The head is missing, not first, or comes twice.
    #[error("the records of a state do not begin with its one head")]
    Head,
    /// The records contradict each other.
    #[error("the records of a state contradict each other")]
    Contradiction(#[from] CommandError),
}

impl State {
    /// The state as records, in a fixed order.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        // All fields by name: one that is added later must find its place here.
        let Self {
            seq,
            at,
            lineage,
            peer,
            quarantine,
            last_claim,
            last_ticket,
            accounts,
            pools,
            books,
            claims,
            waiting,
            index: _,
        } = self;
        let head = Head {
            seq: *seq,
            at: *at,
            lineage: lineage.clone(),
            peer: peer.clone(),
            quarantine: quarantine.clone(),
            last_claim: *last_claim,
            last_ticket: *last_ticket,
        };
        std::iter::once(Record::Head(Box::new(head)))
            .chain(accounts.values().cloned().map(Record::Account))
            .chain(pools.values().cloned().map(Record::Pool))
            .chain(books.values().cloned().map(Record::Book))
            .chain(claims.values().cloned().map(Record::Claim))
            .chain(waiting.values().cloned().map(Record::Waiting))
    }

    /// The state these records were made of; what is derived is derived again.
    pub fn restore<E: From<RestoreError>>(records: impl IntoIterator<Item = Result<Record, E>>) -> Result<Self, E> {
        let mut records = records.into_iter();
        let Some(Record::Head(head)) = records.next().transpose()? else { return Err(RestoreError::Head.into()) };
        let mut state = Self {
            seq: head.seq,
            at: head.at,
            lineage: head.lineage,
            peer: head.peer,
            quarantine: head.quarantine,
            last_claim: head.last_claim,
            last_ticket: head.last_ticket,
            accounts: OrdMap::new(),
            pools: OrdMap::new(),
            books: OrdMap::new(),
            claims: OrdMap::new(),
            waiting: OrdMap::new(),
            index: Index::default(),
        };
        for record in records {
            match record? {
                Record::Head(_) => return Err(RestoreError::Head.into()),
                Record::Account(account) => drop(state.accounts.insert(account.id.clone(), account)),
                Record::Pool(pool) => drop(state.pools.insert(pool.pool.id.clone(), pool)),
                Record::Book(book) => drop(state.books.insert(book.valid_from, book)),
                Record::Claim(claim) => drop(state.claims.insert(claim.id, claim)),
                Record::Waiting(waiting) => drop(state.waiting.insert(waiting.ticket, waiting)),
            }
        }
        state.index = Index::rebuild(&state).map_err(RestoreError::Contradiction)?;
        Ok(state)
    }
}
