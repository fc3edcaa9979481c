//! Floors: always there for whoever has them, lent to nobody, counted once.

use jiyun_ledger::{Account, Command, CommandError, Dimensions, Limit, Meter, RefusalCode, balance};

use crate::city::{Book, account, compute, guaranteed, host};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 100, 1_000_000));
    book
}

fn set(book: &mut Book, name: &str, parent: Option<&str>, limit: Option<u64>, floor: u64) {
    let limits: Vec<_> = limit.map(|limit| (Meter::Vcpu, limit)).into_iter().collect();
    book.set(&Command::SetAccount(guaranteed(account(name, parent, &limits), Meter::Vcpu, floor)));
}

#[test]
fn what_a_pool_keeps_for_one_floor_no_other_account_gets() {
    let mut book = book();
    set(&mut book, "tax", None, None, 40);
    set(&mut book, "court", None, None, 0);
    book.grant(&host("court", "a", 60, 1));
    let refusal = book.refusal(&host("court", "b", 1, 1));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted);
    let filters: Vec<_> = refusal.report.placements[0].pools.iter().map(|verdict| verdict.refused_by).collect();
    assert_eq!(filters, [Some(jiyun_ledger::Filter::Floor)], "operators see why");

    book.grant(&host("tax", "c", 40, 1));
    assert_eq!(book.refusal(&host("tax", "d", 1, 1)).code, RefusalCode::PoolExhausted);
}

#[test]
fn use_within_a_floor_frees_nothing_and_use_beyond_it_is_borrowed() {
    let mut book = book();
    set(&mut book, "tax", None, None, 40);
    set(&mut book, "court", None, None, 0);
    book.grant(&host("tax", "a", 30, 1));
    book.grant(&host("court", "b", 60, 1));
    assert_eq!(book.refusal(&host("court", "c", 1, 1)).code, RefusalCode::PoolExhausted);
    book.grant(&host("tax", "d", 10, 1));
    let row = |book: &Book, name: &str| {
        let rows = balance(&book.state, &name.into()).unwrap().rows;
        let row = rows.into_iter().find(|row| row.meter == Meter::Vcpu).unwrap();
        (row.guaranteed, row.held, row.borrowed)
    };
    assert_eq!(row(&book, "tax"), (40, 40, 0));
    assert_eq!(row(&book, "court"), (0, 60, 60));
}

#[test]
fn a_limit_above_keeps_free_what_is_guaranteed_below() {
    let mut book = book();
    set(&mut book, "county", None, Some(50), 20);
    set(&mut book, "tax", Some("county"), None, 20);
    set(&mut book, "court", Some("county"), None, 0);
    let refusal = book.refusal(&host("court", "a", 31, 1));
    assert_eq!(refusal.code, RefusalCode::ExceedsLimit);
    assert_eq!(refusal.parameters["available"], "30", "50 less the 20 kept for the other");
    book.grant(&host("court", "a", 30, 1));
    // Nothing of the county is left but what is kept, and that is there.
    book.grant(&host("tax", "b", 20, 1));
    assert_eq!(book.refusal(&host("tax", "c", 1, 1)).code, RefusalCode::ExceedsLimit);
}

#[test]
fn a_floor_holds_even_when_the_limit_above_was_lowered_below_use() {
    let mut book = book();
    set(&mut book, "county", None, Some(80), 20);
    set(&mut book, "tax", Some("county"), None, 20);
    set(&mut book, "court", Some("county"), None, 0);
    book.grant(&host("court", "a", 60, 1));
    set(&mut book, "county", None, Some(40), 20);
    book.grant(&host("tax", "b", 20, 1));
    assert_eq!(book.refusal(&host("tax", "c", 1, 1)).code, RefusalCode::ExceedsLimit);
}

#[test]
fn floors_are_not_kept_twice_on_the_way_up() {
    let mut book = book();
    set(&mut book, "county", None, None, 50);
    set(&mut book, "tax", Some("county"), None, 50);
    set(&mut book, "court", None, None, 0);
    book.grant(&host("court", "a", 50, 1));
    assert_eq!(book.refusal(&host("court", "b", 1, 1)).code, RefusalCode::PoolExhausted);
    book.grant(&host("tax", "c", 50, 1));
    assert_eq!(book.state.verify(), []);
}

