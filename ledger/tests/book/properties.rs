//! What must hold after any history, checked against sums that share no code with the book's counters.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiyun_ledger::{
    Account, AccountId, AccountState, Claim, ClaimId, ClaimRequest, Command, Decision, Dimensions, Entry, Event,
    FiscalMonth, Limit, Line, Meter, Period, PoolId, PriceBook, PriceUnit, Rate, RefusalCode, State, Transfer,
    core::state::RestoreError, statement, tie, usage,
};
use proptest::{collection::vec, prelude::*, sample::subsequence};

use crate::city::{Book, account, at, compute, guaranteed, host, storage, with_disk};

const ACCOUNTS: [&str; 6] = ["city", "county", "bureau", "office", "court", "tax"];
const POOLS: usize = 4;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Wait(u32),
    Ask { account: usize, object: usize, vcpu: u64, memory: u64, disk: u64 },
    HandOver(usize),
    End(usize),
    Release(usize),
    Limit { account: usize, vcpu: Option<u64>, memory: Option<u64>, extreme: Option<u64> },
    Move { account: usize, parent: usize },
    Close { account: usize, closed: bool },
    Resize { pool: usize, capacity: u64, overcommit: u32, reserve: u64 },
    Quarantine,
    Lift,
    Floor { account: usize, vcpu: u64 },
    Hold { account: usize, object: usize, vcpu: u64, disk: u64, seconds: u32 },
    Confirm { object: usize },
    Withdraw(usize),
    Wait4Room { account: usize, object: usize, vcpu: u64 },
    Transfer { index: usize, account: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let limit = || prop::option::weighted(0.7, 0..60_u64);
    prop_oneof![
        4 => (0..200_000_u32).prop_map(Step::Wait),
        12 => (0..6_usize, 0..12_usize, 1..12_u64, 1..12_u64, 0..12_u64)
            .prop_map(|(account, object, vcpu, memory, disk)| Step::Ask { account, object, vcpu, memory, disk }),
        5 => (0..30_usize).prop_map(Step::HandOver),
        4 => (0..30_usize).prop_map(Step::End),
        4 => (0..30_usize).prop_map(Step::Release),
        3 => (0..6_usize, limit(), limit(), limit())
            .prop_map(|(account, vcpu, memory, extreme)| Step::Limit { account, vcpu, memory, extreme }),
        2 => (0..6_usize, 0..6_usize).prop_map(|(account, parent)| Step::Move { account, parent }),
        1 => (0..6_usize, any::<bool>()).prop_map(|(account, closed)| Step::Close { account, closed }),
        2 => (0..POOLS, 0..80_u64, 100..=300_u32, 0..20_u64).prop_map(|(pool, capacity, overcommit, reserve)| {
            Step::Resize { pool, capacity, overcommit, reserve }
        }),
        3 => (0..6_usize, 0..25_u64).prop_map(|(account, vcpu)| Step::Floor { account, vcpu }),
        4 => (0..6_usize, 0..12_usize, 1..14_u64, 0..6_u64, 1..90_000_u32).prop_map(
            |(account, object, vcpu, disk, seconds)| Step::Hold { account, object, vcpu, disk, seconds }
        ),
        2 => (0..12_usize).prop_map(|object| Step::Confirm { object }),
        1 => (0..30_usize).prop_map(Step::Withdraw),
        4 => (0..6_usize, 0..12_usize, 1..40_u64)
            .prop_map(|(account, object, vcpu)| Step::Wait4Room { account, object, vcpu }),
        1 => (0..30_usize, 0..6_usize).prop_map(|(index, account)| Step::Transfer { index, account }),
        1 => Just(Step::Quarantine),
        2 => Just(Step::Lift),
    ]
}

