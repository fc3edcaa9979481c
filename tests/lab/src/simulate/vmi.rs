//! What virt-handler and the guest do to a `VirtualMachineInstance`: boot and shut down. Pods are `launcher`'s; both
//! are moved from here, so that a guest ends before its pod does.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::follow::{Wakes, follow, unless_overtaken};
use super::launcher::{self, Deed, Fate};
use super::{Fault, Simulation, runner};

/// Until a guest has booted.
const BOOT: Duration = Duration::from_secs(10);
/// Until a guest has shut down.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// First address of guests: RFC 2544's range for benchmarks, which is routed nowhere.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 1]);
/// Addresses in that range.
const ADDRESSES: u32 = (1 << 17) - 2;

/// The phases that matter to a node (kubevirt.io/api, core/v1/types.go, `VirtualMachineInstancePhase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not the node's yet.
    Waiting,
    /// The node's, and not running yet.
    Scheduled,
    /// The guest runs.
    Running,
    /// The guest has shut down.
    Succeeded,
    /// The guest has crashed.
    Failed,
}

impl Phase {
    fn of(instance: &Value) -> Self {
        match instance.pointer("/status/phase").and_then(Value::as_str) {
            Some("Scheduled") => Self::Scheduled,
            Some("Running") => Self::Running,
            Some("Succeeded") => Self::Succeeded,
            Some("Failed") => Self::Failed,
            _ => Self::Waiting,
        }
    }
}

/// kubevirt.io/v1 `VirtualMachineInstance`
pub(super) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachineInstance");
    ApiResource::from_gvk_with_plural(&kind, "virtualmachineinstances")
}

struct Node {
    simulation: Simulation,
    /// Writes as kubevirt-handler: what anybody else writes to an instance's status is silently undone
    /// (pkg/virt-api/webhooks/mutating-webhook/mutators/vmi-mutator.go).
    handler: Client,
    pods: Store<Pod>,
    addresses: AtomicU32,
}

/// Runs the nodes for ever. `handler` is a client with the identity of kubevirt-handler.
pub(crate) async fn run(simulation: Simulation, handler: Client) {
    let writer = reflector::store::Writer::<Pod>::new(());
    let pods = writer.as_reader();
    let woken = runner::observe("Pod", Api::<Pod>::all(simulation.client.clone()))
        .reflect(writer)
        .touched_objects()
        .filter_map(|pod| std::future::ready(pod.ok().and_then(|pod| owner(&pod))));
    let api = Api::all_with(simulation.client.clone(), &resource());
    let wakes = Wakes { all: simulation.faults.changes(), some: woken };
    let node = Arc::new(Node { simulation, handler, pods, addresses: AtomicU32::new(0) });
    follow(api, resource(), wakes, move |instance| {
        let node = Arc::clone(&node);
        async move { node.attend(&instance).await }
    })
    .await;
}

fn owner(pod: &Pod) -> Option<ObjectRef<DynamicObject>> {
    let owner = pod.owner_references().iter().find(|owner| owner.kind == "VirtualMachineInstance")?;
    Some(ObjectRef::new_with(&owner.name, resource()).within(pod.metadata.namespace.as_deref()?))
}

impl Node {
    async fn attend(&self, instance: &DynamicObject) -> Result<Option<Duration>, kube::Error> {
        let machine = instance.name_any();
        let fate = Fate {
            faults: &self.simulation.faults,
            pace: self.simulation.pace,
            machine: &machine,
            now: Timestamp::now(),
        };
        let phase = Phase::of(&instance.data);
        let pods = self.pods_of(instance);
        let namespace = instance.namespace().unwrap_or_default();
        let api = Api::namespaced(self.simulation.client.clone(), &namespace);
        let mut again: Option<Duration> = None;
        for pod in &pods {
            let deed = launcher::next(pod, phase, &fate);
            if let Deed::Wait(left) = deed {
                again = Some(again.map_or(left, |earlier| earlier.min(left)));
            }
            let address = if deed == Deed::Start { self.address().to_string() } else { String::new() };
            launcher::perform(&api, pod, &deed, &address).await?;
        }
        match turn(instance, phase, &pods, &fate) {
            Turn::Rest => {}
            Turn::Wait(left) => again = Some(again.map_or(left, |earlier| earlier.min(left))),
            Turn::Boot(address) => self.become_phase(instance, "Running", Some(interfaces(instance, &address))).await?,
            Turn::ShutDown => self.become_phase(instance, "Succeeded", None).await?,
        }
        Ok(again)
    }

