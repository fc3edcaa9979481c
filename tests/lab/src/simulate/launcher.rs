//! What scheduler and kubelet do to a launcher pod: place it, start its containers, report them ready, end and remove
//! it. Whose turn it is and what virt-controller expects: `programs/kubevirt/README.md`.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodCondition};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::follow::unless_overtaken;
use super::vmi::Phase;
use super::{Fault, Faults, Pace};

/// Until a scheduler has placed a pod.
pub(super) const SCHEDULING: Duration = Duration::from_secs(1);
/// Volumes attached and containers started, images being there.
pub(super) const START: Duration = Duration::from_secs(3);
/// Between two turns of a flapping machine.
const FLAP: Duration = Duration::from_secs(1);

/// Nodes: (architecture as Kubernetes spells it, name).
pub(crate) const NODES: [(&str, &str); 2] = [("amd64", super::NODE), ("arm64", "simulated-node-2")];

/// What befalls one machine, and at which pace.
#[derive(Clone, Copy)]
pub(super) struct Fate<'a> {
    pub(super) faults: &'a Faults,
    pub(super) pace: Pace,
    /// The virtual machine's name.
    pub(super) machine: &'a str,
    pub(super) now: Timestamp,
}

impl Fate<'_> {
    pub(super) fn has(&self, fault: Fault) -> bool {
        self.faults.befalls(fault, self.machine)
    }

    /// How long until something that began at `since` and usually takes `natural` is done; nothing if it is.
    pub(super) fn left(&self, since: Option<Timestamp>, natural: Duration) -> Option<Duration> {
        let takes = if self.has(Fault::Slow) { self.pace.slow(natural) } else { self.pace.of(natural) };
        self.remaining(since, takes)
    }

    fn remaining(&self, since: Option<Timestamp>, takes: Duration) -> Option<Duration> {
        let passed =
            since.map_or(takes, |since| Duration::try_from(self.now.duration_since(since)).unwrap_or_default());
        Some(takes.saturating_sub(passed)).filter(|left| !left.is_zero())
    }
}

/// What happens next to a pod.
#[derive(Debug, PartialEq)]
pub(super) enum Deed {
    /// Nothing until something changes.
    Rest,
    /// Nothing until this time has passed.
    Wait(Duration),
    /// The scheduler finds no node.
    Refuse,
    /// The scheduler places it on this node.
    Bind(&'static str),
    /// Its containers run.
    Start,
    /// It is ready or not, for this reason.
    Report(bool, &'static str),
    /// Its containers have ended, well or not.
    Finish(bool),
    /// It goes.
    Remove,
}

/// The next deed for a launcher pod whose guest is in `guest`.
pub(super) fn next(pod: &Pod, guest: Phase, fate: &Fate<'_>) -> Deed {
    let seen = Seen::of(pod);
    if fate.has(Fault::Lost) {
        // kube-controller-manager, pkg/util/node/controller_utils.go, `MarkPodsNotReady`.
        return if seen.phase == "Running" && seen.ready { Deed::Report(false, "NodeNotReady") } else { Deed::Rest };
    }
    let ended = matches!(seen.phase, "Succeeded" | "Failed");
    if pod.metadata.deletion_timestamp.is_some() {
        return match guest {
            // The API server itself removes a pod that has no node.
            _ if seen.node.is_none() => Deed::Rest,
            // virt-launcher ends after its guest.
            Phase::Running => Deed::Rest,
            _ if ended => Deed::Remove,
            _ => Deed::Finish(guest != Phase::Failed),
        };
    }
    if ended {
        return Deed::Rest;
    }
    match (seen.node, guest) {
        (Some(_), Phase::Succeeded | Phase::Failed) => Deed::Finish(guest == Phase::Succeeded),
        (None, _) if fate.has(Fault::Full) => {
            if seen.refused {
                Deed::Rest
            } else {
                Deed::Refuse
            }
        }
        (None, _) => {
            let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            wait_or(fate.left(created, SCHEDULING), Deed::Bind(node_for(pod)))
        }
        (Some(_), _) if seen.phase == "Running" => readiness(&seen, fate),
        (Some(_), _) => wait_or(fate.left(seen.placed, START), Deed::Start),
    }
}

fn wait_or(left: Option<Duration>, deed: Deed) -> Deed {
    left.map_or(deed, Deed::Wait)
}

fn readiness(seen: &Seen<'_>, fate: &Fate<'_>) -> Deed {
    if fate.has(Fault::Flapping) {
        let flipped = Deed::Report(!seen.ready, if seen.ready { "ContainersNotReady" } else { "" });
        return wait_or(fate.remaining(seen.turned, FLAP), flipped);
    }
    match (seen.gates_open, seen.ready) {
        (true, false) => Deed::Report(true, ""),
        (false, true) => Deed::Report(false, "ReadinessGatesNotReady"),
        _ => Deed::Rest,
    }
}

/// The parts of a pod a deed depends on.
struct Seen<'a> {
    phase: &'a str,
    node: Option<&'a str>,
    ready: bool,
    turned: Option<Timestamp>,
    gates_open: bool,
    refused: bool,
    placed: Option<Timestamp>,
}

impl<'a> Seen<'a> {
    fn of(pod: &'a Pod) -> Self {
        let status = pod.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let find = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind);
        let holds = |condition: Option<&PodCondition>| condition.is_some_and(|condition| condition.status == "True");
        let since = |kind: &str| find(kind)?.last_transition_time.as_ref().map(|time| time.0);
        let spec = pod.spec.as_ref();
        let gates = spec.and_then(|spec| spec.readiness_gates.as_deref()).unwrap_or_default();
        Self {
            phase: status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending"),
            node: spec.and_then(|spec| spec.node_name.as_deref()),
            ready: holds(find("Ready")),
            turned: since("Ready"),
            gates_open: gates.iter().all(|gate| holds(find(&gate.condition_type))),
            refused: find("PodScheduled").is_some_and(|condition| condition.status == "False"),
            placed: since("PodScheduled"),
        }
    }
}

