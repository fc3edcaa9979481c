//! Departments' own networks (Kube-OVN), at the level of objects: made before anybody orders, put right, waited for.

mod apart;
mod ending;
mod lost;
mod without;

use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::simulate::Fault;
use jiyun_tests::{
    WorldError,
    world::{Quota, has, reason},
    zone::{self, Zone},
};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::{Value, json};

#[tokio::test]
async fn each_department_has_a_router_and_a_subnet_and_its_machines_lie_in_it() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let zone = Zone::open(world, &["10.64.0.0/24"]).await?;
    zone.wait_for_reason("Valid").await?;
    let second = world.department(Quota::AMPLE).await?;
    zone.admit(&second).await?;
    let first = &zone.bureau.name;
    jiyun_lab::wait_for("both to have addresses", jiyun_tests::world::PATIENCE, || async {
        let given = zone.given().await.map_err(|error| format!("{error:?}"))?;
        if given.len() == 2 { Ok(()) } else { Err(format!("{given:?}")) }
    })
    .await?;
    let given = [format!("{first} 10.64.0.0/26"), format!("{} 10.64.0.64/26", second.name)];
    let mut sorted = given.clone();
    sorted.sort();
    assert_eq!(zone.given().await?, sorted);

    zone.wait_for_reason("Valid").await?;
    let subnets = zone.subnets().await?;
    let ours: Vec<_> = subnets.iter().filter(|one| one.labels()["jiyun.io/department"] == *first).collect();
    let [subnet] = ours.as_slice() else { panic!("{subnets:?}") };
    assert_eq!(
        subnet.data["spec"],
        json!({"vpc": format!("jiyun-{first}"), "cidrBlock": "10.64.0.0/26", "gateway": "10.64.0.1",
               "protocol": "IPv4", "private": true})
    );
    let router = zone::engine(world, "Vpc", "vpcs").await?.get(&format!("jiyun-{first}")).await?;
    for object in [&router, *subnet] {
        // Server-side apply refuses a field the engine's definition does not have: what was applied fits it.
        let managed = object.managed_fields();
        let ours: Vec<_> =
            managed.iter().filter(|entry| entry.manager.as_deref() == Some("jiyun-controller")).collect();
        assert_eq!(ours.len(), 1, "one field manager, one apply: {managed:?}");
        assert_eq!(object.finalizers(), ["jiyun.io/network"]);
        assert_eq!(object.owner_references().len(), 0);
    }

    let bureau = &zone.bureau;
    bureau.caller.post(&bureau.hosts_path(), &zone.order("web-1").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let path = "jsonpath={.spec.template.metadata.annotations}";
    let machine = world.lab.kubectl(&["get", "vm", "web-1", "-n", &format!("engine-{first}"), "-o", path]).await?;
    let annotations: Value = serde_json::from_str(&machine).unwrap();
    assert_eq!(annotations, json!({"ovn.kubernetes.io/logical_switch": subnet.name_any()}));
    let walls = ["get", "networkpolicy", "jiyun-default-deny", "-n", &format!("engine-{first}"), "-o", "name"];
    assert!(!world.lab.kubectl(&walls).await?.is_empty(), "the wall stands");

    // Nothing is done twice, and nothing is given anew, by a controller that begins again.
    let before: Vec<_> = subnets.iter().map(ResourceExt::resource_version).collect();
    world.controller.restart().await?;
    bureau.caller.post(&bureau.hosts_path(), &zone.order("web-2").body(), 30).await?;
    bureau.wait_ready("web-2").await?;
    let after: Vec<_> = zone.subnets().await?.iter().map(ResourceExt::resource_version).collect();
    assert_eq!(after, before);
    assert_eq!(zone.given().await?, sorted);
    Ok(())
}

