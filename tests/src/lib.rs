//! What the suites, the demo and the benchmarks have in common: a whole system on a lab, and people who use it.

pub mod bench;
pub mod booked;
pub mod bucket;
pub mod city;
pub mod console;
pub mod database;
pub mod demo;
pub mod desk;
pub mod faults;
pub mod installed;
pub mod order;
pub mod person;
pub mod receivers;
pub mod snapshot;
pub mod volume;
pub mod walls;
pub mod world;
pub mod zone;

pub use order::Order;
pub use person::{Answer, Caller};
pub use world::{World, WorldError, WorldOptions};
