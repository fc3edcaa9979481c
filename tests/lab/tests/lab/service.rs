//! What a lab serves: Kubernetes with RBAC, the ledger's etcd with users, people with tokens.

use std::collections::BTreeSet;

use jiyun_lab::{Lab, LabOptions, LedgerUser};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};

async fn who_am_i(client: kube::Client) -> (String, BTreeSet<String>) {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.expect("review");
    let user = review.status.and_then(|status| status.user_info).expect("user");
    (user.username.unwrap_or_default(), user.groups.unwrap_or_default().into_iter().collect())
}

#[tokio::test]
async fn a_lab_serves_kubernetes_the_ledger_and_its_people() {
    let options = LabOptions::bare().departments(["culture"]).person("mayor", ["city", "council"]);
    let lab = Lab::start(options).await.expect("the lab starts");

    let version = lab.client().await.expect("client").apiserver_version().await.expect("version");
    assert_eq!((version.git_version.as_str(), version.minor.as_str()), ("v1.36.3", "36"));

    for (person, groups) in [
        ("operator", vec!["jiyun:operators"]),
        ("culture-operator", vec!["culture-operators"]),
        ("culture-reader", vec!["culture-readers"]),
        ("mayor", vec!["city", "council"]),
    ] {
        let token = &lab.person(person).expect("known").token;
        let (name, seen) = who_am_i(lab.client_as(token).await.expect("client")).await;
        assert_eq!(name, person);
        assert!(groups.iter().all(|group| seen.contains(*group)), "{person}: {seen:?}");
    }
    assert!(lab.person("nobody").is_err());

    let token = lab.user_token("default", "default").await.expect("token");
    let client = lab.client_as(&token).await.expect("client");
    assert_eq!(who_am_i(client.clone()).await.0, "system:serviceaccount:default:default");
    let refused = Api::<ConfigMap>::all(client).list(&ListParams::default()).await.expect_err("RBAC is on");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));

    ledger_users_have_their_rights_and_no_more(&lab).await;
    lab.stop().await.expect("stops");
}

async fn ledger_users_have_their_rights_and_no_more(lab: &Lab) {
    let mut controller = lab.ledger_client(LedgerUser::Controller).await.expect("connects");
    controller.put("/jiyun/ledger/events/1", "granted", None).await.expect("the controller writes below /jiyun/");
    controller.put("/elsewhere", "x", None).await.expect_err("nobody but root writes elsewhere");

    let mut api = lab.ledger_client(LedgerUser::Api).await.expect("connects");
    let seen = api.get("/jiyun/ledger/events/1", None).await.expect("the API reads the ledger");
    assert_eq!(seen.kvs().first().expect("one key").value(), b"granted");
    api.put("/jiyun/ledger/events/2", "forged", None).await.expect_err("the API does not write");
    api.get("/jiyun/other", None).await.expect_err("the API reads nothing but the ledger");
    api.put("/jiyun/trail/jiyun-api-0/head", "{}", None).await.expect("the API moves the heads of its own chains");
    api.put("/jiyun/trail/controller/head", "{}", None).await.expect_err("and nobody else's");
}

#[tokio::test]
async fn two_labs_side_by_side_know_nothing_of_each_other() {
    let (one, two) = tokio::join!(Lab::start(LabOptions::bare()), Lab::start(LabOptions::bare()));
    let (one, two) = (one.expect("starts"), two.expect("starts"));
    let namespace = one.namespace().await.expect("namespace");
    assert!(one.kubectl(&["get", "namespace", &namespace]).await.is_ok());
    let missing =
        two.kubectl(&["get", "namespace", &namespace]).await.expect_err("the other lab has no such namespace");
    assert!(missing.to_string().contains("not found"), "{missing}");
    let stranger = two.client_as(&one.person("operator").expect("known").token).await.expect("client");
    let reviews: Api<SelfSubjectReview> = Api::all(stranger);
    let refused = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let Err(kube::Error::Api(status)) = refused else { panic!("a token of one lab is worth nothing in the other") };
    assert_eq!(status.code, 401);
}

#[tokio::test]
async fn manifests_apply_in_the_order_of_what_they_need() {
    let lab = Lab::start(LabOptions::bare()).await.expect("starts");
    // The object comes before its namespace and before the definition of its kind.
    lab.apply_text(
        "
apiVersion: example.org/v1
kind: Leaf
metadata: {name: first, namespace: garden}
spec: {colour: green}
---
apiVersion: v1
kind: Namespace
metadata: {name: garden}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: leaves.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: leaves, singular: leaf, kind: Leaf}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {colour: {type: string, enum: [green]}}}}
",
    )
    .await
    .expect("applies");
    let colour = lab.kubectl(&["get", "leaf", "first", "-n", "garden", "-o", "jsonpath={.spec.colour}"]).await;
    assert_eq!(colour.expect("exists"), "green");
    let refused = lab
        .apply_text("{apiVersion: example.org/v1, kind: Leaf, metadata: {name: second, namespace: garden}, spec: {colour: red}}")
        .await
        .expect_err("the definition is enforced");
    assert!(refused.to_string().contains("Leaf garden/second was refused"), "{refused}");
}

#[tokio::test]
async fn definitions_are_stored_once_and_nothing_else_of_one_lab_is_in_another() {
    let options = || LabOptions::default().engines(false).own_cluster();
    let one = Lab::start(options()).await.expect("the lab starts");
    one.kubectl(&["create", "namespace", "of-the-first"]).await.expect("made");
    let other = Lab::start(options()).await.expect("another starts beside it");
    let (mut identities, mut clusters) = (Vec::new(), Vec::new());
    for lab in [&one, &other] {
        let asked = ["get", "customresourcedefinition", "cloudhosts.jiyun.io", "-o", "jsonpath={.metadata.uid}"];
        identities.push(lab.kubectl(&asked).await.expect("defined"));
        let itself = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"];
        clusters.push(lab.kubectl(&itself).await.expect("made by the API server"));
        // Served, and not only stored.
        lab.kubectl(&["get", "cloudhosts", "--all-namespaces"]).await.expect("served");
    }
    assert_eq!(identities[0], identities[1], "applied to each lab by itself");
    assert!(!identities[0].is_empty());
    assert_ne!(clusters[0], clusters[1], "by it the ledger knows its Kubernetes");
    let foreign = other.kubectl(&["get", "namespace", "of-the-first", "--ignore-not-found"]).await.expect("asked");
    assert_eq!(foreign, "");
    // What an API server asks of clients is this lab's authority's: people of one are nobody in another.
    let token = &one.person("operator").expect("known").token;
    assert!(other.client_as(token).await.expect("client").list_api_groups().await.is_err());
    for lab in [one, other] {
        lab.stop().await.expect("stops");
    }
}
