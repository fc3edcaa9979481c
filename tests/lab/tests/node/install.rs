//! Jiyun installed on a node by its charts: both programs and the ledger's etcd as pods, upgraded, taken off and put back.

use std::path::PathBuf;

use jiyun_lab::{Lab, LabOptions, Part, Profile, programs, source_root, wait_for};
use tokio::process::Command;

use crate::machine::{DEADLINE, Node, Seen, able_with};

const NAMESPACE: &str = "jiyun-system";
/// One member, since there is one node; images of the programs as they are built.
const VALUES: &str = "
ledger:
  etcd: {image: {repository: lab.jiyun.io/etcd, tag: lab}, replicas: 1, size: 1Gi}
controller: {image: {repository: lab.jiyun.io/jiyun-controller, tag: lab}}
api: {image: {repository: lab.jiyun.io/jiyun-api, tag: lab}}
";
/// Something that has to be in the books afterwards.
const DEPARTMENT: &str = "
apiVersion: jiyun.io/v1alpha1
kind: NetworkZone
metadata: {name: extranet-public}
spec: {displayName: 政务外网公共区, kind: GovExtranetPublic}
---
apiVersion: jiyun.io/v1alpha1
kind: Department
metadata: {name: finance}
spec:
  {displayName: 财政局, code: '430423-101', billingAccount: 财政局, zones: [extranet-public], access: {operators: [finance]},
   quota: [{meter: Vcpu, limit: '8'}]}
";

#[tokio::test]
async fn the_charts_bring_jiyun_up_keep_its_books_and_give_them_back() {
    let Some(_alone) = able_with("the_charts_bring_jiyun_up_keep_its_books_and_give_them_back", Part::Jiyun).await
    else {
        return;
    };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::Jiyun]).own_cluster();
    let lab = Lab::start(options.charts(false)).await.expect("starts");
    let values = lab.folder().join("values.yaml");
    std::fs::write(&values, VALUES).expect("written");
    let values = values.to_str().expect("text");
    lab.kubectl(&["create", "namespace", NAMESPACE]).await.expect("made");
    for level in ["enforce", "warn"] {
        let label = format!("pod-security.kubernetes.io/{level}=restricted");
        lab.kubectl(&["label", "namespace", NAMESPACE, &label]).await.expect("labelled");
    }
    helm(&lab, &["install", "jiyun-crds", "charts/jiyun-crds"]).await;
    let notes = helm(&lab, &["install", "jiyun", "charts/jiyun", "-f", values, "--wait", "--timeout=4m"]).await;
    assert!(notes.contains("is installed in jiyun-system") && notes.contains("One member is one disk"), "{notes}");
    serves(&lab).await;
    refuses_all_but_root(&lab).await;

    lab.apply_text(DEPARTMENT).await.expect("taken");
    let booked = ["wait", "department/finance", "--for=condition=Ready", "--timeout=120s"];
    lab.kubectl(&booked).await.expect("the department is in the book");
    let (keys, entries) = (keys(&lab).await, entries(&lab).await);
    assert!(entries >= 2, "{entries}");

    let upgrade =
        ["upgrade", "jiyun", "charts/jiyun", "-f", values, "--set=api.logFilter=debug", "--wait", "--timeout=4m"];
    helm(&lab, &upgrade).await;
    assert_eq!(self::keys(&lab).await, keys, "an upgrade changes no key");
    serves(&lab).await;

    let more = ["upgrade", "jiyun", "charts/jiyun", "-f", values, "--set=ledger.etcd.replicas=3"];
    let refused = said(&lab, &more).await.expect_err("another ledger is not begun beside the first");
    assert!(refused.contains("another, empty ledger"), "{refused}");

    helm(&lab, &["uninstall", "jiyun", "--wait", "--timeout=2m"]).await;
    let left = lab.kubectl(&["get", "pvc,secret", "-n", NAMESPACE, "-o", "name"]).await.expect("listed");
    assert!(left.contains("/data-jiyun-ledger-0") && left.contains("/jiyun-authority"), "{left}");
    lab.kubectl(&["get", "department", "finance"]).await.expect("kinds and objects stay");
    helm(&lab, &["install", "jiyun", "charts/jiyun", "-f", values, "--wait", "--timeout=4m"]).await;
    serves(&lab).await;
    assert!(self::entries(&lab).await >= entries, "the books are there again");

    let node = Node::of(lab.folder());
    lab.stop().await.expect("stops");
    node.is_gone(&before).await;
}

