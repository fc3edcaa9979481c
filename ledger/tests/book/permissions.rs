//! Permissions: claims that say that something is allowed, and take nothing of anything.

use jiyun_ledger::{
    AccountState, Claim, ClaimRequest, ClaimStage, Command, CommandError, Decision, Event, Hold, Meter, RefusalCode,
    RequestError, State,
};

use crate::city::{Book, account, compute, host};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 100, 200_000)).account("tax", None, &[(Meter::Vcpu, 10)]);
    book
}

fn permission(uid: &str, digest: &str) -> ClaimRequest {
    let mut request = host("tax", uid, 1, 1024);
    request.subject.kind = "NetworkFlow".to_owned();
    request.placements.clear();
    request.spec_digest = digest.to_owned();
    request
}

fn held(book: &Book, request: &ClaimRequest) -> ClaimRequest {
    ClaimRequest { hold_until: Some(book.now + jiff::SignedDuration::from_hours(1)), ..request.clone() }
}

fn of(book: &Book, uid: &str) -> Claim {
    Claim::clone(book.state.claim_of_subject(uid).unwrap())
}

#[test]
fn a_permission_is_granted_without_pools_and_counts_nothing() {
    let mut book = book();
    let before = book.state.pools().map(|pool| format!("{pool:?}")).collect::<Vec<_>>();
    book.grant(&permission("f", "one"));
    let claim = of(&book, "f");
    assert_eq!((claim.stage(), claim.lines.len(), claim.is_permission()), (ClaimStage::Reserved, 0, true));
    assert_eq!(book.state.pools().map(|pool| format!("{pool:?}")).collect::<Vec<_>>(), before);
    assert_eq!(book.state.verify(), []);
}

#[test]
fn what_is_held_for_people_is_granted_or_gone_and_its_spec_with_it() {
    let mut book = book();
    let wish = held(&book, &permission("f", "one"));
    book.grant(&wish);
    let claim = of(&book, "f");
    assert_eq!(claim.stage(), ClaimStage::Held);
    book.set(&Command::Confirm(claim.id, "one".to_owned()));
    assert_eq!((of(&book, "f").stage(), of(&book, "f").spec_digest.as_str()), (ClaimStage::Reserved, "one"));

    let wish = held(&book, &permission("g", "two"));
    book.grant(&wish);
    let claim = of(&book, "g");
    book.set(&Command::WithdrawFor(claim.id, "two".to_owned()));
    assert!(book.state.claim_of_subject("g").is_none());
    assert_eq!(book.state.verify(), []);
}

#[test]
fn a_change_is_recorded_at_once_and_never_held_on_top() {
    let mut book = book();
    book.grant(&permission("f", "one"));
    let change = held(&book, &permission("f", "two"));
    assert!(matches!(book.decide(&change), Err(RequestError::NothingToHold { .. })));
    book.grant(&permission("f", "two"));
    assert_eq!((of(&book, "f").spec_digest.as_str(), of(&book, "f").stage()), ("two", ClaimStage::Reserved));

    // Nor by an event that somebody else might have written.
    let hold = Hold {
        until: book.now + jiff::SignedDuration::from_hours(1),
        item: "flow".to_owned(),
        lines: Vec::new(),
        spec_digest: "three".to_owned(),
        approved_spec: serde_json::json!({}).into(),
    };
    let claim = of(&book, "f").id;
    let event = Event::HoldPlaced { claim, hold: Box::new(hold), held: Vec::new() };
    let entry = jiyun_ledger::Entry { seq: book.state.seq() + 1, at: book.now, epoch: 1, events: vec![event] };
    let mut copy: State = book.state.clone();
    let error = copy.apply(&entry).unwrap_err();
    assert!(format!("{error:?}").contains("NothingToHold"), "{error:?}");
}

#[test]
fn a_permission_stays_one_and_what_takes_something_goes_on_taking_it() {
    let mut book = book();
    book.grant(&permission("f", "one"));
    book.grant(&host("tax", "h", 2, 1024));
    let mut grows = host("tax", "f", 2, 1024);
    grows.subject.kind = "NetworkFlow".to_owned();
    assert!(matches!(book.decide(&grows), Err(RequestError::OtherNature { .. })));
    let mut empty = host("tax", "h", 2, 1024);
    empty.placements.clear();
    assert!(matches!(book.decide(&empty), Err(RequestError::OtherNature { .. })));
}

#[test]
fn a_closed_account_is_allowed_nothing_new_and_keeps_what_it_has() {
    let mut book = book();
    book.grant(&permission("f", "one"));
    let mut tax = account("tax", None, &[]);
    tax.state = AccountState::Closed;
    book.set(&Command::SetAccount(tax));
    assert_eq!(book.refusal(&permission("g", "one")).code, RefusalCode::AccountClosed);
    assert!(matches!(book.decide(&permission("f", "one")), Ok(Decision::Granted { existing: true, .. })));
    book.grant(&permission("f", "less"));
}

#[test]
fn its_end_is_recorded_before_it_is_released() {
    let mut book = book();
    book.grant(&permission("f", "one"));
    let id = of(&book, "f").id;
    book.set(&Command::Billable(id));
    assert_eq!(book.record(&Command::Release(id)), Err(CommandError::NotEnding { claim: id }));
    book.set(&Command::End(id));
    assert_eq!(of(&book, "f").stage(), ClaimStage::Ending);
    book.set(&Command::Release(id));
    assert!(book.state.claim_of_subject("f").is_none());
    assert_eq!(book.state.verify(), []);
}
