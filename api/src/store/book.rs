//! The ledger as the API sees it: the newest state the follower has, or word that there is none fit to show.

use std::sync::Arc;

use jiyun_ledger::State;

/// The ledger at one revision, and the moment it is known to be complete up to.
#[derive(Clone)]
pub struct Reading {
    /// The state.
    pub state: Arc<State>,
    /// Up to when use may be counted from it, in whole seconds.
    pub as_of: jiff::Timestamp,
}

/// The ledger cannot be read now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Not everything has been read since the start.
    #[error("the ledger was not read to its end yet")]
    CatchingUp,
    /// The store does not answer, so what is here may be old.
    #[error("the ledger was last heard of {seconds} s ago")]
    Stale {
        /// How long ago.
        seconds: u64,
    },
}

/// Reads the ledger.
pub trait Book: Send + Sync {
    /// The ledger now.
    fn read(&self) -> Result<Reading, BookError>;

    /// The number of the last entry known, whether fit to show or not.
    fn revision(&self) -> u64;

    /// How far behind the store this reader may be, in seconds; none before the first reading.
    fn lag_seconds(&self) -> Option<u64>;
}