/// The node of the architecture the pod asks for (pkg/virt-controller/services/nodeselectorrenderer.go).
fn node_for(pod: &Pod) -> &'static str {
    let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
    let wanted = selector.and_then(|selector| selector.get("kubernetes.io/arch"));
    let found = NODES.iter().find(|(architecture, _)| wanted.is_some_and(|wanted| wanted == architecture));
    found.map_or(super::NODE, |(_, node)| node)
}

/// Does the deed. `address` is the pod's, for when it starts.
pub(super) async fn perform(api: &Api<Pod>, pod: &Pod, deed: &Deed, address: &str) -> Result<(), kube::Error> {
    let name = pod.name_any();
    let status = match deed {
        Deed::Rest | Deed::Wait(_) => return Ok(()),
        Deed::Bind(node) => {
            let binding = json!({
                "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                "target": {"apiVersion": "v1", "kind": "Node", "name": node},
            });
            let bound = api.create_subresource::<_, Value>("binding", &name, &PostParams::default(), &binding).await;
            return unless_overtaken(bound);
        }
        Deed::Remove => return unless_overtaken(api.delete(&name, &DeleteParams::default().grace_period(0)).await),
        Deed::Refuse => {
            let message = "0/2 nodes are available: 2 Insufficient memory (simulated).";
            json!({"conditions": [condition("PodScheduled", false, "Unschedulable", message)]})
        }
        Deed::Start => running(pod, address),
        Deed::Report(ready, reason) => json!({"conditions": [condition("Ready", *ready, reason, "")]}),
        Deed::Finish(well) => finished(pod, *well),
    };
    // The uid refuses a pod of the same name made meanwhile.
    let patch = Patch::Strategic(json!({"metadata": {"uid": pod.uid()}, "status": status}));
    unless_overtaken(api.patch_status(&name, &PatchParams::default(), &patch).await)
}

/// kubelet: `pkg/kubelet/kubelet_pods.go`, `generateAPIPodStatus`; pkg/kubelet/status/generate.go for the conditions.
fn running(pod: &Pod, address: &str) -> Value {
    let gates_open = Seen::of(pod).gates_open;
    let state = json!({"running": {"startedAt": now()}});
    let spec = pod.spec.as_ref();
    let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    // An init container that is always restarted is a sidecar and runs on; others have done their work.
    let (sidecars, done): (Vec<_>, Vec<_>) =
        init.iter().partition(|container| container.restart_policy.as_deref() == Some("Always"));
    let mut before = reports(sidecars, true, &state);
    before.extend(reports(done, true, &json!({"terminated": {"exitCode": 0, "reason": "Completed"}})));
    json!({
        "phase": "Running",
        "startTime": now(),
        "hostIP": HOST,
        "hostIPs": [{"ip": HOST}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [
            condition("Initialized", true, "", ""),
            condition("ContainersReady", true, "", ""),
            condition("Ready", gates_open, if gates_open { "" } else { "ReadinessGatesNotReady" }, ""),
        ],
        "initContainerStatuses": before,
        "containerStatuses": reports(containers, true, &state),
    })
}

/// kubelet: the same, once all containers have ended (`PodCompleted`).
fn finished(pod: &Pod, well: bool) -> Value {
    let (phase, code, reason) = if well { ("Succeeded", 0, "Completed") } else { ("Failed", 1, "Error") };
    let state = json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": now()}});
    let spec = pod.spec.as_ref();
    json!({
        "phase": phase,
        "conditions": [
            condition("ContainersReady", false, "PodCompleted", ""),
            condition("Ready", false, "PodCompleted", ""),
        ],
        "initContainerStatuses":
            reports(spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default(), false, &state),
        "containerStatuses": reports(spec.map(|spec| spec.containers.as_slice()).unwrap_or_default(), false, &state),
    })
}

/// The address of every simulated node: TEST-NET-1 (RFC 5737), which leads nowhere.
const HOST: &str = "192.0.2.1";

fn reports<'a>(containers: impl IntoIterator<Item = &'a Container>, runs: bool, state: &Value) -> Vec<Value> {
    let report = |container: &Container| {
        json!({
            "name": container.name, "image": container.image, "imageID": "simulated",
            "ready": runs, "started": runs, "restartCount": 0, "state": state,
        })
    };
    containers.into_iter().map(report).collect()
}

