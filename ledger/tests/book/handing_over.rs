//! Departments change: claims go to another account; nothing moves, and each pays for its own time.

use jiyun_ledger::{
    Account, AccountState, Command, CommandError, Dimensions, Holder, Meter, Period, Subject, Transfer, UsageFilter,
    tie, usage,
};

use jiyun_ledger::core::decide::{Only, check};

use crate::city::{Book, at, compute, host};

fn book() -> Book {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.pool(compute("c1", "east", 100, 1_000_000)).account("tax", None, &[]).account("finance", None, &[]);
    book
}

fn to_finance(book: &Book, uid: &str) -> Command {
    let claim = book.state.claim_of_subject(uid).unwrap();
    Command::Transfer(Box::new(Transfer {
        claim: claim.id,
        account: "finance".into(),
        system: "revenue".to_owned(),
        subject: Subject { namespace: "dept-finance".to_owned(), uid: format!("{uid}-anew"), ..claim.subject.clone() },
        engine_namespace: "engine-tax".to_owned(),
    }))
}

#[test]
fn each_holder_pays_for_the_time_it_held_the_claim() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-11-01T10:00:00Z");
    let transfer = to_finance(&book, "a");
    assert!(book.record(&transfer).unwrap());
    let seconds = |book: &Book, name: &str| -> i128 {
        let period = Period { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-02T00:00:00Z") };
        let filter = UsageFilter { account: Some(name.into()), payer: None };
        let rows = usage(&book.state, period, &filter);
        rows.iter().filter(|row| row.meter == Meter::Vcpu).map(|row| row.unit_seconds / 4 / 3600).sum()
    };
    assert_eq!((seconds(&book, "tax"), seconds(&book, "finance")), (10, 14));
    let total =
        |book: &Book, name: &str| book.state.tree_total(&name.into(), Meter::Vcpu, &Dimensions::default()).total();
    assert_eq!((total(&book, "tax"), total(&book, "finance")), (0, 4));
    let claim = book.state.claim_of_subject("a-anew").unwrap();
    assert_eq!(claim.engine_namespace.as_deref(), Some("engine-tax"), "the machine stays where it is");
    assert!(book.state.claim_of_subject("a").is_none());
    assert_eq!(book.state.verify(), []);
    let period = Period { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-02T00:00:00Z") };
    assert!(tie(&book.state, period).iter().all(jiyun_ledger::Tie::holds));
}

#[test]
fn a_claim_that_ends_or_does_not_exist_is_not_handed_over() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    let transfer = to_finance(&book, "a");
    book.set(&Command::End(id));
    assert!(matches!(book.record(&transfer), Err(CommandError::Ending { .. })));
    book.set(&Command::Release(id));
    assert!(matches!(book.record(&transfer), Err(CommandError::Released { .. })));
}

#[test]
fn a_month_that_is_past_reads_the_same_after_a_claim_was_handed_over_under_another_name() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-12-10T00:00:00Z");
    let november = Period { from: at("2026-11-01T00:00:00Z"), to: at("2026-12-01T00:00:00Z") };
    let filter = UsageFilter { account: Some("tax".into()), payer: None };
    let before = usage(&book.state, november, &filter);
    let Command::Transfer(mut transfer) = to_finance(&book, "a") else { unreachable!() };
    transfer.subject.name = "renamed".to_owned();
    book.set(&Command::Transfer(transfer));
    assert_eq!(usage(&book.state, november, &filter), before);
}

type Named = Vec<(Option<Holder>, Option<Holder>)>;

#[test]
fn both_holders_are_named_on_each_others_lines_and_no_past_month_changes() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-12-10T00:00:00Z");
    let giver = book.state.claim_of_subject("a").unwrap().holder();
    let transfer = to_finance(&book, "a");
    book.set(&transfer);
    let taker = book.state.claim_of_subject("a-anew").unwrap().holder();
    let named = |account: &str, from: &str, to: &str| -> Named {
        let filter = UsageFilter { account: Some(account.into()), payer: None };
        let rows = usage(&book.state, Period { from: at(from), to: at(to) }, &filter);
        let cores = rows.into_iter().filter(|row| row.meter == Meter::Vcpu);
        cores.map(|row| (row.received_from, row.passed_to)).collect()
    };
    let (november, december, january) = ("2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(named("tax", november, december).last(), Some(&(None, None)), "it was not known then");
    assert_eq!(named("tax", december, january), [(None, Some(taker))]);
    assert_eq!(named("finance", december, january), [(Some(giver.clone()), None)]);
    assert_eq!(named("finance", january, "2027-02-01T00:00:00Z"), [(Some(giver), None)], "and in every later month");
    // Neither a month that ended in the very moment of handing over.
    let so_far = named("tax", november, "2026-12-10T00:00:00Z");
    assert!(so_far.iter().all(|(_, passed_to)| passed_to.is_none()), "{so_far:?}");
}

#[test]
fn a_claim_handed_over_is_not_ended_for_its_old_object() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    let transfer = to_finance(&book, "a");
    book.set(&transfer);
    let old = book.record(&Command::EndFor(id, "a".to_owned()));
    assert!(matches!(old, Err(CommandError::HandedOver { claim }) if claim == id), "{old:?}");
    assert!(book.record(&Command::EndFor(id, "a-anew".to_owned())).unwrap());
}

#[test]
fn a_change_asked_for_by_the_old_object_is_refused_and_no_claim_of_its_own() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    let was = Only::Holding(book.state.claim(id).unwrap().as_ref().into());
    assert!(check(&book.state, &host("tax", "a", 2, 1024), &was).is_ok());
    let transfer = to_finance(&book, "a");
    book.set(&transfer);
    let refused = check(&book.state, &host("tax", "a", 2, 1024), &was).unwrap_err();
    assert!(refused.to_string().contains("belongs to another object"), "{refused}");
}

#[test]
fn a_closed_account_is_handed_nothing_and_hands_over_what_it_has() {
    let mut book = book();
    book.grant(&host("tax", "a", 4, 1024));
    let close = |book: &mut Book, name: &str| {
        let account = Account::clone(book.state.account(&name.into()).unwrap());
        book.set(&Command::SetAccount(Account { state: AccountState::Closed, ..account }));
    };
    close(&mut book, "tax");
    let transfer = to_finance(&book, "a");
    assert!(book.record(&transfer).unwrap());
    close(&mut book, "finance");
    let Command::Transfer(back) = transfer else { unreachable!() };
    let back =
        Transfer { account: "tax".into(), subject: Subject { uid: "b".to_owned(), ..back.subject.clone() }, ..*back };
    let refused = book.record(&Command::Transfer(Box::new(back)));
    assert!(
        matches!(&refused, Err(CommandError::AccountClosed { account }) if account.as_str() == "tax"),
        "{refused:?}"
    );
}

#[test]
fn what_was_handed_over_keeps_the_name_its_machine_was_made_under() {
    let mut book = book();
    let id = book.grant(&host("tax", "a", 4, 1024));
    let first = book.state.claim(id).unwrap().subject.name.clone();
    let Command::Transfer(mut transfer) = to_finance(&book, "a") else { unreachable!() };
    transfer.subject.name = "renamed".to_owned();
    book.set(&Command::Transfer(transfer));
    let claim = book.state.claim(id).unwrap();
    assert_eq!((claim.first_name(), claim.subject.name.as_str()), (first.as_str(), "renamed"));
    assert!(claim.was_handed_over_by("tax", &first) && !claim.was_handed_over_by("finance", "renamed"));
}