fn pool(index: usize, capacity: u64, overcommit: u32, reserve: u64) -> jiyun_ledger::Pool {
    let mut pool = match index {
        0 => compute("c-east", "east", capacity, capacity),
        1 => compute("c-west", "west", capacity, capacity),
        2 => storage("s-east", "east", "extreme", capacity),
        _ => storage("s-west", "west", "standard", capacity),
    };
    if index < 2 {
        pool.overcommit_percent.insert(Meter::Vcpu, overcommit);
    }
    let meters: Vec<Meter> = pool.capacity.keys().copied().collect();
    pool.reserve = meters.into_iter().map(|meter| (meter, reserve)).collect();
    pool
}

fn city() -> Book {
    let mut book = Book::open("2026-10-20T00:00:00Z");
    for (index, name) in ACCOUNTS.iter().enumerate() {
        book.account(name, index.checked_sub(1).map(|_| "city").filter(|_| index > 0), &[]);
    }
    for index in 0..POOLS {
        book.pool(pool(index, 60, 100, 0));
    }
    book
}

fn ask(account: usize, object: usize, vcpu: u64, memory: u64, disk: u64) -> ClaimRequest {
    let request = host(ACCOUNTS[account], &format!("o{object}"), vcpu, memory);
    match disk {
        0 => request,
        disk => with_disk(request, if object.is_multiple_of(2) { "extreme" } else { "standard" }, disk),
    }
}

/// Recounts from the claims alone.
fn recount<'a>(claims: impl Iterator<Item = &'a Claim>, keep: impl Fn(&Claim, &jiyun_ledger::Line) -> bool) -> u64 {
    let open = claims.filter(|claim| claim.released_at.is_none());
    open.flat_map(|claim| {
        claim.lines.iter().chain(&claim.held).filter(|line| keep(claim, line)).map(|line| line.quantity)
    })
    .sum()
}

fn in_pool(state: &State, pool: &PoolId, meter: Meter) -> u64 {
    recount(state.claims().map(AsRef::as_ref), |_, line| line.pool == *pool && line.meter == meter)
}

/// Whether `account` is `above` or lies below it.
fn lies_below(state: &State, account: &AccountId, above: &AccountId) -> bool {
    let mut next = Some(account.clone());
    while let Some(id) = next {
        if id == *above {
            return true;
        }
        next = state.account(&id).and_then(|account| account.parent.clone());
    }
    false
}

fn in_tree(state: &State, account: &AccountId, limit: &Limit) -> u64 {
    recount(state.claims().map(AsRef::as_ref), |claim, line| {
        lies_below(state, &claim.account, account) && counts(limit, line.meter, &line.dimensions)
    })
}

fn counts(limit: &Limit, meter: Meter, fact: &Dimensions) -> bool {
    let fits = |want: &Option<String>, is: &Option<String>| want.is_none() || want == is;
    limit.meter == meter
        && fits(&limit.dimensions.architecture, &fact.architecture)
        && fits(&limit.dimensions.tier, &fact.tier)
        && fits(&limit.dimensions.zone, &fact.zone)
}

fn wanted(request: &ClaimRequest, limit: &Limit) -> u64 {
    let of = |placement: &jiyun_ledger::Placement| {
        let fits = limit.dimensions.tier.is_none() || limit.dimensions.tier == placement.tier;
        if fits { placement.quantities.get(&limit.meter).copied().unwrap_or(0) } else { 0 }
    };
    request.placements.iter().map(of).sum()
}

/// What an account's tree would take if every floor in it were used up: its use, and where a floor is higher, that.
fn demand(state: &State, account: &Account, meter: Meter) -> u64 {
    let own =
        recount(state.claims().map(AsRef::as_ref), |claim, line| claim.account == account.id && line.meter == meter);
    let units = state.accounts().filter(|unit| unit.parent.as_ref() == Some(&account.id));
    let used = own + units.map(|unit| demand(state, unit, meter)).sum::<u64>();
    used.max(floor(account, meter))
}

