//! The end of a department's network: machines, then subnets, then the router, and only then whoever it was for.

use jiyun_tests::{
    WorldError,
    world::{PATIENCE, Quota},
    zone::{self, Zone},
};
use kube::{
    ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::json;

/// As the engine holds a subnet while ports are left in it.
const ENGINES: &str = "kubeovn.io/kube-ovn-controller";

fn is_going(object: &DynamicObject) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

#[tokio::test]
async fn a_router_goes_after_the_last_subnet_and_the_department_after_its_router() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let zone = Zone::open(world, &["10.68.0.0/24"]).await?;
    zone.wait_for_reason("Valid").await?;
    let bureau = &zone.bureau;
    bureau.caller.post(&bureau.hosts_path(), &zone.order("web-1").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let (subnets, routers) =
        (zone::engine(world, "Subnet", "subnets").await?, zone::engine(world, "Vpc", "vpcs").await?);
    let (subnet, router) = (zone.subnets().await?[0].name_any(), format!("jiyun-{}", bureau.name));
    let held = Patch::Merge(json!({"metadata": {"finalizers": ["jiyun.io/network", ENGINES]}}));
    subnets.patch(&subnet, &PatchParams::default(), &held).await?;

    // A department that may not use the zone any more keeps its network as long as a machine lies in it.
    let elsewhere = r#"{"spec": {"zones": ["extranet-public"]}}"#;
    world.lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", elsewhere]).await?;
    world.lab.kubectl(&["delete", "networkzone", &zone.name, "--wait=false"]).await?;
    let told = zone.wait_for_reason("Deleting").await?;
    assert!(told.contains("hosts still lie in this zone") && !told.contains(&bureau.name), "{told}");
    assert!(!is_going(&subnets.get(&subnet).await?) && !is_going(&routers.get(&router).await?));

    bureau.caller.delete(&bureau.host_path("web-1")).await?;
    bureau.wait_gone("web-1").await?;
    world.lab.kubectl(&["delete", "department", &bureau.name, "--wait=false"]).await?;
    jiyun_lab::wait_for("the subnet to go", PATIENCE, || async {
        let found = subnets.get(&subnet).await.map_err(|error| error.to_string())?;
        if is_going(&found) { Ok(()) } else { Err(format!("{:?}", found.metadata)) }
    })
    .await?;
    let told = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=Deleting";
    world.lab.kubectl(&["wait", "department", &bureau.name, told, "--timeout=60s"]).await?;
    assert!(!is_going(&routers.get(&router).await?), "a router goes after its subnets");
    assert_eq!(zone.given().await?.len(), 1, "what is still there is not given to others");

    let free = Patch::Merge(json!({"metadata": {"finalizers": ["jiyun.io/network"]}}));
    subnets.patch(&subnet, &PatchParams::default(), &free).await?;
    world.lab.kubectl(&["wait", "department", &bureau.name, "--for=delete", "--timeout=60s"]).await?;
    world.lab.kubectl(&["wait", "networkzone", &zone.name, "--for=delete", "--timeout=60s"]).await?;
    assert!(subnets.get_opt(&subnet).await?.is_none() && routers.get_opt(&router).await?.is_none());
    assert_eq!(zone.given().await?.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_handed_over_keeps_its_place_in_the_network_it_was_made_in() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let zone = Zone::open(world, &["10.70.0.0/24"]).await?;
    let heir = world.department(Quota::AMPLE).await?;
    zone.admit(&heir).await?;
    let bureau = &zone.bureau;
    world.lab.apply_text(&zone.order("web-1").object(&bureau.name).to_string()).await?;
    bureau.wait_ready("web-1").await?;
    let side = |name: &str| json!({"departmentRef": {"name": name}, "systemRef": {"name": "inner"}});
    let handover = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Handover", "metadata": {"name": zone.name},
        "spec": {"from": side(&bureau.name), "to": side(&heir.name)},
    });
    world.take("a handover", &handover.to_string()).await?;
    world.lab.kubectl(&["wait", "handover", &zone.name, "--for=condition=Completed", "--timeout=60s"]).await?;
    heir.wait_ready("web-1").await?;
    let path = "jsonpath={.spec.template.metadata.annotations.ovn\\.kubernetes\\.io/logical_switch}";
    let machine = ["get", "vm", "web-1", "-n", &format!("engine-{}", bureau.name), "-o", path];
    let subnet = world.lab.kubectl(&machine).await?;
    assert!(subnet.contains(&format!("jiyun-{}-", bureau.name)), "{subnet}");

    world.lab.kubectl(&["delete", "department", &bureau.name, "--wait=false"]).await?;
    let holds = "--for=jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=Deleting";
    world.lab.kubectl(&["wait", "department", &bureau.name, holds, "--timeout=60s"]).await?;
    zone.wait_for_reason("Valid").await?;
    let subnets = zone::engine(world, "Subnet", "subnets").await?;
    assert!(!is_going(&subnets.get(subnet.trim()).await?), "a machine of another department lies in it");

    heir.caller.delete(&heir.host_path("web-1")).await?;
    heir.wait_gone("web-1").await?;
    world.lab.kubectl(&["wait", "department", &bureau.name, "--for=delete", "--timeout=120s"]).await?;
    let left: Vec<_> = zone.subnets().await?.iter().map(|one| one.labels()["jiyun.io/department"].clone()).collect();
    assert_eq!(left.join(" "), heir.name);
    Ok(())
}
