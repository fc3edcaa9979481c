//! Cloud hosts: ordering them, and what was decided on them.

mod create;
mod decision;

use super::department::{is_missing, named};

pub(super) use create::{drafted, there};
pub use decision::Ordered;
