//! Reads entry after entry, keeps the book beside them, and tells what contradicts the rules.

use std::{collections::BTreeSet, fmt::Write};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::{
    accounts,
    book::Book,
    claim::{Claim, Stage},
    entry::{Entry, Event},
    finding::{Finding, Findings, Rule},
    growth, holds, life, pools, prices,
    queue::{self, Due},
    report::{Looked, Report},
    sums, usage,
};

/// The most entries of a gap that are remembered as missing.
const MOST_MISSING: u64 = 4096;

/// What the book was once seen to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// After this entry.
    pub seq: u64,
    /// The fingerprint it had then.
    pub fingerprint: String,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Auditor {
    book: Book,
    findings: Findings,
    looked: Looked,
    /// Numbers that were passed over so far.
    missing: BTreeSet<u64>,
    /// Claims whose overdue hold was told.
    overdue: BTreeSet<u64>,
    chain: [u8; 32],
    expected: Option<Expected>,
}

/// What must be kept in mind within one entry.
#[derive(Default)]
struct Within {
    due: Due,
    ended: usize,
    holds_checked: bool,
}

impl Auditor {
    /// With a fingerprint that an earlier audit gave.
    pub fn expecting(expected: Option<Expected>) -> Self {
        Self { expected, ..Self::default() }
    }

    /// To read along for as long as the book is written to: keeps what is in force and nothing that is over, so it stays
    /// as small as the book. Sums over time (I5) cannot be had from it.
    pub fn reading_along() -> Self {
        let book = Book { present_only: true, ..Book::default() };
        Self { book, ..Self::default() }
    }

