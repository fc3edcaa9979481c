//! Limits, amendments, refusals and what they tell.

use jiyun_ledger::{
    AccountState, Command, CommandError, Decision, Dimensions, MAX_DEPTH, Meter, RefusalCode, RequestError, balance,
};

use crate::city::{Book, account, compute, host, limit_of, storage, with_disk};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 100, 200_000)).pool(storage("s1", "east", "standard", 1_000_000));
    book
}

fn parameter(refusal: &jiyun_ledger::Refusal, name: &str) -> Option<String> {
    refusal.parameters.get(name).cloned()
}

#[test]
fn a_request_is_refused_by_the_limit_it_exceeds_and_told_what_is_missing() {
    let mut book = book();
    book.account("tax", None, &[(Meter::Vcpu, 10)]);
    book.grant(&host("tax", "a", 6, 1024));
    let before = book.state.digest().unwrap();

    let refusal = book.refusal(&host("tax", "b", 8, 1024));

    assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
    let told = |name| parameter(&refusal, name);
    assert_eq!(told("meter").as_deref(), Some("Vcpu"));
    assert_eq!(told("limit").as_deref(), Some("10"));
    assert_eq!(told("held").as_deref(), Some("6"));
    assert_eq!(told("used").as_deref(), Some("0"));
    assert_eq!(told("available").as_deref(), Some("4"));
    assert_eq!(told("requested").as_deref(), Some("8"));
    assert_eq!(told("missing").as_deref(), Some("4"));
    assert_eq!(told("account"), None);
    assert_eq!(book.state.digest().unwrap(), before, "a refusal leaves no trace");
}

#[test]
fn a_limit_is_reached_exactly_and_not_passed_by_one() {
    let mut book = book();
    book.account("tax", None, &[(Meter::Vcpu, 10)]);
    book.grant(&host("tax", "a", 10, 1024));
    assert_eq!(book.refusal(&host("tax", "b", 1, 1024)).code, RefusalCode::ExceedsLimit);
}

#[test]
fn a_limit_above_binds_and_does_not_tell_what_siblings_use() {
    let mut book = book();
    book.account("county", None, &[(Meter::Vcpu, 10)]);
    book.account("tax", Some("county"), &[(Meter::Vcpu, 50)]).account("court", Some("county"), &[]);
    book.grant(&host("court", "a", 7, 1024));

    let refusal = book.refusal(&host("tax", "b", 4, 1024));

    assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
    assert_eq!(parameter(&refusal, "account").as_deref(), Some("county"));
    assert_eq!(parameter(&refusal, "available").as_deref(), Some("3"));
    assert_eq!(parameter(&refusal, "missing").as_deref(), Some("1"));
    assert_eq!(parameter(&refusal, "used"), None);
    assert_eq!(parameter(&refusal, "held"), None);
}

#[test]
fn a_limit_with_dimensions_counts_only_lines_that_match() {
    let mut book = book();
    book.pool(storage("s2", "east", "extreme", 1_000_000));
    let mut tax = account("tax", None, &[]);
    let extreme = Dimensions { tier: Some("extreme".to_owned()), ..Dimensions::default() };
    tax.limits.push(limit_of(Meter::BlockStorage, extreme, 100));
    book.set(&Command::SetAccount(tax));

    book.grant(&with_disk(host("tax", "a", 1, 1024), "standard", 5000));
    book.grant(&with_disk(host("tax", "b", 1, 1024), "extreme", 100));
    let refusal = book.refusal(&with_disk(host("tax", "c", 1, 1024), "extreme", 1));
    assert_eq!(parameter(&refusal, "dimensions").as_deref(), Some("tier=extreme"));
}

#[test]
fn the_same_digest_is_granted_once() {
    let mut book = book();
    book.account("tax", None, &[]);
    let id = book.grant(&host("tax", "a", 4, 1024));
    let seq = book.state.seq();
    match book.decide(&host("tax", "a", 4, 1024)).unwrap() {
        Decision::Granted { claim, existing, .. } => assert_eq!((claim.id, existing), (id, true)),
        Decision::Refused(refusal) => panic!("{refusal:?}"),
    }
    assert_eq!(book.state.seq(), seq);
}

