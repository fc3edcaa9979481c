//! Holds: capacity set aside until a deadline, then granted or free again.

use jiyun_ledger::{
    ClaimStage, Command, CommandError, Decision, Meter, Payer, Period, RefusalCode, RequestError, UsageFilter, tie,
    usage,
};

use crate::city::{Book, at, compute, host};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 10, 100_000)).account("tax", None, &[(Meter::Vcpu, 10)]);
    book
}

fn held(account: &str, uid: &str, vcpu: u64, until: &str) -> jiyun_ledger::ClaimRequest {
    jiyun_ledger::ClaimRequest { hold_until: Some(at(until)), ..host(account, uid, vcpu, 1024) }
}

#[test]
fn what_is_held_is_not_there_for_others_until_its_deadline() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Held);
    book.account("court", None, &[]);
    assert_eq!(book.refusal(&host("court", "b", 4, 1024)).code, RefusalCode::PoolExhausted);
    // Where limit and pool both bind, the asker is told of the limit: room alone would not help.
    assert_eq!(book.refusal(&host("tax", "c", 4, 1024)).code, RefusalCode::ExceedsLimit);
    book.until("2026-11-01T23:59:59Z");
    assert_eq!(book.refusal(&host("court", "b", 4, 1024)).code, RefusalCode::PoolExhausted);
    book.until("2026-11-02T00:00:00Z");
    book.grant(&host("court", "b", 4, 1024));
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Released);
    assert!(matches!(book.record(&Command::Confirm(id, "8-1024".to_owned())), Err(CommandError::NoHold { .. })));
}

#[test]
fn a_refusal_by_the_limit_says_when_the_askers_own_hold_ends() {
    let mut book = book();
    book.pool(compute("c2", "east", 100, 100_000));
    book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    let refusal = book.refusal(&host("tax", "b", 4, 1024));
    assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
    assert_eq!(refusal.parameters["nextRelease"], "2026-11-02T00:00:00Z");
    assert_eq!(refusal.parameters["raisedBy"], "platform");
}

#[test]
fn a_hold_is_confirmed_for_the_spec_it_was_made_for_and_no_other() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    let other = book.record(&Command::Confirm(id, "9-1024".to_owned())).unwrap_err();
    assert!(matches!(other, CommandError::OtherDigest { .. }), "{other}");
    assert!(matches!(book.record(&Command::Billable(id)), Err(CommandError::OnlyHeld { .. })));
    assert!(book.record(&Command::Confirm(id, "8-1024".to_owned())).unwrap());
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Reserved);
    assert!(!book.record(&Command::Confirm(id, "8-1024".to_owned())).unwrap(), "confirming again changes nothing");
    book.set(&Command::Billable(id));
    book.until("2026-11-03T00:00:00Z").sweep();
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Billable, "its deadline is no more");
}

#[test]
fn asking_for_what_is_held_grants_it_and_asking_for_something_else_replaces_it() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    assert_eq!(book.grant(&host("tax", "a", 8, 1024)), id);
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Reserved);

    let id = book.grant(&held("tax", "b", 2, "2026-11-02T00:00:00Z"));
    assert_eq!(book.grant(&host("tax", "b", 1, 1024)), id);
    let claim = book.state.claim(id).unwrap();
    assert!(claim.hold.is_none() && claim.held.is_empty());
    assert_eq!(book.state.pool_use(&"c1".into(), Meter::Vcpu), 9);
}

#[test]
fn growth_is_held_on_top_of_what_runs_and_falls_away_alone() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-11-01T01:00:00Z");
    assert_eq!(book.grant(&held("tax", "a", 9, "2026-11-01T02:00:00Z")), id);
    assert_eq!(book.state.pool_use(&"c1".into(), Meter::Vcpu), 9);
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Billable, "it goes on running and paying");
    book.until("2026-11-01T02:00:00Z").sweep();
    assert_eq!(book.state.pool_use(&"c1".into(), Meter::Vcpu), 4);
    assert_eq!(book.state.verify(), []);

    // The department pays its 4 throughout, the platform the 5 that were held for an hour.
    let period = Period { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-01T04:00:00Z") };
    let paid = |payer| -> i128 {
        let filter = UsageFilter { account: Some("tax".into()), payer: Some(payer) };
        let rows = usage(&book.state, period, &filter);
        rows.iter().filter(|row| row.meter == Meter::Vcpu).map(|row| row.unit_seconds).sum()
    };
    assert_eq!((paid(Payer::Department), paid(Payer::Platform)), (4 * 4 * 3600, 5 * 3600));
    assert!(tie(&book.state, period).iter().all(jiyun_ledger::Tie::holds));
}