/// The history's floors name no dimensions.
fn floor(account: &Account, meter: Meter) -> u64 {
    let open = account.state == AccountState::Open;
    account.limits.iter().filter(|limit| open && limit.meter == meter).map(|limit| limit.guaranteed).sum()
}

/// How much the pools lack to serve what of every floor is not used yet.
fn shortage(state: &State, meter: Meter) -> i128 {
    let open = state.pools().filter(|record| record.pool.state == jiyun_ledger::PoolState::Open);
    let free = |record: &std::sync::Arc<jiyun_ledger::core::state::PoolRecord>| {
        Some(record.pool.usable(meter)?.saturating_sub(in_pool(state, &record.pool.id, meter)))
    };
    let free: i128 = open.filter_map(free).map(i128::from).sum();
    let roots = state.accounts().filter(|account| account.parent.is_none());
    let any = |id: &AccountId| {
        in_tree(state, id, &Limit { meter, dimensions: Dimensions::default(), limit: None, guaranteed: 0 })
    };
    let kept: i128 = roots.map(|root| i128::from(demand(state, root, meter) - any(&root.id))).sum();
    (kept - free).max(0)
}

/// The state before a change with its shrinking alone: what a claim gives back is asked of nobody, though it may be
/// promised to floors and come out of a pool that has too much in it already.
fn shrunk(before: &State, now: &Claim) -> State {
    let mut state = before.clone();
    let Some(old) = before.claim(now.id).filter(|old| !old.lines.is_empty()) else { return state };
    let same = |line: &Line, other: &Line| {
        (line.meter, &line.pool, &line.dimensions) == (other.meter, &other.pool, &other.dimensions)
    };
    let common = |line: &Line| {
        let kept = now.taken().filter(|other| same(line, other)).map(|other| other.quantity).sum::<u64>();
        let quantity = line.quantity.min(kept);
        (quantity > 0).then(|| Line { quantity, ..line.clone() })
    };
    let amended = Event::ClaimAmended {
        claim: old.id,
        item: old.item.clone(),
        lines: old.lines.iter().filter_map(common).collect(),
        spec_digest: old.spec_digest.clone(),
        approved_spec: old.approved_spec.clone(),
    };
    let entry = Entry { seq: state.seq() + 1, at: state.at(), epoch: 1, events: vec![amended] };
    state.apply(&entry).unwrap();
    state
}

