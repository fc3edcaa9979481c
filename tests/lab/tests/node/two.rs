//! Two nodes: their pods reach each other, and whatever ends a node or the lab, nothing stays.

use jiyun_lab::{Lab, LabOptions, Profile, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able, get_from};

/// A pod on the node of this number, and a Service for it.
fn pod(number: u8) -> String {
    format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: web-{number}, namespace: default, labels: {{app: web-{number}}}}}
spec:
  nodeName: node-{number}
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: lab.jiyun.io/web:1
    imagePullPolicy: Never
    command: [/web]
---
apiVersion: v1
kind: Service
metadata: {{name: web-{number}, namespace: default}}
spec: {{clusterIP: 10.0.0.8{number}, selector: {{app: web-{number}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"
    )
}

#[tokio::test]
async fn pods_of_two_nodes_reach_each_other_the_names_and_the_api_server_also_after_one_died() {
    let Some(_alone) =
        able("pods_of_two_nodes_reach_each_other_the_names_and_the_api_server_also_after_one_died").await
    else {
        return;
    };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).nodes(2).own_cluster().engines(false).charts(false);
    let lab = Lab::start(options).await.expect("starts");
    assert_eq!(lab.nodes(), ["node-1", "node-2"]);
    assert_eq!(Seen::now(), before, "two running nodes change nothing of the machine either");
    for number in [1, 2] {
        lab.apply_text(&pod(number)).await.expect("applied");
    }
    reach_each_other(&lab).await;

    let (one, other) = (Node::named(lab.folder(), "node-1"), Node::named(lab.folder(), "node-2"));
    lab.kill_node("node-1").await.expect("dies");
    one.is_gone_alone().await;
    other.is_there();
    assert!(lab.failure().is_none(), "asked for, so no failure of the lab");
    get_from(&lab, "node-1", "10.0.0.82:80", "/").await.expect_err("there is nobody to ask");
    says(&lab, "web-2", "http://127.0.0.1:8080/", "hello from web-2").await;
    lab.start_node("node-1").await.expect("starts again");
    lab.start_node("node-1").await.expect_err("it runs");
    reach_each_other(&lab).await;

    let one = Node::named(lab.folder(), "node-1");
    let switch = lab.process("switch").expect("it runs").pid();
    lab.stop().await.expect("stops");
    one.is_gone(&before).await;
    other.is_gone(&before).await;
    assert!(!std::path::Path::new("/proc").join(switch.to_string()).exists(), "the switch is gone as well");
}

/// Every pod asks the other by its Service, by name, and the API server; every node asks both.
async fn reach_each_other(lab: &Lab) {
    for (from, to) in [(1, 2), (2, 1)] {
        let (pod, name) = (format!("web-{from}"), format!("http://web-{to}.default.svc.cluster.local/"));
        let hello = format!("hello from web-{to}");
        says(lab, &pod, &name, &hello).await;
        says(lab, &pod, "http://10.0.0.1:443/", "HTTP request to an HTTPS server").await;
        let service = format!("10.0.0.8{to}:80");
        let answer = wait_for(format!("node-{from} to reach web-{to}"), DEADLINE, || async {
            let answer = get_from(lab, &format!("node-{from}"), &service, "/").await?;
            if answer.contains(&hello) { Ok(()) } else { Err(answer) }
        });
        answer.await.expect("answers");
    }
}

async fn says(lab: &Lab, pod: &str, url: &str, expected: &str) {
    wait_for(format!("{pod} to be told `{expected}` by {url}"), DEADLINE, || async {
        let said = lab.kubectl(&["exec", pod, "--", "/web", "get", url]).await.map_err(|error| error.to_string())?;
        if said.contains(expected) { Ok(()) } else { Err(said) }
    })
    .await
    .expect("answers");
}
