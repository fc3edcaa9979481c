//! Holds: capacity set aside until a deadline, and nothing after it.

use std::collections::BTreeSet;

use crate::{
    book::Book,
    claim::{Claim, Hold, Quantities, Stage},
    entry::{self, Line},
    finding::{Findings, Rule},
    life, lines,
};

/// A writer ends so many overdue holds with one entry, and the rest with those that follow.
pub(crate) const MOST_ENDED_AT_ONCE: usize = 512;

pub(crate) fn read(book: &mut Book, subject: &str, hold: &entry::Hold, findings: &mut Findings) -> Hold {
    if hold.until <= book.at {
        findings.add(Rule::End, subject, format!("a deadline after {}", book.at), hold.until);
    }
    Hold {
        until: hold.until,
        lines: lines::read(book, subject, &hold.lines, findings),
        digest: hold.spec_digest.clone(),
    }
}

/// What is held is what the hold is for, beyond what the claim has.
pub(crate) fn check_held(subject: &str, own: &Quantities, on_top: &Quantities, hold: &Hold, findings: &mut Findings) {
    if !lines::equal(&lines::beyond(&hold.lines, own), on_top) {
        findings.add(Rule::Line, subject, "held what its hold wants beyond its lines", "other quantities");
    }
}

/// Sets capacity aside for a change; gives the claim as it was.
pub(crate) fn place(
    book: &mut Book,
    id: u64,
    hold: &entry::Hold,
    on_top: &[Line],
    findings: &mut Findings,
) -> Option<Claim> {
    life::free_to_act(book, id, "held", findings);
    let claim = life::open(book, id, Rule::LifeCycle, findings)?;
    life::at_stage(&claim, &[Stage::Held, Stage::Reserved, Stage::Billable], Rule::LifeCycle, findings);
    if claim.is_permission() && claim.stage != Stage::Held {
        findings.add(Rule::LifeCycle, claim.name(), "nothing held on top of a permission", "a hold");
    }
    let hold = read(book, &claim.name(), hold, findings);
    let on_top = lines::read(book, &claim.name(), on_top, findings);
    check_held(&claim.name(), &claim.lines, &on_top, &hold, findings);
    book.turn(id, |claim| {
        claim.hold = Some(hold);
        claim.held = on_top;
    })
}

/// Grants what is held; gives the claim as it was.
pub(crate) fn confirm(book: &mut Book, id: u64, findings: &mut Findings) -> Option<Claim> {
    life::free_to_act(book, id, "granted", findings);
    let claim = life::open(book, id, Rule::LifeCycle, findings)?;
    let Some(hold) = claim.hold.clone() else {
        findings.add(Rule::LifeCycle, claim.name(), "an open hold", "none");
        return None;
    };
    if hold.until <= book.at {
        findings.add(Rule::End, claim.name(), format!("granted before its deadline, {}", hold.until), book.at);
    }
    book.turn(id, |claim| {
        claim.lines = hold.lines;
        claim.digest = hold.digest;
        claim.held.clear();
        claim.hold = None;
        claim.stage = claim.stage.max(Stage::Reserved);
    })
}

pub(crate) fn end(book: &mut Book, id: u64, why: &str, findings: &mut Findings) {
    life::free_to_act(book, id, "withdrawn", findings);
    let Some(claim) = life::open(book, id, Rule::LifeCycle, findings) else { return };
    match &claim.hold {
        None => findings.add(Rule::LifeCycle, claim.name(), "an open hold", "none"),
        Some(hold) if why == "Expired" && hold.until > book.at => {
            findings.add(Rule::End, claim.name(), format!("held until its deadline, {}", hold.until), book.at);
        }
        Some(_) => {}
    }
    book.turn(id, |claim| {
        claim.held.clear();
        claim.hold = None;
        if claim.stage == Stage::Held {
            claim.stage = Stage::Released;
        }
    });
}

/// Holds that are open although their deadline has passed, when something is decided; each is told once.
pub(crate) fn check_overdue(book: &Book, told: &mut BTreeSet<u64>, findings: &mut Findings) {
    let overdue = book.holding.iter().filter_map(|id| book.claims.get(id)).filter_map(|claim| {
        let until = claim.hold.as_ref()?.until;
        (until <= book.at).then_some((claim, until))
    });
    for (claim, until) in overdue {
        if told.insert(claim.id) {
            let expected = format!("its hold ended by {until}, before anything else is decided");
            findings.add(Rule::End, claim.name(), expected, format!("it is open at {}", book.at));
        }
    }
}