fn condition(kind: &str, status: bool, reason: &str, message: &str) -> Value {
    super::runner::condition(kind, status, reason, message, &["lastTransitionTime"])
}

pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(value: Value) -> Pod {
        serde_json::from_value(value).expect("a pod")
    }

    fn placed(phase: &str, ready: &str, gate: &str) -> Value {
        json!({
            "metadata": {"name": "virt-launcher-web-1-x"},
            "spec": {
                "nodeName": "simulated-node-1", "containers": [{"name": "compute"}],
                "readinessGates": [{"conditionType": "unpaused"}],
            },
            "status": {"phase": phase, "conditions": [
                {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"},
                {"type": "unpaused", "status": gate},
            ]},
        })
    }

    fn deleting(mut value: Value) -> Pod {
        value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:01:00Z");
        pod(value)
    }

    fn ask(pod: &Pod, guest: Phase, faults: &Faults, pace: Pace) -> Deed {
        let now = "2026-01-01T00:00:00.5Z".parse().expect("a time");
        next(pod, guest, &Fate { faults, pace, machine: "web-1", now })
    }

    #[test]
    fn a_pod_is_placed_by_architecture() {
        let unplaced = |architecture: &str| {
            pod(json!({"metadata": {"name": "p"}, "spec": {
                "containers": [], "nodeSelector": {"kubernetes.io/arch": architecture},
            }}))
        };
        let quiet = Faults::default();
        for (architecture, node) in NODES {
            let deed = ask(&unplaced(architecture), Phase::Waiting, &quiet, Pace::INSTANT);
            assert_eq!(deed, Deed::Bind(node));
        }
    }

    #[test]
    fn a_pod_is_ready_only_while_its_gates_are_open() {
        let quiet = Faults::default();
        let instant = |value| ask(&pod(value), Phase::Running, &quiet, Pace::INSTANT);
        assert_eq!(instant(placed("Running", "True", "True")), Deed::Rest);
        assert_eq!(instant(placed("Running", "False", "True")), Deed::Report(true, ""));
        assert_eq!(instant(placed("Running", "True", "False")), Deed::Report(false, "ReadinessGatesNotReady"));
    }

    #[test]
    fn a_deleted_pod_waits_for_its_guest_then_ends_then_goes() {
        let quiet = Faults::default();
        let running = deleting(placed("Running", "True", "True"));
        assert_eq!(ask(&running, Phase::Running, &quiet, Pace::INSTANT), Deed::Rest);
        assert_eq!(ask(&running, Phase::Succeeded, &quiet, Pace::INSTANT), Deed::Finish(true));
        assert_eq!(ask(&running, Phase::Failed, &quiet, Pace::INSTANT), Deed::Finish(false));
        assert_eq!(ask(&running, Phase::Waiting, &quiet, Pace::INSTANT), Deed::Finish(true));
        let ended = deleting(placed("Succeeded", "False", "True"));
        assert_eq!(ask(&ended, Phase::Succeeded, &quiet, Pace::INSTANT), Deed::Remove);
    }

    #[test]
    fn a_lost_node_does_nothing_but_stop_being_ready() {
        let faults = Faults::default();
        faults.set(Fault::Lost, "web-1");
        let lost = |value| ask(&value, Phase::Succeeded, &faults, Pace::INSTANT);
        assert_eq!(lost(pod(placed("Running", "True", "True"))), Deed::Report(false, "NodeNotReady"));
        assert_eq!(lost(deleting(placed("Running", "False", "True"))), Deed::Rest);
    }

    #[test]
    fn flapping_takes_turns_whatever_the_pace() {
        let faults = Faults::default();
        faults.set(Fault::Flapping, "web-1");
        let flapping = pod(placed("Running", "True", "True"));
        assert_eq!(ask(&flapping, Phase::Running, &faults, Pace::INSTANT), Deed::Wait(Duration::from_millis(500)));
    }

    #[test]
    fn a_sidecar_runs_on_after_the_start() {
        let mut value = placed("Pending", "False", "True");
        value["spec"]["initContainers"] =
            json!([{"name": "guest-console-log", "restartPolicy": "Always"}, {"name": "copy"}]);
        let status = running(&pod(value), "198.18.0.1");
        assert!(status["initContainerStatuses"][0]["state"]["running"].is_object(), "{status}");
        assert!(status["initContainerStatuses"][1]["state"]["terminated"].is_object(), "{status}");
        assert_eq!(status["containerStatuses"][0]["ready"], true);
    }
}
