//! The chain: whatever is done to a byte, a line, a segment or all of it is found, and told by its place.

#[cfg(test)]
#[path = "chain/support.rs"]
mod support;

#[cfg(test)]
#[path = "chain/faults.rs"]
mod faults;
#[cfg(test)]
#[path = "chain/properties.rs"]
mod properties;
