//! Guests that go from one node to another: moved while they run, driven out by a drain, started again when their node dies.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use jiyun_lab::{Lab, LabOptions, Part, Profile, wait_for};

use crate::machine::{Node, Seen, able_with, get_from};

/// Software emulation beside a compiler.
const PATIENCE: Duration = Duration::from_mins(5);
/// The guest, as its Service has it.
const GUEST: &str = "10.0.0.91:80";
/// How long a guest that is moved may be silent: a few seconds are usual.
const SILENCE: Duration = Duration::from_secs(15);
/// Between two questions to the guest.
const PAUSE: Duration = Duration::from_millis(50);

const MACHINE: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachine
metadata: {name: guest, namespace: default}
spec:
  runStrategy: Always
  template:
    metadata: {labels: {app: guest}}
    spec:
      evictionStrategy: LiveMigrate
      terminationGracePeriodSeconds: 0
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            preference: {matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [node-2]}]}
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
        devices:
          disks: [{name: data, disk: {bus: virtio}}]
          interfaces: [{name: default, masquerade: {}}]
      networks: [{name: default, pod: {}}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteMany], storageClassName: lab-local, resources: {requests: {storage: 64Mi}}}
---
apiVersion: v1
kind: Service
metadata: {name: guest, namespace: default}
spec:
  clusterIP: 10.0.0.91
  selector: {app: guest}
  ports: [{port: 80}]
";

const MOVE: &str = "
apiVersion: kubevirt.io/v1
kind: VirtualMachineInstanceMigration
metadata: {name: move, namespace: default}
spec: {vmiName: guest}
";

/// A lab with two nodes and a guest on the second one, and what that said first.
async fn with_a_guest(test: &str) -> (Lab, Life) {
    let options = LabOptions::default().profile(Profile::Node).nodes(2).with([Part::Kubevirt]).own_cluster();
    let lab = Lab::start(options.charts(false)).await.expect("starts");
    eprintln!("{test}: two nodes with KubeVirt after {:.1?}", lab.age());
    lab.apply_text(MACHINE).await.expect("KubeVirt takes it");
    let first = alive(&lab).await;
    eprintln!("{test}: the guest answers after {:.1?}", lab.age());
    is_on(&lab, "node-2").await;
    (lab, first)
}

