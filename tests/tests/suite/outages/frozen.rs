//! A leader that froze past its lease, with a write on its way.

use std::sync::Arc;

use jiyun_lab::{ControllerOptions, Exit, Lab, LedgerUser};
use jiyun_ledger::{
    Entry, Store as _,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use jiyun_tests::{
    World, WorldError, city,
    faults::{Cut, Line, Point, Side, Trace, lead::leader},
    world::{PATIENCE, Quota},
};

use super::{DEPARTMENT, all_gone, all_granted_once, close, lab, named, order, order_all};

async fn entries(lab: &Lab) -> Vec<Entry> {
    let store = EtcdStore::new(lab.ledger_client(LedgerUser::Root).await.unwrap(), DEFAULT_PREFIX);
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let page = store.page(entries.len() as u64 + 1).await.unwrap();
        entries.extend(page.entries);
        if !page.more {
            return entries;
        }
    }
}

/// How many entries were written under each leadership.
fn by_epoch(entries: &[Entry], epoch: i64) -> usize {
    entries.iter().filter(|entry| entry.epoch == epoch).count()
}

#[tokio::test]
async fn a_leader_frozen_past_its_lease_writes_nothing_more_and_exits() -> Result<(), WorldError> {
    let lab = Lab::start(lab()).await?;
    let trace = Arc::new(Trace::default());
    let line = Line::to_ledger(&lab, Arc::clone(&trace)).await.unwrap();
    let through = ControllerOptions { ledger: Some(line.url()), ..ControllerOptions::default() };
    let world = World::with(lab, &city::CATALOGUE_FILES, through).await?;
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * 7)).await?;
    let standby = ControllerOptions { name: "standby".into(), ..ControllerOptions::default() };
    let standby = world.lab.spawn_controller(standby).await?;
    standby.wait_until_healthy("/readyz", PATIENCE).await?;
    let mut hosts = order_all(&world.lab, named("before", 3)).await;
    for host in &hosts {
        bureau.wait_ready(host).await?;
    }

    // The grant is on its way when the machine under the leader freezes.
    let grant = Point { what: "txn ClaimGranted".to_owned(), nth: 1 };
    trace.begin(Some(Cut { point: grant, side: Side::Before }));
    order(&world.lab, "caught").await;
    trace.reached().await;
    world.controller.pause();
    let written = entries(&world.lab).await;
    let (epoch, last) = (written.last().unwrap().epoch, written.len());
    hosts.push("caught".to_owned());
    hosts.extend(order_all(&world.lab, named("meanwhile", 3)).await);
    let next = leader(&world, &[&standby]).await?;
    assert_eq!(next.process().name(), "standby");
    for host in &hosts {
        bureau.wait_ready(host).await?;
    }

    // Its write arrives at last, and it wakes up.
    trace.let_go();
    world.controller.resume();
    let exit = tokio::time::timeout(PATIENCE, world.controller.process().wait()).await;
    let log = world.controller.tail(20);
    assert_eq!(exit.ok(), Some(Exit::Code(1)), "{log}");
    assert!(log.contains("leadership ended"), "{log}");
    let now = entries(&world.lab).await;
    assert_eq!(by_epoch(&now, epoch), by_epoch(&written, epoch), "the frozen one wrote no entry");
    assert!(now.len() > last && now[last..].iter().all(|entry| entry.epoch > epoch));
    all_granted_once(&bureau, &hosts).await;

    // It stands by again, and takes over in its turn.
    world.controller.restart().await?;
    world.controller.wait_until_healthy("/readyz", PATIENCE).await?;
    assert_eq!(standby.stop().await, Exit::Code(0), "{}", standby.tail(20));
    all_gone(&bureau, &hosts).await;
    drop((bureau, standby));
    close(world).await
}
