//! What explanations say of a book the ledger decided on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountState, ClaimRequest, ClaimStage, Command, Dimensions, Entry, Event, Limit, Lineage, Meter,
    Placement, Plan, Pool, PoolKind, PoolState, Preference, State, Subject, balance,
    core::{command, decide::decide},
};

use super::{
    replay::{Moment, Replay},
    rows::explain,
    show,
};
use crate::book::{BookError, compare::compare};

struct Book {
    state: State,
    lines: Vec<String>,
    now: Timestamp,
}

impl Book {
    fn open() -> Self {
        let now: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let mut book = Self { state: State::default(), lines: Vec::new(), now };
        book.write(vec![Event::Opened { lineage: Lineage::new("book"), peer_lineage: Lineage::new("hub") }]);
        let pool = Pool {
            id: "compute/c1".into(),
            kind: PoolKind::Compute,
            site: "east".to_owned(),
            zones: ["extranet".to_owned()].into(),
            architecture: Some("amd64".to_owned()),
            tier: None,
            provider: "provider".to_owned(),
            domestic: true,
            max_protection_level: 3,
            capacity: [(Meter::Vcpu, 100), (Meter::Memory, 100_000)].into(),
            overcommit_percent: BTreeMap::new(),
            reserve: BTreeMap::new(),
            state: PoolState::Open,
        };
        book.set(&Command::SetPool(pool));
        book.set(&Command::SetAccount(account("city", None, Some(60), 30)));
        book.set(&Command::SetAccount(account("tax", Some("city"), Some(40), 20)));
        book.set(&Command::SetAccount(account("court", Some("city"), None, 10)));
        book
    }

    fn write(&mut self, events: Vec<Event>) {
        let entry = Entry { seq: self.state.seq() + 1, at: self.now, epoch: 1, events };
        self.state.apply(&entry).unwrap();
        self.lines.push(serde_json::to_string(&entry).unwrap());
        self.now += jiff::SignedDuration::from_secs(60);
    }

    fn set(&mut self, command: &Command) {
        let event = command::plan(&self.state, command, self.now).unwrap().unwrap();
        self.write(vec![event]);
    }

    fn ask(&mut self, request: &ClaimRequest) -> jiyun_ledger::ClaimId {
        match decide(&self.state, request, self.now).unwrap() {
            Plan::Record { claim, events, .. } => {
                self.write(events);
                claim
            }
            other => panic!("{other:?}"),
        }
    }
}

