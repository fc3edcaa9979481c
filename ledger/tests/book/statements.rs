//! Statements against numbers worked out by hand: Hygon at 45 yuan per core-month and 16 yuan per GiB-month.

use jiff::Timestamp;
use jiyun_ledger::{
    ClaimId, Command, CommandError, Dimensions, FiscalMonth, Meter, Payer, PriceBook, PriceError, PriceUnit, Rate,
    Statement, StatementError, UsageFilter, statement, usage,
};
use rust_decimal::Decimal;

use crate::city::{Book, at, compute, host, storage, with_disk};

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn rate(meter: Meter, architecture: Option<&str>, price: &str) -> Rate {
    let unit = PriceUnit::of(meter).0;
    let dimensions = Dimensions { architecture: architecture.map(str::to_owned), ..Dimensions::default() };
    Rate { meter, dimensions, unit, price: dec(price) }
}

fn prices(id: &str, valid_from: &str, core: &str, gib: &str) -> PriceBook {
    let rates = vec![rate(Meter::Vcpu, None, core), rate(Meter::Memory, None, gib), rate(Meter::Hosts, None, "0")];
    PriceBook { id: id.to_owned(), valid_from: at(valid_from), rates }
}

fn book() -> Book {
    let mut book = Book::open("2026-01-01T00:00:00Z");
    book.account("tax", None, &[]).pool(compute("c1", "east", 100, 200_000));
    book.set(&Command::SetPrices(prices("list-1", "2026-01-01T00:00:00Z", "45", "16")));
    book
}

/// A 4C8G host handed over at `from`; ended at `to` if given.
fn lives(book: &mut Book, from: &str, to: Option<&str>) -> ClaimId {
    let id = book.until(from).grant(&host("tax", "a", 4, 8192));
    book.set(&Command::Billable(id));
    if let Some(to) = to {
        book.until(to).set(&Command::End(id));
    }
    id
}

fn bill(book: &Book, month: &str) -> Statement {
    statement(&book.state, &"tax".into(), month.parse().unwrap(), at("2030-01-01T00:00:00Z")).unwrap()
}

fn amounts(statement: &Statement) -> Vec<(Meter, String)> {
    let priced = statement.lines.iter().filter(|line| line.meter != Meter::Hosts);
    priced.map(|line| (line.meter, line.amount.to_string())).collect()
}

#[test]
fn four_cores_and_eight_gib_for_a_whole_month_cost_308_yuan() {
    let mut book = book();
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    for month in ["2026-11", "2026-12", "2027-02", "2028-02"] {
        let statement = bill(&book, month);
        assert_eq!(statement.total.to_string(), "308.00", "{month}: 4 x 45 + 8 x 16, however long the month");
        assert_eq!(amounts(&statement), [(Meter::Vcpu, "180.00".into()), (Meter::Memory, "128.00".into())]);
        assert!(!statement.provisional && statement.unpriced.is_empty());
        assert_eq!(statement.billing_account, "F-tax");
    }
}

#[test]
fn half_a_month_costs_half() {
    let mut book = book();
    // Fifteen of November's thirty days, by Shanghai's calendar.
    lives(&mut book, "2026-11-15T16:00:00Z", None);
    assert_eq!(bill(&book, "2026-11").total.to_string(), "154.00");
}

#[test]
fn fifteen_days_of_a_month_of_31_are_rounded_line_by_line() {
    let mut book = book();
    lives(&mut book, "2026-09-30T16:00:00Z", Some("2026-10-15T16:00:00Z"));
    // 180 x 15/31 = 87.0967.. and 128 x 15/31 = 61.9354..
    let statement = bill(&book, "2026-10");
    assert_eq!(amounts(&statement), [(Meter::Vcpu, "87.10".into()), (Meter::Memory, "61.94".into())]);
    assert_eq!(statement.total.to_string(), "149.04");
    assert_eq!(statement.month_seconds, 31 * 86_400);
}

#[test]
fn one_day_of_february_is_a_twenty_eighth() {
    let mut book = book();
    lives(&mut book, "2027-02-09T16:00:00Z", Some("2027-02-10T16:00:00Z"));
    // 180/28 = 6.4285.. and 128/28 = 4.5714..
    assert_eq!(amounts(&bill(&book, "2027-02")), [(Meter::Vcpu, "6.43".into()), (Meter::Memory, "4.57".into())]);
}

