//! The story itself: a city, an order, a refusal, a month's statement, an end.

use std::path::Path;

use http::{Method, StatusCode};
use jiyun_crds::v1alpha1::ConditionType;
use jiyun_lab::{Profile, wait_for};
use serde_json::{Value, json};

use super::{
    DemoError, DemoOptions, guest,
    stage::{Request, Stage},
};
use crate::{
    Caller, Order, World, city,
    world::{PATIENCE, has},
};

const HOSTS: &str = "/v1/departments/finance/hosts";
const HOST: &str = "/v1/departments/finance/hosts/tax-portal";
const QUOTA: &str = "/v1/departments/finance/quota";
const USAGE: &str = "/v1/departments/finance/usage";
const ENGLISH: (&str, &str) = ("Accept-Language", "en");

/// Tells it from beginning to end.
///
/// # Errors
/// When it goes otherwise.
pub async fn tell(stage: &Stage, world: &World, options: &DemoOptions) -> Result<(), DemoError> {
    city_stands(stage, world).await?;
    let clerk = world.caller("finance-operator")?;
    order(stage, world, &clerk, options.profile).await?;
    too_much(stage, world).await?;
    power(stage, world).await?;
    statement(stage, world, &options.out).await?;
    end(stage, world, &clerk).await
}

async fn city_stands(stage: &Stage, world: &World) -> Result<(), DemoError> {
    stage.step(
        1,
        "A county hands in its server rooms",
        "Operations describe pools, catalogue, prices and 57 accounts; each department gets its namespace and its walls.",
    ).await;
    for file in city::PLATFORM_FILES {
        stage.note(&format!("kubectl apply --server-side -f examples/city/{file}    (applied at the start)"));
    }
    for department in ["hengshan", "finance", "health", "human-resources", "government-services", "kaiyun"] {
        world.department_ready(department).await?;
    }
    let listed = stage.kubectl(world, &["get", "departments", "finance", "health", "kaiyun"]).await?;
    stage.expect(listed.matches("True").count() == 3, "departments are ready, by condition")?;
    stage.kubectl(world, &["get", "computepools,storagepools"]).await?;
    stage.kubectl(world, &["get", "networkpolicy,rolebinding", "-n", "dept-finance", "-o", "name"]).await?;
    stage.apply(world, &city::folder().join("70-systems.yaml")).await
}

async fn order(stage: &Stage, world: &World, clerk: &Caller, profile: Profile) -> Result<(), DemoError> {
    stage
        .step(
            2,
            "The finance bureau (财政局) orders a cloud host over the API",
            "Its own token goes through to the API server; the ledger decides quota and capacity in one step.",
        )
        .await;
    let order = Order::new("tax-portal", "budget").class("basic-4c8g");
    let headers = [("Prefer", "wait=30"), ENGLISH];
    let request = Request { method: Method::POST, path: HOSTS, headers: &headers, body: Some(order.body()) };
    let answer = stage.call("finance-operator", clerk, request).await?;
    stage.expect(answer.status.is_success(), "the order was granted")?;
    stage.expect(answer.header("location") == HOST, "the answer names the host's address")?;

    stage.note(&format!("the image is imported and the machine started (engines: {})", world.lab.engines()));
    let hosts = world.hosts("finance").await?;
    let patience = if profile == Profile::Node { PATIENCE * 2 } else { PATIENCE };
    let host = wait_for("tax-portal to be ready", patience, || async {
        let host = hosts.get("tax-portal").await.map_err(|error| error.to_string())?;
        if has(&host, ConditionType::Ready) { Ok(host) } else { Err(format!("{:?}", host.status)) }
    })
    .await
    .map_err(crate::WorldError::from)?;
    let listed = stage.kubectl(world, &["get", "cloudhosts", "-n", "dept-finance"]).await?;
    stage.expect(listed.contains("Running"), "the host runs")?;
    let engine: &[&str] = match profile {
        Profile::Real | Profile::Node => &["get", "vm,vmi,datavolume,pod", "-n", "engine-finance"],
        Profile::Scale => &["get", "vm,datavolume", "-n", "engine-finance"],
    };
    let machines = stage.kubectl(world, engine).await?;
    match profile {
        Profile::Real | Profile::Node => {
            stage
                .expect(machines.contains("virt-launcher-tax-portal"), "KubeVirt's own control plane brought it up")?;
        }
        Profile::Scale => stage.expect(machines.contains("tax-portal"), "the machine exists")?,
    }
    if profile == Profile::Node {
        let addresses = host.status.map(|status| status.addresses).unwrap_or_default();
        let address = addresses.first().map(String::as_str).unwrap_or_default();
        guest::answers(stage, world, address, "tax-portal").await?;
    }
    let quota = Request { method: Method::GET, path: QUOTA, headers: &[ENGLISH], body: None };
    let quota = stage.call("finance-operator", clerk, quota).await?.json();
    stage.expect(used(&quota, "Vcpu") == Some(4), "4 of its vCPUs are in use, at a stated revision of the ledger")
}

