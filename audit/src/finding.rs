//! What is wrong, where, and by which rule.

use serde::Serialize;

/// A rule of the book. `I1` to `I7` are the invariants; the others say what a sound stream of entries is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Rule {
    /// I1: what claims take of a pool stays within capacity x over-commit - reserve, where they grow.
    Capacity,
    /// I2: what a tree of accounts occupies stays within every limit above, where it grows.
    Limit,
    /// I3: growth does not eat what is kept free for floors of others.
    Floor,
    /// I4: holds end at their deadline, and an end is recorded before its release.
    End,
    /// I5: departments + platform + idle - over = capacity, per pool, meter and month.
    Usage,
    /// I6: the same entries lead to the same book.
    Replay,
    /// I7: price books do not change, and none reprices what was used.
    Prices,
    /// An entry or event that cannot be read, or is of an unknown type.
    Format,
    /// Entries are numbered from 1 without gap or doubling.
    Sequence,
    /// Time is in whole seconds and never goes back.
    Time,
    /// Leaderships follow one another.
    Epoch,
    /// The first event of the first entry opens the book, and no other does.
    Opening,
    /// Claims are numbered once, rising.
    ClaimNumber,
    /// Claims come, are handed over, end and go in this order.
    LifeCycle,
    /// Lines are in known pools, of the pool's own kind, one site, at least 1.
    Line,
    /// An object has one open claim, and so has a name.
    Subject,
    /// Nothing is held, changed, handed over, ended or released in quarantine, and granted only by adoption.
    Quarantine,
    /// Accounts form a tree of known accounts; floors lie below ceilings and within the floors above.
    Account,
    /// Nothing grows for a closed account or one below it, and nothing is handed to it.
    ClosedAccount,
    /// Pools make sense, and what they are does not change.
    Pool,
    /// Nothing grows in a pool that is drained or closed, or serves another zone.
    ClosedPool,
    /// Tickets rise, overtakings are recorded, and nobody is passed too often.
    Queue,
    /// What is handed over is open, and goes to a known account.
    Transfer,
    /// The mark of the Kubernetes store does not go back outside quarantine.
    Peer,
}

impl Rule {
    /// The invariant it is, if it is one.
    pub const fn invariant(self) -> Option<&'static str> {
        match self {
            Self::Capacity => Some("I1"),
            Self::Limit => Some("I2"),
            Self::Floor => Some("I3"),
            Self::End => Some("I4"),
            Self::Usage => Some("I5"),
            Self::Replay => Some("I6"),
            Self::Prices => Some("I7"),
            _ => None,
        }
    }
}

impl std::fmt::Display for Rule {
    /// `I1 Capacity`, `Sequence`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.invariant() {
            Some(invariant) => write!(f, "{invariant} {self:?}"),
            None => write!(f, "{self:?}"),
        }
    }
}

/// One contradiction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule that is broken.
    pub rule: Rule,
    /// The invariant that rule is, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invariant: Option<&'static str>,
    /// The entry.
    pub seq: u64,
    /// The claim, account, pool, ticket or price book.
    pub subject: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, seq, subject, expected, found, .. } = self;
        write!(f, "entry {seq}, {subject} ({rule}): expected {expected}, found {found}")
    }
}

/// Findings as they are made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// The entry that is looked at.
    pub(crate) seq: u64,
    pub(crate) all: Vec<Finding>,
}

impl Findings {
    pub(crate) fn add(
        &mut self,
        rule: Rule,
        subject: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        found: impl std::fmt::Display,
    ) {
        self.all.push(Finding {
            rule,
            invariant: rule.invariant(),
            seq: self.seq,
            subject: subject.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }
}