    fn pods_of(&self, instance: &DynamicObject) -> Vec<Arc<Pod>> {
        let is_its = |pod: &Arc<Pod>| {
            let owners = pod.owner_references();
            owners.iter().any(|owner| Some(&owner.uid) == instance.metadata.uid.as_ref())
                && pod.labels().get("kubevirt.io").is_some_and(|role| role == "virt-launcher")
        };
        self.pods.state().into_iter().filter(is_its).collect()
    }

    fn address(&self) -> Ipv4Addr {
        (FIRST + self.addresses.fetch_add(1, Ordering::Relaxed) % ADDRESSES).into()
    }

    /// pkg/virt-handler/vm.go, `updateVMIStatus`: phase, time of its beginning and interfaces in one update of the
    /// version seen. virt-controller takes an instance without the time for one that never ran (watch/vm/vm.go,
    /// `wasVMIInRunningPhase`).
    async fn become_phase(
        &self,
        instance: &DynamicObject,
        phase: &str,
        interfaces: Option<Value>,
    ) -> Result<(), kube::Error> {
        let times = instance.data.pointer("/status/phaseTransitionTimestamps").and_then(Value::as_array);
        let mut times = times.cloned().unwrap_or_default();
        times.push(json!({"phase": phase, "phaseTransitionTimestamp": launcher::now()}));
        let mut status = json!({"phase": phase, "phaseTransitionTimestamps": times});
        if let (Some(fields), Some(interfaces)) = (status.as_object_mut(), interfaces) {
            fields.insert("interfaces".into(), interfaces);
        }
        let version = instance.resource_version();
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "status": status}));
        let namespace = instance.namespace().unwrap_or_default();
        let api: Api<DynamicObject> = Api::namespaced_with(self.handler.clone(), &namespace, &resource());
        unless_overtaken(api.patch(&instance.name_any(), &PatchParams::default(), &patch).await)
    }
}

/// What happens next to a guest.
#[derive(Debug, PartialEq)]
enum Turn {
    Rest,
    Wait(Duration),
    /// It runs, at this address.
    Boot(String),
    ShutDown,
}

/// pkg/virt-handler/vm.go, `sync` and `calculateVmPhaseForStatusReason`.
fn turn(instance: &DynamicObject, phase: Phase, pods: &[Arc<Pod>], fate: &Fate<'_>) -> Turn {
    if fate.has(Fault::Lost) {
        return Turn::Rest;
    }
    let (since, natural, then) = match phase {
        Phase::Scheduled if instance.metadata.deletion_timestamp.is_none() && !fate.has(Fault::NeverReady) => {
            let Some(address) = pods.iter().find_map(|pod| running_address(pod)) else { return Turn::Rest };
            (since_phase(&instance.data, "Scheduled"), BOOT, Turn::Boot(address))
        }
        Phase::Running => {
            // The guest is told to shut down when its instance or its pod is deleted, whichever comes first.
            let told = instance.metadata.deletion_timestamp.as_ref().map(|time| time.0);
            let signalled = pods.iter().filter_map(|pod| deleted_at(pod)).min();
            let Some(since) = told.into_iter().chain(signalled).min() else { return Turn::Rest };
            (Some(since), SHUTDOWN, Turn::ShutDown)
        }
        _ => return Turn::Rest,
    };
    fate.left(since, natural).map_or(then, Turn::Wait)
}

fn running_address(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    (status.phase.as_deref() == Some("Running") && pod.metadata.deletion_timestamp.is_none())
        .then(|| status.pod_ip.clone())
        .flatten()
}

/// When the deletion was asked for: its timestamp is the end of the grace period.
fn deleted_at(pod: &Pod) -> Option<Timestamp> {
    let end = pod.metadata.deletion_timestamp.as_ref()?.0;
    let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
    end.checked_sub(jiff::SignedDuration::from_secs(grace)).ok()
}

fn since_phase(instance: &Value, phase: &str) -> Option<Timestamp> {
    let times = instance.pointer("/status/phaseTransitionTimestamps")?.as_array()?;
    let time = times.iter().find(|time| time["phase"] == phase)?;
    time["phaseTransitionTimestamp"].as_str()?.parse().ok()
}