#[test]
fn growth_that_is_confirmed_is_the_platforms_until_that_second_and_the_departments_from_it_on() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-11-01T01:00:00Z");
    book.grant(&held("tax", "a", 9, "2026-11-02T00:00:00Z"));
    book.until("2026-11-01T03:00:00Z");
    book.set(&Command::Confirm(id, "9-1024".to_owned()));
    let claim = book.state.claim(id).unwrap();
    assert_eq!((claim.stage(), claim.has_of(Meter::Vcpu), claim.held_of(Meter::Vcpu)), (ClaimStage::Billable, 9, 0));
    assert_eq!(
        (claim.item.as_str(), &claim.approved_spec["vcpu"]),
        ("general-9c1024", &9.into()),
        "one entry for all of it"
    );
    // Smaller again: what it was granted for changes at once, what it has only once its machine was seen with less.
    let small = |vcpu, digest: &str| jiyun_ledger::ClaimRequest {
        spec_digest: digest.to_owned(),
        ..host("tax", "a", vcpu, 1024)
    };
    book.until("2026-11-01T04:00:00Z");
    book.grant(&small(9, "2-1024+keeps"));
    book.until("2026-11-01T06:00:00Z");
    book.grant(&small(2, "2-1024"));
    assert_eq!(book.state.pool_use(&"c1".into(), Meter::Vcpu), 2);
    assert_eq!(book.state.verify(), []);

    let period = Period { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-01T08:00:00Z") };
    let filter = UsageFilter { account: Some("tax".into()), ..UsageFilter::default() };
    let rows = usage(&book.state, period, &filter);
    let paid: Vec<_> = rows
        .iter()
        .filter(|row| row.meter == Meter::Vcpu && row.payer == Payer::Department)
        .map(|row| (row.quantity, row.unit_seconds / i128::from(row.quantity) / 3600))
        .collect();
    assert_eq!(paid.iter().map(|(quantity, hours)| i128::from(*quantity) * hours).sum::<i128>(), 4 * 3 + 9 * 3 + 2 * 2);
    assert_eq!(paid.first(), Some(&(4, 3)), "{paid:?}");
    let platform = rows.iter().filter(|row| row.meter == Meter::Vcpu && row.payer == Payer::Platform);
    assert_eq!(platform.map(|row| row.unit_seconds).sum::<i128>(), 5 * 2 * 3600, "held for two hours");
    // Each interval ends where the next begins.
    let mut spans: Vec<_> = rows
        .iter()
        .filter(|row| row.meter == Meter::Vcpu && row.payer == Payer::Department)
        .map(|row| (row.from, row.to))
        .collect();
    spans.sort();
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{spans:?}");
    assert!(tie(&book.state, period).iter().all(jiyun_ledger::Tie::holds));
}

#[test]
fn a_hold_needs_a_deadline_to_come_and_can_be_extended() {
    let mut book = book();
    let error = book.decide(&held("tax", "a", 8, "2026-11-01T00:00:00Z")).unwrap_err();
    assert!(matches!(error, RequestError::PastDeadline { .. }), "{error}");
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    let seq = book.state.seq();
    let Decision::Granted { existing, .. } = book.decide(&held("tax", "a", 8, "2026-11-02T00:00:00Z")).unwrap() else {
        panic!("refused")
    };
    assert!(existing && book.state.seq() == seq, "the same hold is not placed twice");
    assert_eq!(book.grant(&held("tax", "a", 8, "2026-11-05T00:00:00Z")), id);
    book.until("2026-11-04T00:00:00Z").sweep();
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Held);
}

#[test]
fn a_hold_that_another_has_taken_the_place_of_is_not_given_up_for_the_first() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    let first = book.state.claim(id).unwrap().hold.clone().unwrap().spec_digest;
    assert_eq!(book.grant(&held("tax", "a", 4, "2026-11-02T00:00:00Z")), id);
    book.set(&Command::WithdrawFor(id, first));
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Held, "the second stands");
    let second = book.state.claim(id).unwrap().hold.clone().unwrap().spec_digest;
    book.set(&Command::WithdrawFor(id, second));
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Released);
}

#[test]
fn in_quarantine_no_hold_ends() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    book.set(&Command::Quarantine("store went back".to_owned()));
    book.until("2026-11-03T00:00:00Z").sweep();
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Held);
    assert!(matches!(book.record(&Command::Withdraw(id)), Err(CommandError::Quarantined { .. })));
    book.set(&Command::Lift { by: "operator".to_owned(), note: "adopted".to_owned() });
    book.sweep();
    assert_eq!(book.state.claim(id).unwrap().stage(), ClaimStage::Released);
}

#[test]
fn a_hold_past_its_deadline_is_not_granted_even_if_nobody_has_swept_it() {
    let mut book = book();
    let id = book.grant(&held("tax", "a", 8, "2026-11-02T00:00:00Z"));
    book.set(&Command::Quarantine("store went back".to_owned()));
    book.until("2026-11-03T00:00:00Z");
    let refused = book.record(&Command::Confirm(id, "8-1024".to_owned()));
    assert!(matches!(refused, Err(CommandError::NoHold { .. })), "{refused:?}");
}

#[test]
fn a_hold_for_something_else_does_not_pass_a_limit_by_taking_the_place_of_what_runs() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    let mut arm = compute("arm", "east", 100, 1_000_000);
    arm.architecture = Some("arm64".to_owned());
    book.pool(compute("x86", "east", 100, 1_000_000)).pool(arm).account("tax", None, &[(Meter::Vcpu, 8)]);
    book.grant(&host("tax", "a", 8, 1024));
    let mut other = held("tax", "a", 8, "2026-11-02T00:00:00Z");
    other.placements[0].architecture = Some("arm64".to_owned());
    other.spec_digest = "arm".to_owned();
    assert_eq!(book.refusal(&other).code, RefusalCode::ExceedsLimit);
}

#[test]
fn a_refused_hold_on_top_of_a_claim_leaves_the_place_its_subject_has_in_line() {
    let mut book = book();
    book.account("court", None, &[]);
    let id = book.grant(&host("tax", "a", 2, 1024));
    book.grant(&host("court", "b", 8, 1024));
    let start = jiyun_ledger::ClaimRequest { wait: true, ..host("tax", "a", 4, 1024) };
    assert_eq!(book.refusal(&start).code, RefusalCode::WaitingForCapacity);
    let growth = held("tax", "a", 5, "2026-11-02T00:00:00Z");
    assert_eq!(book.refusal(&growth).code, RefusalCode::PoolExhausted);
    assert!(book.state.waiting_of("a").is_some(), "asked for by another way");
    assert_eq!(book.state.claim(id).unwrap().held, Vec::new());
}
