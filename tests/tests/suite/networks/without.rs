//! A zone that asks for departments' own networks where nothing can make them.

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_tests::{World, WorldError, WorldOptions, world::reason, zone::Zone};

#[tokio::test]
async fn without_the_engine_the_zone_says_what_to_do_and_its_hosts_wait_with_a_reason() -> Result<(), WorldError> {
    let world = World::start(WorldOptions::default()).await?;
    let zone = Zone::open(&world, &["10.64.0.0/24"]).await?;
    let told = zone.wait_for_reason("EngineMissing").await?;
    assert!(told.contains("Install it"), "{told}");
    let bureau = &zone.bureau;
    world.lab.apply_text(&zone.order("web-1").object(&bureau.name).to_string()).await?;
    let waits = |host: &_| reason(host, ConditionType::Admitted) == Some("NetworkNotReady");
    bureau.wait_for_host("web-1", "to wait for its network", waits).await?;
    assert_eq!(bureau.used("Vcpu").await?, (0, 0), "nothing is set aside for it");

    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;
    world.lab.kubectl(&["delete", "networkzone", &zone.name, "--timeout=60s"]).await?;
    // Names its router in vain, and goes all the same.
    world.lab.kubectl(&["delete", "department", &bureau.name, "--timeout=60s"]).await?;
    Ok(())
}
