//! The judge of all these tests finds what they say is not there.

use jiyun_tests::{WorldError, faults::sound, world::Quota};

use super::{DEPARTMENT, close, named, order_all, vanish, world};

#[tokio::test]
async fn a_claim_without_an_object_and_a_machine_without_a_claim_are_found() -> Result<(), WorldError> {
    let world = world().await?;
    let bureau = world.named_department(DEPARTMENT, Quota::AMPLE).await?;
    let hosts = order_all(&world.lab, named("web", 2)).await;
    super::all_granted_once(&bureau, &hosts).await;
    world.controller.stop().await;

    // Somebody forces a finalizer off: the claim stays.
    vanish(&world.lab, "web-0").await;
    bureau.wait_gone("web-0").await?;
    let found = sound(&world).await.unwrap_err().to_string();
    assert!(found.contains(r#"("finance", "web-0") has no object"#), "{found}");
    assert!(!found.contains("web-1"), "{found}");

    // And a machine that is in nobody's book.
    let machine = world.lab.kubectl(&["get", "vm", "web-1", "-n", "engine-finance", "-o", "json"]).await?;
    let mut machine: serde_json::Value = serde_json::from_str(&machine).unwrap();
    machine["metadata"] = serde_json::json!({
        "name": "stray", "namespace": "engine-finance", "labels": {"jiyun.io/cloudhost": "stray"},
    });
    world.lab.apply_text(&machine.to_string()).await?;
    let found = sound(&world).await.unwrap_err().to_string();
    assert!(found.contains(r#"VirtualMachine of ("finance", "stray") has no claim"#), "{found}");
    close(world).await
}