#[test]
fn a_host_that_lived_one_second_has_its_lines_and_costs_nothing() {
    let mut book = book();
    lives(&mut book, "2026-11-10T00:00:00Z", Some("2026-11-10T00:00:01Z"));
    let statement = bill(&book, "2026-11");
    // 180 yuan / 2,592,000 s = 0.00006944..
    assert_eq!(statement.total.to_string(), "0.00");
    let cores = statement.lines.iter().find(|line| line.meter == Meter::Vcpu).unwrap();
    assert_eq!((cores.unit_seconds, cores.amount.to_string()), (4, "0.00".to_owned()));
}

#[test]
fn a_month_begins_at_midnight_in_shanghai() {
    let mut book = book();
    // One hour before midnight to two hours after it.
    lives(&mut book, "2026-10-31T15:00:00Z", Some("2026-10-31T18:00:00Z"));
    let seconds = |month| bill(&book, month).lines.iter().find(|line| line.meter == Meter::Vcpu).unwrap().unit_seconds;
    assert_eq!((seconds("2026-10"), seconds("2026-11")), (4 * 3600, 4 * 7200));
    let month: FiscalMonth = "2026-11".parse().unwrap();
    assert_eq!(month.period().from, at("2026-10-31T16:00:00Z"));
    assert_eq!(month.period().to, at("2026-11-30T16:00:00Z"));
    assert_eq!(FiscalMonth::of(at("2026-10-31T15:59:59Z")).unwrap().to_string(), "2026-10");
    assert_eq!(FiscalMonth::of(at("2026-10-31T16:00:00Z")).unwrap(), month);
    for wrong in ["2026-13", "2026-1", "26-01", "2026/01", "1999-12", "+026-01"] {
        assert!(wrong.parse::<FiscalMonth>().is_err(), "{wrong}");
    }
}

#[test]
fn a_new_price_in_mid_month_splits_the_line_where_it_comes_into_force() {
    let mut book = book();
    book.set(&Command::SetPrices(prices("list-2", "2026-11-15T16:00:00Z", "60", "16")));
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    let statement = bill(&book, "2026-11");
    // Half of 180, half of 240, and twice half of 128.
    let lines: Vec<_> = statement.lines.iter().filter(|line| line.meter == Meter::Vcpu).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0].book.as_str(), lines[0].amount.to_string()), ("list-1", "90.00".to_owned()));
    assert_eq!((lines[1].book.as_str(), lines[1].amount.to_string()), ("list-2", "120.00".to_owned()));
    assert_eq!(lines[0].to, at("2026-11-15T16:00:00Z"));
    assert_eq!(lines[1].from, lines[0].to);
    assert_eq!(statement.total.to_string(), "338.00");
    assert_eq!(bill(&book, "2026-12").total.to_string(), "368.00");
}

#[test]
fn growing_in_mid_month_is_charged_from_that_second_on() {
    let mut book = book();
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    book.until("2026-11-15T16:00:00Z").grant(&host("tax", "a", 8, 8192));
    let statement = bill(&book, "2026-11");
    // 4 cores half a month, 8 cores half a month; memory has another item from then on but the same price.
    assert_eq!(
        amounts(&statement),
        [
            (Meter::Vcpu, "90.00".into()),
            (Meter::Vcpu, "180.00".into()),
            (Meter::Memory, "64.00".into()),
            (Meter::Memory, "64.00".into()),
        ]
    );
    for line in &statement.lines {
        let seconds = i128::from(line.to.as_second() - line.from.as_second());
        assert_eq!(line.unit_seconds, i128::from(line.quantity) * seconds, "a line is recomputed from what it shows");
    }
}

#[test]
fn a_disk_that_grows_does_not_split_the_processors_line() {
    let mut book = book();
    book.pool(storage("s1", "east", "standard", 1_000_000));
    book.until("2026-06-01T00:00:00Z");
    let id = book.grant(&with_disk(host("tax", "a", 4, 8192), "standard", 20_480));
    book.set(&Command::Billable(id));
    book.until("2026-11-15T16:00:00Z").grant(&with_disk(host("tax", "a", 4, 8192), "standard", 40_960));
    let statement = bill(&book, "2026-11");
    let of = |meter| statement.lines.iter().filter(|line| line.meter == meter).count();
    assert_eq!((of(Meter::Vcpu), of(Meter::Memory)), (1, 1));
    assert_eq!(statement.unpriced.len(), 2, "this list has no price for disks");
}

