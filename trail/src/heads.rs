//! Where heads are kept: a store that the trail's files cannot reach, so that whoever changes the files is found.

use std::{future::Future, sync::Arc, time::Duration};

use crate::core::{
    head::{Head, Pruned},
    writer::Writer,
};

pub mod etcd;
pub mod memory;

/// What is kept of one chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The last acknowledged record.
    pub head: Option<Head>,
    /// Up to where segments were deleted.
    pub pruned: Option<Pruned>,
    /// The store's own revision of the head; 0 without one. A change is made only on top of it.
    pub revision: i64,
}

impl Marks {
    /// A head never goes back.
    pub(crate) fn leads_to(&self, head: &Head) -> Result<(), HeadError> {
        match &self.head {
            Some(before) if before.sequence >= head.sequence => {
                Err(HeadError::Backwards { from: before.sequence, to: head.sequence })
            }
            _ => Ok(()),
        }
    }
}

/// A head could not be read or moved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HeadError {
    /// No answer, or an error for an answer. A change may have been made all the same.
    #[error("heads of the trail: {what} failed; check that etcd is reachable and may be written under trail/")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time. A change may have been made all the same.
    #[error("heads of the trail: {what} took longer than {after:?}; check that etcd is reachable and healthy")]
    TimedOut {
        /// What was tried.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// Something else than a head lies there.
    #[error(
        "key {key} does not hold a head of the trail; it is put right by hand, from a head that was kept elsewhere"
    )]
    Corrupt {
        /// The key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing was written: the head is not where this process left it.
    #[error("the head of {writer} was moved by another process; every process needs a writer name of its own")]
    Moved {
        /// Whose head.
        writer: Writer,
    },
    /// Nothing was written: a head never goes back.
    #[error("the head is at record {from} and does not go back to {to}")]
    Backwards {
        /// Where it is.
        from: u64,
        /// Where it was to go.
        to: u64,
    },
}

/// Keeps heads. A head moves only forward, and only from where its writer left it.
pub trait Heads: Send + Sync + 'static {
    /// What is kept of this writer's chain.
    fn read(&self, writer: &Writer) -> impl Future<Output = Result<Marks, HeadError>> + Send;

    /// Moves the head on, if it still is where `from` says; gives what is kept then. Moving it there again is safe.
    fn advance(
        &self,
        writer: &Writer,
        from: &Marks,
        head: &Head,
    ) -> impl Future<Output = Result<Marks, HeadError>> + Send;

    /// Notes up to where segments are deleted, if the head still is where `from` says.
    fn prune(
        &self,
        writer: &Writer,
        from: &Marks,
        pruned: &Pruned,
    ) -> impl Future<Output = Result<Marks, HeadError>> + Send;

    /// Every writer that ever had a head, in the order of their names.
    fn writers(&self) -> impl Future<Output = Result<Vec<Writer>, HeadError>> + Send;
}
