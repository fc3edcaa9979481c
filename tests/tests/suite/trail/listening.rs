//! The chart's API is made to listen for the API server's audit webhook as `examples/audit` says, and stays so.

use jiyun_lab::{LabError, product_program, source_root};
use jiyun_tests::{World, WorldError};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::suite::charts::rendered;

/// A namespace beside that of the installation.
const NAMESPACE: &str = "audit-example";

/// The entry of this name in a list.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().into_iter().flatten().find(|entry| entry["name"] == name).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn the_charts_api_listens_as_the_example_says_and_an_upgrade_of_the_chart_leaves_it_so() -> Result<(), WorldError>
{
    let lab = &World::shared().await?.lab;
    let folder = tempfile::tempdir()?;
    let objects = rendered(&["--set", "trail.enabled=true"]);
    let is_api = |object: &&Value| object["kind"] == "StatefulSet" && object["metadata"]["name"] == "jiyun-api";
    let mut api = objects.iter().find(is_api).unwrap().clone();
    api["metadata"]["namespace"] = json!(NAMESPACE);
    let file = folder.path().join("api.json");
    let file = file.to_str().unwrap();
    // As Helm does it: what is in force is merged with what was given last and what is given now.
    let apply = async |api: &Value| {
        std::fs::write(file, api.to_string())?;
        lab.kubectl(&["apply", "-f", file]).await?;
        Ok::<_, WorldError>(())
    };
    lab.kubectl(&["create", "namespace", NAMESPACE]).await?;
    apply(&api).await?;
    let examples = source_root().join("examples/audit");
    let example = format!("--patch-file={}", examples.join("api.yaml").display());
    lab.kubectl(&["patch", "statefulset", "jiyun-api", "-n", NAMESPACE, &example]).await?;
    api["spec"]["template"]["spec"]["containers"][0]["image"] = json!("registry.example/jiyun-api:next");
    api["spec"]["template"]["spec"]["containers"][0]["args"][0] = json!("--kubernetes-url=https://next.example");
    apply(&api).await?;

    let is = lab.kubectl(&["get", "statefulset", "jiyun-api", "-n", NAMESPACE, "-o", "json"]).await?;
    let is: Value = serde_json::from_str(&is).map_err(std::io::Error::other)?;
    let pod = &is["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "registry.example/jiyun-api:next");
    assert_eq!(container["args"], api["spec"]["template"]["spec"]["containers"][0]["args"]);
    let folder = &named(&container["volumeMounts"], "audit")["mountPath"];
    assert_eq!(named(&pod["volumes"], "audit")["secret"]["secretName"], "jiyun-audit");
    let help = Command::new(product_program("jiyun-api").map_err(LabError::from)?).arg("--help").output().await?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for (end, file) in [("BIND", ""), ("CERT", "/tls.crt"), ("KEY", "/tls.key"), ("CLIENT_CA", "/ca.crt")] {
        let variable = format!("JIYUN_AUDIT_WEBHOOK_{end}");
        let value = named(&container["env"], &variable)["value"].as_str().unwrap_or_default();
        assert!(help.contains(&format!("{variable}=]")), "{variable} is none of the program's");
        let port = &named(&container["ports"], "audit")["containerPort"];
        let expected =
            if file.is_empty() { format!("0.0.0.0:{port}") } else { format!("{}{file}", folder.as_str().unwrap()) };
        assert_eq!(value, expected, "{variable}");
    }
    assert!(named(&container["env"], "JIYUN_TRAIL_DIR")["value"].is_string(), "what the chart sets stays");

    // The service leads to these pods.
    let service = std::fs::read_to_string(examples.join("service.yaml"))?.replace("jiyun-system", NAMESPACE);
    lab.apply_text(&service).await?;
    for (kind, path) in [("service", "{.spec.selector}"), ("networkpolicy", "{.spec.podSelector.matchLabels}")] {
        let path = format!("-o=jsonpath={path}");
        let chosen = lab.kubectl(&["get", kind, "jiyun-audit", "-n", NAMESPACE, &path]).await?;
        let chosen: Value = serde_json::from_str(&chosen).map_err(std::io::Error::other)?;
        assert_eq!(chosen, is["spec"]["selector"]["matchLabels"], "{kind}");
    }
    Ok(())
}
