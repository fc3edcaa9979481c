//! The line of requests that wait for room: first come, first served, passed a bounded number of times.

use jiyun_ledger::{ClaimRequest, Command, Filter, MAX_OVERTAKINGS, Meter, Placement, RefusalCode, position};

use crate::city::{Book, compute, host, storage};

fn waiting(account: &str, uid: &str, vcpu: u64) -> ClaimRequest {
    ClaimRequest { wait: true, ..host(account, uid, vcpu, 1) }
}

/// A pool of 100 of which `used` are taken, by one host `big`.
fn book(used: u64) -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 100, 1_000_000)).account("tax", None, &[]).account("court", None, &[]);
    book.grant(&host("tax", "big", used, 1));
    book
}

fn free(book: &mut Book, uid: &str) {
    let id = book.state.claim_of_subject(uid).unwrap().id;
    book.set(&Command::End(id));
    book.set(&Command::Release(id));
}

#[test]
fn a_request_without_room_stands_in_line_and_is_told_how_many_are_ahead() {
    let mut book = book(100);
    let first = book.refusal(&waiting("tax", "a", 50));
    assert_eq!((first.code, first.parameters["ahead"].as_str()), (RefusalCode::WaitingForCapacity, "0"));
    let second = book.refusal(&waiting("court", "b", 10));
    assert_eq!((second.code, second.parameters["ahead"].as_str()), (RefusalCode::WaitingForCapacity, "1"));
    let seq = book.state.seq();
    assert_eq!(book.refusal(&waiting("tax", "a", 50)).parameters["ahead"], "0");
    assert_eq!(book.state.seq(), seq, "asking again changes nothing");
    let told: Vec<_> = second.parameters.values().collect();
    assert!(!told.iter().any(|value| value.contains("tax")), "nobody learns who is ahead: {told:?}");

    free(&mut book, "big");
    book.grant(&waiting("tax", "a", 50));
    book.grant(&waiting("court", "b", 10));
    assert_eq!(book.state.waiting().count(), 0);
    assert_eq!(book.state.verify(), []);
}

/// Room came back, and the one behind was asked about first.
#[test]
fn nobody_passes_one_who_has_room_now_and_was_only_not_asked_again_yet() {
    let mut book = book(100);
    book.refusal(&waiting("tax", "a", 100));
    book.refusal(&waiting("court", "b", 100));
    free(&mut book, "big");
    let refusal = book.refusal(&waiting("court", "b", 100));
    assert_eq!((refusal.code, refusal.parameters["ahead"].as_str()), (RefusalCode::WaitingForCapacity, "1"));
    assert_eq!(book.refusal(&host("court", "c", 1, 1)).code, RefusalCode::PoolExhausted);
    book.grant(&waiting("tax", "a", 100));
    free(&mut book, "a");
    book.grant(&waiting("court", "b", 100));
    assert_eq!(book.state.verify(), []);
}

/// It lacks memory, and there are cores for both: cores alone are no use to it, and others may have them.
#[test]
fn one_who_still_lacks_something_else_may_be_passed() {
    let mut book = book(50);
    book.grant(&host("tax", "hungry", 1, 999_000));
    book.refusal(&ClaimRequest { wait: true, ..host("tax", "a", 40, 10_000) });
    book.grant(&host("court", "b", 30, 1));
    assert_eq!(book.state.waiting().next().unwrap().overtaken, 1);
}

#[test]
fn small_requests_pass_a_large_one_a_bounded_number_of_times() {
    let mut book = book(60);
    assert_eq!(book.refusal(&waiting("tax", "large", 50)).code, RefusalCode::WaitingForCapacity);
    for number in 0..MAX_OVERTAKINGS {
        book.grant(&host("court", &format!("small-{number}"), 1, 1));
    }
    // 32 are free, and yet: what is free is kept for the one that waits.
    let refusal = book.refusal(&host("court", "one-too-many", 1, 1));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted);
    assert_eq!(refusal.report.placements[0].pools[0].refused_by, Some(Filter::Queue));
    assert_eq!(book.refusal(&waiting("court", "polite", 1)).parameters["ahead"], "1");

    free(&mut book, "big");
    book.grant(&waiting("tax", "large", 50));
    book.grant(&waiting("court", "polite", 1));
    book.grant(&host("court", "one-too-many", 1, 1));
}

#[test]
fn what_shrinks_passes_nobody() {
    let mut book = book(60);
    book.grant(&host("court", "a", 10, 1));
    book.refusal(&waiting("tax", "large", 50));
    for _ in 0..=MAX_OVERTAKINGS {
        book.grant(&host("court", "b", 1, 1));
        let id = book.state.claim_of_subject("b").unwrap().id;
        book.set(&Command::End(id));
        book.set(&Command::Release(id));
        if book.state.waiting().next().unwrap().is_next() {
            break;
        }
    }
    book.grant(&host("court", "a", 5, 1));
}

