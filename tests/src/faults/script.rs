//! What a book goes through while its writer dies: every kind of event, holds that end, a line, snapshots, an archive.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use jiyun_ledger::{
    Account, AccountState, ClaimId, ClaimRequest, Command, Dimensions, Limit, Lineage, Meter, Placement, Pool,
    PoolKind, PoolState, Preference, PriceBook, PriceUnit, Rate, Subject, Transfer,
};
use rust_decimal::Decimal;

/// One thing that is asked of the book. Asking it again changes nothing.
#[derive(Clone, Debug)]
pub enum Step {
    /// The clock is set.
    Clock(Timestamp),
    /// A command is recorded.
    Record(Command),
    /// Requests are decided, all asked at once.
    Decide(Vec<ClaimRequest>),
    /// A snapshot is taken.
    Snapshot,
    /// The entries up to the last are kept in an archive.
    Archive,
    /// Entries up to this one go.
    Prune(u64),
}

/// The lineage of the Kubernetes store beside it.
const PEER: &str = "hub";

/// The whole script.
pub fn script() -> Vec<Step> {
    let start = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 20_000);
    let at = |hours: i64| Step::Clock(start + SignedDuration::from_hours(hours));
    let until = |hours: i64| Some(start + SignedDuration::from_hours(hours));
    let one = |request: ClaimRequest| Step::Decide(vec![request]);
    let held = |name: &str, hours: i64| ClaimRequest { hold_until: until(hours), ..host(name, 2) };
    let waiting = |name: &str, vcpu: u64| ClaimRequest { wait: true, ..host(name, vcpu) };
    let record = Step::Record;
    let digest = |name: &str| host(name, 2).spec_digest;
    vec![
        at(0),
        record(Command::SetAccount(account("city", None, 40))),
        record(Command::SetAccount(account("tax", Some("city"), 20))),
        record(Command::SetAccount(account("court", Some("city"), 40))),
        record(Command::SetPool(pool(16))),
        record(Command::SetPrices(prices(start))),
        record(Command::MarkPeer(Lineage::new(PEER), 10)),
        // One entry holds several decisions; one of them is a refusal for the limit.
        Step::Decide(vec![host("a", 2), host("b", 4), host("c", 30), host("d", 2)]),
        at(1),
        record(Command::Billable(ClaimId(1))),
        record(Command::Billable(ClaimId(2))),
        one(ClaimRequest { spec_digest: "grown".to_owned(), ..host("a", 4) }),
        one(held("e", 4)),
        record(Command::Confirm(ClaimId(4), digest("e"))),
        one(held("f", 5)),
        record(Command::Withdraw(ClaimId(5))),
        one(held("g", 6)),
        // The hold of `g` ends by itself before the next entry.
        at(7),
        Step::Snapshot,
        one(waiting("h", 8)),
        one(waiting("i", 5)),
        record(Command::End(ClaimId(2))),
        record(Command::Release(ClaimId(2))),
        one(waiting("h", 8)),
        record(Command::Unqueue("uid-i".to_owned())),
        record(Command::Rebind(ClaimId(1), "uid-again".to_owned())),
        record(Command::Transfer(Box::new(handed_over()))),
        record(Command::Quarantine("looked at".to_owned())),
        record(Command::Lift { by: "operator".to_owned(), note: "all is well".to_owned() }),
        record(Command::MarkPeer(Lineage::new(PEER), 20)),
        // Three months later the first entries are of a closed month.
        at(24 * 95),
        record(Command::SetAccount(account("later", Some("city"), 5))),
        Step::Snapshot,
        Step::Archive,
        Step::Prune(6),
        record(Command::End(ClaimId(3))),
        record(Command::Release(ClaimId(3))),
        one(host("last", 1)),
    ]
}

fn account(name: &str, parent: Option<&str>, cores: u64) -> Account {
    let limit = Limit { meter: Meter::Vcpu, dimensions: Dimensions::default(), limit: Some(cores), guaranteed: 0 };
    Account {
        id: name.into(),
        display_name: name.to_owned(),
        parent: parent.map(Into::into),
        billing_account: name.to_owned(),
        limits: vec![limit],
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

fn pool(cores: u64) -> Pool {
    Pool {
        id: "compute/one".into(),
        kind: PoolKind::Compute,
        site: "main".to_owned(),
        zones: ["extranet".to_owned()].into(),
        architecture: Some("amd64".to_owned()),
        tier: None,
        provider: "made up".to_owned(),
        domestic: true,
        max_protection_level: 3,
        capacity: [(Meter::Vcpu, cores)].into(),
        overcommit_percent: BTreeMap::new(),
        reserve: BTreeMap::new(),
        state: PoolState::Open,
    }
}

fn prices(from: Timestamp) -> PriceBook {
    let rate = Rate {
        meter: Meter::Vcpu,
        dimensions: Dimensions::default(),
        price: Decimal::new(65, 0),
        unit: PriceUnit::CoreMonth,
    };
    PriceBook { id: "first".to_owned(), valid_from: from, rates: vec![rate] }
}

fn host(name: &str, vcpu: u64) -> ClaimRequest {
    ClaimRequest {
        account: "tax".into(),
        system: "filing".to_owned(),
        subject: Subject {
            kind: "CloudHost".to_owned(),
            namespace: "dept-tax".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
        },
        item: format!("basic-{vcpu}c"),
        zone: "extranet".to_owned(),
        protection_level: 2,
        placements: vec![Placement {
            pool_kind: PoolKind::Compute,
            architecture: Some("amd64".to_owned()),
            tier: None,
            site: None,
            pool: None,
            quantities: [(Meter::Hosts, 1), (Meter::Vcpu, vcpu)].into(),
        }],
        spec_digest: format!("{vcpu}"),
        approved_spec: serde_json::json!({ "vcpu": vcpu }).into(),
        hold_until: None,
        wait: false,
    }
}

fn handed_over() -> Transfer {
    let subject = Subject { namespace: "dept-court".to_owned(), ..host("d", 2).subject };
    Transfer {
        claim: ClaimId(3),
        account: "court".into(),
        system: "files".to_owned(),
        subject,
        engine_namespace: "engine-tax".to_owned(),
    }
}