    /// Looks at one line of the stream; empty lines are passed over.
    pub fn line(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.looked.entries += 1;
        let mut hash = Sha256::new();
        hash.update(self.chain);
        hash.update(text.as_bytes());
        self.chain = hash.finalize().into();
        match serde_json::from_str::<Entry>(text) {
            Ok(entry) => self.entry(&entry),
            Err(error) => {
                let number = self.book.seq + 1;
                self.findings.seq = number;
                self.findings.add(Rule::Format, format!("entry {number}"), "an entry that can be read", error);
                self.book.seq = number;
            }
        }
        if let Some(expected) = self.expected.take_if(|expected| expected.seq == self.book.seq) {
            let is = hex::encode(self.chain);
            if is != expected.fingerprint {
                self.findings.add(Rule::Replay, "entries", format!("fingerprint {}", expected.fingerprint), is);
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let subject = format!("entry {}", entry.seq);
        self.findings.seq = entry.seq;
        if !self.follows(entry.seq, &subject) {
            return;
        }
        if entry.at < self.book.at {
            self.findings.add(Rule::Time, &subject, format!("no earlier than {}", self.book.at), entry.at);
        }
        if entry.at.subsec_nanosecond() != 0 {
            self.findings.add(Rule::Time, &subject, "whole seconds", entry.at);
        }
        if entry.epoch < self.book.epoch {
            let expected = format!("leadership {} or a later one", self.book.epoch);
            self.findings.add(Rule::Epoch, &subject, expected, entry.epoch);
        }
        self.book.at = if self.looked.from.is_none() { entry.at } else { self.book.at.max(entry.at) };
        self.book.epoch = self.book.epoch.max(entry.epoch);
        self.looked.from = self.looked.from.or(Some(entry.at));
        let mut within = Within::default();
        for value in &entry.events {
            self.looked.events += 1;
            match serde_json::from_value::<Event>(value.clone()) {
                Ok(event) => self.event(&event, &mut within),
                Err(error) => self.findings.add(Rule::Format, &subject, "an event that can be read", error),
            }
            if !self.book.opened {
                self.findings.add(Rule::Opening, &subject, "the book to be opened first", "another event");
                self.book.opened = true;
            }
        }
        within.due.close(&mut self.findings);
    }

    /// Whether the entry is to be applied.
    fn follows(&mut self, seq: u64, subject: &str) -> bool {
        let next = self.book.seq + 1;
        if seq != next {
            self.findings.add(Rule::Sequence, subject, format!("number {next}"), seq);
        }
        if seq > next {
            self.missing.extend((next..seq).take(usize::try_from(MOST_MISSING).unwrap_or(usize::MAX)));
        }
        let late = seq < next;
        self.book.seq = self.book.seq.max(seq);
        !late || self.missing.remove(&seq)
    }

    fn event(&mut self, event: &Event, within: &mut Within) {
        let (book, findings) = (&mut self.book, &mut self.findings);
        // What a decision leaves due is the next events' to pay.
        match event {
            Event::RequestUnqueued { ticket } if within.due.left(*ticket) => {
                queue::unqueue(book, *ticket, findings);
                return;
            }
            Event::RequestsOvertaken { tickets } => {
                within.due.overtaken(tickets, findings);
                queue::overtake(book, tickets, findings);
                return;
            }
            _ => std::mem::take(&mut within.due).close(findings),
        }
        let decides = matches!(
            event,
            Event::ClaimGranted { .. }
                | Event::ClaimAmended { .. }
                | Event::HoldPlaced { .. }
                | Event::HoldConfirmed { .. }
                | Event::RequestQueued { .. }
        );
        // In quarantine nothing is decided, and no hold ends.
        let decides = decides && book.quarantine.is_none();
        if decides && !within.holds_checked && within.ended < holds::MOST_ENDED_AT_ONCE {
            within.holds_checked = true;
            holds::check_overdue(book, &mut self.overdue, findings);
        }
        match event {
            Event::Opened { peer_lineage, .. } => {
                if book.opened || book.seq > 1 {
                    findings.add(Rule::Opening, "book", "opened once, by its first event", "opened again");
                }
                book.opened = true;
                book.peer = book.peer.take().or_else(|| Some((peer_lineage.clone(), 0)));
            }
            Event::AccountSet { account } => accounts::set(book, account, findings),
            Event::PoolSet { pool } => pools::set(book, pool.clone(), findings),
            Event::PricesSet { book: prices } => prices::set(book, prices, findings),
            Event::ClaimGranted { claim } => {
                if life::grant(book, claim, findings) {
                    within.due = decided(book, claim.id, None, findings);
                }
            }
            Event::ClaimAdopted { claim } => {
                self.looked.adopted.push(claim.id);
                life::adopt(book, claim, findings);
            }
            Event::ClaimAmended { claim, lines, spec_digest } => {
                let before = life::amend(book, *claim, lines, spec_digest, findings);
                within.due = before.map(|before| decided(book, *claim, Some(&before), findings)).unwrap_or_default();
            }
            Event::HoldPlaced { claim, hold, held } => {
                let before = holds::place(book, *claim, hold, held, findings);
                within.due = before.map(|before| decided(book, *claim, Some(&before), findings)).unwrap_or_default();
            }
            Event::HoldConfirmed { claim } => {
                if let Some(before) = holds::confirm(book, *claim, findings) {
                    growth::check(book, *claim, Some(&before), findings);
                }
            }
            Event::HoldEnded { claim, why } => {
                within.ended += 1;
                holds::end(book, *claim, why, findings);
            }
            Event::RequestQueued { ticket, request } => queue::queue(book, *ticket, request, findings),
            Event::RequestsOvertaken { .. } => {}
            Event::RequestUnqueued { ticket } => queue::unqueue(book, *ticket, findings),
            Event::ClaimTransferred { claim, account, subject } => {
                life::transfer(book, *claim, account, subject, findings);
            }
            Event::ClaimBillable { claim } => life::hand_over(book, *claim, findings),
            Event::ClaimEnding { claim } => life::end(book, *claim, findings),
            Event::ClaimReleased { claim } => life::release(book, *claim, findings),
            Event::ClaimRebound { claim, uid } => life::rebind(book, *claim, uid, findings),
            Event::PeerMarked { lineage, high_water } => peer(book, lineage, *high_water, findings),
            Event::Quarantined { reason } => book.quarantine = Some(reason.clone()),
            Event::QuarantineLifted {} => book.quarantine = None,
        }
    }

    /// What was found so far, by looking at each entry as it came; sums over time come with [`Auditor::finish`].
    pub fn findings(&self) -> &[Finding] {
        &self.findings.all
    }

    /// Measures time, counts everything once more, and gives what was found.
    pub fn finish(self) -> Report {
        let fingerprint = hex::encode(self.chain);
        let (mut book, mut findings, mut looked) = (self.book, self.findings, self.looked);
        findings.seq = book.seq;
        if looked.entries == 0 {
            findings.add(Rule::Opening, "book", "at least the entry that opened it", "no entry");
        }
        if let Some(expected) = self.expected {
            let expected = format!("entry {} with fingerprint {}", expected.seq, expected.fingerprint);
            findings.add(Rule::Replay, "entries", expected, format!("{} as the last entry", book.seq));
        }
        sums::recount(&book, &mut findings);
        let (ties, shares) = usage::measure(&mut book, looked.from.unwrap_or(Timestamp::UNIX_EPOCH), &mut findings);
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        looked.seq = book.seq;
        looked.to = looked.from.map(|_| book.at);
        looked.claims = number(book.claims.len());
        looked.open_claims = number(book.claims.values().filter(|claim| claim.is_open()).count());
        looked.accounts = number(book.tree.nodes.len());
        looked.pools = number(book.pools.len());
        looked.waiting = number(book.waiting.len());
        let (accounts, pools) = sums::of(&book);
        Report { findings: findings.all, looked, fingerprint, accounts, pools, ties, shares }
    }

    /// SHA-256 over the whole book as it is here: two replays of the same entries agree in it.
    pub fn digest(&self) -> String {
        struct Into(Sha256);
        impl Write for Into {
            fn write_str(&mut self, text: &str) -> std::fmt::Result {
                self.0.update(text.as_bytes());
                Ok(())
            }
        }
        let mut into = Into(Sha256::new());
        // Writing into a hash cannot fail.
        let _ = write!(into, "{:?}", self.book);
        hex::encode(into.0.finalize())
    }
}

/// What holds for whatever was decided: it was there to be had, and nobody was passed who may not be.
fn decided(book: &mut Book, id: u64, before: Option<&Claim>, findings: &mut Findings) -> Due {
    let pools = growth::check(book, id, before, findings);
    let Some(claim) = book.claims.get(&id).cloned() else { return Due::default() };
    if claim.is_permission() && before.is_none_or(|before| before.stage == Stage::Held) {
        growth::closed(book, claim.account, &claim, "a permission", findings);
    }
    Due::after(book, &claim.name(), &claim.uid, &pools, findings)
}

fn peer(book: &mut Book, lineage: &str, high_water: u64, findings: &mut Findings) {
    if let Some((marked, mark)) = book.peer.as_ref().filter(|_| book.quarantine.is_none()) {
        if marked != lineage {
            findings.add(Rule::Peer, "mark", format!("store {marked}"), format!("store {lineage}"));
        } else if high_water < *mark {
            findings.add(Rule::Peer, "mark", format!("{mark} or more"), high_water);
        }
    }
    book.peer = Some((lineage.to_owned(), high_water));
}