/// Checks a decision against the state before and after it.
fn check_decision(before: &State, after: &State, request: &ClaimRequest, decision: &Decision) {
    match decision {
        Decision::Granted { existing: true, .. } => {
            assert_eq!(before.canonical().unwrap(), after.canonical().unwrap());
        }
        Decision::Granted { claim, .. } => {
            assert!(before.quarantine().is_none());
            for record in after.pools() {
                for meter in [Meter::Vcpu, Meter::Memory, Meter::BlockStorage] {
                    let (was, is) = (in_pool(before, &record.pool.id, meter), in_pool(after, &record.pool.id, meter));
                    let usable = record.pool.usable(meter).unwrap();
                    assert!(is <= usable || is <= was, "pool {} is over: {is} of {usable} {meter}", record.pool.id);
                }
            }
            for account in after.accounts().filter(|above| lies_below(after, &claim.account, &above.id)) {
                for limit in &account.limits {
                    let Some(ceiling) = limit.limit else { continue };
                    let (was, is) = (in_tree(before, &account.id, limit), in_tree(after, &account.id, limit));
                    // Growth within a floor below is granted whatever the accounts above have given away meanwhile.
                    let promised = |state: &State| match limit.dimensions.specificity() {
                        0 => demand(state, state.account(&account.id).unwrap(), limit.meter),
                        _ => in_tree(state, &account.id, limit),
                    };
                    let kept = promised(after) <= promised(before);
                    assert!(is <= ceiling || is <= was || kept, "{} is over its limit {limit:?}: {is}", account.id);
                }
            }
            let (was, is) = (shortage(&shrunk(before, claim), Meter::Vcpu), shortage(after, Meter::Vcpu));
            assert!(is <= was, "floors were eaten: {was} short before, {is} after");
        }
        Decision::Refused(refusal) => {
            let placed =
                refusal.code == RefusalCode::WaitingForCapacity || before.waiting().count() > after.waiting().count();
            let unchanged = before.claims().eq(after.claims()) && before.accounts().eq(after.accounts());
            assert!(unchanged && (placed || before.canonical().unwrap() == after.canonical().unwrap()));
            if refusal.code == RefusalCode::ExceedsLimit {
                // No false refusal: some limit on the path would indeed be passed.
                let had = |limit: &Limit| {
                    let old = before.claim_of_subject(&request.subject.uid);
                    recount(old.into_iter().map(AsRef::as_ref), |_, line| counts(limit, line.meter, &line.dimensions))
                };
                let kept = |account: &Account, limit: &Limit| match limit.dimensions.specificity() {
                    0 => demand(before, account, limit.meter) - in_tree(before, &account.id, limit),
                    _ => 0,
                };
                let passed =
                    before.accounts().filter(|above| lies_below(before, &request.account, &above.id)).any(|account| {
                        account.limits.iter().any(|limit| {
                            limit.limit.is_some_and(|ceiling| {
                                in_tree(before, &account.id, limit) + kept(account, limit) - had(limit)
                                    + wanted(request, limit)
                                    > ceiling
                            })
                        })
                    });
                assert!(passed, "refused without cause: {:?}", refusal.parameters);
            }
        }
    }
}

fn decided(book: &mut Book, request: &ClaimRequest) {
    book.sweep();
    let before = book.state.clone();
    if let Ok(decision) = book.decide(request) {
        check_decision(&before, &book.state, request, &decision);
    }
}

