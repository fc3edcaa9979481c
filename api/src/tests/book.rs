//! Ledgers for tests: a real book in memory, read at a fixed moment.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::Timestamp;
use jiyun_ledger::{
    Account, AccountId, AccountState, ClaimRequest, Decision, Dimensions, Ledger, Limit, Lineage, Meter, OpenOptions,
    Placement, Pool, PoolId, PoolKind, PoolState, PriceBook, PriceUnit, Rate, State, Subject,
    store::memory::MemoryStore,
};
use tokio_util::sync::CancellationToken;

use crate::store::{Book, BookError, Reading};

/// A state that does not move.
pub struct StillBook {
    reading: Result<Reading, BookError>,
}

impl StillBook {
    /// A ledger nothing was written to.
    pub fn empty() -> Self {
        Self::at(Arc::new(State::default()), "2026-11-20T00:00:00Z")
    }

    /// `state` as known at `as_of`.
    pub fn at(state: Arc<State>, as_of: &str) -> Self {
        Self { reading: Ok(Reading { state, as_of: as_of.parse().unwrap() }) }
    }

    /// A ledger that cannot be read.
    pub fn away(error: BookError) -> Self {
        Self { reading: Err(error) }
    }
}

impl Book for StillBook {
    fn read(&self) -> Result<Reading, BookError> {
        self.reading.clone()
    }

    fn revision(&self) -> u64 {
        self.reading.as_ref().map(|reading| reading.state.seq()).unwrap_or_default()
    }

    fn lag_seconds(&self) -> Option<u64> {
        self.reading.is_ok().then_some(0)
    }
}

/// A ledger in memory with a clock of its own.
pub struct Bookkeeper {
    pub store: MemoryStore,
    pub ledger: Ledger,
    clock: Arc<AtomicI64>,
}

impl Bookkeeper {
    /// A ledger with the department `finance`, a pool and prices, opened on 1 November 2026 in Beijing.
    pub async fn open() -> Self {
        let clock = Arc::new(AtomicI64::new(at("2026-10-31T16:00:00Z").as_second()));
        let time = Arc::clone(&clock);
        let options = OpenOptions::new(Lineage::new("book"), Lineage::new("peer"))
            .with_clock(Arc::new(move || Timestamp::from_second(time.load(Ordering::Relaxed)).unwrap()));
        let store = MemoryStore::default();
        let fence = store.elect(1);
        let (ledger, _) = Ledger::open(store.clone(), fence, CancellationToken::new(), options).await.unwrap();
        ledger.set_account(finance()).await.unwrap();
        ledger.set_pool(pool()).await.unwrap();
        ledger.set_prices(prices()).await.unwrap();
        Self { store, ledger, clock }
    }

    /// Opens accounts of these names.
    pub async fn open_accounts(&self, names: &[&str]) {
        for name in names {
            self.ledger.set_account(Account { id: AccountId::new(*name), ..finance() }).await.unwrap();
        }
    }

    /// What time it is from now on.
    pub fn turn_to(&self, time: &str) {
        self.clock.store(at(time).as_second(), Ordering::Relaxed);
    }

    /// Grants and hands over `vcpu` processors for a host called `name`.
    pub async fn hand_over(&self, name: &str, vcpu: u64) {
        let request = ClaimRequest {
            account: AccountId::new("finance"),
            system: "portal".to_owned(),
            subject: Subject {
                kind: "CloudHost".to_owned(),
                namespace: "dept-finance".to_owned(),
                name: name.to_owned(),
                uid: format!("uid-{name}"),
            },
            item: "=c4m8".to_owned(),
            zone: "public".to_owned(),
            protection_level: 2,
            placements: vec![Placement {
                pool_kind: PoolKind::Compute,
                architecture: Some("amd64".to_owned()),
                tier: None,
                site: None,
                pool: None,
                quantities: [(Meter::Vcpu, vcpu)].into(),
            }],
            spec_digest: "digest".to_owned(),
            approved_spec: serde_json::json!({"image": "openeuler"}).into(),
            hold_until: None,
            wait: false,
        };
        match self.ledger.decide(request).await.unwrap() {
            Decision::Granted { claim, .. } => drop(self.ledger.billable(claim.id).await.unwrap()),
            Decision::Refused(refusal) => panic!("refused: {refusal:?}"),
        }
    }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn finance() -> Account {
    Account {
        id: AccountId::new("finance"),
        display_name: "市财政局".to_owned(),
        parent: None,
        billing_account: "+101".to_owned(),
        limits: vec![Limit { meter: Meter::Vcpu, dimensions: Dimensions::default(), limit: Some(16), guaranteed: 0 }],
        preference: jiyun_ledger::Preference::default(),
        state: AccountState::Open,
    }
}

fn pool() -> Pool {
    Pool {
        id: PoolId::of(PoolKind::Compute, "x86"),
        kind: PoolKind::Compute,
        site: "hub".to_owned(),
        zones: ["public".to_owned()].into(),
        architecture: Some("amd64".to_owned()),
        tier: None,
        provider: "provider".to_owned(),
        domestic: false,
        max_protection_level: 3,
        capacity: [(Meter::Vcpu, 64), (Meter::Memory, 65_536)].into(),
        overcommit_percent: [].into(),
        reserve: [].into(),
        state: PoolState::Open,
    }
}

fn prices() -> PriceBook {
    PriceBook {
        id: "prices-2026".to_owned(),
        valid_from: at("2025-12-31T16:00:00Z"),
        rates: vec![Rate {
            meter: Meter::Vcpu,
            dimensions: Dimensions::default(),
            unit: PriceUnit::CoreMonth,
            price: "45.00".parse().unwrap(),
        }],
    }
}
