//! The audit against the real ledger: what it writes is clean, what is tampered with is found, and both count alike.

#[cfg(test)]
#[path = "book/agreement.rs"]
mod agreement;
#[cfg(test)]
#[path = "book/city.rs"]
mod city;
#[cfg(test)]
#[path = "book/clean.rs"]
mod clean;
#[cfg(test)]
#[path = "book/clock.rs"]
mod clock;
#[cfg(test)]
#[path = "book/corruptions.rs"]
mod corruptions;
#[cfg(test)]
#[path = "book/docs.rs"]
mod docs;
#[cfg(test)]
#[path = "book/steps.rs"]
mod steps;
