//! A city whose book the ledger writes: accounts, pools, requests, and one entry per change at a time the test sets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_audit::{Report, audit};
use jiyun_ledger::{
    Account, AccountState, ClaimId, ClaimRequest, Command, CommandError, Dimensions, Entry, Event, HoldEnd, Limit,
    Lineage, Meter, Placement, Plan, Pool, PoolKind, PoolState, Preference, PriceBook, PriceUnit, Rate, State, Subject,
    core::{command::plan, decide::decide},
};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn limit(meter: Meter, dimensions: Dimensions, limit: Option<u64>, guaranteed: u64) -> Limit {
    Limit { meter, dimensions, limit, guaranteed }
}

pub fn account(name: &str, parent: Option<&str>, limits: Vec<Limit>) -> Account {
    Account {
        id: name.into(),
        display_name: format!("单位 {name}"),
        parent: parent.map(Into::into),
        billing_account: format!("F-{name}"),
        limits,
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

/// An account with a limit and a floor of cores.
pub fn cores(name: &str, parent: Option<&str>, most: Option<u64>, floor: u64) -> Account {
    account(name, parent, vec![limit(Meter::Vcpu, Dimensions::default(), most, floor)])
}

pub fn compute(name: &str, site: &str, vcpu: u64) -> Pool {
    Pool {
        id: name.into(),
        kind: PoolKind::Compute,
        site: site.to_owned(),
        zones: ["extranet".to_owned()].into(),
        architecture: Some("amd64".to_owned()),
        tier: None,
        provider: "provider".to_owned(),
        domestic: true,
        max_protection_level: 3,
        capacity: [(Meter::Vcpu, vcpu), (Meter::Memory, 1_000_000)].into(),
        overcommit_percent: BTreeMap::new(),
        reserve: BTreeMap::new(),
        state: PoolState::Open,
    }
}

pub fn storage(name: &str, site: &str, mib: u64) -> Pool {
    Pool {
        kind: PoolKind::Storage,
        architecture: None,
        tier: Some("standard".to_owned()),
        capacity: [(Meter::BlockStorage, mib)].into(),
        ..compute(name, site, 0)
    }
}

/// A host, with a disk where `disk` is above zero.
pub fn host(account: &str, uid: &str, vcpu: u64, disk: u64) -> ClaimRequest {
    let part = |pool_kind, architecture: Option<&str>, tier: Option<&str>, quantities| Placement {
        pool_kind,
        architecture: architecture.map(str::to_owned),
        tier: tier.map(str::to_owned),
        site: None,
        pool: None,
        quantities,
    };
    let mut placements = vec![part(
        PoolKind::Compute,
        Some("amd64"),
        None,
        [(Meter::Hosts, 1), (Meter::Vcpu, vcpu), (Meter::Memory, vcpu * 2)].into(),
    )];
    if disk > 0 {
        placements.push(part(PoolKind::Storage, None, Some("standard"), [(Meter::BlockStorage, disk)].into()));
    }
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
        placements,
        spec_digest: format!("{vcpu}-{disk}"),
        approved_spec: serde_json::json!({ "vcpu": vcpu, "disk": disk }).into(),
        hold_until: None,
        wait: false,
    }
}

pub fn prices(id: &str, from: &str, core: i64) -> PriceBook {
    let rate = |meter, unit, price: i64| Rate { meter, dimensions: Dimensions::default(), unit, price: price.into() };
    PriceBook {
        id: id.to_owned(),
        valid_from: at(from),
        rates: vec![rate(Meter::Vcpu, PriceUnit::CoreMonth, core), rate(Meter::Memory, PriceUnit::GiBMonth, 16)],
    }
}

/// A book the ledger's own functions decide on.
pub struct Book {
    pub state: State,
    pub entries: Vec<Entry>,
    pub now: Timestamp,
}

impl Book {
    pub fn open(now: &str) -> Self {
        let mut book = Self { state: State::default(), entries: Vec::new(), now: at(now) };
        book.write(vec![Event::Opened { lineage: Lineage::new("book"), peer_lineage: Lineage::new("hub") }]);
        book
    }

    fn write(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let entry = Entry { seq: self.state.seq() + 1, at: self.now, epoch: 7, events };
        self.state.apply(&entry).unwrap();
        self.entries.push(entry);
    }

    pub fn sweep(&mut self) {
        if self.state.quarantine().is_none() {
            let over: Vec<ClaimId> = self.state.holds_ended_by(self.now).collect();
            self.write(over.into_iter().map(|claim| Event::HoldEnded { claim, why: HoldEnd::Expired }).collect());
        }
    }

    pub fn record(&mut self, command: &Command) -> Result<bool, CommandError> {
        self.sweep();
        let event = plan(&self.state, command, self.now)?;
        let changed = event.is_some();
        self.write(event.into_iter().collect());
        Ok(changed)
    }

    pub fn set(&mut self, command: &Command) {
        assert!(self.record(command).unwrap(), "{command:?} changes nothing");
    }

    /// Asks; the claim if it is granted or held.
    pub fn ask(&mut self, request: &ClaimRequest) -> Option<ClaimId> {
        self.sweep();
        match decide(&self.state, request, self.now).ok()? {
            Plan::Keep(claim) => Some(claim.id),
            Plan::Record { claim, events, .. } => {
                self.write(events);
                Some(claim)
            }
            Plan::Refuse { events, .. } => {
                self.write(events);
                None
            }
        }
    }

    pub fn grant(&mut self, request: &ClaimRequest) -> ClaimId {
        self.ask(request).expect("granted")
    }

    pub fn until(&mut self, text: &str) -> &mut Self {
        self.now = at(text);
        self
    }

    pub fn lines(&self) -> Vec<String> {
        lines(&self.entries)
    }
}

pub fn lines(entries: &[Entry]) -> Vec<String> {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap()).collect()
}

pub fn audited(lines: &[String]) -> Report {
    audit(lines.iter().map(String::as_str), None)
}

pub fn assert_clean(lines: &[String]) {
    let report = audited(lines);
    let told: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{} findings:\n{}", told.len(), told.join("\n"));
}
