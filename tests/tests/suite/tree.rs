//! The tree of departments: it comes to stand in whatever order its parts are written.

use jiyun_tests::{World, WorldError};
use serde_json::{Value, json};

fn unit(name: &str, parent: Option<&str>) -> Value {
    let mut unit = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
        "spec": {
            "displayName": name, "code": name.to_uppercase(), "billingAccount": name, "zones": ["extranet-public"],
            "access": {}, "quota": [],
        },
    });
    if let Some(parent) = parent {
        unit["spec"]["parentRef"] = json!({"name": parent});
    }
    unit
}

#[tokio::test]
async fn a_department_written_before_its_parent_is_ready_soon_after_it() -> Result<(), WorldError> {
    let lab = &World::shared().await?.lab;
    let (child, parent) = (lab.unique_name("child"), lab.unique_name("parent"));
    lab.apply_text(&unit(&child, Some(&parent)).to_string()).await?;
    lab.kubectl(&["wait", "department", &child, "--for=condition=Ready=False", "--timeout=60s"]).await?;
    lab.apply_text(&unit(&parent, None).to_string()).await?;
    // Half of what it takes where nobody looks for the parent.
    lab.kubectl(&["wait", "department", &child, "--for=condition=Ready", "--timeout=30s"]).await?;
    Ok(())
}