#[test]
fn what_no_pool_could_ever_hold_is_refused_and_blocks_nobody() {
    let mut book = book(60);
    assert_eq!(book.refusal(&waiting("tax", "huge", 101)).code, RefusalCode::PoolExhausted);
    assert_eq!(book.state.waiting().count(), 0);
    // A pool that shrinks afterwards is not kept for what no longer fits in it.
    book.refusal(&waiting("tax", "large", 90));
    book.pool(compute("c1", "east", 80, 1_000_000));
    for number in 0..=MAX_OVERTAKINGS + 2 {
        book.grant(&host("court", &format!("small-{number}"), 1, 1));
    }
}

#[test]
fn a_place_is_lost_by_asking_for_something_else_by_a_refusal_and_by_going_away() {
    let mut book = book(100);
    book.refusal(&waiting("tax", "a", 50));
    book.refusal(&waiting("court", "b", 10));
    let refusal = book.refusal(&waiting("tax", "a", 40));
    assert_eq!(refusal.parameters["ahead"], "1", "an edit goes to the end");
    let ticket = book.state.waiting_of("b").unwrap().ticket;
    assert_eq!(position(&book.state, ticket, &waiting("court", "b", 10)), 0);

    book.account("court", None, &[(Meter::Vcpu, 5)]);
    free(&mut book, "big");
    assert_eq!(book.refusal(&waiting("court", "b", 10)).code, RefusalCode::ExceedsLimit);
    assert!(book.state.waiting_of("b").is_none());
    assert!(book.record(&Command::Unqueue("a".to_owned())).unwrap());
    assert!(!book.record(&Command::Unqueue("a".to_owned())).unwrap());
    assert_eq!(book.state.waiting().count(), 0);
}

#[test]
fn whoever_goes_back_to_what_was_granted_leaves_the_line() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 20, 1_000_000)).account("tax", None, &[]);
    book.grant(&host("tax", "a", 2, 1));
    book.grant(&host("tax", "b", 8, 1));
    assert_eq!(book.refusal(&waiting("tax", "a", 20)).code, RefusalCode::WaitingForCapacity);
    book.grant(&waiting("tax", "a", 2));
    assert_eq!(book.state.waiting().count(), 0);
    assert_eq!(book.state.claim_of_subject("a").unwrap().lines.len(), 3);
}

#[test]
fn whoever_becomes_another_object_keeps_the_place() {
    let mut book = book(60);
    let id = book.grant(&host("tax", "a", 10, 1));
    assert_eq!(book.refusal(&waiting("tax", "a", 80)).code, RefusalCode::WaitingForCapacity);
    book.refusal(&waiting("court", "b", 70));
    book.set(&Command::Rebind(id, "a2".to_owned()));
    assert!(book.state.waiting_of("a").is_none());
    let mut again = waiting("tax", "a2", 80);
    again.subject.name = "host-a".to_owned();
    assert_eq!(book.refusal(&again).parameters["ahead"], "0", "still before the other");
    assert_eq!(book.state.waiting().count(), 2);
    assert_eq!(book.state.verify(), []);
}

#[test]
fn one_who_waits_for_processors_keeps_no_disk_that_is_plentiful_from_others() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    let mut arm = compute("arm", "east", 10, 1_000_000);
    arm.architecture = Some("arm64".to_owned());
    book.pool(compute("x86", "east", 100, 1_000_000)).pool(arm).account("tax", None, &[]).account("court", None, &[]);
    book.pool(storage("s1", "east", "standard", 1_000_000));
    let on_arm = |uid: &str, vcpu| {
        let mut request = crate::city::with_disk(waiting("tax", uid, vcpu), "standard", 100);
        request.placements[0].architecture = Some("arm64".to_owned());
        request
    };
    book.grant(&on_arm("full", 10));
    assert_eq!(book.refusal(&on_arm("waits", 4)).code, RefusalCode::WaitingForCapacity);
    for number in 0..20 {
        book.grant(&crate::city::with_disk(host("court", &format!("x{number}"), 1, 1), "standard", 100));
    }
    assert_eq!(book.state.waiting().next().unwrap().overtaken, 0, "nobody took what it waits for");
}

/// What lies in one pool grows there or nowhere: it neither keeps another pool from others nor is weighed as if it moved.
#[test]
fn what_has_a_place_waits_for_room_there_and_nowhere_else() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 20, 1_000_000)).account("tax", None, &[(Meter::Vcpu, 28)]);
    book.account("court", None, &[]);
    book.grant(&host("tax", "a", 8, 1));
    book.grant(&host("court", "b", 12, 1));
    book.pool(compute("c2", "west", 100, 1_000_000));
    // 8 and 13 more would be above 28 if it were laid anew in the other pool; it is 13 in all.
    assert_eq!(book.refusal(&waiting("tax", "a", 13)).code, RefusalCode::WaitingForCapacity);
    for number in 0..=MAX_OVERTAKINGS + 2 {
        book.grant(&host("court", &format!("west-{number}"), 1, 1));
    }
    assert_eq!(book.state.waiting().next().unwrap().overtaken, 0, "nobody took what it waits for");
    assert_eq!(book.refusal(&waiting("court", "c", 99)).parameters["ahead"], "0");

    let hold =
        ClaimRequest { hold_until: Some(book.now + jiff::SignedDuration::from_hours(1)), ..host("tax", "a", 13, 1) };
    let refusal = book.refusal(&hold);
    assert_eq!(refusal.code, RefusalCode::PoolExhausted, "{:?}", refusal.parameters);

    free(&mut book, "b");
    book.grant(&waiting("tax", "a", 13));
}

