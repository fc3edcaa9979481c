//! Random histories: steps that a city may take, as numbers that any seed can make.

use jiff::SignedDuration;
use jiyun_ledger::{
    Account, AccountState, Claim, ClaimId, ClaimRequest, Command, Dimensions, Limit, Meter, PoolId, PoolState, Subject,
    Transfer,
};

use crate::city::{Book, account, compute, host, prices, storage};

pub const ACCOUNTS: [&str; 7] = ["city", "county", "bureau", "office", "court", "tax", "school"];
const OBJECTS: u64 = 24;

/// A small generator of numbers; the same seed gives the same history.
#[derive(Clone, Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

pub fn city() -> Book {
    let mut book = Book::open("2026-10-20T00:00:00Z");
    for (index, name) in ACCOUNTS.into_iter().enumerate() {
        let parent = match index {
            0 | 6 => None,
            1 | 4 | 5 => Some("city"),
            2 => Some("county"),
            _ => Some("bureau"),
        };
        book.set(&Command::SetAccount(account(name, parent, Vec::new())));
    }
    let mut arm = compute("c-arm", "west", 40);
    arm.architecture = Some("arm64".to_owned());
    let mut both = compute("c-west", "west", 60);
    // Floors by zone find room in the same pools.
    for pool in [&mut both, &mut arm] {
        pool.zones.insert("internet".to_owned());
    }
    for pool in [compute("c-east", "east", 80), both, arm] {
        book.set(&Command::SetPool(pool));
    }
    let mut disks = storage("s-west", "west", 300);
    disks.zones.insert("internet".to_owned());
    let mut fast = storage("s-fast", "west", 100);
    fast.tier = Some("fast".to_owned());
    for pool in [storage("s-east", "east", 300), disks, fast] {
        book.set(&Command::SetPool(pool));
    }
    book.set(&Command::SetPrices(prices("first", "2026-10-20T00:00:00Z", 45)));
    book
}

/// Mostly one that is open.
fn some_claim(book: &Book, dice: &mut Dice) -> ClaimId {
    let open: Vec<ClaimId> = book.state.claims().filter(|claim| claim.is_open()).map(|claim| claim.id).collect();
    match open.len() as u64 {
        0 => ClaimId(1 + dice.below(20)),
        _ if dice.below(8) == 0 => ClaimId(1 + dice.below(book.state.claims().count() as u64)),
        some => open[usize::try_from(dice.below(some)).unwrap()],
    }
}

fn request(dice: &mut Dice) -> ClaimRequest {
    let (name, object) = (dice.one(&ACCOUNTS), dice.below(OBJECTS));
    let disk = if dice.below(3) == 0 { 1 + dice.below(40) } else { 0 };
    let mut wish = host(name, &format!("o{object}"), 1 + dice.below(14), disk);
    // The same object always asks for the same architecture or for any.
    wish.placements[0].architecture = match object % 4 {
        0 => Some("arm64".to_owned()),
        1 => None,
        _ => Some("amd64".to_owned()),
    };
    if object % 5 == 0 {
        wish.zone = "internet".to_owned();
    } else if object % 7 == 0 && disk > 0 {
        // Disks of two tiers, of which one may grow while the other shrinks.
        let mut second = wish.placements[1].clone();
        second.tier = Some("fast".to_owned());
        second.quantities = [(Meter::BlockStorage, 1 + dice.below(20))].into();
        wish.placements.push(second);
    } else if object % 6 == 1 && disk > 0 {
        // As a snapshot does: a pool by its name, and always the same one.
        let name = if object % 12 == 1 { "s-east" } else { "s-west" };
        wish.placements[1].pool = Some(PoolId::new(name));
    }
    wish
}

/// A wish that something be allowed, and for no amount of anything.
fn permission(dice: &mut Dice) -> ClaimRequest {
    let mut wish = host(dice.one(&ACCOUNTS), &format!("flow-{}", dice.below(6)), 1 + dice.below(4), 0);
    wish.subject.kind = "NetworkFlow".to_owned();
    wish.placements.clear();
    wish
}

/// One step; what may not be recorded is refused, which is a part of a history too.
pub fn step(book: &mut Book, dice: &mut Dice) {
    match dice.below(42) {
        0..=3 => book.now += SignedDuration::from_secs(i64::try_from(dice.below(90_000)).unwrap()),
        4..=15 => drop(book.ask(&request(dice))),
        16..=19 => drop(book.record(&Command::Billable(some_claim(book, dice)))),
        20..=22 => drop(book.record(&Command::End(some_claim(book, dice)))),
        23..=26 => drop(book.record(&Command::Release(some_claim(book, dice)))),
        27 | 28 => {
            let mut wish = request(dice);
            wish.wait = true;
            // Often what is there wants more than its pool has.
            let is_there = book.state.claim_of_subject(&wish.subject.uid).is_some();
            if let Some(vcpu) = wish.placements[0].quantities.get_mut(&Meter::Vcpu).filter(|_| is_there) {
                *vcpu += 20;
            }
            book.ask(&wish);
        }
        29 | 30 => {
            let mut wish = request(dice);
            wish.hold_until =
                Some(book.now + SignedDuration::from_secs(1 + i64::try_from(dice.below(50_000)).unwrap()));
            book.ask(&wish);
        }
        31 => confirm(book, dice),
        32 => drop(book.record(&Command::Withdraw(some_claim(book, dice)))),
        33 | 34 => set_account(book, dice),
        35 => set_pool(book, dice),
        36 => transfer(book, dice),
        37 => {
            let id = some_claim(book, dice);
            let uid = format!("o{}", dice.below(OBJECTS));
            drop(book.record(&Command::Rebind(id, uid)));
        }
        38 => {
            let from =
                book.now + SignedDuration::from_hours(24) - SignedDuration::from_hours(dice.below(60).cast_signed());
            drop(book.record(&Command::SetPrices(prices(&format!("at {from}"), &from.to_string(), 40))));
        }
        39 | 40 => {
            let mut wish = permission(dice);
            if dice.below(2) == 0 {
                let seconds = 1 + i64::try_from(dice.below(50_000)).unwrap();
                wish.hold_until = Some(book.now + SignedDuration::from_secs(seconds));
            }
            book.ask(&wish);
        }
        _ if book.state.quarantine().is_some() && dice.below(2) == 0 => adopt(book, dice),
        _ => {
            let command = match dice.below(6) {
                0 => Command::Quarantine("a store went back".to_owned()),
                _ => Command::Lift { by: "operator".to_owned(), note: "looked at".to_owned() },
            };
            drop(book.record(&command));
        }
    }
}