#[test]
fn lowering_a_limit_below_use_refuses_growth_and_allows_shrinking() {
    let mut book = book();
    book.account("tax", None, &[(Meter::Vcpu, 20)]);
    let id = book.grant(&host("tax", "a", 16, 4096));
    book.account("tax", None, &[(Meter::Vcpu, 8)]);

    let rows = balance(&book.state, &"tax".into()).unwrap().rows;
    let row = rows.iter().find(|row| row.meter == Meter::Vcpu).unwrap();
    assert_eq!((row.limit, row.held, row.available, row.over_limit()), (Some(8), 16, Some(0), true));

    assert_eq!(book.refusal(&host("tax", "a", 17, 4096)).code, RefusalCode::ExceedsLimit);
    // Still above the limit after shrinking, and yet allowed.
    assert_eq!(book.grant(&host("tax", "a", 12, 4096)), id);
    assert_eq!(book.state.tree_total(&"tax".into(), Meter::Vcpu, &Dimensions::default()).held, 12);
    // Growing one meter while another shrinks is judged by what grows.
    assert_eq!(book.grant(&host("tax", "a", 10, 8192)), id);
}

#[test]
fn a_change_that_grows_beyond_a_limit_is_refused_whole() {
    let mut book = book();
    book.account("tax", None, &[(Meter::Memory, 8192)]);
    let id = book.grant(&host("tax", "a", 8, 8192));
    let before = book.state.claim(id).unwrap().clone();
    let refusal = book.refusal(&host("tax", "a", 4, 8193));
    assert_eq!(parameter(&refusal, "requested").as_deref(), Some("1"), "only growth is asked for");
    assert_eq!(*book.state.claim(id).unwrap(), before);
}

#[test]
fn an_amended_claim_stays_in_its_pool_and_keeps_what_it_was() {
    let mut book = book();
    book.account("tax", None, &[]);
    let id = book.grant(&host("tax", "a", 8, 8192));
    book.pool(compute("c0", "east", 9, 200_000)); // Fits better, but a claim does not move.
    book.until("2026-11-02T00:00:00Z");
    assert_eq!(book.grant(&host("tax", "a", 9, 8192)), id);
    let claim = book.state.claim(id).unwrap();
    assert_eq!(claim.pool_of(Meter::Vcpu).unwrap().as_str(), "c1");
    assert_eq!(claim.history.len(), 1);
    assert_eq!(claim.history[0].item, "general-8c8192");
    assert_eq!(claim.item, "general-9c8192");
}

#[test]
fn a_closed_account_or_one_below_it_may_shrink_but_not_grow() {
    let mut book = book();
    book.account("county", None, &[]).account("tax", Some("county"), &[]);
    let id = book.grant(&host("tax", "a", 8, 8192));
    let mut county = account("county", None, &[]);
    county.state = AccountState::Closed;
    book.set(&Command::SetAccount(county));

    let refusal = book.refusal(&host("tax", "b", 1, 1024));
    assert_eq!(refusal.code, RefusalCode::AccountClosed);
    assert_eq!(parameter(&refusal, "account").as_deref(), Some("county"));
    assert_eq!(book.grant(&host("tax", "a", 4, 8192)), id);
}

#[test]
fn an_account_nobody_knows_is_refused() {
    assert_eq!(book().refusal(&host("ghost", "a", 1, 1024)).code, RefusalCode::UnknownAccount);
}

#[test]
fn a_claim_is_not_moved_to_another_account_by_asking() {
    let mut book = book();
    book.account("tax", None, &[]).account("court", None, &[]);
    book.grant(&host("tax", "a", 1, 1024));
    let error = book.decide(&host("court", "a", 1, 1024)).unwrap_err();
    assert!(matches!(error, RequestError::Moved { field: "account", .. }), "{error}");
}

#[test]
fn a_request_that_makes_no_sense_is_an_error_and_not_a_refusal() {
    let mut book = book();
    book.account("tax", None, &[]);
    let mut empty = host("tax", "a", 0, 0);
    empty.placements[0].quantities.clear();
    assert!(matches!(book.decide(&empty).unwrap_err(), RequestError::Empty { .. }));
    let mut odd = host("tax", "a", 1, 1024);
    odd.placements[0].quantities.insert(Meter::BlockStorage, 1);
    assert!(matches!(book.decide(&odd).unwrap_err(), RequestError::WrongPoolKind { .. }));
    let mut nameless = host("tax", "", 1, 1024);
    nameless.subject.uid.clear();
    assert!(matches!(book.decide(&nameless).unwrap_err(), RequestError::NoUid { .. }));
    let huge = host("tax", "a", u64::MAX, 1024);
    assert!(matches!(book.decide(&huge).unwrap_err(), RequestError::TooMuch { .. }));
}