fn take(book: &mut Book, step: &Step) {
    let claim = |book: &Book, index: usize| ClaimId(index as u64 % book.state.claims().count().max(1) as u64 + 1);
    // What cannot be recorded is refused; that is part of a history too.
    match step {
        Step::Wait(seconds) => book.now += SignedDuration::from_secs(i64::from(*seconds)),
        Step::Ask { account, object, vcpu, memory, disk } => {
            let request = ask(*account, *object, *vcpu, *memory, *disk);
            decided(book, &request);
        }
        Step::HandOver(index) => drop(book.record(&Command::Billable(claim(book, *index)))),
        Step::End(index) => drop(book.record(&Command::End(claim(book, *index)))),
        Step::Release(index) => drop(book.record(&Command::Release(claim(book, *index)))),
        Step::Limit { account: index, vcpu, memory, extreme } => {
            let mut changed = Account::clone(book.state.account(&ACCOUNTS[*index].into()).unwrap());
            let tier = Dimensions { tier: Some("extreme".to_owned()), ..Dimensions::default() };
            let any = Dimensions::default;
            let limits =
                [(Meter::Vcpu, any(), vcpu), (Meter::Memory, any(), memory), (Meter::BlockStorage, tier, extreme)];
            let guaranteed = floor(&changed, Meter::Vcpu);
            changed.limits = limits
                .into_iter()
                .filter_map(|(meter, dimensions, limit)| {
                    let guaranteed = if meter == Meter::Vcpu { guaranteed } else { 0 };
                    (limit.is_some() || guaranteed > 0).then_some(Limit {
                        meter,
                        dimensions,
                        limit: *limit,
                        guaranteed,
                    })
                })
                .collect();
            drop(book.record(&Command::SetAccount(changed)));
        }
        Step::Move { account: index, parent } => {
            let mut moved = Account::clone(book.state.account(&ACCOUNTS[*index].into()).unwrap());
            moved.parent = (index != parent).then(|| ACCOUNTS[*parent].into());
            drop(book.record(&Command::SetAccount(moved)));
        }
        Step::Close { account: index, closed } => {
            let mut changed = Account::clone(book.state.account(&ACCOUNTS[*index].into()).unwrap());
            changed.state = if *closed { AccountState::Closed } else { AccountState::Open };
            drop(book.record(&Command::SetAccount(changed)));
        }
        Step::Resize { pool: index, capacity, overcommit, reserve } => {
            book.pool(pool(*index, *capacity, *overcommit, *reserve));
        }
        Step::Floor { account: index, vcpu } => {
            let changed = Account::clone(book.state.account(&ACCOUNTS[*index].into()).unwrap());
            drop(book.record(&Command::SetAccount(guaranteed(changed, Meter::Vcpu, *vcpu))));
        }
        Step::Hold { account, object, vcpu, disk, seconds } => {
            let mut request = ask(*account, *object, *vcpu, 1, *disk);
            request.hold_until = Some(book.now + SignedDuration::from_secs(i64::from(*seconds)));
            decided(book, &request);
        }
        Step::Confirm { object } => {
            let held = book.state.claim_of_subject(&format!("o{object}")).cloned();
            if let Some(digest) = held.as_ref().and_then(|claim| Some(claim.hold.as_ref()?.spec_digest.clone())) {
                drop(book.record(&Command::Confirm(held.unwrap().id, digest)));
            }
        }
        Step::Withdraw(index) => drop(book.record(&Command::Withdraw(claim(book, *index)))),
        Step::Wait4Room { account, object, vcpu } => {
            let mut request = ask(*account, *object, *vcpu, 1, 0);
            request.wait = true;
            decided(book, &request);
        }
        Step::Transfer { index, account } => {
            let id = claim(book, *index);
            let Some(subject) = book.state.claim(id).map(|claim| claim.subject.clone()) else { return };
            let transfer = Transfer {
                claim: id,
                account: ACCOUNTS[*account].into(),
                system: "handed-over".to_owned(),
                subject,
                engine_namespace: "engine-before".to_owned(),
            };
            drop(book.record(&Command::Transfer(Box::new(transfer))));
        }
        Step::Quarantine => book.set(&Command::Quarantine("test".to_owned())),
        Step::Lift => book.set(&Command::Lift { by: "test".to_owned(), note: String::new() }),
    }
}

