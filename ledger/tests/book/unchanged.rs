//! What is decided and recorded stays what it was, byte by byte: a long history with a known fingerprint.
//!
//! A book written by one release is read, extended and audited by the next. Whoever changes how the book counts changes
//! none of these numbers; whoever changes what it decides or writes must say so here.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiyun_ledger::{
    Account, AccountState, ClaimId, ClaimRequest, Command, Decision, Dimensions, Limit, Meter, Pool, PoolState, Spread,
    State, Transfer, core::state::RestoreError,
};
use sha2::{Digest, Sha256};

use crate::city::{Book, account, compute, host, storage, with_disk};

const ACCOUNTS: [&str; 7] = ["city", "bureau", "office", "desk", "court", "tax", "water"];
const STEPS: usize = 700;

/// The same numbers on every machine (Knuth's MMIX generator; the upper half is used).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn limits(draw: &mut Draw) -> Vec<Limit> {
    let any = Dimensions::default;
    let selectors = [
        (Meter::Vcpu, any()),
        (Meter::Vcpu, Dimensions { architecture: Some("arm64".to_owned()), ..any() }),
        (Meter::Memory, Dimensions { pool: Some("c-east".into()), ..any() }),
        (Meter::BlockStorage, Dimensions { tier: Some("extreme".to_owned()), ..any() }),
        (Meter::Hosts, Dimensions { zone: Some("extranet".to_owned()), ..any() }),
    ];
    let mut limits = Vec::new();
    for (meter, dimensions) in selectors {
        let limit = (draw.below(3) > 0).then(|| 20 + draw.below(60));
        let guaranteed = if draw.below(4) == 0 { draw.below(12) } else { 0 };
        limits.push(Limit { meter, dimensions, limit, guaranteed });
    }
    limits.retain(|limit| limit.limit.is_some() || limit.guaranteed > 0);
    limits
}

fn pools(draw: &mut Draw) -> Pool {
    let room = 30 + draw.below(60);
    let mut pool = match draw.below(6) {
        0 => compute("c-east", "east", room, room),
        1 => compute("c-west", "west", room, room),
        2 => {
            Pool { architecture: Some("arm64".to_owned()), domestic: false, ..compute("arm-east", "east", room, room) }
        }
        3 => storage("s-east", "east", "extreme", room),
        4 => Pool { max_protection_level: 4, ..compute("c-apart", "west", room, room) },
        _ => storage("s-west", "west", "standard", room),
    };
    pool.state =
        if draw.below(12) == 0 { draw.one(&[PoolState::Draining, PoolState::Closed]) } else { PoolState::Open };
    if pool.tier.is_none() {
        pool.overcommit_percent.insert(Meter::Vcpu, 100 + u32::try_from(draw.below(100)).unwrap());
        pool.reserve.insert(Meter::Memory, draw.below(5));
    }
    pool
}

fn request(draw: &mut Draw, book: &Book) -> ClaimRequest {
    let object = draw.below(40);
    // Now and then one that finds no room and waits, for others to pass it.
    let vcpu = 1 + draw.below(9) + if draw.below(8) == 0 { 30 } else { 0 };
    let mut request = host(draw.one(&ACCOUNTS), &format!("o{object}"), vcpu, 1 + draw.below(9));
    if object.is_multiple_of(5) {
        request.placements[0].architecture = Some("arm64".to_owned());
    }
    if object.is_multiple_of(7) {
        request.placements[0].architecture = None;
        request.protection_level = draw.one(&[1, 2, 4]);
    }
    if object.is_multiple_of(3) {
        request = with_disk(request, draw.one(&["extreme", "standard"]), 1 + draw.below(9));
    }
    match draw.below(6) {
        0 => request.hold_until = Some(book.now + SignedDuration::from_secs(1 + draw.below(9000).cast_signed())),
        1 | 2 => request.wait = true,
        _ => {}
    }
    request
}

fn changed_account(draw: &mut Draw, book: &Book) -> Account {
    let mut changed = Account::clone(book.state.account(&draw.one(&ACCOUNTS).into()).unwrap());
    match draw.below(6) {
        0 => changed.parent = Some(draw.one(&ACCOUNTS).into()).filter(|parent| *parent != changed.id),
        1 => changed.state = draw.one(&[AccountState::Open, AccountState::Open, AccountState::Closed]),
        2 => changed.preference.spread = draw.one(&[Spread::Pack, Spread::Spread]),
        3 => changed.preference.domestic_first = draw.below(2) == 0,
        _ => changed.limits = limits(draw),
    }
    changed
}

