//! Reads Jiyun's account book again, on its own, and says where it contradicts itself.
//!
//! Nothing here is shared with the program that writes the book: types, replay and arithmetic are written anew, straight
//! and without counters that are carried on, so that a fault of the one is not a fault of the other. Input is the stream
//! of entries as JSON Lines, as it lies in the store.
#![deny(clippy::float_arithmetic)]

mod accounts;
mod auditor;
mod book;
mod claim;
mod entry;
mod finding;
mod floors;
mod growth;
mod holds;
mod kind;
mod life;
mod lines;
mod meter;
mod month;
mod pools;
mod prices;
mod queue;
mod report;
mod sheet;
mod sums;
mod tree;
mod usage;

pub use crate::{
    auditor::{Auditor, Expected},
    finding::{Finding, Rule},
    queue::MOST_OVERTAKINGS,
    report::{AccountSum, Looked, PoolSum, Report},
    usage::{Share, Tie},
};

/// Reads all `lines` twice and compares (I6), and gives what was found the first time.
pub fn audit<'a>(lines: impl IntoIterator<Item = &'a str> + Clone, expected: Option<Expected>) -> Report {
    let read = |lines, expected| {
        let mut auditor = Auditor::expecting(expected);
        for line in lines {
            auditor.line(line);
        }
        auditor
    };
    let (first, second) = (read(lines.clone(), expected), read(lines, None));
    let (one, other) = (first.digest(), second.digest());
    let mut report = first.finish();
    if one != other {
        report.findings.push(Finding {
            rule: Rule::Replay,
            invariant: Rule::Replay.invariant(),
            seq: report.looked.seq,
            subject: "book".to_owned(),
            expected: format!("the same book after a second reading, {one}"),
            found: other,
        });
    }
    report
}