#[test]
fn provisioning_and_wiping_are_not_the_departments() {
    let mut book = book();
    let id = book.until("2026-11-01T00:00:00Z").grant(&host("tax", "a", 4, 8192));
    book.until("2026-11-01T01:00:00Z").set(&Command::Billable(id));
    book.until("2026-11-01T02:00:00Z").set(&Command::End(id));
    book.until("2026-11-01T05:00:00Z").set(&Command::Release(id));
    let lines = bill(&book, "2026-11").lines;
    let cores = lines.iter().find(|line| line.meter == Meter::Vcpu).unwrap();
    assert_eq!((cores.from, cores.to), (at("2026-11-01T01:00:00Z"), at("2026-11-01T02:00:00Z")));

    let period = "2026-11".parse::<FiscalMonth>().unwrap().period();
    let filter = UsageFilter { payer: Some(Payer::Platform), ..UsageFilter::default() };
    let rows = usage(&book.state, period, &filter);
    let seconds: Vec<_> = rows.iter().filter(|row| row.meter == Meter::Vcpu).map(|row| row.unit_seconds).collect();
    assert_eq!(seconds, [4 * 3600, 4 * 3 * 3600]);
}

#[test]
fn a_claim_never_handed_over_is_on_no_statement() {
    let mut book = book();
    let id = book.until("2026-11-01T00:00:00Z").grant(&host("tax", "a", 4, 8192));
    book.until("2026-11-02T00:00:00Z").set(&Command::End(id));
    book.until("2026-11-03T00:00:00Z").set(&Command::Release(id));
    let statement = bill(&book, "2026-11");
    assert!(statement.lines.is_empty() && statement.unpriced.is_empty());
    assert_eq!(statement.total.to_string(), "0.00");
}

#[test]
fn use_without_a_price_is_shown_and_never_counted_as_free() {
    let mut book = Book::open("2026-01-01T00:00:00Z");
    book.account("tax", None, &[]).pool(compute("c1", "east", 100, 200_000));
    // A list that comes into force in mid-month and knows no memory.
    let rates = vec![rate(Meter::Vcpu, None, "45"), rate(Meter::Hosts, None, "0")];
    let list = PriceBook { id: "cores".to_owned(), valid_from: at("2026-11-15T16:00:00Z"), rates };
    book.set(&Command::SetPrices(list));
    lives(&mut book, "2026-06-01T00:00:00Z", None);

    let statement = bill(&book, "2026-11");
    assert_eq!(statement.total.to_string(), "90.00");
    let unpriced: Vec<_> =
        statement.unpriced.iter().map(|row| (row.usage.meter, row.book.as_deref(), row.usage.from)).collect();
    let (start, middle) = (at("2026-10-31T16:00:00Z"), at("2026-11-15T16:00:00Z"));
    assert_eq!(
        unpriced,
        [
            (Meter::Hosts, None, start),
            (Meter::Vcpu, None, start),
            (Meter::Memory, None, start),
            (Meter::Memory, Some("cores"), middle),
        ]
    );
}

#[test]
fn an_unfinished_month_is_provisional_and_counts_to_the_moment_asked() {
    let mut book = book();
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    let month: FiscalMonth = "2026-11".parse().unwrap();
    let ask = |as_of: Timestamp| statement(&book.state, &"tax".into(), month, as_of).unwrap();
    let half = ask(at("2026-11-15T16:00:00Z"));
    assert!(half.provisional);
    assert_eq!((half.total.to_string().as_str(), half.as_of), ("154.00", at("2026-11-15T16:00:00Z")));
    assert_eq!(half.revision, book.state.seq());
    let before = ask(at("2026-01-01T00:00:00Z"));
    assert!(before.provisional && before.lines.is_empty());
    assert!(!ask(at("2026-11-30T16:00:00Z")).provisional);
}

#[test]
fn the_total_is_the_sum_of_rounded_lines() {
    let mut book = book();
    book.until("2026-11-01T00:00:00Z");
    let ids: Vec<_> = ["a", "b", "c"].map(|uid| book.grant(&host("tax", uid, 1, 1024))).into();
    for id in &ids {
        book.set(&Command::Billable(*id));
    }
    book.until("2026-11-01T00:04:00Z");
    for id in &ids {
        book.set(&Command::End(*id));
    }
    // Each host: 45 x 240/2,592,000 = 0.00416.. and 16 x 240/2,592,000 = 0.00148..: nothing, line by line. Summed
    // first and rounded then, three hosts would come to 0.0169.. and cost 0.02.
    let statement = bill(&book, "2026-11");
    assert_eq!(statement.lines.len(), 9);
    assert_eq!(statement.total.to_string(), "0.00");
}

