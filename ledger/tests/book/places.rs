//! Which pool is taken, and which filter refuses which.

use jiyun_ledger::{
    ClaimRequest, Command, CommandError, Decision, Filter, Meter, Placement, PlacementReport, PoolState, RefusalCode,
};

use crate::city::{Book, compute, host, storage, with_disk};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.account("tax", None, &[]);
    book
}

fn verdict(report: &PlacementReport, pool: &str) -> Option<Filter> {
    let pools = report.placements.iter().flat_map(|trace| &trace.pools);
    pools.into_iter().find(|verdict| verdict.pool.as_str() == pool).unwrap().refused_by
}

#[test]
fn each_filter_names_the_pools_it_refuses() {
    let mut book = book();
    let base = || compute("x", "east", 10, 20_000);
    let named = |name: &str| jiyun_ledger::Pool { id: name.into(), ..base() };
    let mut zone = named("zone");
    zone.zones = ["internet".to_owned()].into();
    let mut level = named("level");
    level.max_protection_level = 2;
    let mut architecture = named("architecture");
    architecture.architecture = Some("arm64".to_owned());
    let mut closed = named("closed");
    closed.state = PoolState::Closed;
    for pool in [zone, level, architecture, closed, compute("full", "east", 1, 20_000)] {
        book.pool(pool);
    }

    let refusal = book.refusal(&host("tax", "a", 2, 1024));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted);
    assert_eq!(refusal.parameters.get("meter").map(String::as_str), Some("Vcpu"));
    assert_eq!(refusal.parameters.get("requested").map(String::as_str), Some("2"));
    for (pool, filter) in [
        ("zone", Filter::Zone),
        ("level", Filter::ProtectionLevel),
        ("architecture", Filter::Architecture),
        ("closed", Filter::Open),
        ("full", Filter::Capacity),
    ] {
        assert_eq!(verdict(&refusal.report, pool), Some(filter), "{pool}");
    }
    let told: Vec<_> = refusal.parameters.values().map(String::as_str).collect();
    assert!(!told.contains(&"full"), "whoever asks is not told of pools: {told:?}");
}

#[test]
fn no_pool_of_the_kind_is_told_apart_from_pools_that_are_full() {
    let mut book = book();
    assert_eq!(book.refusal(&host("tax", "a", 1, 1024)).code, RefusalCode::NoMatchingPool);
    book.pool(compute("c1", "east", 1, 20_000));
    assert_eq!(book.refusal(&host("tax", "a", 2, 1024)).code, RefusalCode::PoolExhausted);
}

#[test]
fn the_tightest_fit_is_taken_then_the_first_name() {
    let mut book = book();
    book.pool(compute("roomy", "east", 100, 100_000)).pool(compute("tight", "west", 5, 5_000));
    let id = book.grant(&host("tax", "a", 4, 4_000));
    assert_eq!(book.state.claim(id).unwrap().pool_of(Meter::Vcpu).unwrap().as_str(), "tight");

    book.pool(compute("b", "north", 5, 5_000)).pool(compute("a", "north", 5, 5_000));
    let id = book.grant(&host("tax", "b", 4, 4_000));
    assert_eq!(book.state.claim(id).unwrap().pool_of(Meter::Vcpu).unwrap().as_str(), "a");
}

#[test]
fn compute_and_storage_are_taken_at_the_same_site() {
    let mut book = book();
    // East fits the processors best but has no such disk; west has both.
    book.pool(compute("c-east", "east", 4, 4_096)).pool(storage("s-east", "east", "extreme", 10_000));
    book.pool(compute("c-west", "west", 90, 90_000)).pool(storage("s-west", "west", "standard", 90_000));

    let request = with_disk(host("tax", "a", 4, 4_096), "standard", 1_000);
    let Decision::Granted { claim, report, .. } = book.decide(&request).unwrap() else { panic!("refused") };
    assert_eq!(claim.pool_of(Meter::Vcpu).unwrap().as_str(), "c-west");
    assert_eq!(claim.pool_of(Meter::BlockStorage).unwrap().as_str(), "s-west");
    assert_eq!(verdict(&report, "c-east"), Some(Filter::Site));
    assert_eq!(verdict(&report, "s-east"), Some(Filter::Tier));

    book.pool(compute("c-south", "south", 4, 4_096));
    let apart = with_disk(host("tax", "b", 4, 4_096), "extreme", 20_000);
    let refusal = book.refusal(&apart);
    assert_eq!(refusal.code, RefusalCode::PoolExhausted);
    assert_eq!(refusal.parameters.get("meter").map(String::as_str), Some("BlockStorage"));
}