fn command(draw: &mut Draw, book: &Book) -> Command {
    let claim = ClaimId(1 + draw.below(book.state.claims().count().max(1) as u64));
    match draw.below(20) {
        0..=2 => Command::SetAccount(changed_account(draw, book)),
        3 => Command::SetPool(pools(draw)),
        4..=6 => Command::Billable(claim),
        7..=10 => Command::End(claim),
        11..=14 => Command::Release(claim),
        15 => Command::Withdraw(claim),
        16 => Command::Rebind(claim, format!("o{}", draw.below(60))),
        17 if draw.below(3) == 0 => Command::Quarantine("drill".to_owned()),
        17 => Command::Unqueue(format!("o{}", draw.below(40))),
        18 => {
            let held = book.state.claims().find_map(|claim| Some((claim.id, claim.hold.as_ref()?.spec_digest.clone())));
            let (claim, digest) = held.unwrap_or((claim, String::new()));
            Command::Confirm(claim, digest)
        }
        _ => {
            let Some(of) = book.state.claim(claim) else { return Command::Unqueue(String::new()) };
            let mut subject = of.subject.clone();
            subject.name.push('x');
            let (account, system) = (draw.one(&ACCOUNTS).into(), "handed-over".to_owned());
            let engine_namespace = "engine-before".to_owned();
            Command::Transfer(Box::new(Transfer { claim, account, system, subject, engine_namespace }))
        }
    }
}

fn decide(book: &mut Book, hash: &mut Sha256, request: &ClaimRequest) {
    match book.decide(request) {
        Ok(Decision::Granted { claim, report, existing }) => {
            serde_json::to_writer(&mut *hash, &(claim, report, existing)).unwrap();
        }
        Ok(Decision::Refused(refusal)) => serde_json::to_writer(&mut *hash, &refusal).unwrap(),
        Err(error) => hash.update(error.to_string()),
    }
}

/// A history from its seed, and the fingerprint of everything decided and counted on the way.
fn history(seed: u64) -> (Book, String) {
    let mut draw = Draw(seed);
    let mut book = Book::open("2026-10-20T00:00:00Z");
    for (index, name) in ACCOUNTS.iter().enumerate() {
        book.set(&Command::SetAccount(account(name, index.checked_sub(1).map(|above| ACCOUNTS[above / 2]), &[])));
    }
    for pool in [compute("c-east", "east", 60, 60), compute("c-west", "west", 60, 60)] {
        book.pool(pool);
    }
    let mut hash = Sha256::new();
    for _ in 0..STEPS {
        match draw.below(8) {
            0 => book.now += SignedDuration::from_secs(draw.below(2000).cast_signed()),
            1..=4 => {
                let request = request(&mut draw, &book);
                decide(&mut book, &mut hash, &request);
            }
            _ => {
                let command = command(&mut draw, &book);
                let recorded = book.record(&command);
                hash.update(recorded.map_or_else(|error| error.to_string(), |changed| changed.to_string()));
            }
        }
        if book.state.quarantine().is_some() {
            book.set(&Command::Lift { by: "test".to_owned(), note: String::new() });
        }
        hash.update(book.state.digest().unwrap());
    }
    (book, hex::encode(hash.finalize()))
}

#[test]
fn known_histories_are_decided_recorded_and_counted_as_they_always_were() {
    // Numbers of 7 and 4 as of 2026-11-26: a refused request that does not stand in line leaves the place in line of another
    // one of its subject. What was written before is read as it was.
    let known = [
        (
            7,
            "fbfd95b1fca363dae39430923428ad2c0d4f5035720c4bcc315cb71f11535aa0",
            "6652862f1dec379e2188f78ce12ebe39aedce3ee78e53458a6b2c46bccb24d7b",
            "ffd029c78354fefdad81e5265417b9e6392f3f6230fe895214d9fb75fdc5bb03",
        ),
        (
            20_261_020,
            // Since closed accounts take nothing that is handed over.
            "dabc1414255bf4510fdf486d81f7cbc32c0f868f99175d053bfad50239204a3e",
            "c8a43f9f9f8a35f452379b7404fac45b0df35f5826c13e3c06490b7b052abeae",
            "a36030ed784c7ae77ac43a89ba2d47e5a404c7318e8fa63d6b0cc838bc1ecab9",
        ),
        (
            4,
            "efc701868e4b8f6a5681ae39a1576e808dbadc3644f172066b03046285161697",
            "47a8012f07340ac0f2e8f5a9ac75632993d4ac2c3321dbc4437c1f1c4b0b1ce6",
            "3d903260811fe1d1c667ed1933ed377b0d3c4ab64453701a79c71e9b11c0a2b7",
        ),
    ];
    let mut kinds = BTreeSet::new();
    let told = known.map(|(seed, ..)| {
        let (book, decided) = history(seed);
        assert_eq!(book.state.verify(), []);
        let records = book.state.records().map(Ok::<_, RestoreError>);
        let digest = book.state.digest().unwrap();
        assert_eq!(State::restore(records).unwrap().digest().unwrap(), digest);
        let entries = serde_json::to_value(&book.entries).unwrap();
        let events = entries.as_array().unwrap().iter().flat_map(|entry| entry["events"].as_array().unwrap());
        kinds.extend(events.map(|event| event["type"].to_string()));
        (seed, decided, hex::encode(Sha256::digest(serde_json::to_vec(&book.entries).unwrap())), digest)
    });
    assert_eq!(kinds.len(), 18, "kinds of events in it: {kinds:?}");
    assert_eq!(told, known.map(|(seed, a, b, c)| (seed, a.to_owned(), b.to_owned(), c.to_owned())));
}
