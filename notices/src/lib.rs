//! Notices (通知): who has to be told what, in which words, and how a webhook proves that it comes from here.
//!
//! Pure: no client, no clock, no randomness. A notice is a function of what an object says and of the time, under a name
//! that is the same after a restart; who was told it already is the controller's to know.

pub mod body;
pub mod host;
pub mod notice;
pub mod order;
pub mod signature;
pub mod words;

pub use body::Body;
pub use host::{next_of_host, of_host};
pub use notice::{Event, Notice, Recipients, Subject};
pub use order::{Horizon, matter_is_over, of_order};
pub use signature::{InvalidSecret, Secret, sign};