/// Books again what another claim has, for an object the book does not know.
fn adopt(book: &mut Book, dice: &mut Dice) {
    let id = some_claim(book, dice);
    let Some(claim) =
        book.state.claim(id).filter(|claim| !claim.lines.is_empty() || claim.subject.kind == "NetworkFlow")
    else {
        return;
    };
    let uid = format!("lost-{}", dice.below(1000));
    let subject = Subject { uid: uid.clone(), name: format!("host-{uid}"), ..claim.subject.clone() };
    let lost = Claim {
        subject,
        held: Vec::new(),
        hold: None,
        billable_from: None,
        billable_until: None,
        released_at: None,
        history: Vec::new(),
        ..Claim::clone(claim)
    };
    drop(book.record(&Command::Adopt(Box::new(lost))));
}

fn confirm(book: &mut Book, dice: &mut Dice) {
    let id = some_claim(book, dice);
    let digest = book.state.claim(id).and_then(|claim| Some(claim.hold.as_ref()?.spec_digest.clone()));
    if let Some(digest) = digest {
        drop(book.record(&Command::Confirm(id, digest)));
    }
}

fn set_account(book: &mut Book, dice: &mut Dice) {
    let mut changed = Account::clone(book.state.account(&dice.one(&ACCOUNTS).into()).unwrap());
    match dice.below(6) {
        0 => changed.parent = Some(dice.one(&ACCOUNTS).into()),
        1 => changed.parent = None,
        2 if changed.state == AccountState::Open && dice.below(3) == 0 => changed.state = AccountState::Closed,
        2 => changed.state = AccountState::Open,
        _ => {
            let most = (dice.below(3) > 0).then(|| dice.below(90));
            let guaranteed = dice.below(most.unwrap_or(40).min(40) + 1) * dice.below(2);
            let memory = (dice.below(3) == 0).then(|| 100 + dice.below(200));
            let line = |meter, dimensions, limit, guaranteed| Limit { meter, dimensions, limit, guaranteed };
            let any = Dimensions::default;
            changed.limits = vec![line(Meter::Vcpu, any(), most, guaranteed), line(Meter::Memory, any(), memory, 0)];
            if dice.below(3) == 0 {
                let tier = Dimensions { tier: Some(dice.one(&["fast", "standard"]).to_owned()), ..any() };
                changed.limits.push(line(Meter::BlockStorage, tier, None, dice.below(60)));
            }
            // Floors by architecture or by zone instead of one for all, and a ceiling of all.
            let architecture = |name: &str| Dimensions { architecture: Some(name.to_owned()), ..any() };
            let zone = |name: &str| Dimensions { zone: Some(name.to_owned()), ..any() };
            let parts = match dice.below(6) {
                0 | 1 => Some([architecture("amd64"), architecture("arm64")]),
                2 => Some([zone("extranet"), zone("internet")]),
                _ => None,
            };
            if let Some([most_of_it, some]) = parts {
                let floor = dice.below(20);
                changed.limits[0].guaranteed = 0;
                changed.limits.push(line(Meter::Vcpu, most_of_it, None, guaranteed / 2));
                changed.limits.push(line(Meter::Vcpu, some, Some(floor + dice.below(30)), floor));
            }
        }
    }
    drop(book.record(&Command::SetAccount(changed)));
}

fn set_pool(book: &mut Book, dice: &mut Dice) {
    let name = dice.one(&["c-east", "c-west", "c-arm", "s-east", "s-west"]);
    let mut changed = book.state.pool(&name.into()).unwrap().clone();
    let meters: Vec<Meter> = changed.capacity.keys().copied().collect();
    match dice.below(4) {
        0 => {
            changed.state =
                [PoolState::Open, PoolState::Draining, PoolState::Closed][usize::try_from(dice.below(3)).unwrap()];
        }
        1 => changed.overcommit_percent = [(meters[0], 100 + u32::try_from(dice.below(200)).unwrap())].into(),
        2 => changed.reserve = [(meters[0], dice.below(30))].into(),
        _ => drop(changed.capacity.insert(meters[0], 20 + dice.below(80))),
    }
    if dice.below(2) == 0 {
        changed.state = PoolState::Open;
    }
    drop(book.record(&Command::SetPool(changed)));
}

fn transfer(book: &mut Book, dice: &mut Dice) {
    let id = some_claim(book, dice);
    let Some(claim) = book.state.claim(id).cloned() else { return };
    let account = dice.one(&ACCOUNTS);
    let subject = Subject { namespace: format!("dept-{account}"), ..claim.subject.clone() };
    drop(book.record(&Command::Transfer(Box::new(Transfer {
        claim: id,
        account: account.into(),
        system: "handed-over".to_owned(),
        subject,
        engine_namespace: "engine-before".to_owned(),
    }))));
}
