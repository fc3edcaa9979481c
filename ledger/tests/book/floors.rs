//! Floors: always there for whoever has them, lent to nobody, counted once.

use jiyun_ledger::{
    Account, ClaimRequest, Command, CommandError, Dimensions, Limit, Meter, Pool, PoolState, RefusalCode, balance,
};

use crate::city::{Book, account, compute, guaranteed, host, storage, with_disk};

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

fn zoned(name: &str, zones: &[&str], vcpu: u64) -> Pool {
    Pool { zones: zones.iter().map(|zone| (*zone).to_owned()).collect(), ..compute(name, "east", vcpu, 1_000_000) }
}

fn floor_of(book: &mut Book, name: &str, meter: Meter, dimensions: Dimensions, guaranteed: u64) {
    let limits = vec![Limit { meter, dimensions, limit: None, guaranteed }];
    book.set(&Command::SetAccount(Account { limits, ..account(name, None, &[]) }));
}

fn zone(name: &str) -> Dimensions {
    Dimensions { zone: Some(name.to_owned()), ..Dimensions::default() }
}

fn within(mut request: ClaimRequest, zone: &str) -> ClaimRequest {
    zone.clone_into(&mut request.zone);
    request
}

/// The pool serves both zones: what is free there is enough for either floor, and not for both.
#[test]
fn floors_of_different_kinds_that_one_pool_serves_are_all_kept() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(zoned("c1", &["extranet", "internet"], 20));
    book.pool(Pool { zones: ["extranet", "internet"].map(str::to_owned).into(), ..storage("s1", "east", "ssd", 100) });
    floor_of(&mut book, "tax", Meter::Vcpu, zone("extranet"), 10);
    floor_of(&mut book, "court", Meter::Vcpu, zone("internet"), 8);
    book.account("school", None, &[]);
    let mut too_much = host("school", "a", 3, 1);
    assert_eq!(book.refusal(&too_much).code, RefusalCode::PoolExhausted);
    too_much.wait = true;
    assert_eq!(book.refusal(&too_much).code, RefusalCode::PoolExhausted, "it would wait for ever");
    book.grant(&host("school", "a", 2, 1));
    book.grant(&host("tax", "b", 10, 1));
    book.grant(&within(host("court", "c", 8, 1), "internet"));
    assert_eq!(book.state.verify(), []);
}

/// Two pools, of which each is promised in part: neither alone shows that only five are ever to be had.
#[test]
fn who_asks_for_more_than_floors_ever_leave_does_not_wait() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    for name in ["c1", "c2"] {
        book.pool(zoned(name, &["extranet", "internet"], 20));
    }
    floor_of(&mut book, "tax", Meter::Vcpu, zone("extranet"), 18);
    floor_of(&mut book, "court", Meter::Vcpu, zone("internet"), 17);
    book.account("school", None, &[]);
    let waiting = |vcpu| ClaimRequest { wait: true, ..host("school", "a", vcpu, 1) };
    assert_eq!(book.refusal(&waiting(8)).code, RefusalCode::PoolExhausted);
    book.grant(&waiting(5));
}

/// A pool of another kind in the same zones shares nothing with them; what is short in one zone stops nobody in another.
#[test]
fn a_zone_in_maintenance_keeps_nobody_from_growing_in_another() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(Pool { state: PoolState::Draining, ..zoned("c1", &["extranet"], 200) });
    book.pool(zoned("c2", &["internet"], 100));
    book.pool(Pool { zones: ["extranet", "internet"].map(str::to_owned).into(), ..storage("s1", "east", "ssd", 100) });
    floor_of(&mut book, "tax", Meter::Vcpu, zone("extranet"), 100);
    floor_of(&mut book, "court", Meter::Vcpu, zone("internet"), 5);
    book.account("school", None, &[]);
    book.grant(&within(host("school", "a", 95, 1), "internet"));
    assert_eq!(book.refusal(&within(host("school", "b", 1, 1), "internet")).code, RefusalCode::PoolExhausted);
}

