//! A small city to test with: accounts, pools, requests, and a book driven without a writer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountState, ClaimId, ClaimRequest, Command, CommandError, Decision, Dimensions, Entry, Event, HoldEnd,
    Limit, Lineage, Meter, Placement, PlacementReport, Plan, Pool, PoolKind, PoolState, Preference, Refusal,
    RequestError, State, Subject,
    core::{command::plan, decide::decide},
};

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn account(name: &str, parent: Option<&str>, limits: &[(Meter, u64)]) -> Account {
    Account {
        id: name.into(),
        display_name: format!("Department {name}"),
        parent: parent.map(Into::into),
        billing_account: format!("F-{name}"),
        limits: limits.iter().map(|(meter, limit)| limit_of(*meter, Dimensions::default(), *limit)).collect(),
        preference: Preference::default(),
        state: AccountState::Open,
    }
}

/// `account` with a floor on top of what it has.
pub fn guaranteed(mut account: Account, meter: Meter, floor: u64) -> Account {
    let same = |limit: &&mut Limit| limit.meter == meter && limit.dimensions == Dimensions::default();
    match account.limits.iter_mut().find(same) {
        Some(limit) => limit.guaranteed = floor,
        None => {
            account.limits.push(Limit { meter, dimensions: Dimensions::default(), limit: None, guaranteed: floor });
        }
    }
    account
}

pub fn limit_of(meter: Meter, dimensions: Dimensions, limit: u64) -> Limit {
    Limit { meter, dimensions, limit: Some(limit), guaranteed: 0 }
}

pub fn compute(name: &str, site: &str, vcpu: u64, memory: u64) -> Pool {
    Pool {
        id: name.into(),
        kind: PoolKind::Compute,
        site: site.to_owned(),
        zones: ["extranet".to_owned()].into(),
        architecture: Some("amd64".to_owned()),
        tier: None,
        provider: "Hygon C86".to_owned(),
        domestic: true,
        max_protection_level: 3,
        capacity: [(Meter::Vcpu, vcpu), (Meter::Memory, memory)].into(),
        overcommit_percent: BTreeMap::new(),
        reserve: BTreeMap::new(),
        state: PoolState::Open,
    }
}

pub fn storage(name: &str, site: &str, tier: &str, mib: u64) -> Pool {
    Pool {
        kind: PoolKind::Storage,
        architecture: None,
        tier: Some(tier.to_owned()),
        capacity: [(Meter::BlockStorage, mib)].into(),
        ..compute(name, site, 0, 0)
    }
}

/// A host without a disk.
pub fn host(account: &str, uid: &str, vcpu: u64, memory: u64) -> ClaimRequest {
    ClaimRequest {
        account: account.into(),
        system: "filing".to_owned(),
        subject: Subject {
            kind: "CloudHost".to_owned(),
            namespace: format!("dept-{account}"),
            name: format!("host-{uid}"),
            uid: uid.to_owned(),
        },
        item: format!("general-{vcpu}c{memory}"),
        zone: "extranet".to_owned(),
        protection_level: 3,
        placements: vec![Placement {
            pool_kind: PoolKind::Compute,
            architecture: Some("amd64".to_owned()),
            tier: None,
            site: None,
            pool: None,
            quantities: [(Meter::Hosts, 1), (Meter::Vcpu, vcpu), (Meter::Memory, memory)].into(),
        }],
        spec_digest: format!("{vcpu}-{memory}"),
        approved_spec: serde_json::json!({ "vcpu": vcpu, "memory": memory }).into(),
        hold_until: None,
        wait: false,
    }
}

pub fn with_disk(mut request: ClaimRequest, tier: &str, mib: u64) -> ClaimRequest {
    request.placements.push(Placement {
        pool_kind: PoolKind::Storage,
        architecture: None,
        tier: Some(tier.to_owned()),
        site: None,
        pool: None,
        quantities: [(Meter::BlockStorage, mib)].into(),
    });
    request.spec_digest = format!("{}+{tier}-{mib}", request.spec_digest);
    request
}

/// A book driven by hand: one entry per change, at a time the test sets.
pub struct Book {
    pub state: State,
    pub entries: Vec<Entry>,
    pub now: Timestamp,
}

impl Book {
    pub fn open(now: &str) -> Self {
        let mut book = Self { state: State::default(), entries: Vec::new(), now: at(now) };
        book.write(Event::Opened { lineage: Lineage::new("book"), peer_lineage: Lineage::new("hub") });
        book
    }

    fn write(&mut self, event: Event) {
        self.write_all(vec![event]);
    }

    fn write_all(&mut self, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let entry = Entry { seq: self.state.seq() + 1, at: self.now, epoch: 1, events };
        self.state.apply(&entry).unwrap();
        self.entries.push(entry);
    }

    /// Ends the holds whose time has come, as the writer does before it decides anything.
    pub fn sweep(&mut self) {
        if self.state.quarantine().is_none() {
            let ended: Vec<ClaimId> = self.state.holds_ended_by(self.now).collect();
            self.write_all(ended.into_iter().map(|claim| Event::HoldEnded { claim, why: HoldEnd::Expired }).collect());
        }
    }

    /// Records a command; whether it changed anything.
    pub fn record(&mut self, command: &Command) -> Result<bool, CommandError> {
        self.sweep();
        let event = plan(&self.state, command, self.now)?;
        let changed = event.is_some();
        if let Some(event) = event {
            self.write(event);
        }
        Ok(changed)
    }

    pub fn set(&mut self, command: &Command) {
        self.record(command).unwrap();
    }

    pub fn decide(&mut self, request: &ClaimRequest) -> Result<Decision, RequestError> {
        self.sweep();
        Ok(match decide(&self.state, request, self.now)? {
            Plan::Keep(claim) => Decision::Granted { claim, report: PlacementReport::default(), existing: true },
            Plan::Refuse { refusal, events } => {
                self.write_all(events);
                Decision::Refused(refusal)
            }
            Plan::Record { events, report, .. } => {
                self.write_all(events);
                let claim = self.state.claim_of_subject(&request.subject.uid).unwrap().clone();
                Decision::Granted { claim, report, existing: false }
            }
        })
    }

    pub fn grant(&mut self, request: &ClaimRequest) -> ClaimId {
        match self.decide(request).unwrap() {
            Decision::Granted { claim, .. } => claim.id,
            Decision::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }

    pub fn refusal(&mut self, request: &ClaimRequest) -> Refusal {
        match self.decide(request).unwrap() {
            Decision::Granted { claim, .. } => panic!("granted: {claim:?}"),
            Decision::Refused(refusal) => refusal,
        }
    }

    pub fn until(&mut self, text: &str) -> &mut Self {
        self.now = at(text);
        self
    }

    pub fn account(&mut self, name: &str, parent: Option<&str>, limits: &[(Meter, u64)]) -> &mut Self {
        self.set(&Command::SetAccount(account(name, parent, limits)));
        self
    }

    pub fn pool(&mut self, pool: Pool) -> &mut Self {
        self.set(&Command::SetPool(pool));
        self
    }
}
