//! What a verification found, and how much it looked at.

use jiff::Timestamp;
use serde::Serialize;

use super::{Fault, Finding, MOST_FINDINGS, Place};
use crate::core::{head::Head, writer::Writer};

/// How much was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// Segments.
    pub segments: u64,
    /// Records.
    pub records: u64,
    /// The number of the first record; 0 without one.
    pub first: u64,
    /// The last record: the head of what was looked at.
    pub head: Option<Head>,
    /// Whether a line stands at the end that was not written whole. It was never acknowledged; the next start cuts it.
    pub torn: bool,
    /// The earliest time of a record.
    pub from: Option<Timestamp>,
    /// The latest time of a record.
    pub until: Option<Timestamp>,
}

impl Looked {
    pub(super) fn record(&mut self, head: Head) {
        let at = head.at;
        if self.records == 0 {
            self.first = head.sequence;
        }
        self.records += 1;
        self.head = Some(head);
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.until = Some(self.until.map_or(at, |until| until.max(at)));
    }
}

/// The result for one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whose chain.
    pub writer: Writer,
    /// How much was looked at.
    pub looked: Looked,
    /// What is wrong, in the order it was met: the first names the first broken record. At most 1000.
    pub findings: Vec<Finding>,
    /// How many more findings there are.
    pub more: u64,
}

impl Report {
    pub(super) fn new(writer: Writer) -> Self {
        Self { writer, looked: Looked::default(), findings: Vec::new(), more: 0 }
    }

    pub(super) fn add(&mut self, place: Place, fault: Fault) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(Finding { fault, place });
        } else {
            self.more += 1;
        }
    }

    /// Whether the chain is whole.
    pub const fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}