#[test]
fn pools_that_fit_only_at_different_sites_match_nothing() {
    let mut book = book();
    book.pool(compute("c-east", "east", 4, 4_096)).pool(storage("s-west", "west", "standard", 90_000));
    let refusal = book.refusal(&with_disk(host("tax", "a", 1, 1_024), "standard", 1_000));
    assert_eq!(refusal.code, RefusalCode::NoMatchingPool);
    assert_eq!(verdict(&refusal.report, "c-east"), Some(Filter::Site));
    assert_eq!(verdict(&refusal.report, "s-west"), Some(Filter::Site));
}

#[test]
fn a_volume_lies_at_the_site_it_is_asked_for_at_or_nowhere() {
    let mut book = book();
    book.pool(storage("s-east", "east", "standard", 1_000)).pool(storage("s-west", "west", "standard", 90_000));
    let volume = |uid: &str, size: u64, site: Option<&str>| ClaimRequest {
        placements: Placement::volume("standard".to_owned(), size, site.map(str::to_owned)).into(),
        spec_digest: format!("{size}"),
        ..host("tax", uid, 1, 1)
    };
    let east = book.grant(&volume("a", 600, Some("east")));
    assert_eq!(book.state.claim(east).unwrap().pool_of(Meter::BlockStorage).unwrap().as_str(), "s-east");
    let refusal = book.refusal(&volume("b", 600, Some("east")));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted, "there is room at the other site");
    assert_eq!(verdict(&refusal.report, "s-west"), Some(Filter::Site));
    let refusal = book.refusal(&volume("c", 600, Some("north")));
    assert_eq!(refusal.code, RefusalCode::NoMatchingPool);
    let anywhere = book.grant(&volume("d", 600, None));
    assert_eq!(book.state.claim(anywhere).unwrap().pool_of(Meter::BlockStorage).unwrap().as_str(), "s-west");
}

#[test]
fn a_snapshot_lies_in_the_pool_that_is_named_or_nowhere_and_nobody_is_told_of_pools() {
    let mut book = book();
    book.pool(storage("s-roomy", "east", "standard", 1_000)).pool(storage("s-tight", "east", "standard", 700));
    let snapshot = |uid: &str, size: u64, pool: &str| ClaimRequest {
        placements: Placement::snapshot("standard".to_owned(), size, pool.into()).into(),
        spec_digest: format!("{size}"),
        ..host("tax", uid, 1, 1)
    };
    let id = book.grant(&snapshot("a", 600, "s-roomy"));
    let lies_in = book.state.claim(id).unwrap().pool_of(Meter::BlockStorage).unwrap();
    assert_eq!(lies_in.as_str(), "s-roomy", "the other one is the tighter fit");

    let refusal = book.refusal(&snapshot("b", 600, "s-roomy"));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted, "there is room in the other one");
    assert_eq!(verdict(&refusal.report, "s-roomy"), Some(Filter::Capacity));
    assert_eq!(verdict(&refusal.report, "s-tight"), Some(Filter::Bound));
    let told: Vec<_> = refusal.parameters.values().collect();
    assert!(told.iter().all(|value| !value.contains("s-")), "{told:?}");

    let refusal = book.refusal(&snapshot("c", 600, "s-gone"));
    assert_eq!(refusal.code, RefusalCode::NoMatchingPool);
    for pool in ["s-roomy", "s-tight"] {
        assert_eq!(verdict(&refusal.report, pool), Some(Filter::Bound), "{pool}");
    }
}

#[test]
fn parts_that_name_different_pools_are_not_laid_into_one() {
    let mut book = book();
    book.pool(storage("s1", "east", "standard", 1_000)).pool(storage("s2", "east", "standard", 1_000));
    let part = |size: u64, pool: &str| Placement::snapshot("standard".to_owned(), size, pool.into());
    let id = book.grant(&ClaimRequest {
        placements: part(100, "s1").into_iter().chain(part(200, "s2")).chain(part(30, "s1")).collect(),
        ..host("tax", "a", 1, 1)
    });
    let lines: Vec<_> =
        book.state.claim(id).unwrap().lines.iter().map(|line| (line.pool.as_str(), line.quantity)).collect();
    assert_eq!(lines, [("s1", 130), ("s2", 200)]);
}

