//! The controller dies in the middle of a handover, again and again; the handover ends as if it had not.

use std::{collections::BTreeSet, time::Duration};

use jiyun_crds::v1alpha1::CloudHost;
use jiyun_lab::{LabOptions, Profile};
use jiyun_tests::{
    World, WorldError, WorldOptions, city,
    world::{Bureau, PATIENCE, Quota},
};
use kube::api::ListParams;

use super::{
    super::interrupted::{
        book::Book,
        program::{Lead, Program},
    },
    claims, completed, handover, machines, order, seen,
};

/// More than five: if what is halfway looked like a loss to the controller, the book would be quarantined.
const HOSTS: [&str; 7] = ["web-0", "web-1", "web-2", "web-3", "web-4", "web-5", "web-6"];

/// What is halfway, as it can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Halfway {
    Marked,
    Made,
    Transferred,
    Leaving,
    Gone,
}

/// Why the controller was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    At(Halfway),
    /// So many claims had gone over.
    Gone(usize),
}

async fn halfway(giver: &Bureau<'_>, taker: &Bureau<'_>) -> Result<BTreeSet<Halfway>, WorldError> {
    let list = |department: String| async move {
        Ok::<Vec<CloudHost>, WorldError>(
            giver.world.hosts(&department).await?.list(&ListParams::default()).await?.items,
        )
    };
    let (left, there) = (list(giver.name.clone()).await?, list(taker.name.clone()).await?);
    let marked =
        |host: &CloudHost| host.metadata.annotations.as_ref().is_some_and(|all| all.contains_key("jiyun.io/handover"));
    let mut seen = BTreeSet::new();
    let mut note = |is: bool, what: Halfway| {
        if is {
            seen.insert(what);
        }
    };
    note(left.iter().any(marked), Halfway::Marked);
    note(there.iter().any(marked), Halfway::Made);
    note(there.iter().any(|host| !marked(host)), Halfway::Transferred);
    note(left.iter().any(|host| host.metadata.deletion_timestamp.is_some()), Halfway::Leaving);
    note(left.len() < HOSTS.len(), Halfway::Gone);
    Ok(seen)
}

/// Kills the controller once at each thing that is halfway, and after each claim that went, as soon as it is seen; until the
/// handover is completed.
async fn die(giver: &Bureau<'_>, taker: &Bureau<'_>) -> Result<Vec<Death>, WorldError> {
    let (world, book) = (giver.world, Book::open(giver.world).await);
    let (mut deaths, mut gone) = (Vec::new(), 0);
    while seen(world, "merger").await?.status.unwrap_or_default().completed_at.is_none() {
        let state = book.state();
        let claims = state.open_claims_of(&"finance".into()).count();
        let new = halfway(giver, taker).await?.into_iter().map(Death::At).find(|death| !deaths.contains(death));
        let death = if claims > gone { Some(Death::Gone(claims)) } else { new };
        gone = claims;
        if let Some(death) = death {
            Program::Controller.interrupt(world, Lead::IsTaken).await;
            deaths.push(death);
        }
        // The next entry, or what Kubernetes alone knows.
        let _ = tokio::time::timeout(Duration::from_millis(5), book.turned(state.seq())).await;
    }
    Ok(deaths)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_ends_the_same_however_often_the_controller_dies_in_the_middle() -> Result<(), WorldError> {
    // With KubeVirt's own control plane: what is written on a machine must not make it want a restart.
    let lab = LabOptions::default().profile(Profile::Real).departments(["tax", "finance"]);
    let controller_arguments = vec!["--look-every=1".to_owned()];
    let world = World::start(WorldOptions { lab, files: city::CATALOGUE_FILES.to_vec(), controller_arguments }).await?;
    let (giver, taker) =
        (world.named_department("tax", Quota::AMPLE).await?, world.named_department("finance", Quota::AMPLE).await?);
    order(&giver, "portal", &HOSTS).await?;
    let (before, held) = (machines(&world, "tax").await?, claims(&giver).await?);
    world.lab.apply_text(&handover("merger", &giver, &taker, Some(("portal", Some("gate")))).to_string()).await?;

    let deaths = tokio::time::timeout(PATIENCE * 4, die(&giver, &taker)).await;
    let deaths = deaths.unwrap_or_else(|_| panic!("no end in sight: {}", world.controller.tail(30)))?;
    println!("the controller died at {deaths:?}");
    assert!(deaths.len() >= HOSTS.len(), "the controller died only at {deaths:?}");
    let status = completed(&world, "merger").await?;
    assert_eq!((&status["total"], &status["moved"]), (&HOSTS.len().into(), &HOSTS.len().into()), "{status}");
    for host in HOSTS {
        taker.wait_ready(host).await?;
    }
    assert_eq!(claims(&taker).await?, held, "each has its claim, and none has two");
    assert_eq!(claims(&giver).await?.len(), 0);
    assert_eq!(machines(&world, "tax").await?, before, "no machine noticed");
    let wanted = "jsonpath={.items[*].status.conditions[?(@.type==\"RestartRequired\")].status}";
    let restarts = world.lab.kubectl(&["get", "vm", "-n", "engine-tax", "-o", wanted]).await?;
    assert_eq!(restarts.trim(), "", "no machine wants a restart");
    assert_eq!((giver.used("Vcpu").await?, taker.used("Vcpu").await?), ((0, 0), (14, 0)));
    let figures = world.controller_metrics().await?;
    assert!(figures.contains("jiyun_quarantined 0"), "{figures}");
    world.lab.stop().await?;
    Ok(())
}
