//! Who decides about databases, who may sign in, and who reaches them.

use jiyun_crds::v1alpha1::{ConditionType, Reason};
use jiyun_tests::{
    WorldError,
    database::{Databases, shared, text, told},
    desk::{Desk, approved, reason_of},
    walls::{Walls, shown},
    world::Quota,
};
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ListParams};
use serde_json::json;

#[tokio::test]
async fn a_database_that_people_decide_about_is_held_granted_and_ended_by_orders() -> Result<(), WorldError> {
    let desk = Desk::open(shared().await?, Quota::AMPLE).await?;
    let databases = Databases { bureau: &desk.bureau };
    databases.apply(&databases.order("pg", "PrimaryStandby")).await?;
    let waits = |found: &_| told(found, ConditionType::Admitted).is_some_and(|(_, why, _)| why == "AwaitingApproval");
    let found = databases.wait("pg", "waits for people", waits).await?;
    let order = found.status.unwrap().order_ref.unwrap().name;
    let open = |order: &_| approved(order) == Some(Reason::AwaitingApproval);
    let order = desk.wait_for_order(&order, open).await?;
    let summary = order.status.clone().unwrap().items[0].summary.clone();
    let told: Vec<_> = summary.iter().map(|row| format!("{}={}", row.name, row.value)).collect();
    assert!(told.contains(&"instances=2".to_owned()) && told.contains(&"vcpu=4".to_owned()), "{told:?}");
    assert_eq!(desk.bureau.used("Vcpu").await?, (0, 4), "held until they have decided");
    desk.approve(&order).await?;
    databases.wait_ready("pg", "Running").await?;
    assert_eq!(desk.bureau.used("Vcpu").await?, (4, 0));
    let name = order.metadata.name.unwrap();
    desk.wait_for_order(&name, |order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled)).await?;

    let end = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "end-pg", "namespace": format!("dept-{}", desk.bureau.name)},
        "spec": {"systemRef": {"name": "portal"}, "items": [{"kind": "CloudDatabase", "name": "pg", "action": "End"}]},
    });
    desk.bureau.world.take("an order", &end.to_string()).await?;
    let order = desk.wait_for_order("end-pg", open).await?;
    desk.approve(&order).await?;
    databases.wait_gone("pg").await?;
    desk.all_free().await
}

#[tokio::test]
async fn the_departments_operators_read_its_credentials_by_name_and_nobody_else_does() -> Result<(), WorldError> {
    let world = shared().await?;
    let (bureau, other) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let databases = Databases { bureau: &bureau };
    databases.apply(&databases.order("pg", "Single")).await?;
    databases.wait_ready("pg", "Running").await?;
    let secrets = async |person: String| -> Result<Api<Secret>, WorldError> {
        let client = world.lab.client_as(&world.lab.person(&person)?.token).await?;
        Ok(Api::namespaced(client, &format!("dept-{}", bureau.name)))
    };
    let operator = secrets(format!("{}-operator", bureau.name)).await?;
    assert_eq!(text(&operator.get("pg-credentials").await?, "username").as_deref(), Some("app"));
    operator.list(&ListParams::default()).await.unwrap_err();
    for person in [format!("{}-reader", bureau.name), format!("{}-operator", other.name)] {
        secrets(person).await?.get("pg-credentials").await.unwrap_err();
    }
    Ok(())
}

#[tokio::test]
async fn a_flow_lets_hosts_reach_a_database_as_it_lets_them_reach_each_other() -> Result<(), WorldError> {
    let walls = Walls::open(shared().await?).await?;
    let databases = Databases { bureau: &walls.desk.bureau };
    databases.apply(&databases.order("pg", "Single")).await?;
    let claims = walls.hosts("portal", "extranet-public", &["web"]).await?;
    let database = databases.wait_ready("pg", "Running").await?.status.unwrap().claim_id.unwrap();
    let mut flow = walls.flow("web-to-pg", &json!({"system": {"name": "portal", "hosts": ["pg"]}}));
    flow["spec"]["hosts"] = json!(["web"]);
    flow["spec"]["ports"] = json!([{"protocol": "TCP", "port": 5432}]);
    walls.apply(&flow).await?;
    walls.wait_open("web-to-pg").await?;
    let (engines, web) = (format!("engine-{}", walls.name()), &claims["web"]);
    assert_eq!(
        shown(&walls.policies("web-to-pg").await?),
        [
            format!("{engines} in {database} > {web} : 5432-5432"),
            format!("{engines} out {web} > {database} : 5432-5432")
        ]
    );
    Ok(())
}
