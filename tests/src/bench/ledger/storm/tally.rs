//! What the callers of a storm were told, all together.

use std::collections::BTreeMap;

use super::verdict::Refused;

/// What the callers were told.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests put into a ledger's queue.
    pub attempts: u64,
    /// Claims and holds granted.
    pub granted: u64,
    /// Claims resized.
    pub amended: u64,
    /// Claims released.
    pub released: u64,
    /// Attempts whose leader went before it answered.
    pub unanswered: u64,
    /// Refusals for a limit or for want of room.
    pub refused: Vec<Refused>,
    /// Answers that the rules do not know.
    pub unexpected: Vec<String>,
    /// Cores of every claim that stands, by UID.
    pub standing: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another caller's.
    pub fn add(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.granted += other.granted;
        self.amended += other.amended;
        self.released += other.released;
        self.unanswered += other.unanswered;
        self.refused.extend(other.refused);
        self.unexpected.extend(other.unexpected);
        self.standing.extend(other.standing);
    }
}
