//! The audit trail (操作留痕): who changed what, when, from where, and with which result, so that it can be proven later.
//!
//! [`core`] is pure: records, the chain their lines form, and the verifier that finds what was changed, taken out, put
//! elsewhere or cut off. It knows no clock, no file and no store.
//! [`store`] keeps the chain in files and reads them back; [`heads`] keeps its head in etcd. [`Trail`] is the handle of a
//! program: a record is acknowledged once both have it, and a trail that cannot be written says so at once.

pub mod core;
pub mod figures;
pub mod heads;
mod keeper;
pub mod store;
mod trail;
mod unwritable;

pub use crate::{
    keeper::{Options, PROBE_EVERY},
    trail::{Sequence, Trail},
    unwritable::Unwritable,
};