#[tokio::test]
async fn a_subnet_that_is_edited_or_deleted_by_hand_is_put_right_with_the_same_addresses() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let zone = Zone::open(world, &["10.65.0.0/24"]).await?;
    zone.wait_for_reason("Valid").await?;
    let api = zone::engine(world, "Subnet", "subnets").await?;
    let right = |found: &Value| {
        found["spec"]["private"] == true
            && found["spec"]["cidrBlock"] == "10.65.0.0/26"
            && found["metadata"]["finalizers"] == json!(["jiyun.io/network"])
    };
    let before = zone.wait_for_subnet("as it should be", right).await?;
    let name = before["metadata"]["name"].as_str().unwrap().to_owned();
    for edit in [
        json!({"spec": {"private": false}}),
        json!({"spec": {"cidrBlock": "10.99.0.0/16"}}),
        json!({"metadata": {"finalizers": null}}),
    ] {
        let edited = api.patch(&name, &PatchParams::default(), &Patch::Merge(&edit)).await?;
        zone.wait_for_subnet(&format!("put right after {edit}"), |found| {
            right(found) && found["metadata"]["resourceVersion"].as_str() != edited.metadata.resource_version.as_deref()
        })
        .await?;
    }
    api.delete(&name, &DeleteParams::default()).await?;
    zone.wait_for_subnet("made anew", |found| right(found) && found["metadata"]["uid"] != before["metadata"]["uid"])
        .await?;
    let routers = zone::engine(world, "Vpc", "vpcs").await?;
    let router = format!("jiyun-{}", zone.bureau.name);
    let uid = routers.get(&router).await?.uid();
    routers.delete(&router, &DeleteParams::default()).await?;
    jiyun_lab::wait_for("its router to be made anew", jiyun_tests::world::PATIENCE, || async {
        let found = routers.get(&router).await.map_err(|error| error.to_string())?;
        if found.uid() == uid { Err(format!("{:?}", found.metadata)) } else { Ok(()) }
    })
    .await?;
    zone.wait_for_reason("Valid").await?;
    Ok(())
}

#[tokio::test]
async fn a_host_waits_for_its_subnet_with_nothing_set_aside_and_goes_on_by_itself() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let own = format!("jiyun-{}-*", bureau.name);
    world.lab.faults().set(Fault::NeverReady, &own);
    let zone = Zone::of(bureau, &["10.66.0.0/24"]).await?;
    zone.wait_for_reason("NetworkNotReady").await?;
    let bureau = &zone.bureau;
    world.lab.apply_text(&zone.order("web-1").object(&bureau.name).to_string()).await?;
    let waits = |host: &_| reason(host, ConditionType::Admitted) == Some("NetworkNotReady");
    let host = bureau.wait_for_host("web-1", "to wait for its network", waits).await?;
    assert!(!has(&host, ConditionType::Admitted));
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    world.lab.faults().clear(Fault::NeverReady, &own);
    bureau.wait_ready("web-1").await?;
    zone.wait_for_reason("Valid").await?;
    Ok(())
}

#[tokio::test]
async fn a_zone_without_addresses_left_and_one_with_anothers_say_so() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let zone = Zone::open(world, &["10.67.0.0/26"]).await?;
    zone.wait_for_reason("Valid").await?;
    let late = world.department(Quota::AMPLE).await?;
    zone.admit(&late).await?;
    let told = zone.wait_for_reason("AddressesExhausted").await?;
    assert!(told.contains("cidrs") && !told.contains(&late.name), "{told}");
    assert_eq!(zone.subnets().await?.len(), 1);
    let more = json!({"spec": {"isolation": {"kubeOvn": {"cidrs": ["10.67.0.0/26", "10.67.1.0/26"]}}}}).to_string();
    world.lab.kubectl(&["patch", "networkzone", &zone.name, "--type=merge", "-p", &more]).await?;
    zone.wait_for_reason("Valid").await?;
    let mut given = zone.given().await?;
    given.sort();
    let mut expected = [format!("{} 10.67.0.0/26", zone.bureau.name), format!("{} 10.67.1.0/26", late.name)];
    expected.sort();
    assert_eq!(given, expected);

    let other = Zone::open(world, &["10.67.0.0/16"]).await?;
    let told = other.wait_for_reason("Misconfigured").await?;
    assert!(told.contains("10.67.0.0/26") && told.contains(&zone.name), "{told}");
    assert_eq!(other.subnets().await?.len(), 0);
    zone.wait_for_reason("Valid").await?;
    Ok(())
}
