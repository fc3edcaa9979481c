//! Cloud hosts: ordering them, and what was decided on them.

mod create;
mod decision;

use super::department::{is_missing, named};

pub use decision::Ordered;
