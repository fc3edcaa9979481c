//! Why a record was not acknowledged: the change it belongs to may not be made.

use crate::{heads::HeadError, store::StoreError};

/// Why a record was not acknowledged. It may be in the trail all the same, as something that was tried.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unwritable {
    /// The process has just started and has not read the end of the chain yet.
    #[error("the audit trail is not open yet")]
    Opening,
    /// The files.
    #[error("the files of the audit trail cannot be written")]
    Files(#[from] StoreError),
    /// The head.
    #[error("the head of the audit trail cannot be kept")]
    Head(#[from] HeadError),
    /// The program is ending, or a fault of this program ended the task that writes.
    #[error("the audit trail is closed")]
    Closed,
}