/// The interfaces virt-controller listed, the first with the pod's address (pkg/network/setup/netstat.go,
/// `UpdateStatus`); the others would need a guest agent to tell theirs.
fn interfaces(instance: &DynamicObject, address: &str) -> Value {
    let listed = |pointer: &str| instance.data.pointer(pointer).and_then(Value::as_array).cloned();
    let mut interfaces = listed("/status/interfaces").or_else(|| {
        let names = listed("/spec/domain/devices/interfaces")?;
        Some(names.iter().map(|interface| json!({"name": interface["name"]})).collect())
    });
    if let Some(first) = interfaces.iter_mut().flatten().next().and_then(Value::as_object_mut) {
        first.insert("ipAddress".into(), json!(address));
        first.insert("ipAddresses".into(), json!([address]));
        first.insert("infoSource".into(), json!("domain"));
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            let [a, b, c, d] = address.octets();
            // Locally administered, and as unique as the address.
            first.insert("mac".into(), json!(format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")));
        }
    }
    json!(interfaces.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Faults, Pace};

    fn instance(phase: &str, deletion: Option<&str>) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance",
            "metadata": {"name": "web-1", "deletionTimestamp": deletion},
            "spec": {"domain": {"devices": {"interfaces": [{"name": "tenant", "bridge": {}}]}}},
            "status": {"phase": phase, "phaseTransitionTimestamps": [
                {"phase": phase, "phaseTransitionTimestamp": "2026-01-01T00:00:00Z"},
            ]},
        }))
        .expect("an instance")
    }

    fn pod(deletion: Option<&str>) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": "p", "deletionTimestamp": deletion, "deletionGracePeriodSeconds": 60},
            "status": {"phase": "Running", "podIP": "198.18.0.1"},
        });
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    fn ask(instance: &DynamicObject, pods: &[Arc<Pod>], faults: &Faults, pace: Pace) -> Turn {
        let now = "2026-01-01T00:00:04Z".parse().expect("a time");
        turn(instance, Phase::of(&instance.data), pods, &Fate { faults, pace, machine: "web-1", now })
    }

    #[test]
    fn a_guest_boots_once_its_pod_runs_and_not_before_its_time() {
        let quiet = Faults::default();
        let scheduled = instance("Scheduled", None);
        assert_eq!(ask(&scheduled, &[], &quiet, Pace::INSTANT), Turn::Rest);
        assert_eq!(ask(&scheduled, &[pod(None)], &quiet, Pace::INSTANT), Turn::Boot("198.18.0.1".into()));
        assert_eq!(ask(&scheduled, &[pod(None)], &quiet, Pace::NATURAL), Turn::Wait(Duration::from_secs(6)));
    }

    #[test]
    fn a_guest_shuts_down_when_its_instance_or_its_pod_is_deleted() {
        let quiet = Faults::default();
        let deleted = Some("2026-01-01T00:00:02Z");
        assert_eq!(ask(&instance("Running", None), &[pod(None)], &quiet, Pace::INSTANT), Turn::Rest);
        assert_eq!(ask(&instance("Running", deleted), &[], &quiet, Pace::INSTANT), Turn::ShutDown);
        // Asked for at 00:00:01, with a minute of grace.
        let pods = [pod(Some("2026-01-01T00:01:01Z"))];
        assert_eq!(
            ask(&instance("Running", deleted), &pods, &quiet, Pace::NATURAL),
            Turn::Wait(Duration::from_secs(2))
        );
        assert_eq!(ask(&instance("Running", None), &pods, &quiet, Pace::INSTANT), Turn::ShutDown);
    }

    #[test]
    fn a_machine_that_is_never_ready_stays_scheduled() {
        let faults = Faults::default();
        faults.set(Fault::NeverReady, "web-*");
        assert_eq!(ask(&instance("Scheduled", None), &[pod(None)], &faults, Pace::INSTANT), Turn::Rest);
    }

    #[test]
    fn the_first_interface_has_the_pods_address() {
        let interfaces = interfaces(&instance("Scheduled", None), "198.18.0.7");
        assert_eq!(interfaces[0]["name"], "tenant");
        assert_eq!(interfaces[0]["ipAddress"], "198.18.0.7");
        assert_eq!(interfaces[0]["mac"], "02:00:c6:12:00:07");
    }
}
