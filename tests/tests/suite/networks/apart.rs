//! Flows where departments have networks of their own: open walls are not told as a connection where there is none.

use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{ConditionType, NetworkFlow, Reason},
};
use jiyun_tests::{
    WorldError,
    walls::{Walls, reason},
    world::Bureau,
    zone::{self, Zone},
};
use serde_json::{Value, json};

fn flow(walls: &Walls<'_>, name: &str, peer: &Value) -> Value {
    let mut flow = walls.flow(name, peer);
    flow["spec"]["systemRef"] = json!({"name": "inner"});
    flow
}

#[tokio::test]
async fn a_flow_into_another_network_is_not_ready_before_operators_have_connected_the_two() -> Result<(), WorldError> {
    let world = zone::shared().await?;
    let walls = Walls::open(world).await?;
    let name = walls.name().to_owned();
    let caller = world.caller(&format!("{name}-operator"))?;
    let zone = Zone::of(Bureau { world, name, caller }, &["10.69.0.0/24"]).await?;
    zone.wait_for_reason("Valid").await?;
    walls.hosts("inner", &zone.name, &["web"]).await?;
    walls.hosts("portal", "extranet-public", &["front"]).await?;
    let ready = |found: &NetworkFlow| reason(found, ConditionType::Ready);
    let apart = |found: &NetworkFlow| ready(found) == Some(Reason::NotConnected);

    walls.apply(&flow(&walls, "within", &json!({"system": {"name": "inner"}}))).await?;
    walls.wait_open("within").await?;

    for (name, peer, told) in [
        ("to-portal", json!({"system": {"name": "portal"}}), "keep both ends in one network"),
        (
            "to-others",
            json!({"foreign": {"department": "elsewhere", "system": "filing"}}),
            "not connected to the other",
        ),
        ("to-outside", json!({"ipBlock": {"cidr": "10.200.0.0/16"}}), "nothing leads out of"),
    ] {
        walls.apply(&flow(&walls, name, &peer)).await?;
        let order = walls.awaited_order(name, &[]).await?;
        walls.desk.approve(&order).await?;
        let found = walls.wait_for_flow(name, "open and not connected", apart).await?;
        assert!(format!("{:?}", found.status).contains(told), "{:?}", found.status);
        assert!(!walls.policies(name).await?.is_empty() || name == "to-others", "the walls are open");
    }

    let connected = json!({"spec": {
        "enableExternal": true, "vpcPeerings": [{"remoteVpc": "jiyun-elsewhere", "localConnectIP": "169.254.0.1/30"}],
    }});
    let router = format!("vpcs.kubeovn.io/jiyun-{}", walls.name());
    world.lab.kubectl(&["patch", &router, "--type=merge", "-p", &connected.to_string()]).await?;
    walls.wait_open("to-outside").await?;
    walls.wait_open("to-others").await?;
    let still = walls.wait_for_flow("to-portal", "not connected still", apart).await?;
    assert_eq!(still.metadata.namespace, Some(department_namespace(walls.name())));
    Ok(())
}
