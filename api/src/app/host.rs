//! Cloud hosts: ordering them, and what was decided on them.

mod create;
mod decision;
mod wish;

use super::department::{is_missing, named};

pub(super) use create::{Draft, drafted, system_there, there};
pub use decision::Ordered;
pub use wish::Wish;