/// What Helm says; an error where it does not do it.
async fn said(lab: &Lab, arguments: &[&str]) -> Result<String, String> {
    let program: PathBuf = programs::program("helm", "helm").expect("built");
    let output = Command::new(program)
        .args(arguments)
        .args(["--namespace", NAMESPACE, "--kubeconfig"])
        .arg(lab.kubeconfig())
        .current_dir(source_root())
        .env("HELM_CACHE_HOME", lab.folder())
        .output()
        .await
        .expect("starts");
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// The same of a command that has to succeed.
async fn helm(lab: &Lab, arguments: &[&str]) -> String {
    let said = said(lab, arguments).await;
    let mut seen = String::new();
    if said.is_err() {
        let labelled = ["-l", "app.kubernetes.io/instance=jiyun", "--tail=20", "--all-containers", "--prefix"];
        for looked in [&["get", "pods,jobs,pvc,events", "-o", "wide"][..], &[&["logs"], &labelled[..]].concat()] {
            let looked = lab.kubectl(&[looked, &["-n", NAMESPACE]].concat()).await;
            seen += &looked.unwrap_or_else(|error| error.to_string());
        }
    }
    assert!(said.is_ok(), "helm {arguments:?}: {said:?}\n{seen}");
    said.unwrap_or_default()
}

/// Both replicas of both programs are available, and the API answers over its Service, with TLS.
async fn serves(lab: &Lab) {
    for deployment in ["jiyun-controller", "jiyun-api"] {
        let available =
            ["get", "deployment", deployment, "-n", NAMESPACE, "-o", "jsonpath={.status.availableReplicas}"];
        assert_eq!(lab.kubectl(&available).await.expect("there"), "2", "{deployment}");
    }
    let path = format!("/api/v1/namespaces/{NAMESPACE}/services/https:jiyun-api:https/proxy/v1/openapi.json");
    // A Service answers half a second after its pods are ready.
    let answer = wait_for("the API to answer", DEADLINE, || async {
        lab.kubectl(&["get", "--raw", &path]).await.map_err(|error| error.to_string())
    });
    let answer: serde_json::Value = serde_json::from_str(&answer.await.expect("answers")).expect("JSON");
    assert!(answer["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", answer["openapi"]);
}

/// Authentication is on: the controller's own user may not make users.
async fn refuses_all_but_root(lab: &Lab) {
    let tried =
        ["exec", "-n", NAMESPACE, "deployment/jiyun-controller", "--", "/usr/bin/jiyun-controller", "ledger", "users"];
    let refused = lab.kubectl(&tried).await.expect_err("is refused").to_string();
    assert!(refused.contains("the user root's"), "{refused}");
}

/// Every key and certificate of the chart.
async fn keys(lab: &Lab) -> String {
    let data = [
        "get",
        "secrets",
        "-n",
        NAMESPACE,
        "--field-selector=type=kubernetes.io/tls",
        "-o",
        "jsonpath={.items[*].data}",
    ];
    let keys = lab.kubectl(&data).await.expect("listed");
    assert_eq!(keys.matches("tls.key").count(), 6, "{}", keys.len());
    keys
}

/// How many entries the book has; it is sound.
async fn entries(lab: &Lab) -> u64 {
    let export =
        ["exec", "-n", NAMESPACE, "deployment/jiyun-controller", "--", "/usr/bin/jiyun-controller", "ledger", "export"];
    let book = lab.kubectl(&export).await.expect("exported");
    book.lines().count() as u64
}
