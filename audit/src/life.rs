//! The life of claims: granted, handed over, ended, released, and whose they are.

use crate::{
    book::Book,
    claim::{Claim, Stage, is_permission},
    entry::{Granted, Line, Subject},
    finding::{Findings, Rule},
    growth, holds, lines,
};

/// Nothing is done to claims in quarantine.
pub(crate) fn free_to_act(book: &Book, claim: u64, what: &str, findings: &mut Findings) {
    if let Some(reason) = &book.quarantine {
        findings.add(Rule::Quarantine, name(claim), format!("nothing {what} in quarantine ({reason})"), what);
    }
}

fn name(claim: u64) -> String {
    format!("claim-{claim}")
}

/// The claim, if it is open; else a finding of `rule`.
pub(crate) fn open(book: &Book, id: u64, rule: Rule, findings: &mut Findings) -> Option<Claim> {
    match book.claims.get(&id) {
        Some(claim) if claim.is_open() => return Some(claim.clone()),
        Some(_) => findings.add(rule, name(id), "an open claim", "one that is released"),
        None => findings.add(rule, name(id), "a claim that was granted", "none"),
    }
    None
}

/// A claim is at one of `stages`; else a finding of `rule`.
pub(crate) fn at_stage(claim: &Claim, stages: &[Stage], rule: Rule, findings: &mut Findings) {
    if !stages.contains(&claim.stage) {
        findings.add(rule, claim.name(), format!("a claim that is {stages:?}"), format!("{:?}", claim.stage));
    }
}

/// Neither the object nor a namesake of it has another open claim.
fn free_object(book: &Book, id: u64, uid: &str, object: &str, findings: &mut Findings) {
    let others = [(uid, book.by_uid.get(uid)), (object, book.by_object.get(object))];
    let other = others.into_iter().find_map(|(what, other)| Some((what, *other.filter(|other| **other != id)?)));
    if let Some((what, other)) = other {
        findings.add(Rule::Subject, name(id), format!("object {what} without another claim"), name(other));
    }
}

fn object(subject: &Subject) -> String {
    format!("{} {}/{}", subject.kind, subject.namespace, subject.name)
}

/// Enters what Kubernetes holds and the book had lost: in quarantine, after an operator's review. Room and limits are not
/// asked for, since the machine is there.
pub(crate) fn adopt(book: &mut Book, granted: &Granted, findings: &mut Findings) {
    if book.quarantine.is_none() {
        findings.add(Rule::Quarantine, name(granted.id), "adopted in quarantine only", "adopted");
    }
    enter(book, granted, findings);
}

/// Enters a new claim; whether it did.
pub(crate) fn grant(book: &mut Book, granted: &Granted, findings: &mut Findings) -> bool {
    free_to_act(book, granted.id, "granted", findings);
    enter(book, granted, findings)
}

fn enter(book: &mut Book, granted: &Granted, findings: &mut Findings) -> bool {
    let (id, subject) = (granted.id, name(granted.id));
    if id <= book.last_claim {
        findings.add(Rule::ClaimNumber, &subject, format!("a number above {}", book.last_claim), id);
    }
    if book.claims.contains_key(&id) {
        return false;
    }
    book.last_claim = book.last_claim.max(id);
    free_object(book, id, &granted.subject.uid, &object(&granted.subject), findings);
    if granted.reserved_at != book.at {
        findings.add(
            Rule::LifeCycle,
            &subject,
            format!("reserved when it is recorded, {}", book.at),
            granted.reserved_at,
        );
    }
    let times = [granted.billable_from, granted.billable_until, granted.released_at];
    if times.iter().any(Option::is_some) || !granted.history.is_empty() {
        findings.add(Rule::LifeCycle, &subject, "a claim whose life begins", "times or versions of its past");
    }
    if book.tree.number(&granted.account).is_none() {
        findings.add(Rule::Account, &subject, "an account that is in the book", &granted.account);
    }
    let account = book.tree.enter(&granted.account);
    let own = lines::read(book, &subject, &granted.lines, findings);
    let on_top = lines::read(book, &subject, &granted.held, findings);
    let hold = granted.hold.as_ref().map(|hold| holds::read(book, &subject, hold, findings));
    match &hold {
        Some(hold) => holds::check_held(&subject, &own, &on_top, hold, findings),
        None if !on_top.is_empty() => findings.add(Rule::Line, &subject, "nothing held without a hold", "lines held"),
        None => {}
    }
    if is_permission(&granted.subject.kind) {
        if !own.is_empty() || hold.as_ref().is_some_and(|hold| !hold.lines.is_empty()) {
            findings.add(Rule::Line, &subject, "no lines, since it is a permission", "lines");
        }
    } else if own.is_empty() == hold.is_none() {
        let expected = if hold.is_some() { "no lines of its own while it is only held" } else { "at least one line" };
        findings.add(Rule::Line, &subject, expected, own.len());
    }
    let stage = if hold.is_some() { Stage::Held } else { Stage::Reserved };
    book.enter(Claim {
        id,
        account,
        uid: granted.subject.uid.clone(),
        object: object(&granted.subject),
        digest: granted.spec_digest.clone(),
        stage,
        lines: own,
        held: on_top,
        hold,
        since: granted.reserved_at,
        billable: (None, None),
    });
    true
}