/// One pool lost capacity and cannot keep the floor that names it. What the other has to spare can be had all the same.
#[test]
fn a_floor_that_is_lost_already_does_not_stop_growth_that_takes_nothing_from_it() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(zoned("c1", &["extranet"], 10));
    book.pool(zoned("c2", &["extranet"], 10));
    let only = Dimensions { pool: Some("c1".into()), ..Dimensions::default() };
    floor_of(&mut book, "court", Meter::Vcpu, only, 20);
    floor_of(&mut book, "tax", Meter::Vcpu, zone("extranet"), 1);
    book.account("school", None, &[]);
    assert_eq!(book.refusal(&host("school", "a", 10, 1)).code, RefusalCode::PoolExhausted);
    let claim = book.grant(&host("school", "a", 9, 1));
    assert_eq!(book.state.claim(claim).unwrap().lines[0].pool.name(), "c2");
    book.grant(&host("tax", "b", 1, 1));
}

#[test]
fn a_claim_becomes_smaller_whatever_floors_lack() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    let pool = zoned("c1", &["extranet"], 20);
    book.pool(pool.clone());
    set(&mut book, "tax", None, None, 0);
    book.grant(&host("tax", "a", 20, 1));
    book.pool(Pool { capacity: [(Meter::Vcpu, 10), (Meter::Memory, 1_000_000)].into(), ..pool });
    set(&mut book, "tax", None, None, 21);
    book.grant(&host("tax", "a", 16, 1));
    assert_eq!(book.refusal(&host("tax", "a", 17, 1)).code, RefusalCode::PoolExhausted);
}

/// Each part alone leaves the floor its room, and both together do not: then another pool is taken.
#[test]
fn parts_that_eat_a_floor_together_are_laid_elsewhere() {
    let mut book = book();
    let disks = |name: &str, tier: &str, zones: &[&str], mib| Pool {
        zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        ..storage(name, "east", tier, mib)
    };
    book.pool(disks("f1", "fast", &["extranet", "internet"], 80));
    book.pool(disks("s2", "standard", &["extranet", "internet"], 80));
    book.pool(disks("s3", "standard", &["extranet"], 200));
    floor_of(&mut book, "court", Meter::BlockStorage, zone("internet"), 100);
    book.account("school", None, &[]);
    let claim = book.grant(&with_disk(with_disk(host("school", "a", 1, 1), "fast", 40), "standard", 40));
    let lines = &book.state.claim(claim).unwrap().lines;
    let pools: Vec<_> =
        lines.iter().filter(|line| line.meter == Meter::BlockStorage).map(|line| line.pool.name()).collect();
    assert_eq!(pools, ["f1", "s3"]);
}

#[test]
fn what_a_claim_gives_back_is_there_for_floors() {
    let mut book = book();
    for (name, tier) in [("f1", "fast"), ("s1", "standard")] {
        let zones = ["extranet", "internet"].map(str::to_owned).into();
        book.pool(Pool { zones, ..storage(name, "east", tier, 40) });
    }
    floor_of(&mut book, "court", Meter::BlockStorage, zone("internet"), 40);
    book.account("school", None, &[]);
    let claim = book.grant(&with_disk(host("school", "a", 1, 1), "standard", 40));
    assert_eq!(book.grant(&with_disk(host("school", "a", 1, 1), "fast", 40)), claim);
    assert_eq!(book.refusal(&with_disk(host("school", "b", 1, 1), "standard", 1)).code, RefusalCode::PoolExhausted);
}

/// Its floor is used up in a pool kept apart: nothing is kept free for it anywhere, and never need be.
#[test]
fn who_could_have_what_others_give_back_waits_though_a_floor_is_used_apart() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(zoned("c1", &["extranet"], 10));
    book.pool(Pool { max_protection_level: 4, ..zoned("c4", &["extranet"], 10) });
    set(&mut book, "tax", None, None, 10);
    for name in ["bank", "school"] {
        book.account(name, None, &[]);
    }
    book.grant(&ClaimRequest { protection_level: 4, ..host("tax", "a", 10, 1) });
    let bank = book.grant(&host("bank", "b", 10, 1));
    let wish = ClaimRequest { wait: true, ..host("school", "c", 5, 1) };
    assert_eq!(book.refusal(&wish).code, RefusalCode::WaitingForCapacity);
    book.set(&Command::End(bank));
    book.set(&Command::Release(bank));
    book.grant(&wish);
}

#[test]
fn a_limit_no_book_can_count_is_not_recorded() {
    let mut book = book();
    let too_large = guaranteed(account("tax", None, &[]), Meter::Vcpu, 1 << 63);
    let error = book.record(&Command::SetAccount(too_large)).unwrap_err();
    assert!(matches!(error, CommandError::TooLargeALimit { .. }), "{error}");
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
