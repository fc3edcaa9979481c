//! Machines of KubeVirt that boot: the guest answers, stops, starts, and leaves with its lab.

use std::fs;
use std::path::Path;

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
    runs_in_software(&node);
    drop(lab);
    node.is_gone(&before).await;
}

/// On every machine alike, whatever its processor could do.
fn runs_in_software(node: &Node) {
    let qemu = node.process("qemu-system");
    let line = fs::read(format!("/proc/{qemu}/cmdline")).expect("it runs");
    let line = String::from_utf8_lossy(&line);
    let words: Vec<&str> = line.split('\0').collect();
    let by: Vec<&str> = words.windows(2).filter(|pair| pair[0] == "-accel").map(|pair| pair[1]).collect();
    assert!(!by.is_empty() && by.iter().all(|by| by.starts_with("tcg")), "{line}");
    for process in [node.first, qemu] {
        let has = |device: &str| Path::new(&format!("/proc/{process}/root")).join("dev").join(device).exists();
        assert!(has("null") && !has("kvm"), "{process} sees hardware virtualization, or no devices");
    }
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
