//! The example in docs/audit-trail.md: its lines are what is written, and its commands recompute their hashes.

#[cfg(test)]
#[path = "document/example.rs"]
mod example;