#[test]
fn moving_an_account_moves_what_its_whole_tree_has() {
    let mut book = book();
    book.account("north", None, &[]).account("south", None, &[(Meter::Vcpu, 10)]);
    book.account("bureau", Some("north"), &[]).account("office", Some("bureau"), &[]);
    book.grant(&host("office", "a", 8, 1024));
    let total =
        |book: &Book, name: &str| book.state.tree_total(&name.into(), Meter::Vcpu, &Dimensions::default()).total();
    assert_eq!((total(&book, "north"), total(&book, "south")), (8, 0));

    book.account("bureau", Some("south"), &[]);

    assert_eq!((total(&book, "north"), total(&book, "south"), total(&book, "bureau")), (0, 8, 8));
    assert_eq!(book.state.verify(), []);
    assert_eq!(book.refusal(&host("office", "b", 3, 1024)).code, RefusalCode::ExceedsLimit);
}

#[test]
fn an_account_above_itself_is_not_recorded() {
    let mut book = book();
    book.account("a", None, &[]).account("b", Some("a"), &[]).account("c", Some("b"), &[]);
    let error = book.record(&Command::SetAccount(account("a", Some("c"), &[]))).unwrap_err();
    assert!(matches!(error, CommandError::Cycle { .. }), "{error}");
    let error = book.record(&Command::SetAccount(account("a", Some("a"), &[]))).unwrap_err();
    assert!(matches!(error, CommandError::Cycle { .. }), "{error}");
    let error = book.record(&Command::SetAccount(account("d", Some("nowhere"), &[]))).unwrap_err();
    assert!(matches!(error, CommandError::UnknownAccount { .. }), "{error}");
}

#[test]
fn a_tree_is_as_deep_as_allowed_and_not_deeper_even_when_trees_are_joined() {
    let mut book = book();
    book.account("n0", None, &[]);
    for level in 1..MAX_DEPTH {
        book.account(&format!("n{level}"), Some(&format!("n{}", level - 1)), &[]);
    }
    let deepest = format!("n{}", MAX_DEPTH - 1);
    let error = book.record(&Command::SetAccount(account("x", Some(&deepest), &[]))).unwrap_err();
    assert!(matches!(error, CommandError::TooDeep { .. }), "{error}");
    book.grant(&host(&deepest, "a", 1, 1024));

    book.account("top", None, &[]);
    let error = book.record(&Command::SetAccount(account("n0", Some("top"), &[]))).unwrap_err();
    assert!(matches!(error, CommandError::TooDeep { .. }), "{error}");
}

#[test]
fn setting_what_is_there_changes_nothing() {
    let mut book = book();
    assert!(book.record(&Command::SetAccount(account("tax", None, &[]))).unwrap());
    assert!(!book.record(&Command::SetAccount(account("tax", None, &[]))).unwrap());
    assert!(!book.record(&Command::SetPool(compute("c1", "east", 100, 200_000))).unwrap());
}

#[test]
fn held_is_before_handing_over_and_used_after_until_released() {
    let mut book = book();
    book.account("tax", None, &[(Meter::Vcpu, 10)]);
    let id = book.grant(&host("tax", "a", 4, 1024));
    let row = |book: &Book| {
        let rows = balance(&book.state, &"tax".into()).unwrap().rows;
        let row = rows.into_iter().find(|row| row.meter == Meter::Vcpu).unwrap();
        (row.held, row.used, row.available)
    };
    assert_eq!(row(&book), (4, 0, Some(6)));
    book.set(&Command::Billable(id));
    assert_eq!(row(&book), (0, 4, Some(6)));
    book.set(&Command::End(id));
    assert_eq!(row(&book), (0, 4, Some(6)));
    book.set(&Command::Release(id));
    assert_eq!(row(&book), (0, 0, Some(10)));
}
