//! Machines of KubeVirt that boot: the guest answers, stops, starts, and leaves with its lab.

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};

use crate::machine::{DEADLINE, Node, Seen, able_with, get};

const MACHINE: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: guest, namespace: default}
spec:
  runStrategy: Always
  template:
    metadata: {labels: {app: guest}}
    spec:
      terminationGracePeriodSeconds: 0
      domain:
        memory: {guest: 256Mi}
        firmware:
          kernelBoot:
            kernelArgs: console=ttyS0 panic=5
            container:
              image: lab.jiyun.io/guest:1
              kernelPath: /boot/vmlinuz
              initrdPath: /boot/initrd.img
              imagePullPolicy: Never
        devices: {interfaces: [{name: default, masquerade: {}}]}
      networks: [{name: default, pod: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: guest, namespace: default}
spec:
  clusterIP: 10.0.0.90
  selector: {app: guest}
  ports: [{port: 80}]
";

#[tokio::test]
async fn a_guest_boots_answers_stops_and_starts_and_nothing_of_it_stays() {
    let Some(_alone) =
        able_with("a_guest_boots_answers_stops_and_starts_and_nothing_of_it_stays", Part::Kubevirt).await
    else {
        return;
    };
    let before = Seen::now();
    let options = LabOptions::default().profile(Profile::Node).with([Part::Kubevirt]).own_cluster().charts(false);
    let lab = Lab::start(options).await.expect("starts");
    lab.apply_text(MACHINE).await.expect("KubeVirt takes it");
    answers(&lab).await;
    let phase = ["get", "vmi", "guest", "-o", "jsonpath={.status.phase}"];
    assert_eq!(lab.kubectl(&phase).await.expect("answers"), "Running");

    patch(&lab, r#"{"spec": {"runStrategy": "Halted"}}"#).await;
    wait_for("the machine to stop", DEADLINE, || async {
        let left = lab.kubectl(&["get", "vmi,pods", "-l", "app=guest", "-o", "name"]).await;
        let left = left.map_err(|error| error.to_string())?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await
    .expect("stops");
    patch(&lab, r#"{"spec": {"runStrategy": "Always"}}"#).await;
    answers(&lab).await;

    // As abruptly as can be: the guest runs.
    let node = Node::of(lab.folder());
    assert!(node.process("qemu-system") > 0);
    drop(lab);
    node.is_gone(&before).await;
}

async fn answers(lab: &Lab) {
    let answer = wait_for("the guest to answer", DEADLINE, || async {
        let answer = get(lab, "10.0.0.90:80").await?;
        if answer.contains("hello from a guest") { Ok(()) } else { Err(answer) }
    });
    answer.await.expect("the guest answers HTTP");
}

async fn patch(lab: &Lab, change: &str) {
    let arguments = ["patch", "vm", "guest", "--type=merge", "--patch", change];
    lab.kubectl(&arguments).await.expect("KubeVirt takes it");
}
