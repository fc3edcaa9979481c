//! Resizing databases (变配): what grows is decided and booked first, what shrinks is booked until no instance has it any
//! more, and the database goes on meanwhile.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use jiyun_crds::v1alpha1::{ApprovalDecision, CloudDatabase, ConditionType, Order, Reason};
use jiyun_lab::{simulate::Fault, wait_for};
use jiyun_tests::{
    WorldError,
    booked::uses,
    database::{Databases, shared, told},
    desk::{Desk, approved, reason_of},
    world::{PATIENCE, Quota},
};
use kube::ResourceExt;
use serde_json::{Value, json};

/// Classes of the catalogue.
const SMALL: &str = "database-2c8g";
const LARGE: &str = "database-8c32g";
/// The mark of a cluster whose instances were seen to be what was approved.
const FOLLOWED: &str = "jiyun.io/followed";
/// Several times as long as from one look to the next at what is on its way.
const QUIET: Duration = Duration::from_secs(5);

/// Orders a database of this class and topology and waits until it runs; its claim.
async fn made(databases: &Databases<'_>, name: &str, class: &str, topology: &str) -> Result<String, WorldError> {
    let mut order = databases.order(name, topology);
    order["spec"]["classRef"]["name"] = json!(class);
    databases.apply(&order).await?;
    let found = databases.wait_ready(name, "Running").await?;
    Ok(found.status.and_then(|status| status.claim_id).expect("what runs has a claim"))
}

/// The wish for another class and topology.
fn wish(class: &str, topology: &str) -> Value {
    json!({"classRef": {"name": class}, "topology": topology})
}

/// Waits until a database says in these words that its engine is still changing it.
async fn resizing(databases: &Databases<'_>, name: &str, words: &str) -> Result<CloudDatabase, WorldError> {
    let says = |found: &CloudDatabase| {
        told(found, ConditionType::Ready)
            .is_some_and(|(status, why, message)| (status, why) == ("False", "Resizing") && message.contains(words))
    };
    databases.wait(name, &format!("being resized: {words}"), says).await
}

/// Waits until a database says for this reason that its change is not granted, and goes on as it was.
async fn objected(databases: &Databases<'_>, name: &str, why: &str) -> Result<CloudDatabase, WorldError> {
    let says = |found: &CloudDatabase| {
        let said = |kind| told(found, kind).map(|(status, reason, _)| (status, reason));
        said(ConditionType::Accepted) == Some(("False", why))
            && said(ConditionType::Admitted).is_some_and(|(status, _)| status == "True")
            && said(ConditionType::Ready) == Some(("True", "Running"))
    };
    databases.wait(name, &format!("says {why}"), says).await
}

/// The order that waits for people to agree to what a database asks for now, and is not `other`.
async fn awaited(desk: &Desk<'_>, name: &str, other: Option<&Order>) -> Result<Order, WorldError> {
    let databases = Databases { bureau: &desk.bureau };
    let named = |found: &CloudDatabase| {
        let order = found.status.as_ref()?.order_ref.as_ref()?.name.clone();
        let waits = told(found, ConditionType::Accepted).is_some_and(|(_, why, _)| why == "AwaitingApproval");
        let is_new = other.is_none_or(|other| other.name_any() != order);
        (waits && is_new).then_some(order)
    };
    let found = databases.wait(name, "waits for people", |found| named(found).is_some()).await?;
    let order = named(&found).expect("just seen");
    desk.wait_for_order(&order, |order| approved(order) == Some(Reason::AwaitingApproval)).await
}

/// The versions of a database and of its cluster.
async fn versions(databases: &Databases<'_>, name: &str) -> Result<[Option<String>; 2], WorldError> {
    let found = databases.objects().await?.get(name).await?;
    Ok([found.resource_version(), databases.cluster(name).await?.resource_version()])
}

/// So many instances of this size.
fn of(cores: &str, memory: &str, instances: usize) -> Vec<(String, String)> {
    vec![(cores.to_owned(), memory.to_owned()); instances]
}

