//! The life of a claim, quarantine, and the marks of the peer store.

use jiyun_ledger::{ClaimStage, Command, CommandError, Lineage, RefusalCode, RequestError};

use crate::city::{Book, compute, host};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.account("tax", None, &[]).pool(compute("c1", "east", 100, 200_000));
    book
}

#[test]
fn a_claim_is_reserved_handed_over_ended_and_released_in_this_order() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    let stage = |book: &Book| book.state.claim(id).unwrap().stage();
    assert_eq!(stage(&book), ClaimStage::Reserved);
    assert!(matches!(book.record(&Command::Release(id)).unwrap_err(), CommandError::NotEnding { .. }));
    book.set(&Command::Billable(id));
    assert_eq!(stage(&book), ClaimStage::Billable);
    assert!(matches!(book.record(&Command::Release(id)).unwrap_err(), CommandError::NotEnding { .. }));
    book.set(&Command::End(id));
    assert_eq!(stage(&book), ClaimStage::Ending);
    assert!(matches!(book.record(&Command::Billable(id)).unwrap_err(), CommandError::Ending { .. }));
    assert!(matches!(book.decide(&host("tax", "a", 9, 1024)).unwrap_err(), RequestError::Ending { .. }));
    book.set(&Command::Release(id));
    assert_eq!(stage(&book), ClaimStage::Released);
    assert!(!book.record(&Command::Release(id)).unwrap(), "releasing again changes nothing");
    assert!(!book.record(&Command::End(id)).unwrap());
}

#[test]
fn a_released_object_may_ask_again_and_gets_a_new_claim() {
    let mut book = book();
    let first = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::End(first));
    book.set(&Command::Release(first));
    let second = book.grant(&host("tax", "a", 4, 1024));
    assert!(second > first);
}

#[test]
fn a_claim_follows_its_object_when_that_is_made_anew() {
    let mut book = book();
    let a = book.grant(&host("tax", "a", 4, 1024));
    let b = book.grant(&host("tax", "b", 4, 1024));
    assert!(matches!(book.record(&Command::Rebind(a, "b".to_owned())).unwrap_err(), CommandError::SubjectTaken { .. }));
    book.set(&Command::Rebind(a, "a2".to_owned()));
    assert!(!book.record(&Command::Rebind(a, "a2".to_owned())).unwrap());
    assert_eq!(book.state.claim_of_subject("a2").unwrap().id, a);
    assert!(book.state.claim_of_subject("a").is_none());
    assert_eq!(book.state.claim_of_subject("b").unwrap().id, b);
    assert_eq!(book.state.verify(), []);
}

#[test]
fn in_quarantine_nothing_is_granted_billed_ended_or_released() {
    let mut book = book();
    let held = book.grant(&host("tax", "a", 4, 1024));
    let ending = book.grant(&host("tax", "b", 4, 1024));
    book.set(&Command::End(ending));
    book.set(&Command::Quarantine("store went back".to_owned()));
    assert!(!book.record(&Command::Quarantine("again".to_owned())).unwrap());

    assert_eq!(book.refusal(&host("tax", "c", 1, 1024)).code, RefusalCode::Quarantined);
    assert_eq!(book.refusal(&host("tax", "a", 2, 1024)).code, RefusalCode::Quarantined, "nor shrunk");
    assert!(matches!(book.record(&Command::End(held)).unwrap_err(), CommandError::Quarantined { .. }));
    assert!(matches!(book.record(&Command::Release(ending)).unwrap_err(), CommandError::Quarantined { .. }));
    // A book that went back may have lost the hand-over: a second one would be dated wrongly for ever.
    assert!(matches!(book.record(&Command::Billable(held)).unwrap_err(), CommandError::Quarantined { .. }));
    assert_eq!(book.grant(&host("tax", "a", 4, 1024)), held, "what stands is confirmed");

    book.set(&Command::Lift { by: "operator".to_owned(), note: "adopted".to_owned() });
    book.grant(&host("tax", "c", 1, 1024));
    book.set(&Command::Release(ending));
}

#[test]
fn a_peer_that_goes_back_or_is_another_is_noticed() {
    let mut book = book();
    let hub = || Lineage::new("hub");
    assert!(book.record(&Command::MarkPeer(hub(), 10)).unwrap());
    assert!(!book.record(&Command::MarkPeer(hub(), 10)).unwrap());
    assert!(matches!(book.record(&Command::MarkPeer(hub(), 9)).unwrap_err(), CommandError::PeerBack { .. }));
    let other = Command::MarkPeer(Lineage::new("other"), 1);
    assert!(matches!(book.record(&other).unwrap_err(), CommandError::PeerChanged { .. }));
    // An operator may accept it.
    book.set(&Command::Quarantine("another store".to_owned()));
    assert!(book.record(&other).unwrap());
}
