//! The chain in files: what was acknowledged is there after whatever happens, and what is lost is told.

#[cfg(test)]
#[path = "files/support.rs"]
mod support;

#[cfg(test)]
#[path = "files/crashes.rs"]
mod crashes;
#[cfg(test)]
#[path = "files/losses.rs"]
mod losses;
#[cfg(test)]
#[path = "files/pruning.rs"]
mod pruning;
#[cfg(test)]
#[path = "files/reading.rs"]
mod reading;
#[cfg(test)]
#[path = "files/segments.rs"]
mod segments;