fn replayed<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> State {
    let mut state = State::default();
    for entry in entries {
        // Through the bytes a store keeps.
        let bytes = serde_json::to_vec(entry).unwrap();
        state.apply(&serde_json::from_slice(&bytes).unwrap()).unwrap();
    }
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_limits_counters_replay_and_ties(
        steps in vec(step(), 1..120),
        from in 0..3_000_000_i64,
        length in 0..3_000_000_i64,
    ) {
        let mut book = city();
        for step in &steps {
            take(&mut book, step);
            prop_assert_eq!(book.state.verify(), []);
        }
        let replay = replayed(&book.entries);
        prop_assert_eq!(replay.canonical().unwrap(), book.state.canonical().unwrap());
        prop_assert_eq!(replay.digest().unwrap(), book.state.digest().unwrap());

        let start = at("2026-10-19T00:00:00Z") + SignedDuration::from_secs(from);
        let period = Period { from: start, to: start + SignedDuration::from_secs(length) };
        for tie in tie(&book.state, period) {
            prop_assert!(tie.holds(), "{:?}", tie);
        }
    }

    #[test]
    fn a_state_kept_as_records_is_the_same_and_goes_on_the_same(steps in vec(step(), 1..120), cut in 0..400_usize) {
        let mut book = city();
        for step in &steps {
            take(&mut book, step);
        }
        let (before, after) = book.entries.split_at(cut.min(book.entries.len() - 1).max(1));
        let whole = replayed(before);
        let records: Vec<Vec<u8>> = whole.records().map(|record| serde_json::to_vec(&record).unwrap()).collect();
        let read = |record: &Vec<u8>| Ok::<_, RestoreError>(serde_json::from_slice(record).unwrap());
        let mut restored = State::restore(records.iter().map(read)).unwrap();
        prop_assert_eq!(restored.canonical().unwrap(), whole.canonical().unwrap());
        for entry in after {
            restored.apply(entry).unwrap();
        }
        prop_assert_eq!(restored.digest().unwrap(), book.state.digest().unwrap());
        prop_assert_eq!(restored.verify(), []);
    }

    #[test]
    fn usage_of_two_halves_is_usage_of_the_whole(steps in vec(step(), 1..80), cut in 0..3_000_000_i64) {
        let mut book = city();
        for step in &steps {
            take(&mut book, step);
        }
        let (from, to) = (at("2026-10-19T00:00:00Z"), at("2026-11-30T00:00:00Z"));
        let middle = from + SignedDuration::from_secs(cut);
        let sums = |periods: &[Period]| {
            let mut sums: BTreeMap<(ClaimId, Meter), i128> = BTreeMap::new();
            for row in periods.iter().flat_map(|period| usage(&book.state, *period, &jiyun_ledger::UsageFilter::default())) {
                *sums.entry((row.claim, row.meter)).or_default() += row.unit_seconds;
            }
            sums
        };
        prop_assert_eq!(sums(&[Period { from, to }]), sums(&[Period { from, to: middle }, Period { from: middle, to }]));
    }

    #[test]
    fn a_statement_sums_its_lines_and_covers_all_the_departments_use(steps in vec(step(), 1..80)) {
        let mut book = city();
        let rates = [(Meter::Vcpu, PriceUnit::CoreMonth, 45), (Meter::Memory, PriceUnit::GiBMonth, 16)];
        let rates = rates.map(|(meter, unit, price)| Rate {
            meter,
            dimensions: Dimensions::default(),
            unit,
            price: price.into(),
        });
        let book_of = |id: &str, from| PriceBook { id: id.to_owned(), valid_from: at(from), rates: rates.to_vec() };
        book.set(&Command::SetPrices(book_of("first", "2026-10-25T12:00:00Z")));
        book.set(&Command::SetPrices(book_of("second", "2026-11-03T12:00:01Z")));
        for step in &steps {
            take(&mut book, step);
        }
        for month in ["2026-10", "2026-11"] {
            let month: FiscalMonth = month.parse().unwrap();
            for name in ACCOUNTS {
                let bill = statement(&book.state, &name.into(), month, at("2026-12-31T00:00:00Z")).unwrap();
                prop_assert_eq!(bill.total, bill.lines.iter().map(|line| line.amount).sum());
                let filter = jiyun_ledger::UsageFilter {
                    account: Some(name.into()),
                    payer: Some(jiyun_ledger::Payer::Department),
                };
                let used: i128 = usage(&book.state, month.period(), &filter).iter().map(|row| row.unit_seconds).sum();
                let billed: i128 = bill.lines.iter().map(|line| line.unit_seconds).sum();
                let unpriced: i128 = bill.unpriced.iter().map(|row| row.usage.unit_seconds).sum();
                prop_assert_eq!(used, billed + unpriced);
            }
        }
    }

    #[test]
    fn the_order_of_requests_that_all_fit_changes_no_sum(
        sizes in vec((0..6_usize, 1..4_u64, 1..4_u64, 0..4_u64), 1..12),
        seed in any::<u64>(),
    ) {
        let requests: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(object, (account, vcpu, memory, disk))| ask(*account, object, *vcpu, *memory, *disk))
            .collect();
        let mut shuffled = requests.clone();
        // A permutation from the seed, by repeated selection.
        let mut rest = seed;
        for index in (1..shuffled.len()).rev() {
            let other = usize::try_from(rest % (index as u64 + 1)).unwrap();
            shuffled.swap(index, other);
            rest = rest.rotate_left(13).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        }
        let sums = |requests: &[ClaimRequest]| {
            let mut book = city();
            for index in 0..POOLS {
                book.pool(pool(index, 1000, 100, 0));
            }
            for request in requests {
                book.grant(request);
            }
            // Which pool of several that fit depends on the order; how much does not.
            let whole = |rows: Vec<jiyun_ledger::core::state::CounterRow>| {
                let mut sums: BTreeMap<(Meter, Dimensions), u64> = BTreeMap::new();
                for row in rows {
                    *sums.entry((row.meter, Dimensions { pool: None, ..row.dimensions })).or_default() += row.amount.total();
                }
                sums
            };
            ACCOUNTS.map(|name| (whole(book.state.own_use(&name.into())), whole(book.state.tree_use(&name.into()))))
        };
        prop_assert_eq!(sums(&requests), sums(&shuffled));
    }

    #[test]
    fn how_events_are_gathered_into_entries_changes_no_sum(
        steps in vec(step(), 1..60),
        cuts in subsequence((0..200_usize).collect::<Vec<_>>(), 0..200),
    ) {
        let mut book = city();
        for step in &steps {
            take(&mut book, step);
        }
        // Events of one moment may share an entry, wherever the batch was cut.
        let mut gathered: Vec<Entry> = Vec::new();
        for (index, entry) in book.entries.iter().enumerate() {
            let events: Vec<Event> = entry.events.clone();
            match gathered.last_mut() {
                Some(last) if last.at == entry.at && !cuts.contains(&index) => last.events.extend(events),
                _ => {
                    let seq = gathered.len() as u64 + 1;
                    gathered.push(Entry { seq, at: entry.at, epoch: entry.epoch, events });
                }
            }
        }
        let other = replayed(&gathered);
        for name in ACCOUNTS {
            prop_assert_eq!(other.own_use(&name.into()), book.state.own_use(&name.into()));
            prop_assert_eq!(other.tree_use(&name.into()), book.state.tree_use(&name.into()));
        }
        prop_assert_eq!(other.claims().collect::<Vec<_>>(), book.state.claims().collect::<Vec<_>>());
    }
}