#[test]
fn the_most_specific_rate_wins_and_two_equal_ones_are_not_recorded() {
    let mut book = book();
    let mut list = prices("list-2", "2026-02-01T00:00:00Z", "45", "16");
    list.rates.push(rate(Meter::Vcpu, Some("amd64"), "50"));
    list.rates.push(rate(Meter::Vcpu, Some("arm64"), "30"));
    book.set(&Command::SetPrices(list.clone()));
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    assert_eq!(amounts(&bill(&book, "2026-11"))[0], (Meter::Vcpu, "200.00".to_owned()));

    let mut double = PriceBook { id: "list-3".to_owned(), valid_from: at("2026-03-01T00:00:00Z"), ..list };
    let zone = Dimensions { zone: Some("extranet".to_owned()), ..Dimensions::default() };
    double.rates.push(Rate { dimensions: zone, ..rate(Meter::Vcpu, None, "1") });
    let error = book.record(&Command::SetPrices(double)).unwrap_err();
    assert!(matches!(error, CommandError::Prices(PriceError::Ambiguous { .. })), "{error}");
}

#[test]
fn what_was_used_is_never_repriced() {
    let mut book = book();
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    book.now = at("2026-07-01T00:00:00Z");
    let late = Command::SetPrices(prices("list-2", "2026-06-15T00:00:00Z", "99", "16"));
    assert!(matches!(book.record(&late).unwrap_err(), CommandError::Repricing { .. }));
    let early = Command::SetPrices(prices("list-3", "2026-05-01T00:00:00Z", "99", "16"));
    assert!(matches!(book.record(&early).unwrap_err(), CommandError::Repricing { .. }));
    book.set(&Command::SetPrices(prices("list-4", "2026-07-01T00:00:00Z", "99", "16")));
}

#[test]
fn a_price_list_never_changes_and_two_never_begin_at_once() {
    let mut book = book();
    let there = prices("list-1", "2026-01-01T00:00:00Z", "45", "16");
    assert!(!book.record(&Command::SetPrices(there)).unwrap());
    let changed = prices("list-1", "2026-01-01T00:00:00Z", "46", "16");
    assert!(matches!(book.record(&Command::SetPrices(changed)).unwrap_err(), CommandError::ImmutableBook { .. }));
    let moved = prices("list-1", "2026-05-01T00:00:00Z", "45", "16");
    assert!(matches!(book.record(&Command::SetPrices(moved)).unwrap_err(), CommandError::ImmutableBook { .. }));
    let twin = prices("list-9", "2026-01-01T00:00:00Z", "45", "16");
    assert!(matches!(book.record(&Command::SetPrices(twin)).unwrap_err(), CommandError::SameValidFrom { .. }));
    let mut negative = prices("list-8", "2026-08-01T00:00:00Z", "45", "16");
    negative.rates[0].price = dec("-0.01");
    assert!(matches!(
        book.record(&Command::SetPrices(negative)).unwrap_err(),
        CommandError::Prices(PriceError::Price { .. })
    ));
    let mut odd = prices("list-8", "2026-08-01T00:00:00Z", "45", "16");
    odd.rates[0].unit = PriceUnit::GiBMonth;
    assert!(matches!(
        book.record(&Command::SetPrices(odd)).unwrap_err(),
        CommandError::Prices(PriceError::Unit { .. })
    ));
}

#[test]
fn there_is_no_statement_of_an_account_nobody_knows() {
    let month = "2026-11".parse().unwrap();
    let error = statement(&book().state, &"ghost".into(), month, at("2026-12-01T00:00:00Z")).unwrap_err();
    assert!(matches!(error, StatementError::UnknownAccount { .. }));
}

#[test]
fn a_statement_can_be_written_as_json() {
    let mut book = book();
    lives(&mut book, "2026-06-01T00:00:00Z", None);
    let json = serde_json::to_value(bill(&book, "2026-11")).unwrap();
    assert_eq!(json["month"], "2026-11");
    assert_eq!(json["total"], "308.00");
    assert_eq!(json["currency"], "CNY");
    assert_eq!(json["lines"][1]["meter"], "Vcpu");
    assert_eq!(json["lines"][1]["unitSeconds"], 4 * 2_592_000);
}
