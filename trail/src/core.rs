//! Records, the chain over them, and the proof that it is whole. Pure: no clock, no randomness, no I/O.

pub mod action;
pub mod actor;
pub mod chain;
pub mod content;
pub mod hash;
pub mod head;
pub mod line;
pub mod object;
pub mod outcome;
pub mod record;
mod text;
pub mod verify;
pub mod writer;