#[tokio::test]
async fn a_guest_goes_on_when_it_is_moved_to_another_node_and_when_its_node_is_drained() {
    let test = "a_guest_goes_on_when_it_is_moved_to_another_node_and_when_its_node_is_drained";
    let Some(_alone) = able_with(test, Part::Kubevirt).await else { return };
    let before = Seen::now();
    let (lab, first) = with_a_guest(test).await;
    let movable = ["wait", "vmi/guest", "--for=condition=LiveMigratable", "--timeout=120s"];
    lab.kubectl(&movable).await.expect("it can be moved");

    let moved = watched(&lab, async {
        lab.apply_text(MOVE).await.expect("KubeVirt takes it");
        let done = ["wait", "vmim/move", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=300s"];
        lab.kubectl(&done).await.expect("the guest is moved");
        is_on(&lab, "node-1").await;
    })
    .await;
    eprintln!("{test}: moved in {:.1?}, silent for {:.1?}", moved.took, moved.gap);
    moved.is_one_life(&first);

    let drained = watched(&lab, async {
        let drain = ["drain", "node-1", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=300s"];
        lab.kubectl(&drain).await.expect("the node is drained");
        is_on(&lab, "node-2").await;
    })
    .await;
    eprintln!("{test}: drained in {:.1?}, silent for {:.1?}", drained.took, drained.gap);
    drained.is_one_life(&first);
    ends(lab, &before).await;
}

#[tokio::test]
async fn a_guest_whose_node_dies_starts_again_on_the_other_once_the_node_is_declared_out_of_service() {
    let test = "a_guest_whose_node_dies_starts_again_on_the_other_once_the_node_is_declared_out_of_service";
    let Some(_alone) = able_with(test, Part::Kubevirt).await else { return };
    let before = Seen::now();
    let (lab, first) = with_a_guest(test).await;

    let died = Instant::now();
    lab.kill_node("node-2").await.expect("dies");
    ready(&lab, "node-2", "Unknown").await;
    eprintln!("{test}: the node is missed after {:.1?}", died.elapsed());
    ask(&lab).await.expect_err("the guest died with its node");
    assert_eq!(place(&lab).await, "node-2", "Kubernetes cannot know whether it still runs there");
    // That it does not is a person's word, or a fencing device's (Kubernetes, "Non-graceful node shutdown").
    let declared = Instant::now();
    let taint = ["taint", "node", "node-2", "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute"];
    lab.kubectl(&taint).await.expect("declared out of service");
    let second = alive(&lab).await;
    eprintln!("{test}: the guest answers {:.1?} after its node was declared out of service", declared.elapsed());
    assert_ne!(second.boot, first.boot, "the guest started again");
    is_on(&lab, "node-1").await;

    lab.start_node("node-2").await.expect("starts again");
    ready(&lab, "node-2", "True").await;
    lab.kubectl(&["taint", "node", "node-2", "node.kubernetes.io/out-of-service-"]).await.expect("taken back");
    wait_for("virt-handler to run on the node again", PATIENCE, || async {
        let number = ["get", "daemonset", "virt-handler", "-n", "kubevirt", "-o", "jsonpath={.status.numberReady}"];
        let number = lab.kubectl(&number).await.map_err(|error| error.to_string())?;
        if number == "2" { Ok(()) } else { Err(number) }
    })
    .await
    .expect("both nodes take machines");
    let later = alive(&lab).await;
    assert_eq!(later.boot, second.boot, "the node's return did nothing to the guest");
    assert!(Node::named(lab.folder(), "node-2").finds("qemu-system").is_none(), "the first one has not come back");
    ends(lab, &before).await;
}

/// Waits until Kubernetes says this of a node's being ready.
async fn ready(lab: &Lab, node: &str, expected: &str) {
    let asked = ["get", "node", node, "-o", r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#];
    wait_for(format!("Ready of {node} to be {expected}"), PATIENCE, || async {
        let said = lab.kubectl(&asked).await.map_err(|error| error.to_string())?;
        if said == expected { Ok(()) } else { Err(said) }
    })
    .await
    .expect("it is");
}

async fn ends(lab: Lab, before: &Seen) {
    let nodes = lab.nodes().into_iter().map(|name| Node::named(lab.folder(), &name)).collect::<Vec<_>>();
    lab.stop().await.expect("stops");
    for node in nodes {
        node.is_gone(before).await;
    }
}

/// One answer of the guest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Life {
    /// Its kernel's number of this start.
    boot: String,
    /// Hundredths of a second since then.
    uptime: u64,
    /// How often it was asked.
    asked: u64,
}

impl Life {
    fn read(answer: &str) -> Option<Self> {
        let value = |name: &str| {
            let from = answer.split_once(&format!("{name}="))?.1;
            from.split_whitespace().next().map(str::to_owned)
        };
        Some(Self {
            boot: value("boot")?,
            uptime: value("uptime")?.replace('.', "").parse().ok()?,
            asked: value("asked")?.parse().ok()?,
        })
    }
}

/// What the guest answers now, to a program on the first node that lives.
async fn ask(lab: &Lab) -> Result<Life, String> {
    let mut said = String::from("no node lives");
    for node in lab.nodes() {
        let asked = tokio::time::timeout(Duration::from_secs(1), get_from(lab, &node, GUEST, "/cgi-bin/life")).await;
        match asked {
            Ok(Ok(answer)) => return Life::read(&answer).ok_or(answer),
            Ok(Err(error)) => said = error,
            Err(_) => return Err("no answer within a second".to_owned()),
        }
    }
    Err(said)
}

/// Waits until it answers.
async fn alive(lab: &Lab) -> Life {
    wait_for("the guest to answer", PATIENCE, || ask(lab)).await.expect("the guest answers HTTP")
}

/// The node it is on.
async fn place(lab: &Lab) -> String {
    lab.kubectl(&["get", "vmi", "guest", "-o", "jsonpath={.status.nodeName}"]).await.expect("there")
}

async fn is_on(lab: &Lab, node: &str) {
    let there = wait_for(format!("the guest to be on {node}"), PATIENCE, || async {
        let place = place(lab).await;
        if place == node { Ok(()) } else { Err(place) }
    });
    there.await.expect("it is there");
}

/// What a guest answered while something was done, and until it answered after that.
#[derive(Debug)]
struct Watched {
    took: Duration,
    answers: Vec<Life>,
    /// The longest time between two answers.
    gap: Duration,
}

impl Watched {
    /// It was one start of the guest all along, that of `first`: its clock and its count went on. It was never silent for long.
    fn is_one_life(&self, first: &Life) {
        let boots: BTreeSet<&String> = self.answers.iter().chain([first]).map(|life| &life.boot).collect();
        assert_eq!(boots.len(), 1, "the guest has not started again: {boots:?}");
        assert!(self.answers.len() > 1 && self.answers.is_sorted_by_key(|life| (life.uptime, life.asked)), "{self:?}");
        assert!(self.answers.first().is_some_and(|next| next.asked > first.asked), "{self:?}");
        assert!(self.gap < SILENCE, "{self:?}");
    }
}

/// Asks the guest all the time while something is done.
async fn watched(lab: &Lab, done: impl Future<Output = ()>) -> Watched {
    let started = Instant::now();
    let mut done = std::pin::pin!(done);
    let (mut took, mut answers, mut gap, mut last) = (None, Vec::new(), Duration::ZERO, Instant::now());
    while took.is_none_or(|took| last < started + took) {
        assert!(started.elapsed() < 2 * PATIENCE, "the guest does not answer any more: {answers:?}");
        let answered = ask(lab);
        tokio::select! {
            () = &mut done, if took.is_none() => took = Some(started.elapsed()),
            answer = answered => if let Ok(life) = answer {
                gap = gap.max(last.elapsed());
                last = Instant::now();
                answers.push(life);
            },
        }
        tokio::time::sleep(PAUSE).await;
    }
    Watched { took: took.unwrap_or_default(), answers, gap }
}
