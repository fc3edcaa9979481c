//! Child processes of a lab: none outlives the process that holds the lab, whichever way that process ends.

mod child;
mod spawner;
mod supervisor;

pub(crate) use child::tail;
pub use child::{Exit, Failure, Process};
pub(crate) use spawner::tied;
pub use spawner::{Launch, SpawnError, Tie};
pub use supervisor::{GUEST_GRACE, Supervisor};