#[tokio::test]
async fn a_larger_class_and_more_instances_are_booked_before_an_instance_has_them() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    let name = format!("grown-{}", bureau.name);
    let claim = made(&databases, &name, SMALL, "PrimaryStandby").await?;
    assert_eq!(databases.sizes(&name).await?, of("2", "8Gi", 2));
    world.lab.faults().set(Fault::NeverReady, &name);
    databases.set(&name, wish(LARGE, "Three")).await?;
    resizing(&databases, &name, "added or taken away").await?;
    let spec = databases.cluster(&name).await?.data["spec"].clone();
    assert_eq!((&spec["instances"], &spec["resources"]["requests"]["cpu"]), (&json!(3), &json!("8")));
    assert_eq!(databases.sizes(&name).await?, of("2", "8Gi", 2), "the engine has not begun");
    for (meter, used) in [("Vcpu", 3 * 8), ("Memory", 3 * 32 * 1024), ("BlockStorage", 3 * 20 * 1024)] {
        assert_eq!(bureau.used(meter).await?, (used, 0), "{meter}");
    }

    world.lab.faults().clear(Fault::NeverReady, &name);
    let status = databases.wait_granted(&name, (LARGE, 3, "20Gi")).await?.status.unwrap();
    assert_eq!((status.ready_instances, status.claim_id), (Some(3), Some(claim)));
    assert!(status.connection.unwrap().read_only_host.is_some());
    assert_eq!(databases.sizes(&name).await?, of("8", "32Gi", 3));
    assert_eq!(databases.capacities(&name).await?, ["20Gi"; 3]);
    assert_eq!(bureau.used("Vcpu").await?, (3 * 8, 0));
    Ok(())
}

#[tokio::test]
async fn what_becomes_smaller_is_booked_until_no_instance_has_it_any_more() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    let name = format!("shrunk-{}", bureau.name);
    let claim = made(&databases, &name, LARGE, "Three").await?;
    assert_eq!(bureau.used("Vcpu").await?, (3 * 8, 0));
    world.lab.faults().set(Fault::NeverReady, &name);
    databases.set(&name, wish(SMALL, "PrimaryStandby")).await?;
    let found = resizing(&databases, &name, "added or taken away").await?;
    assert_eq!(told(&found, ConditionType::Accepted).map(|(status, ..)| status), Some("True"), "nobody is asked");
    assert_eq!(databases.sizes(&name).await?, of("8", "32Gi", 3));
    for (meter, used) in [("Vcpu", 3 * 8), ("Memory", 3 * 32 * 1024), ("BlockStorage", 3 * 20 * 1024)] {
        assert_eq!(bureau.used(meter).await?, (used, 0), "{meter} that there still is");
    }

    world.lab.faults().clear(Fault::NeverReady, &name);
    for (meter, used) in [("Vcpu", 2 * 2), ("Memory", 2 * 8 * 1024), ("BlockStorage", 2 * 20 * 1024)] {
        uses(&bureau, meter, (used, 0)).await?;
    }
    assert_eq!(databases.sizes(&name).await?, of("2", "8Gi", 2));
    assert_eq!(databases.capacities(&name).await?, ["20Gi"; 2], "a volume goes with its instance");
    let status = databases.wait_granted(&name, (SMALL, 2, "20Gi")).await?.status.unwrap();
    assert_eq!(status.claim_id, Some(claim));
    Ok(())
}

#[tokio::test]
async fn a_database_goes_back_to_its_class_before_its_engine_has_followed_without_asking() -> Result<(), WorldError> {
    let world = shared().await?;
    // Not a core is free: had they been given back, they could not be had again.
    let bureau = world.department(Quota::cores(8)).await?;
    let databases = Databases { bureau: &bureau };
    let name = format!("back-{}", bureau.name);
    made(&databases, &name, LARGE, "Single").await?;
    world.lab.faults().set(Fault::NeverReady, &name);
    databases.set(&name, wish(SMALL, "Single")).await?;
    resizing(&databases, &name, "one after the other").await?;
    assert_eq!(bureau.used("Vcpu").await?, (8, 0));
    databases.set(&name, wish(LARGE, "Single")).await?;
    world.lab.faults().clear(Fault::NeverReady, &name);
    databases.wait_granted(&name, (LARGE, 1, "20Gi")).await?;
    assert_eq!(databases.sizes(&name).await?, of("8", "32Gi", 1));
    assert_eq!(bureau.used("Vcpu").await?, (8, 0));
    Ok(())
}

