//! What was given is known from two sides: what was written down, and the subnets themselves.

use jiyun_lab::wait_for;
use jiyun_tests::{
    World, WorldError, WorldOptions,
    world::{PATIENCE, Quota},
    zone::Zone,
};
use kube::ResourceExt;

async fn wait_given(zone: &Zone<'_>, expected: &[String]) -> Result<(), WorldError> {
    wait_for(format!("{expected:?} to be written down"), PATIENCE, || async {
        let given = zone.given().await.map_err(|error| format!("{error:?}"))?;
        if given == expected { Ok(()) } else { Err(format!("{given:?}")) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn addresses_that_were_written_down_and_lost_are_read_off_the_subnets_by_the_next_leader()
-> Result<(), WorldError> {
    let options = WorldOptions::default();
    let world = World::start(WorldOptions { lab: options.lab.clone().kube_ovn().own_cluster(), ..options }).await?;
    let zone = Zone::open(&world, &["10.64.0.0/24"]).await?;
    let first = format!("{} 10.64.0.0/26", zone.bureau.name);
    wait_given(&zone, std::slice::from_ref(&first)).await?;
    let second = world.department(Quota::AMPLE).await?;
    zone.admit(&second).await?;
    let both = [first, format!("{} 10.64.0.64/26", second.name)];
    wait_given(&zone, &both).await?;
    zone.wait_for_reason("Valid").await?;
    let uids = |subnets: Vec<kube::api::DynamicObject>| subnets.iter().map(ResourceExt::uid).collect::<Vec<_>>();
    let before = uids(zone.subnets().await?);

    world.controller.kill().await;
    world.lab.kubectl(&["delete", "configmap", "jiyun-subnets", "-n", "jiyun-system"]).await?;
    // The first in the order of names gives up its place: the other one must not move up.
    let elsewhere = r#"{"spec": {"zones": ["extranet-public"]}}"#;
    world.lab.kubectl(&["patch", "department", &zone.bureau.name, "--type=merge", "-p", elsewhere]).await?;
    world.controller.restart().await?;
    wait_given(&zone, &both[1..]).await?;
    let after = uids(zone.subnets().await?);
    assert!(after.len() == 1 && before.contains(&after[0]), "{after:?}");

    // What was given up is free, and the first entry that was ever made can be struck like any other.
    let third = world.department(Quota::AMPLE).await?;
    zone.admit(&third).await?;
    wait_given(&zone, &[both[1].clone(), format!("{} 10.64.0.0/26", third.name)]).await?;
    zone.wait_for_reason("Valid").await?;
    Ok(())
}
