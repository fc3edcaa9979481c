//! Orders (申请单) and who decides them: which policies apply, until when somebody has time, and what the decisions made
//! so far come to.
//!
//! Pure: no client, no clock, no randomness. The controller decides with it, the API previews with it.

pub mod calendar;
pub mod clock;
pub mod digest;
pub mod requirement;
pub mod rules;
pub mod verdict;

pub use calendar::{Calendar, CalendarError};
pub use clock::{Turn, Window};
pub use requirement::{About, Approvers, Facts, Requirement, Size, required, without_people};
pub use rules::{policies_of, rules_for};
pub use verdict::{Case, Ignored, Outcome, Vote, Weighed, weigh};
