//! Cloud hosts: ordering, changing and restarting them, and what was decided on them.

mod change;
mod create;
mod decision;
mod guards;
mod references;
mod restart;
mod wish;

use super::department::{is_missing, named};

pub(super) use create::{Draft, contradiction, drafted};
pub use decision::Ordered;
pub use guards::{database_guarded, guarded, snapshot_guarded, storage_guarded};
pub(super) use references::{References, system_there, there};
pub use wish::Wish;
