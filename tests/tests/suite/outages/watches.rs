//! Watches that are closed while things happen, and watches that tell late and in another order.

use std::sync::Arc;

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::{ControllerOptions, Lab};
use jiyun_tests::{
    World, WorldError, city,
    faults::{Line, Trace, settle},
    world::{Quota, has},
};

use super::{DEPARTMENT, all_gone, all_granted_once, close, end, lab, named, order, order_all, vanish};

async fn lined() -> Result<(World, Line), WorldError> {
    let lab = Lab::start(lab()).await?;
    let line = Line::to_kubernetes(&lab, Arc::new(Trace::default())).await.unwrap();
    let through = ControllerOptions {
        kubernetes: Some(line.url()),
        arguments: vec!["--look-every=1".to_owned()],
        ..ControllerOptions::default()
    };
    Ok((World::with(lab, &city::CATALOGUE_FILES, through).await?, line))
}

#[tokio::test]
async fn what_happens_while_every_watch_is_closed_is_caught_up_with() -> Result<(), WorldError> {
    let (world, line) = lined().await?;
    // Room for all six at once: the one that comes and goes may be granted before the others, and the end of the first late.
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2 * 6)).await?;
    let before = order_all(&world.lab, named("before", 3)).await;
    all_granted_once(&bureau, &before).await;
    line.cut();
    end(&world.lab, "before-0").await;
    let mut hosts = order_all(&world.lab, named("meanwhile", 2)).await;
    // Come and gone again while nobody looked.
    order(&world.lab, "brief").await;
    vanish(&world.lab, "brief").await;
    bureau.wait_gone("brief").await?;
    line.mend();
    bureau.wait_gone("before-0").await?;
    hosts.extend(["before-1".to_owned(), "before-2".to_owned()]);
    all_granted_once(&bureau, &hosts).await;
    all_gone(&bureau, &hosts).await;
    // A watch that goes on where it was cut tells of it and then of its end: granted in between, it was given back, and
    // never was in use.
    let booked = jiyun_tests::faults::book(&world).await.unwrap();
    let brief = booked.claims().filter(|claim| claim.subject.name == "brief");
    assert!(brief.into_iter().all(|claim| !claim.is_open() && claim.billable_from.is_none()));
    drop(line);
    close(world).await
}

#[tokio::test]
async fn an_old_machine_that_a_late_watch_still_shows_is_not_taken_for_the_new_hosts() -> Result<(), WorldError> {
    let (world, line) = lined().await?;
    let bureau = world.named_department(DEPARTMENT, Quota::cores(2)).await?;
    order(&world.lab, "web").await;
    let first = bureau.wait_ready("web").await?;
    // From now on the controller is told of hosts at once and of engines not at all.
    for kind in ["virtualmachines", "virtualmachineinstances", "datavolumes"] {
        line.hold(kind);
    }
    end(&world.lab, "web").await;
    bureau.wait_gone("web").await?;
    order(&world.lab, "web").await;
    let second = bureau
        .wait_for_host("web", "granted", |host| {
            host.metadata.uid != first.metadata.uid && has(host, ConditionType::Admitted)
        })
        .await;
    // What it is told is the old machine's: the new host is not ready by that.
    if let Ok(second) = &second {
        assert!(!has(second, ConditionType::Ready), "{second:?}");
    }
    line.release();
    bureau.wait_ready("web").await?;
    assert!(second.is_ok(), "{second:?}");
    let hosts = ["web".to_owned()];
    all_granted_once(&bureau, &hosts).await;
    all_gone(&bureau, &hosts).await;
    settle(&world).await.unwrap();
    drop(line);
    close(world).await
}