/// The pool serves both zones: what is free there is enough for either floor, and not for both.
#[test]
fn floors_of_different_kinds_that_one_pool_serves_are_all_kept() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    let mut pool = compute("c1", "east", 20, 1_000_000);
    pool.zones = ["extranet", "internet"].map(str::to_owned).into();
    book.pool(pool);
    for (name, zone, guaranteed) in [("tax", "extranet", 10), ("court", "internet", 8)] {
        let dimensions = Dimensions { zone: Some(zone.to_owned()), ..Dimensions::default() };
        let limits = vec![Limit { meter: Meter::Vcpu, dimensions, limit: None, guaranteed }];
        book.set(&Command::SetAccount(Account { limits, ..account(name, None, &[]) }));
    }
    book.account("school", None, &[]);
    let refusal = book.refusal(&host("school", "a", 3, 1));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted);
    book.grant(&host("school", "a", 2, 1));
    book.grant(&host("tax", "b", 10, 1));
    let mut internet = host("court", "c", 8, 1);
    internet.zone = "internet".to_owned();
    book.grant(&internet);
    assert_eq!(book.state.verify(), []);
}

#[test]
fn floors_that_cannot_be_kept_are_not_recorded() {
    let mut book = book();
    set(&mut book, "county", None, Some(50), 20);
    set(&mut book, "tax", Some("county"), None, 15);
    let record = |book: &mut Book, name: &str, parent: Option<&str>, limit: Option<u64>, floor| {
        let limits: Vec<_> = limit.map(|limit| (Meter::Vcpu, limit)).into_iter().collect();
        book.record(&Command::SetAccount(guaranteed(account(name, parent, &limits), Meter::Vcpu, floor))).unwrap_err()
    };
    let error = record(&mut book, "court", Some("county"), None, 6);
    assert!(matches!(error, CommandError::FloorNotCovered { promised: 21, own: 20, .. }), "{error}");
    let error = record(&mut book, "county", None, Some(50), 14);
    assert!(matches!(error, CommandError::FloorNotCovered { promised: 15, own: 14, .. }), "{error}");
    let error = record(&mut book, "alone", None, Some(5), 6);
    assert!(matches!(error, CommandError::FloorAboveLimit { .. }), "{error}");

    let mut twice = guaranteed(account("twice", None, &[]), Meter::Vcpu, 1);
    let dimensions = Dimensions { architecture: Some("amd64".to_owned()), ..Dimensions::default() };
    twice.limits.push(Limit { meter: Meter::Vcpu, dimensions, limit: None, guaranteed: 1 });
    let error = book.record(&Command::SetAccount(twice)).unwrap_err();
    assert!(matches!(error, CommandError::FloorsOverlap { .. }), "{error}");
}

#[test]
fn a_floor_of_one_architecture_keeps_nothing_in_pools_of_another() {
    let mut book = book();
    let mut arm = compute("c2", "east", 100, 1_000_000);
    arm.architecture = Some("arm64".to_owned());
    book.pool(arm);
    let mut tax = account("tax", None, &[]);
    let dimensions = Dimensions { architecture: Some("arm64".to_owned()), ..Dimensions::default() };
    tax.limits.push(Limit { meter: Meter::Vcpu, dimensions, limit: None, guaranteed: 100 });
    book.set(&Command::SetAccount(tax));
    set(&mut book, "court", None, None, 0);
    book.grant(&host("court", "a", 100, 1));
    let mut on_arm = host("court", "b", 1, 1);
    on_arm.placements[0].architecture = Some("arm64".to_owned());
    assert_eq!(book.refusal(&on_arm).code, RefusalCode::PoolExhausted);
}

#[test]
fn a_closed_account_keeps_nothing() {
    let mut book = book();
    set(&mut book, "tax", None, None, 40);
    set(&mut book, "court", None, None, 0);
    let mut closed = guaranteed(account("tax", None, &[]), Meter::Vcpu, 40);
    closed.state = jiyun_ledger::AccountState::Closed;
    book.set(&Command::SetAccount(closed));
    book.grant(&host("court", "a", 100, 1));
}

#[test]
fn a_limit_by_kind_is_not_passed_within_a_floor_of_any_kind() {
    let mut book = book();
    let mut county = guaranteed(account("county", None, &[]), Meter::Vcpu, 20);
    let amd64 = Dimensions { architecture: Some("amd64".to_owned()), ..Dimensions::default() };
    county.limits.push(Limit { meter: Meter::Vcpu, dimensions: amd64, limit: Some(10), guaranteed: 0 });
    book.set(&Command::SetAccount(county));
    set(&mut book, "tax", Some("county"), None, 20);
    let refusal = book.refusal(&host("tax", "a", 15, 1));
    assert_eq!((refusal.code, refusal.parameters["available"].as_str()), (RefusalCode::ExceedsLimit, "10"));
    book.grant(&host("tax", "a", 10, 1));
}