#[test]
fn an_entry_out_of_order_or_back_in_time_is_refused() {
    let book = city();
    let mut state = book.state.clone();
    let head = state.seq();
    let event = Event::AccountSet { account: account("new", None, &[]) };
    let entry = |seq, when: &str| Entry { seq, at: at(when), epoch: 1, events: vec![event.clone()] };
    assert!(state.apply(&entry(head, "2026-10-20T00:00:00Z")).is_err());
    assert!(state.apply(&entry(head + 2, "2026-10-20T00:00:00Z")).is_err());
    assert!(state.apply(&entry(head + 1, "2026-10-19T23:59:59Z")).is_err());
    state.apply(&entry(head + 1, "2026-10-20T00:00:00Z")).unwrap();
}

#[test]
fn a_tie_shows_a_pool_held_beyond_its_capacity() {
    let mut book = Book::open("2026-11-01T00:00:00Z");
    book.account("tax", None, &[]).pool(compute("c1", "east", 10, 100_000));
    let id = book.grant(&host("tax", "a", 8, 1024));
    book.set(&Command::Billable(id));
    book.until("2026-11-01T00:00:10Z").pool(compute("c1", "east", 5, 100_000));
    let period = Period { from: at("2026-10-31T00:00:00Z"), to: at("2026-11-01T00:00:20Z") };
    let ties = tie(&book.state, period);
    let vcpu = ties.iter().find(|tie| tie.meter == Meter::Vcpu).unwrap();
    // 10 s at 10, then 10 s at 5; 8 used throughout: 2 idle for 10 s, 3 over for 10 s.
    assert_eq!((vcpu.capacity, vcpu.departments, vcpu.idle, vcpu.over), (150, 160, 20, 30));
    assert!(vcpu.holds());
}
