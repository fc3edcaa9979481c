//! What is wrong with a chain, and where.

use jiff::Timestamp;
use serde::Serialize;

use crate::core::writer::Writer;

/// A line of a file; nothing of both where the fault is that something is not there at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as it was given.
    pub file: String,
    /// The line in it, from 1; 0 where there is none.
    pub line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 { f.write_str("-") } else { write!(f, "{}:{}", self.file, self.line) }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, strum::IntoStaticStr, strum::VariantNames)]
#[serde(tag = "fault", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The line is not what its hash was made of.
    Changed {
        /// The record it says it is, if it is one.
        sequence: Option<u64>,
    },
    /// The line is none, or ends without a line feed.
    Unreadable,
    /// The line is whole, and another stood before it when it was written: one of both was replaced.
    Replaced {
        /// The record, if it is one.
        sequence: Option<u64>,
    },
    /// Records are not there.
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Whole segments are not there.
    SegmentMissing {
        /// The first record in them.
        from: u64,
        /// The last record in them.
        to: u64,
    },
    /// A record or segment is not where its number belongs.
    OutOfOrder {
        /// The number that belongs there.
        expected: u64,
        /// The number that is there.
        found: u64,
    },
    /// A segment ends without a closing line and another follows.
    NotClosed,
    /// A line stands outside of any segment.
    NoHeader,
    /// The segment is of another writer.
    OtherWriter {
        /// Whose.
        writer: Writer,
    },
    /// The segment is of a format or made with a hash that this program does not know.
    UnknownFormat {
        /// The hash.
        algorithm: String,
    },
    /// The chain begins later than it should, and nothing vouches for what was before.
    BeginningMissing {
        /// The first record there is.
        first: u64,
    },
    /// Records were deleted that had to be kept.
    PrunedEarly {
        /// The latest of them was from then.
        until: Timestamp,
    },
    /// The chain ends before a record that was certainly written.
    CutOff {
        /// The last record there is; 0 without one.
        last: u64,
        /// The record that was written; 0 where it is not known which.
        head: u64,
    },
    /// The chain may fit together, but it is not the one the head was taken of: it was written anew.
    Rewritten {
        /// The head's record.
        sequence: u64,
    },
    /// Nothing that was kept elsewhere vouches for the chain: it may have been cut off or written anew.
    NoHead,
    /// The head that was given is older than the first record there is: it proves nothing.
    HeadTooOld {
        /// Its record.
        head: u64,
        /// The first record there is.
        first: u64,
    },
}

impl Fault {
    /// Its code: the message catalogue has a sentence under `Trail<code>`.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// The numbers of its sentence.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let number = |sequence: &Option<u64>| sequence.map_or_else(|| "-".to_owned(), |sequence| sequence.to_string());
        match self {
            Self::Changed { sequence } | Self::Replaced { sequence } => vec![("record", number(sequence))],
            Self::Missing { from, to } | Self::SegmentMissing { from, to } => {
                vec![("from", from.to_string()), ("to", to.to_string())]
            }
            Self::OutOfOrder { expected, found } => {
                vec![("expected", expected.to_string()), ("found", found.to_string())]
            }
            Self::OtherWriter { writer } => vec![("writer", writer.to_string())],
            Self::UnknownFormat { algorithm } => vec![("algorithm", algorithm.clone())],
            Self::BeginningMissing { first } => vec![("first", first.to_string())],
            Self::PrunedEarly { until } => vec![("until", until.to_string())],
            Self::CutOff { last, head } => vec![("last", last.to_string()), ("head", head.to_string())],
            Self::Rewritten { sequence } => vec![("record", sequence.to_string())],
            Self::HeadTooOld { head, first } => vec![("head", head.to_string()), ("first", first.to_string())],
            Self::Unreadable | Self::NotClosed | Self::NoHeader | Self::NoHead => Vec::new(),
        }
    }
}

/// One fault and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
}
