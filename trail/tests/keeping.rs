//! The handle: what is acknowledged is on the disk and in the head, and a trail that cannot be written says so at once.

#[cfg(test)]
#[path = "keeping/support.rs"]
mod support;

#[cfg(test)]
#[path = "keeping/batches.rs"]
mod batches;
#[cfg(test)]
#[path = "keeping/gaps.rs"]
mod gaps;
#[cfg(test)]
#[path = "keeping/trouble.rs"]
mod trouble;
