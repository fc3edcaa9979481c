//! Images on their way out: no host is ordered with one that was retired, hosts that were are left alone, and operators see whose
//! they are.

use http::StatusCode;
use jiyun_crds::v1alpha1::{CloudHost, ConditionType, Power, condition};
use jiyun_tests::{
    Order, World, WorldError,
    person::Answer,
    world::{Bureau, Quota},
};
use serde_json::{Value, json};

/// Says what becomes of the image of a department's test.
async fn image(bureau: &Bureau<'_>, lifecycle: &str) -> Result<(), WorldError> {
    let image = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "HostImage", "metadata": {"name": name(bureau)},
        "spec": {
            "displayName": "旧镜像", "operatingSystem": "openEuler 22.03 LTS", "architecture": "amd64", "minDisk": "20Gi",
            "source": {"http": {"url": "https://images.gov.example/old.qcow2"}}, "lifecycle": lifecycle,
            "replacedBy": {"name": "openeuler-24.03-amd64"},
        },
    });
    bureau.world.take("an image", &image.to_string()).await
}

fn name(bureau: &Bureau<'_>) -> String {
    format!("old-{}", bureau.name)
}

fn order(bureau: &Bureau<'_>, host: &str) -> Order {
    Order { image: name(bureau), ..Order::new(host, "portal") }
}

async fn ordered(bureau: &Bureau<'_>, host: &str) -> Result<Answer, WorldError> {
    Ok(bureau.caller.post(&bureau.hosts_path(), &order(bureau, host).body(), 30).await?)
}

/// Status and message of `Accepted`.
fn accepted(host: &CloudHost) -> (&str, &str) {
    let found = host.status.as_ref().and_then(|status| condition::find(&status.conditions, ConditionType::Accepted));
    found.map_or(("", ""), |found| (&found.status, &found.message))
}

/// How the catalogue tells of the image; null where it does not.
async fn told(bureau: &Bureau<'_>) -> Result<Value, WorldError> {
    let catalogue = bureau.caller.get("/v1/catalogue").await?.json();
    let images = catalogue["images"].as_array().cloned().unwrap_or_default();
    Ok(images.into_iter().find(|image| image["name"] == name(bureau)).unwrap_or_default())
}

#[tokio::test]
async fn a_retired_image_is_ordered_no_more_and_its_hosts_go_on_until_they_are_replaced() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    image(&bureau, "Deprecated").await?;
    assert_eq!(ordered(&bureau, "web").await?.status, StatusCode::CREATED, "it can still be ordered");
    bureau.wait_ready("web").await?;
    let deprecated = told(&bureau).await?;
    assert_eq!(
        (&deprecated["lifecycle"], &deprecated["replacedBy"]),
        (&json!("Deprecated"), &json!("openeuler-24.03-amd64"))
    );

    image(&bureau, "Retired").await?;
    // Whoever has just ordered with it is told after five seconds; a preview is told at once.
    let preview = format!("{}?dryRun=true", bureau.hosts_path());
    let refused = bureau.caller.post(&preview, &order(&bureau, "late").body(), 0).await?;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    let problem = refused.json();
    assert_eq!((&problem["code"], &problem["field"]), (&json!("ImageReplaced"), &json!("image")));
    assert!(problem["detail"].as_str().unwrap().contains("openeuler-24.03-amd64"), "{problem}");
    assert_eq!(told(&bureau).await?, Value::Null);

    // By kubectl the object says the same, and nothing is granted.
    bureau.world.lab.apply_text(&order(&bureau, "applied").object(&bureau.name).to_string()).await?;
    let waits = bureau.wait_for_host("applied", "to be refused", |host| accepted(host).0 == "False").await?;
    assert!(accepted(&waits).1.contains("openeuler-24.03-amd64"), "{}", accepted(&waits).1);
    assert_eq!(waits.status.as_ref().and_then(|status| status.claim_id.as_deref()), None);

    // The one that is there is stopped, resized and started as if nothing were.
    for change in [json!({"power": "Stopped"}), json!({"class": "basic-4c8g"}), json!({"power": "Running"})] {
        let answer = bureau.caller.patch(&bureau.host_path("web"), &change, "").await?;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let resized = |host: &CloudHost| {
        let granted = host.status.as_ref().and_then(|status| status.granted.as_ref());
        granted.is_some_and(|granted| granted.class == "basic-4c8g") && host.spec.power == Power::Running
    };
    bureau.wait_for_host("web", "to be resized", resized).await?;
    let web = bureau.wait_ready("web").await?;
    assert_eq!(accepted(&web).0, "True", "{}", accepted(&web).1);

    // Operators see whose they are; the department does not, and the name alone tells it nothing.
    let holders = format!("/v1/images/{}/holders", name(&bureau));
    let seen = bureau.world.caller("operator")?.get(&holders).await?;
    let expected = json!([{"host": "web", "system": "portal", "stage": "Billable"}]);
    let mut hosts = seen.json()["departments"][0]["hosts"].clone();
    hosts[0].as_object_mut().unwrap().remove("since");
    assert_eq!((&seen.json()["hostCount"], &hosts), (&json!(1), &expected), "{seen:?}");
    assert_eq!(bureau.caller.get(&holders).await?.status, StatusCode::NOT_FOUND);

    // A mistake can be taken back: what waits goes on by itself.
    image(&bureau, "Offered").await?;
    bureau.wait_ready("applied").await?;
    Ok(())
}
