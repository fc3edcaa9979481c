//! The pure half of the account book: values, events, the state they lead to, and every decision and report on it.

pub mod account;
pub mod balance;
pub mod claim;
pub mod command;
pub mod decide;
pub mod dimensions;
pub mod event;
mod floor;
mod flow;
pub mod label;
pub mod meter;
pub mod money;
pub mod month;
pub mod placement;
pub mod pool;
pub mod price;
pub mod refusal;
pub mod request;
pub mod state;
pub mod statement;
pub mod usage;
pub mod waiting;