/// As a snapshot does: it shares blocks with a disk in one pool, and no other pool is any use to it.
#[test]
fn what_names_its_pool_waits_for_room_there_and_nowhere_else() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.account("tax", None, &[]).account("court", None, &[]);
    book.pool(storage("s1", "east", "standard", 1_000)).pool(storage("s2", "east", "standard", 2_000));
    let named = |account: &str, uid: &str, size: u64, pool: &str| ClaimRequest {
        placements: Placement::snapshot("standard".to_owned(), size, pool.into()).into(),
        spec_digest: format!("{size}"),
        wait: true,
        ..host(account, uid, 1, 1)
    };
    book.grant(&named("tax", "full", 900, "s1"));
    book.grant(&named("tax", "most", 1_600, "s2"));
    assert_eq!(book.refusal(&named("tax", "waits", 500, "s1")).code, RefusalCode::WaitingForCapacity);
    for number in 0..=MAX_OVERTAKINGS + 2 {
        book.grant(&named("court", &format!("other-{number}"), 10, "s2"));
    }
    let overtaken = |book: &Book| book.state.waiting_of("waits").unwrap().overtaken;
    assert_eq!(overtaken(&book), 0, "nobody took what it waits for");
    assert_eq!(book.refusal(&named("court", "large", 500, "s2")).parameters["ahead"], "0", "another line");
    book.grant(&named("court", "small", 10, "s1"));
    assert_eq!(overtaken(&book), 1, "that was what it waits for");

    let refusal = book.refusal(&named("court", "huge", 1_500, "s1"));
    assert_eq!(refusal.code, RefusalCode::PoolExhausted, "the other pool is large enough, and was not named");
    assert!(book.state.waiting_of("huge").is_none());

    free(&mut book, "full");
    book.grant(&named("tax", "waits", 500, "s1"));
    assert_eq!(book.state.verify(), []);
}

/// Nodes are cordoned for an hour: the pool is too small for it meanwhile, and whoever waits longest is not thrown out.
#[test]
fn whoever_stands_in_line_stays_there_while_the_pool_is_smaller() {
    let mut book = book(60);
    book.refusal(&waiting("tax", "large", 90));
    book.pool(compute("c1", "east", 80, 1_000_000));
    assert_eq!(book.refusal(&waiting("tax", "large", 90)).code, RefusalCode::WaitingForCapacity);
    assert_eq!(book.refusal(&waiting("court", "new", 90)).code, RefusalCode::PoolExhausted);
    book.pool(compute("c1", "east", 100, 1_000_000));
    free(&mut book, "big");
    book.grant(&waiting("tax", "large", 90));
}

#[test]
fn what_a_limit_would_refuse_anyhow_does_not_stand_in_line() {
    let mut book = book(60);
    book.account("small", None, &[(Meter::Vcpu, 2)]);
    assert_eq!(book.refusal(&waiting("small", "a", 50)).code, RefusalCode::ExceedsLimit);
    assert_eq!(book.state.waiting().count(), 0);
}

#[test]
fn what_no_site_holds_whole_or_floors_of_others_never_leave_does_not_stand_in_line() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c-east", "east", 100, 1_000)).pool(storage("s-east", "east", "standard", 10));
    book.pool(compute("c-west", "west", 10, 1_000)).pool(storage("s-west", "west", "standard", 1_000));
    book.account("tax", None, &[]);
    let apart = crate::city::with_disk(waiting("tax", "a", 50), "standard", 500);
    assert_eq!(book.refusal(&apart).code, RefusalCode::PoolExhausted);

    let mut book = self::book(10);
    let floor = crate::city::guaranteed(crate::city::account("court", None, &[]), Meter::Vcpu, 60);
    book.set(&Command::SetAccount(floor));
    assert_eq!(book.refusal(&waiting("tax", "b", 41)).code, RefusalCode::PoolExhausted, "60 are never there for it");
    assert_eq!(book.refusal(&waiting("tax", "c", 40)).code, RefusalCode::WaitingForCapacity);
}

#[test]
fn a_floor_is_not_kept_from_its_account_by_somebody_who_waits() {
    let mut book = book(75);
    let floor = crate::city::guaranteed(crate::city::account("court", None, &[]), Meter::Vcpu, 20);
    book.set(&Command::SetAccount(floor));
    assert_eq!(book.refusal(&waiting("tax", "large", 30)).code, RefusalCode::WaitingForCapacity);
    for number in 0..20 {
        book.grant(&host("court", &format!("own-{number}"), 1, 1));
    }
    assert_eq!(book.state.waiting().next().unwrap().overtaken, 0);
}