async fn too_much(stage: &Stage, world: &World) -> Result<(), DemoError> {
    stage
        .step(
            3,
            "A township (开云镇) orders more than its quota",
            "The refusal names limit, use and what is missing, says what to do, and tells nothing about anybody else.",
        )
        .await;
    let order = Order::new("census", "village-affairs").class("compute-32c64g");
    let path = "/v1/departments/kaiyun/hosts";
    let clerk = world.caller("kaiyun-operator")?;
    for (language, says) in [("zh-CN", "还差 16 核"), ("en", "missing 16")] {
        let headers: [(&'static str, &'static str); 2] = [("Prefer", "wait=30"), ("Accept-Language", language)];
        let mut order = order.clone();
        order.name = format!("census-{}", if language == "en" { "en" } else { "zh" });
        let request = Request { method: Method::POST, path, headers: &headers, body: Some(order.body()) };
        let answer = stage.call("kaiyun-operator", &clerk, request).await?;
        stage.expect(answer.status == StatusCode::CONFLICT, "the order was refused")?;
        stage.expect(answer.json()["code"] == "ExceedsLimit", "by its quota")?;
        stage.expect(answer.text.contains(says), &format!("in the reader's language ({language}), with numbers"))?;
    }
    let told = stage
        .kubectl(
            world,
            &[
                "get",
                "cloudhost",
                "census-en",
                "-n",
                "dept-kaiyun",
                "-o",
                "jsonpath={.status.conditions[?(@.type=='Admitted')].message}",
            ],
        )
        .await?;
    stage.expect(told.contains("missing 16"), "kubectl shows the same sentence")?;
    let engines = stage.kubectl(world, &["get", "vm", "-n", "engine-kaiyun", "-o", "name"]).await?;
    stage.expect(engines.trim().is_empty(), "nothing was created for it")?;
    stage.note("somebody else's door: the township asks for the finance bureau's hosts");
    let request = Request { method: Method::GET, path: HOSTS, headers: &[ENGLISH], body: None };
    let answer = stage.call("kaiyun-operator", &clerk, request).await?;
    stage.expect(answer.status == StatusCode::NOT_FOUND, "what one may not see does not exist")
}

async fn power(stage: &Stage, world: &World) -> Result<(), DemoError> {
    stage.step(4, "Stopped and started by what is declared", "kubectl and GitOps are ways in like the API.").await;
    for power in ["Stopped", "Running"] {
        let patch = json!({"spec": {"power": power}}).to_string();
        stage
            .kubectl(world, &["patch", "cloudhost", "tax-portal", "-n", "dept-finance", "--type=merge", "-p", &patch])
            .await?;
        let reason = format!("--for=jsonpath={{.status.conditions[?(@.type==\"Ready\")].reason}}={power}");
        let waited = ["wait", "cloudhost", "tax-portal", "-n", "dept-finance", &reason, "--timeout=300s"];
        stage.kubectl(world, &waited).await?;
        stage.seen(&format!("the host is {}", power.to_lowercase()));
    }
    Ok(())
}

async fn statement(stage: &Stage, world: &World, out: &Path) -> Result<(), DemoError> {
    stage.step(
        5,
        "Finance reads the month so far",
        "Each line is quantity x seconds x price, rounded once to the fen, then added; the ledger's revision is on it.",
    ).await;
    let finance = world.caller("finance")?;
    let request = Request { method: Method::GET, path: USAGE, headers: &[ENGLISH], body: None };
    let answer = stage.call("finance", &finance, request).await?;
    let usage = answer.json();
    let lines = usage["lines"].as_array().cloned().unwrap_or_default();
    stage.expect(!lines.is_empty(), "the use of tax-portal is on it, from the second it was ready")?;
    stage.expect(sums_up(&usage, &lines), "the printed total is the sum of the printed lines")?;
    stage.note("a few seconds of use are less than a fen; docs/finance.md has a month with its numbers");
    let request = Request { method: Method::GET, path: USAGE, headers: &[("Accept", "text/csv")], body: None };
    let csv = stage.call("finance", &finance, request).await?;
    stage.expect(csv.text.starts_with('\u{feff}'), "the CSV opens in a spreadsheet as it is")?;
    for (name, text) in [("usage-finance.json", &answer.text), ("usage-finance.csv", &csv.text)] {
        let path = out.join(name);
        let written = std::fs::create_dir_all(out).and_then(|()| std::fs::write(&path, text));
        written.map_err(|source| DemoError::Report { path: path.clone(), source })?;
        stage.seen(&format!("written: {}", path.display()));
    }
    Ok(())
}

async fn end(stage: &Stage, world: &World, clerk: &Caller) -> Result<(), DemoError> {
    stage.step(6, "The host is given back", "Quota is free when the machine and its disk are gone, not before.").await;
    let request = Request { method: Method::DELETE, path: HOST, headers: &[ENGLISH], body: None };
    let answer = stage.call("finance-operator", clerk, request).await?;
    stage.expect(answer.status == StatusCode::ACCEPTED, "the deletion was taken")?;
    stage
        .kubectl(world, &["wait", "cloudhost", "tax-portal", "-n", "dept-finance", "--for=delete", "--timeout=120s"])
        .await?;
    let left = stage.kubectl(world, &["get", "vm,datavolume,pvc", "-n", "engine-finance", "-o", "name"]).await?;
    stage.expect(left.trim().is_empty(), "machine and disk are gone")?;
    let request = Request { method: Method::GET, path: QUOTA, headers: &[ENGLISH], body: None };
    let quota = stage.call("finance-operator", clerk, request).await?.json();
    stage.expect(used(&quota, "Vcpu") == Some(0), "its quota is free again")
}

fn used(quota: &Value, meter: &str) -> Option<u64> {
    let rows = quota["rows"].as_array()?;
    rows.iter().find(|row| row["meter"] == meter)?["used"].as_u64()
}

fn sums_up(usage: &Value, lines: &[Value]) -> bool {
    let amount = |value: &Value| value.as_str().and_then(|text| text.parse::<rust_decimal::Decimal>().ok());
    let sum: Option<rust_decimal::Decimal> = lines.iter().map(|line| amount(&line["amount"])).sum();
    sum.is_some() && sum == amount(&usage["total"])
}
