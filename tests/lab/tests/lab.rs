//! The lab's own promises: it starts, it serves, it simulates, it leaves nothing behind.

// Helpers of tests fail the test as the tests themselves do; clippy exempts only the latter.
#![allow(clippy::expect_used)]

#[path = "lab/lifecycle.rs"]
mod lifecycle;
#[path = "lab/service.rs"]
mod service;
#[path = "lab/simulators.rs"]
mod simulators;
