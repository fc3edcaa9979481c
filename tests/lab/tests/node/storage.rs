//! Objects over S3, for who has the keys; volumes that can be snapshotted and restored.

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able_with, kill};

#[tokio::test]
async fn an_s3_service_takes_objects_of_who_has_its_keys_and_of_nobody_else() {
    let Some(_alone) = able_with("an_s3_service_takes_objects_of_who_has_its_keys_and_of_nobody_else", Part::S3).await
    else {
        return;
    };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::S3]).own_cluster();
    let lab = Lab::start(options.engines(false).charts(false)).await.expect("starts");
    let secret =
        ["get", "secret", "root", "-n", "lab-s3", "-o", "go-template={{.data.ROOT_SECRET_KEY | base64decode}}"];
    let secret = lab.kubectl(&secret).await.expect("the keys are in a Secret");
    // The gateway brings a client of its own, which signs as any other (AWS Signature Version 4).
    let passed = client(&lab, secret.trim()).await.expect("the service answers");
    assert!(passed.contains("PASS") && !passed.contains("FAIL"), "{passed}");
    let wrong = client(&lab, "wrong").await;
    assert!(!wrong.clone().is_ok_and(|said| !said.contains("FAIL")), "{wrong:?}");

    let node = Node::of(lab.folder());
    lab.stop().await.expect("stops");
    node.is_gone(&before).await;
}

/// Puts an object and reads it.
async fn client(lab: &Lab, secret: &str) -> Result<String, String> {
    // By address: by a name, this client would put the bucket's name before it.
    let service = ["get", "service", "s3", "-n", "lab-s3", "-o", "jsonpath=http://{.spec.clusterIP}"];
    let endpoint = lab.kubectl(&service).await.map_err(|error| error.to_string())?;
    let arguments = [
        "exec",
        "-n",
        "lab-s3",
        "deployment/s3",
        "--",
        "/versitygw",
        "test",
        "--access",
        "jiyun-lab",
        "--secret",
        secret,
        "--endpoint",
        &endpoint,
        "GetObject_success",
    ];
    let said = wait_for("the service to answer", DEADLINE, || async {
        match lab.kubectl(&arguments).await {
            Err(error) if error.to_string().contains("connection refused") => Err(error.to_string()),
            outcome => Ok(outcome.map_err(|error| error.to_string())),
        }
    });
    said.await.map_err(|error| error.to_string())?
}

const VOLUMES: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], storageClassName: lab-btrfs, resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: writer, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: lab.jiyun.io/web:1
    imagePullPolicy: Never
    command: [/web]
    env: [{name: DATA, value: /data}]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
";

const SNAPSHOT: &str = "
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata: {name: then, namespace: default}
spec: {volumeSnapshotClassName: lab-btrfs, source: {persistentVolumeClaimName: data}}
";

const RESTORED: &str = "
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: restored, namespace: default}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: lab-btrfs
  resources: {requests: {storage: 1Gi}}
  dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: then}
---
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: web
    image: lab.jiyun.io/web:1
    imagePullPolicy: Never
    command: [/web]
    env: [{name: DATA, value: /data}]
    volumeMounts: [{name: data, mountPath: /data}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: restored}}]
";

#[tokio::test]
async fn a_snapshot_keeps_what_a_volume_held_and_the_driver_keeps_the_interface() {
    let Some(_alone) =
        able_with("a_snapshot_keeps_what_a_volume_held_and_the_driver_keeps_the_interface", Part::Csi).await
    else {
        return;
    };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::Csi]).own_cluster();
    let lab = Lab::start(options.engines(false).charts(false)).await.expect("starts");
    lab.apply_text(VOLUMES).await.expect("applied");
    for visit in [1, 2, 3] {
        visited(&lab, "writer", visit).await;
    }
    lab.apply_text(SNAPSHOT).await.expect("applied");
    let ready = ["wait", "volumesnapshot/then", "--for=jsonpath={.status.readyToUse}=true", "--timeout=60s"];
    lab.kubectl(&ready).await.expect("the snapshot is taken");
    visited(&lab, "writer", 4).await;
    lab.apply_text(RESTORED).await.expect("applied");
    visited(&lab, "reader", 4).await;
    visited(&lab, "writer", 5).await;

    // The interface's own conformance tests.
    let sanity = [
        "exec",
        "-n",
        "lab-csi",
        "deployment/csi",
        "-c",
        "driver",
        "--",
        "/csi-sanity",
        "--csi.endpoint=/csi/csi.sock",
        "--csi.mountdir=/tmp/target",
        "--csi.stagingdir=/tmp/staging",
        "--ginkgo.no-color",
    ];
    let said = lab.kubectl(&sanity).await.expect("csi-sanity passes");
    let passed = said.rsplit_once(" Passed").and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(said.contains(" 0 Failed") && passed.is_some_and(|passed| passed >= 30), "{said}");

    // As abruptly as can be: nobody but the kernel is left to give the loop device back.
    let node = Node::of(lab.folder());
    assert_ne!(Seen::now().loops, before.loops, "the volumes lie on a loop device");
    kill(node.keeper);
    lab.stop().await.expect("stops");
    node.is_gone(&before).await;
}

/// The pod's program counts its visits in its volume.
async fn visited(lab: &Lab, pod: &str, visit: u32) {
    let ready = ["wait", &format!("pod/{pod}"), "--for=condition=Ready", "--timeout=120s"];
    lab.kubectl(&ready).await.expect("the pod runs");
    let asked = ["exec", pod, "--", "/web", "get", "http://127.0.0.1:8080/"];
    let said = wait_for("the pod to answer", DEADLINE, || lab.kubectl(&asked)).await.expect("answers");
    assert!(said.contains(&format!("visit {visit}")), "{said}");
}
