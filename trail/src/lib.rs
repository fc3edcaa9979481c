//! The audit trail (操作留痕): who changed what, when, from where, and with which result, so that it can be proven later.
//!
//! [`core`] is pure: records, the chain their lines form, and the verifier that finds what was changed, taken out, put
//! elsewhere or cut off. It knows no clock, no file and no store.
//! [`store`] keeps the chain in files and reads them back.

pub mod core;
pub mod store;
