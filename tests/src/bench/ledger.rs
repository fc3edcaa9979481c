//! The account book's own figures: how fast it decides, what it writes and keeps, and whether it ever gives too much.

mod ask;
mod book;
mod ceiling;
mod city;
mod decisions;
mod growth;
mod random;
mod reach;
mod recount;
mod resident;
mod scales;
mod storm;
mod throughput;

pub use self::{random::Random, recount::Recount};
pub use decisions::measure as decisions;
pub use growth::measure as growth;
pub use resident::{fill, measure as resident};
pub use storm::{Storm, rage as storm};
pub use throughput::measure as throughput;
