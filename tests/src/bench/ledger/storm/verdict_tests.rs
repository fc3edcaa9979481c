//! Whether the judgement finds what is wrong, and nothing where all is well.

use std::{collections::BTreeMap, sync::Arc};

use jiyun_ledger::{
    Command, Decision, Entry, Event, Ledger, Lineage, Meter, OpenOptions, RefusalCode, Store,
    store::memory::MemoryStore,
};
use tokio_util::sync::CancellationToken;

use super::{Refused, judge};
use crate::bench::ledger::{
    ask::{Host, Size},
    city::{City, Shape},
    random::Random,
    recount::{Recount, Wish},
};

const CITY: Shape = Shape { departments: 20, cores: 40, above: 97 };

/// A history of random traffic, with every decision compared to the recount of that moment.
async fn history(seed: u64, steps: usize) -> (City, Vec<Entry>, Vec<Refused>) {
    let (city, memory, mut random) = (City::new(CITY), MemoryStore::default(), Random::new(seed));
    let fence = memory.elect(1);
    let options = OpenOptions::new(Lineage::new("a"), Lineage::new("b"));
    let opened = Ledger::open(memory.clone(), fence, CancellationToken::new(), options).await;
    let ledger = opened.unwrap().0;
    for command in city.commands() {
        ledger.record(command).await.unwrap();
    }
    let (mut recount, mut counted) = (Recount::default(), 0);
    let (mut refusals, mut open) = (Vec::new(), Vec::new());
    for number in 0..steps {
        while counted < ledger.revision() {
            let entry = memory.read(counted + 1).await.unwrap().unwrap();
            entry.events.iter().for_each(|event| recount.apply(event).unwrap());
            counted += 1;
        }
        let department = random.index(city.departments());
        let mut host = Host { department, number: number as u64, size: Size::any(&mut random) };
        match (random.below(10), open.get(random.index(open.len())).copied()) {
            (0..2, Some((gone, claim))) => {
                ledger.record(Command::End(claim)).await.unwrap();
                ledger.record(Command::Release(claim)).await.unwrap();
                open.retain(|(other, _)| *other != gone);
                continue;
            }
            (2..4, Some((other, _))) => host = Host { size: host.size, ..other },
            _ => {}
        }
        let expected = recount.fits(&Wish::of(&city, &host));
        let from = ledger.revision();
        match ledger.decide(host.request(&city, None)).await.unwrap() {
            Decision::Granted { claim, .. } => {
                assert!(expected, "seed {seed}, step {number}: granted {host:?}, recount says it does not fit");
                open.retain(|(_, other)| *other != claim.id);
                open.push((host, claim.id));
            }
            Decision::Refused(refusal) => {
                assert!(!expected, "seed {seed}, step {number}: refused {host:?}, which fits: {refusal:?}");
                refusals.push(Refused { host, code: refusal.code, from, to: ledger.revision() });
            }
        }
    }
    assert!(recount.adds_up());
    (city, memory.entries(), refusals)
}

fn standing(entries: &[Entry]) -> BTreeMap<String, u64> {
    let mut recount = Recount::default();
    entries.iter().flat_map(|entry| &entry.events).for_each(|event| recount.apply(event).unwrap());
    recount.open().map(|uid| (uid.to_owned(), recount.cores_of(uid).unwrap())).collect()
}

#[tokio::test]
async fn ledger_and_recount_agree_on_every_decision() {
    for seed in 0..4 {
        let (city, entries, refusals) = history(seed, 1500).await;
        assert!(refusals.len() > 100, "{}", refusals.len());
        for code in [RefusalCode::ExceedsLimit, RefusalCode::PoolExhausted] {
            assert!(refusals.iter().any(|refused| refused.code == code), "seed {seed}: none for {code:?}");
        }
        let verdict = judge(&city, &entries, refusals, &standing(&entries)).unwrap();
        let wrong = (verdict.over, verdict.untrue, verdict.unknown, verdict.missing);
        assert_eq!(wrong, (0, 0, 0, 0), "seed {seed}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_grant_too_many_is_found_at_its_revision() {
    let (city, mut entries, _) = history(1, 1500).await;
    let standing = standing(&entries);
    let grants = |entry: &Entry| entry.events.iter().any(|event| matches!(event, Event::ClaimGranted { .. }));
    let last = entries.iter().rposition(grants).unwrap();
    let (seq, mut over) = (entries[last].seq, 0);
    for event in &mut entries[last].events {
        if let Event::ClaimGranted { claim } = event {
            let line = Arc::make_mut(claim).lines.iter_mut().find(|line| line.meter == Meter::Vcpu).unwrap();
            line.quantity += 1_000_000;
            over += 1;
        }
    }
    assert_eq!(over, 1);
    let verdict = judge(&city, &entries, Vec::new(), &standing).unwrap();
    assert_eq!(verdict.first_over, Some(seq));
    assert!(verdict.over > 1_000_000, "{verdict:?}");
}

#[tokio::test]
async fn a_refusal_of_what_fits_and_a_claim_nobody_knows_are_found() {
    let (city, entries, mut refusals) = history(2, 300).await;
    let mut known = standing(&entries);
    let (granted, _) = known.pop_first().unwrap();
    known.insert("nobody".to_owned(), 1);
    let first =
        entries.iter().position(|entry| entry.events.iter().any(|event| matches!(event, Event::ClaimGranted { .. })));
    let before = entries[first.unwrap()].seq - 1;
    refusals.clear();
    let host = Host { department: 3, number: 999_999, size: Size { vcpu: 1, memory: 1024, disk: 1024 } };
    refusals.push(Refused { host, code: RefusalCode::ExceedsLimit, from: before, to: before });
    let verdict = judge(&city, &entries, refusals, &known).unwrap();
    assert_eq!((verdict.untrue, verdict.unknown, verdict.missing), (1, 1, 1), "{granted}: {verdict:?}");
}