/// Changes what a claim holds; gives it as it was.
pub(crate) fn amend(book: &mut Book, id: u64, to: &[Line], digest: &str, findings: &mut Findings) -> Option<Claim> {
    free_to_act(book, id, "changed", findings);
    let claim = open(book, id, Rule::LifeCycle, findings)?;
    at_stage(&claim, &[Stage::Held, Stage::Reserved, Stage::Billable], Rule::LifeCycle, findings);
    let to = lines::read(book, &name(id), to, findings);
    if to.is_empty() != claim.is_permission() {
        let expected = if to.is_empty() { "at least one line" } else { "no lines, since it is a permission" };
        findings.add(Rule::Line, name(id), expected, to.len());
    }
    book.turn(id, |claim| {
        claim.lines = to;
        claim.held.clear();
        claim.hold = None;
        digest.clone_into(&mut claim.digest);
        claim.stage = claim.stage.max(Stage::Reserved);
    })
}

pub(crate) fn hand_over(book: &mut Book, id: u64, findings: &mut Findings) {
    free_to_act(book, id, "handed over", findings);
    let Some(claim) = open(book, id, Rule::LifeCycle, findings) else { return };
    at_stage(&claim, &[Stage::Reserved], Rule::LifeCycle, findings);
    let at = book.at;
    book.turn(id, |claim| {
        claim.stage = claim.stage.max(Stage::Billable);
        claim.billable.0 = claim.billable.0.or(Some(at));
    });
}

pub(crate) fn end(book: &mut Book, id: u64, findings: &mut Findings) {
    free_to_act(book, id, "ended", findings);
    let Some(claim) = open(book, id, Rule::LifeCycle, findings) else { return };
    at_stage(&claim, &[Stage::Reserved, Stage::Billable], Rule::LifeCycle, findings);
    let at = book.at;
    book.turn(id, |claim| {
        claim.stage = Stage::Ending;
        claim.billable.1 = claim.billable.1.or(Some(at));
        claim.held.clear();
        claim.hold = None;
    });
}

pub(crate) fn release(book: &mut Book, id: u64, findings: &mut Findings) {
    free_to_act(book, id, "released", findings);
    let Some(claim) = open(book, id, Rule::LifeCycle, findings) else { return };
    // The intent is recorded before anything is destroyed.
    at_stage(&claim, &[Stage::Ending], Rule::End, findings);
    book.turn(id, |claim| {
        claim.stage = Stage::Released;
        claim.hold = None;
    });
    if book.present_only {
        book.put(id, None);
    }
}

pub(crate) fn rebind(book: &mut Book, id: u64, uid: &str, findings: &mut Findings) {
    let Some(claim) = open(book, id, Rule::LifeCycle, findings) else { return };
    free_object(book, id, uid, &claim.object, findings);
    keep_place(book, &claim.uid, uid);
    book.turn(id, |claim| uid.clone_into(&mut claim.uid));
}

/// Whoever waits and becomes another object keeps the place; of two places the earlier.
fn keep_place(book: &mut Book, from: &str, to: &str) {
    if from == to || !book.waiting.values().any(|waiting| waiting.request.subject.uid == from) {
        return;
    }
    let is_theirs = |uid: &str| uid == from || uid == to;
    let mine = book.waiting.iter().filter(|(_, waiting)| is_theirs(&waiting.request.subject.uid));
    let mut places: Vec<u64> = mine.map(|(ticket, _)| *ticket).collect();
    places.sort_unstable();
    for later in places.iter().skip(1) {
        book.waiting.remove(later);
    }
    if let Some(waiting) = places.first().and_then(|earlier| book.waiting.get_mut(earlier)) {
        to.clone_into(&mut waiting.request.subject.uid);
    }
}

pub(crate) fn transfer(book: &mut Book, id: u64, account: &str, subject: &Subject, findings: &mut Findings) {
    free_to_act(book, id, "handed to another account", findings);
    let Some(claim) = open(book, id, Rule::Transfer, findings) else { return };
    at_stage(&claim, &[Stage::Reserved, Stage::Billable], Rule::Transfer, findings);
    if book.tree.number(account).is_none() {
        findings.add(Rule::Transfer, claim.name(), "an account that is in the book", account);
    }
    free_object(book, id, &subject.uid, &object(subject), findings);
    let account = book.tree.enter(account);
    if account != claim.account {
        growth::closed(book, account, &claim, "a claim handed to it", findings);
    }
    keep_place(book, &claim.uid, &subject.uid);
    book.turn(id, |claim| {
        claim.account = account;
        claim.uid.clone_from(&subject.uid);
        claim.object = object(subject);
    });
}
