//! The audit trail (操作留痕) in this program: every change that is passed on, every request for one that was refused, and
//! tokens nobody accepts.

mod few;
mod origin;
mod recorder;
mod strangers;
mod write;

pub use self::{
    few::Few,
    origin::Origin,
    recorder::{Begun, Keeping, Recorder},
    write::{Asked, begun, console_closed, console_opened, order as order_of, refused, state_of, zone as zone_of},
};