#[tokio::test]
async fn growth_that_people_decide_about_is_held_and_the_database_goes_on_as_it_is_until_they_have()
-> Result<(), WorldError> {
    let rules = json!({
        "automatic": {"vcpu": 4, "memory": "16Gi", "blockStorage": "40Gi"},
        "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 3}],
    });
    let desk = Desk::with(shared().await?, Quota::AMPLE, rules).await?;
    let databases = Databases { bureau: &desk.bureau };
    let claim = made(&databases, "pg", SMALL, "PrimaryStandby").await?;
    databases.set("pg", json!({"topology": "Three"})).await?;
    let order = awaited(&desk, "pg", None).await?;
    let summary = order.status.clone().unwrap().items[0].summary.clone();
    let rows: Vec<_> = summary.iter().map(|row| format!("{}={}", row.name, row.value)).collect();
    assert!(rows.contains(&"instances=3".to_owned()) && rows.contains(&"vcpu=6".to_owned()), "{rows:?}");
    assert_eq!(serde_json::to_value(&order.spec).unwrap()["items"][0]["action"], "Change");
    assert_eq!(desk.bureau.used("Vcpu").await?, (4, 2), "the difference is held on top of what runs");
    objected(&databases, "pg", "AwaitingApproval").await?;
    assert_eq!(databases.cluster("pg").await?.data["spec"]["instances"], 2);

    let approver = format!("{}-approver", desk.bureau.name);
    desk.decide(&approver, &order, ApprovalDecision::Refuse, "预算不足").await?;
    let refused = objected(&databases, "pg", "OrderRefused").await?.status.unwrap();
    assert!(format!("{refused:?}").contains("预算不足"), "{refused:?}");
    assert_eq!(refused.granted.unwrap().instances, 2);
    uses(&desk.bureau, "Vcpu", (4, 0)).await?;
    assert_eq!(databases.cluster("pg").await?.data["spec"]["instances"], 2);
    assert_eq!(desk.names().await?.len(), 1, "what was refused is not asked again");

    databases.set("pg", json!({"storage": {"size": "25Gi"}})).await?;
    let order = awaited(&desk, "pg", Some(&order)).await?;
    assert_eq!(desk.bureau.used("BlockStorage").await?, (2 * 20 * 1024, (3 * 25 - 2 * 20) * 1024));
    desk.approve(&order).await?;
    let status = databases.wait_granted("pg", (SMALL, 3, "25Gi")).await?.status.unwrap();
    assert_eq!((status.order_ref, status.refusal, status.claim_id), (None, None, Some(claim)));
    uses(&desk.bureau, "Vcpu", (6, 0)).await?;
    uses(&desk.bureau, "BlockStorage", (3 * 25 * 1024, 0)).await?;
    assert_eq!(databases.capacities("pg").await?, ["25Gi"; 3]);
    let fulfilled = |order: &Order| reason_of(order, ConditionType::Fulfilled) == Some(Reason::Fulfilled);
    desk.wait_for_order(&order.name_any(), fulfilled).await?;
    assert_eq!(desk.names().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn storage_grows_with_every_volume_and_there_is_no_way_back() -> Result<(), WorldError> {
    let world = shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    let name = format!("stored-{}", bureau.name);
    made(&databases, &name, SMALL, "PrimaryStandby").await?;
    let volumes = format!("{name}-*");
    world.lab.faults().set(Fault::Full, &volumes);
    databases.set(&name, json!({"storage": {"size": "40Gi"}})).await?;
    resizing(&databases, &name, "allowVolumeExpansion").await?;
    assert_eq!(bureau.used("BlockStorage").await?, (2 * 40 * 1024, 0));
    assert_eq!(databases.capacities(&name).await?, ["20Gi"; 2]);

    world.lab.faults().clear(Fault::Full, &volumes);
    databases.wait_granted(&name, (SMALL, 2, "40Gi")).await?;
    assert_eq!(databases.capacities(&name).await?, ["40Gi"; 2]);
    let smaller = databases.set(&name, json!({"storage": {"size": "39Gi"}})).await.unwrap_err();
    assert!(format!("{smaller:?}").contains("never shrink below what was granted"), "{smaller:?}");
    assert_eq!(bureau.used("BlockStorage").await?, (2 * 40 * 1024, 0));
    Ok(())
}

#[tokio::test]
async fn a_stopped_database_gives_back_at_once_what_its_class_has_less_and_starts_with_that() -> Result<(), WorldError>
{
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    made(&databases, "pg", LARGE, "PrimaryStandby").await?;
    databases.set("pg", json!({"power": "Stopped"})).await?;
    databases.wait_ready("pg", "Stopped").await?;
    assert!(databases.sizes("pg").await?.is_empty(), "no instance runs");
    assert_eq!(bureau.used("Vcpu").await?, (2 * 8, 0), "what is stopped is still reserved");
    databases.set("pg", wish(SMALL, "PrimaryStandby")).await?;
    databases.wait_granted("pg", (SMALL, 2, "20Gi")).await?;
    uses(&bureau, "Vcpu", (2 * 2, 0)).await?;
    uses(&bureau, "Memory", (2 * 8 * 1024, 0)).await?;
    databases.wait_ready("pg", "Stopped").await?;
    databases.set("pg", json!({"power": "Running"})).await?;
    databases.wait_ready("pg", "Running").await?;
    assert_eq!(databases.sizes("pg").await?, of("2", "8Gi", 2));
    assert_eq!(bureau.used("Vcpu").await?, (2 * 2, 0));
    Ok(())
}

#[tokio::test]
async fn a_resized_database_is_marked_and_then_nothing_is_written_any_more() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let databases = Databases { bureau: &bureau };
    made(&databases, "pg", SMALL, "Single").await?;
    assert!(!databases.cluster("pg").await?.annotations().contains_key(FOLLOWED), "there was nothing to follow");
    databases.set("pg", wish(LARGE, "PrimaryStandby")).await?;
    databases.wait_granted("pg", (LARGE, 2, "20Gi")).await?;
    wait_for("the cluster to be marked", PATIENCE, || async {
        let cluster = databases.cluster("pg").await.map_err(|error| error.to_string())?;
        let is_marked = cluster.annotations().contains_key(FOLLOWED);
        if is_marked { Ok(()) } else { Err(format!("{:?}", cluster.annotations())) }
    })
    .await?;
    let last = RefCell::new((versions(&databases, "pg").await?, Instant::now()));
    wait_for(format!("{QUIET:?} without a write"), PATIENCE, || async {
        let now = versions(&databases, "pg").await.map_err(|error| error.to_string())?;
        let (before, since) = last.borrow().clone();
        if now == before && since.elapsed() >= QUIET {
            return Ok(());
        }
        if now != before {
            last.replace((now, Instant::now()));
        }
        Err(format!("written {:?} ago", since.elapsed()))
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn growth_over_quota_is_refused_with_numbers_and_can_be_taken_back() -> Result<(), WorldError> {
    let bureau = shared().await?.department(Quota { storage_gibibytes: 100, ..Quota::cores(5) }).await?;
    let databases = Databases { bureau: &bureau };
    made(&databases, "pg", SMALL, "PrimaryStandby").await?;
    databases.set("pg", json!({"topology": "Three"})).await?;
    let refused = objected(&databases, "pg", "ExceedsLimit").await?;
    let (_, _, message) = told(&refused, ConditionType::Accepted).unwrap();
    for number in ["limit 5", "used 4", "requested 2", "missing 1"] {
        assert!(message.contains(number), "{number} in {message}");
    }
    let status = refused.status.clone().unwrap();
    assert_eq!(status.refusal.unwrap().code, "ExceedsLimit");
    assert_eq!(databases.cluster("pg").await?.data["spec"]["instances"], 2, "it goes on as it was granted");
    assert_eq!(bureau.used("Vcpu").await?, (4, 0));
    databases.set("pg", json!({"topology": "PrimaryStandby"})).await?;
    let status = databases.wait_granted("pg", (SMALL, 2, "20Gi")).await?.status.unwrap();
    assert_eq!(status.refusal, None);

    // A size that nobody has granted is not one that shrinks.
    databases.set("pg", json!({"storage": {"size": "60Gi"}})).await?;
    objected(&databases, "pg", "ExceedsLimit").await?;
    databases.set("pg", json!({"storage": {"size": "20Gi"}})).await?;
    databases.wait_granted("pg", (SMALL, 2, "20Gi")).await?;
    assert_eq!(bureau.used("BlockStorage").await?, (2 * 20 * 1024, 0));
    Ok(())
}