fn account(name: &str, parent: Option<&str>, limit: Option<u64>, guaranteed: u64) -> Account {
    let dimensions = Dimensions::default();
    Account {
        id: name.into(),
        display_name: format!("单位 {name}"),
        parent: parent.map(Into::into),
        billing_account: String::new(),
        limits: vec![Limit { meter: Meter::Vcpu, dimensions, limit, guaranteed }],
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

fn host(account: &str, uid: &str, vcpu: u64) -> ClaimRequest {
    let quantities = [(Meter::Hosts, 1), (Meter::Vcpu, vcpu), (Meter::Memory, 1024)].into();
    ClaimRequest {
        account: account.into(),
        system: "filing".to_owned(),
        subject: Subject {
            kind: "CloudHost".to_owned(),
            namespace: format!("dept-{account}"),
            name: format!("host-{uid}"),
            uid: uid.to_owned(),
        },
        item: format!("general-{vcpu}"),
        zone: "extranet".to_owned(),
        protection_level: 3,
        placements: vec![Placement {
            pool_kind: PoolKind::Compute,
            architecture: None,
            tier: None,
            site: None,
            pool: None,
            quantities,
        }],
        spec_digest: format!("{vcpu}"),
        approved_spec: serde_json::Value::Null.into(),
        hold_until: None,
        wait: false,
    }
}

/// Tax runs 8 and holds 4 more, court has 3 reserved, the city itself runs 2 that end.
fn book() -> Book {
    let mut book = Book::open();
    let tax = book.ask(&host("tax", "a", 8));
    book.set(&Command::Billable(tax));
    book.ask(&host("court", "b", 3));
    let city = book.ask(&host("city", "c", 2));
    book.set(&Command::Billable(city));
    let mut more = host("tax", "a", 12);
    more.hold_until = Some("2026-11-09T00:00:00Z".parse().unwrap());
    book.ask(&more);
    book.set(&Command::End(city));
    book
}

#[test]
fn the_sum_of_the_claims_is_the_row_of_the_balance() {
    let book = book();
    let replay = Replay::of(&book.lines, Moment::Now).unwrap();
    for name in ["city", "tax", "court"] {
        let explained = explain(&replay, &name.into(), None).unwrap();
        let balance = balance(&book.state, &name.into()).unwrap();
        assert_eq!(explained.revision, balance.revision);
        assert_eq!(explained.parts.len(), balance.rows.len());
        for (part, row) in explained.parts.iter().zip(&balance.rows) {
            assert_eq!(part.balance, *row);
            assert_eq!(part.sum, row.used + row.held, "{name} {}", row.meter);
            assert_eq!(part.claims.iter().map(|line| line.quantity).sum::<u64>(), part.sum);
            assert!(part.adds_up);
        }
    }
}

#[test]
fn each_line_says_what_it_is_since_when_and_by_which_entry() {
    let book = book();
    let replay = Replay::of(&book.lines, Moment::Now).unwrap();
    let city = explain(&replay, &"city".into(), Some(Meter::Vcpu)).unwrap();
    let [part] = city.parts.as_slice() else { panic!("{city:?}") };
    let told: Vec<_> = part
        .claims
        .iter()
        .map(|line| (line.object.as_str(), line.quantity, line.stage, line.granted, line.changed))
        .collect();
    assert_eq!(
        told,
        [
            ("CloudHost dept-tax/host-a", 8, ClaimStage::Billable, 6, 11),
            ("CloudHost dept-tax/host-a", 4, ClaimStage::Held, 6, 11),
            ("CloudHost dept-court/host-b", 3, ClaimStage::Reserved, 8, 8),
            ("CloudHost dept-city/host-c", 2, ClaimStage::Ending, 9, 12),
        ]
    );
    assert_eq!(part.claims[1].held_until, Some("2026-11-09T00:00:00Z".parse().unwrap()));
    // The tax office has 20 guaranteed and 12, the court 10 and 3: 8 + 7 are kept free below the city.
    assert_eq!(part.units.iter().map(|unit| unit.kept_free).collect::<Vec<_>>(), [7, 8]);
    assert_eq!((part.kept_free_below, part.balance.available), (15, Some(60 - 17 - 15)));
    assert_eq!((part.own, part.sum), (2, 17));
    // What docs/ledger.md says the court may have: 3 it has, 7 within its floor, 28 beyond.
    let may = |vcpu| matches!(decide(&book.state, &host("court", "d", vcpu), book.now), Ok(Plan::Record { .. }));
    assert!(may(7 + 28) && !may(7 + 28 + 1));
}

#[test]
fn a_person_reads_a_table_in_both_languages() {
    let book = book();
    let replay = Replay::of(&book.lines, Moment::Now).unwrap();
    let text = show::table(&explain(&replay, &"city".into(), Some(Meter::Vcpu)).unwrap());
    for word in
        ["对象 object", "预占 held until 2026-11-09T00:00:00Z", "使用中 billable", "合计 sum 17", "可用 available 28"]
    {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}

#[test]
fn a_moment_before_shows_the_book_as_it_was() {
    let book = book();
    let sum = |moment| {
        let replay = Replay::of(&book.lines, moment).unwrap();
        explain(&replay, &"tax".into(), Some(Meter::Vcpu)).unwrap().parts[0].sum
    };
    assert_eq!((sum(Moment::Revision(5)), sum(Moment::Revision(6)), sum(Moment::Now)), (0, 8, 12));
    assert_eq!(sum(Moment::At("2026-11-01T00:07:00Z".parse().unwrap())), 8);
    let error = Replay::of(&book.lines, Moment::At("2026-10-01T00:00:00Z".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("the book begins at entry 1"), "{error}");
}

#[test]
fn an_unknown_account_is_told_with_names_that_are_alike() {
    let replay = Replay::of(&book().lines, Moment::Now).unwrap();
    let error = explain(&replay, &"tax-bureau".into(), None).unwrap_err();
    assert!(matches!(error, BookError::UnknownAccount { .. }));
    assert!(error.to_string().ends_with("there is tax"), "{error}");
}

#[test]
fn audit_and_ledger_agree_on_the_same_entries_and_a_lost_one_is_told() {
    let book = book();
    let report = jiyun_audit::audit(book.lines.iter().map(String::as_str), None);
    assert_eq!(report.findings, []);
    assert_eq!(compare(&book.lines, &report), []);
    let mut report = report;
    report.accounts[0].used += 1;
    assert_eq!(compare(&book.lines, &report).len(), 1);
    assert_eq!(compare(&book.lines[1..], &report).len(), 1, "the ledger cannot apply it");
}