#[test]
fn a_pool_of_another_type_of_storage_is_passed_over_and_nobody_waits_for_it() {
    let mut book = book();
    book.pool(storage("blocks", "east", "standard", 90_000));
    let bucket = |uid: &str, size: u64| ClaimRequest {
        placements: Placement::bucket("standard".to_owned(), size).into(),
        spec_digest: format!("{size}"),
        wait: true,
        ..host("tax", uid, 1, 1)
    };
    let refusal = book.refusal(&bucket("a", 600));
    assert_eq!(refusal.code, RefusalCode::NoMatchingPool, "there is no room of that kind, and never will be");
    assert_eq!(verdict(&refusal.report, "blocks"), Some(Filter::StorageType));
    assert_eq!(book.state.waiting().count(), 0);

    book.pool(jiyun_ledger::Pool {
        capacity: [(Meter::ObjectStorage, 1_000)].into(),
        ..storage("objects", "east", "standard", 0)
    });
    let id = book.grant(&bucket("a", 600));
    assert_eq!(book.state.claim(id).unwrap().pool_of(Meter::ObjectStorage).unwrap().as_str(), "objects");
    let volume = ClaimRequest {
        placements: Placement::volume("standard".to_owned(), 600, None).into(),
        spec_digest: "volume".to_owned(),
        ..host("tax", "v", 1, 1)
    };
    let id = book.grant(&volume);
    assert_eq!(book.state.claim(id).unwrap().pool_of(Meter::BlockStorage).unwrap().as_str(), "blocks");
}

#[test]
fn over_commit_adds_and_reserve_takes_away() {
    let mut book = book();
    let mut pool = compute("c1", "east", 10, 100_000);
    pool.overcommit_percent.insert(Meter::Vcpu, 200);
    pool.reserve.insert(Meter::Vcpu, 5);
    book.pool(pool);
    book.grant(&host("tax", "a", 15, 1_024));
    assert_eq!(book.refusal(&host("tax", "b", 1, 1_024)).code, RefusalCode::PoolExhausted);
}

#[test]
fn a_pool_below_its_use_gives_nothing_more_and_lets_claims_shrink() {
    let mut book = book();
    book.pool(compute("c1", "east", 10, 100_000));
    let id = book.grant(&host("tax", "a", 10, 1_024));
    book.pool(compute("c1", "east", 4, 100_000));
    assert_eq!(book.refusal(&host("tax", "b", 1, 1_024)).code, RefusalCode::PoolExhausted);
    assert_eq!(book.refusal(&host("tax", "a", 11, 1_024)).code, RefusalCode::PoolExhausted);
    assert_eq!(book.grant(&host("tax", "a", 8, 1_024)), id);
    // Memory may grow in the same pool while the processors stay.
    assert_eq!(book.grant(&host("tax", "a", 8, 2_048)), id);
}

#[test]
fn a_claim_shrinks_in_a_closed_pool() {
    let mut book = book();
    book.pool(compute("c1", "east", 10, 100_000));
    let id = book.grant(&host("tax", "a", 10, 1_024));
    let mut closed = compute("c1", "east", 10, 100_000);
    closed.state = PoolState::Closed;
    book.pool(closed);
    assert_eq!(book.grant(&host("tax", "a", 5, 1_024)), id);
    assert_eq!(book.refusal(&host("tax", "a", 6, 1_024)).code, RefusalCode::NoMatchingPool);
}

#[test]
fn what_a_pool_is_cannot_change() {
    let mut book = book();
    book.pool(compute("c1", "east", 10, 100_000));
    let error = book.record(&Command::SetPool(compute("c1", "west", 10, 100_000))).unwrap_err();
    assert!(matches!(error, CommandError::ImmutablePool { field: "site", .. }), "{error}");
}

#[test]
fn a_pool_with_a_capacity_of_another_kind_is_not_recorded() {
    let mut pool = compute("c1", "east", 10, 100_000);
    pool.capacity.insert(Meter::BlockStorage, 1);
    let error = book().record(&Command::SetPool(pool)).unwrap_err();
    assert!(matches!(error, CommandError::Capacity { meter: Meter::BlockStorage, .. }), "{error}");
}
