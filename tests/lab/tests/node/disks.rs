//! Disks that CDI fills, and machines that boot from them: the page of the guest answers, its console asks who it is, its agent
//! and its SSH server speak, and what it wrote is there when it starts again.

use std::net::SocketAddr;
use std::time::Duration;

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};
use tokio::io::AsyncReadExt as _;

use crate::machine::{Node, Seen, able_with, get};

/// A whole system starts in software emulation: a minute where nothing else runs.
const DEADLINE: Duration = Duration::from_mins(8);

/// As Jiyun's controller orders a host.
const ORDER: &str = r##"
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata:
  name: web-system
  namespace: default
  annotations: {cdi.kubevirt.io/storage.bind.immediate.requested: "true"}
spec:
  source: {http: {url: "http://images.lab-images.svc/debian-13.qcow2"}}
  storage: {accessModes: [ReadWriteOnce], storageClassName: lab-local, resources: {requests: {storage: 2Gi}}}
---
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: web, namespace: default}
spec:
  runStrategy: Always
  template:
    metadata: {labels: {app: web}}
    spec:
      domain:
        cpu: {sockets: 1, cores: 1, threads: 1}
        memory: {guest: 512Mi}
        devices:
          disks:
          - {name: system, disk: {bus: virtio}, bootOrder: 1}
          - {name: seed, disk: {bus: virtio}}
          interfaces: [{name: default, masquerade: {}}]
      networks: [{name: default, pod: {}}]
      volumes:
      - {name: system, dataVolume: {name: web-system}}
      - {name: seed, cloudInitNoCloud: {userData: "#cloud-config\n{\"hostname\": \"web\"}\n"}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  clusterIP: 10.0.0.91
  selector: {app: web}
  ports: [{name: page, port: 80}, {name: ssh, port: 22}]
"##;

/// A disk whose image is not there.
const MISSING: &str = "
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata: {name: missing, namespace: default}
spec:
  source: {http: {url: 'http://images.lab-images.svc/missing.qcow2'}}
  storage: {accessModes: [ReadWriteOnce], storageClassName: lab-local, resources: {requests: {storage: 1Gi}}}
";

#[tokio::test]
async fn a_machine_boots_from_a_disk_that_cdi_filled_and_finds_its_data_again() {
    let name = "a_machine_boots_from_a_disk_that_cdi_filled_and_finds_its_data_again";
    let Some(_alone) = able_with(name, Part::Cdi).await else { return };
    let before = Seen::now();
    let parts = [Part::Kubevirt, Part::Cdi];
    let options = LabOptions::default().profile(Profile::Node).with(parts).own_cluster();
    let lab = Lab::start(options).await.expect("starts");
    told(&lab, "the lab is ready");
    lab.apply_text(ORDER).await.expect("CDI and KubeVirt take it");
    lab.apply_text(MISSING).await.expect("CDI takes it");

    seen(&lab, "the disk", &["get", "datavolume", "web-system", "-o", "jsonpath={.status.phase}"], "Succeeded").await;
    told(&lab, "the disk is filled");
    // The first start is counted on the disk. Who answers has the name that its seed gives it.
    answers(&lab, "start 1").await;
    told(&lab, "the page answers");
    answers(&lab, "hello from web").await;
    wait_for("the console to ask who it is", DEADLINE, || async {
        let text = lab.console("default", "web").await.map_err(|error| error.to_string())?;
        if text.contains("web login:") { Ok(()) } else { Err(text) }
    })
    .await
    .expect("a login prompt");
    told(&lab, "the console asks who it is");
    let agent = "jsonpath={.status.conditions[?(@.type==\"AgentConnected\")].status}";
    seen(&lab, "the agent", &["get", "vmi", "web", "-o", agent], "True").await;
    told(&lab, "the agent speaks");
    wait_for("port 22 to speak SSH", DEADLINE, || async {
        let said = greeting(&lab, SocketAddr::from(([10, 0, 0, 91], 22))).await.map_err(|error| error.to_string())?;
        if said == *b"SSH-2.0-" { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await
    .expect("the guest takes logins");
    told(&lab, "SSH answers");

    let phase =
        lab.kubectl(&["get", "datavolume", "missing", "-o", "jsonpath={.status.phase}"]).await.expect("answers");
    assert_ne!(phase, "Succeeded", "there is no such image");

    for strategy in ["Halted", "Always"] {
        let change = format!(r#"{{"spec": {{"runStrategy": "{strategy}"}}}}"#);
        lab.kubectl(&["patch", "vm", "web", "--type=merge", "--patch", &change]).await.expect("KubeVirt takes it");
        if strategy == "Halted" {
            seen(&lab, "the machine", &["get", "vmi,pods", "-l", "app=web", "-o", "name"], "").await;
        }
    }
    answers(&lab, "start 2").await;
    told(&lab, "the page answers again");

    // As abruptly as can be: the guest runs, an import is tried again and again.
    let node = Node::of(lab.folder());
    assert!(node.process("qemu-system") > 0);
    drop(lab);
    node.is_gone(&before).await;
}

/// For who measures.
fn told(lab: &Lab, what: &str) {
    eprintln!("{:6.1} s: {what}", lab.age().as_secs_f32());
}

async fn seen(lab: &Lab, what: &str, asked: &[&str], wanted: &str) {
    let found = wait_for(format!("{what} to be {wanted:?}"), DEADLINE, || async {
        let said = lab.kubectl(asked).await.map_err(|error| error.to_string())?;
        if said.trim() == wanted { Ok(()) } else { Err(said) }
    });
    found.await.expect("in time");
}

/// The first bytes of who speaks first.
async fn greeting(lab: &Lab, address: SocketAddr) -> Result<[u8; 8], Box<dyn std::error::Error>> {
    let mut said = [0; 8];
    lab.connect_from_node(address).await?.read_exact(&mut said).await?;
    Ok(said)
}

async fn answers(lab: &Lab, wanted: &str) {
    let found = wait_for(format!("the page to say {wanted:?}"), DEADLINE, || async {
        let answer = get(lab, "10.0.0.91:80").await?;
        if answer.contains(wanted) { Ok(()) } else { Err(answer) }
    });
    found.await.expect("the guest answers HTTP");
}
