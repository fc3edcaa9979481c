//! Pods of an image of the lab's own: they answer over a Service, by name, and to the API server.

use std::time::Duration;

use jiyun_lab::{Lab, LabOptions, Profile, wait_for};

use crate::machine::{DEADLINE, able, get};

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: lab.jiyun.io/web:1
        imagePullPolicy: Never
        command: [/web]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.0.0.80
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
";

#[tokio::test]
async fn a_pod_answers_over_a_service_by_address_by_name_and_to_the_api_server() {
    let Some(_alone) = able("a_pod_answers_over_a_service_by_address_by_name_and_to_the_api_server").await else {
        return;
    };
    let options = LabOptions::default().profile(Profile::Node).own_cluster().engines(false).charts(false);
    let lab = Lab::start(options).await.expect("starts");
    let took = lab.age();
    eprintln!("a node is ready after {took:.1?}");
    assert!(took < Duration::from_mins(1), "a node is ready after {took:?}");
    lab.apply_text(WEB).await.expect("applied");
    lab.kubectl(&["rollout", "status", "deployment/web", "--timeout=120s"]).await.expect("both pods are ready");

    let from_node = wait_for("the service to answer the node", DEADLINE, || get(&lab, "10.0.0.80:80")).await;
    assert!(from_node.expect("answers").contains("hello from web-"));
    let by_name = ["exec", "deployment/web", "--", "/web", "get", "http://web.default.svc.cluster.local/"];
    assert!(lab.kubectl(&by_name).await.expect("a pod asks a service").contains("hello from web-"));
    let proxied = ["get", "--raw", "/api/v1/namespaces/default/services/web:80/proxy/"];
    assert!(lab.kubectl(&proxied).await.expect("the API server reaches pods").contains("hello from web-"));
    let api = ["exec", "deployment/web", "--", "/web", "get", "http://10.0.0.1:443/"];
    let refused = lab.kubectl(&api).await.expect("a pod reaches the API server");
    assert!(refused.contains("HTTP request to an HTTPS server"), "{refused}");

    let kvm = lab.kubectl(&["get", "node", "node-1", "-o", "jsonpath={.status.capacity}"]).await.expect("answers");
    assert!(!kvm.contains("kvm"), "{kvm}");
    let asked = ["get", "node", "node-1", "-o", "jsonpath={.status.images[*].names[*]}"];
    let images = wait_for("the kubelet to tell its images", DEADLINE, || async {
        let said = lab.kubectl(&asked).await.map_err(|error| error.to_string())?;
        if said.contains("lab.jiyun.io/web:1") { Ok(said) } else { Err(said) }
    });
    let images = images.await.expect("it tells them");
    assert!(images.split_whitespace().all(|name| name.starts_with("lab.jiyun.io/")), "none is fetched: {images}");
    lab.stop().await.expect("stops");
}
