//! KubeVirt: machines as `VirtualMachine`s.
//!
//! Contract: `kubevirt.io/v1`, release 1.8; states in its `staging/src/kubevirt.io/api/core/v1/types.go`
//! (`VirtualMachinePrintableStatus`). Power is declared (`Always` | `Halted`); the start and stop subresources are
//! never called, because they rewrite the same field and would fight server-side apply.

mod attached;

use jiyun_crds::{
    names::{LABEL_ANTI_AFFINITY, LABEL_CLAIM},
    v1alpha1::{Quantity, Reason},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use attached::{Declared, Plugs};

use super::{
    applied, cloud_init,
    fault::Fault,
    kube_ovn,
    order::{Apart, MachineOrder, Power},
    view::{EngineKind, View},
};

/// The kind `VirtualMachine`.
#[derive(Clone, Debug)]
pub struct VirtualMachine;

/// A `VirtualMachine` as we see it.
pub type MachineView = View<VirtualMachine>;

impl EngineKind for VirtualMachine {
    const GROUP: &'static str = "kubevirt.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "VirtualMachine";
    const PLURAL: &'static str = "virtualmachines";
    type Spec = MachineSpec;
    type Status = MachineStatus;
}

/// The kind `VirtualMachineInstance`: the machine as it runs; it holds the addresses.
#[derive(Clone, Debug)]
pub struct VirtualMachineInstance;

/// A `VirtualMachineInstance` as we see it.
pub type InstanceView = View<VirtualMachineInstance>;

impl EngineKind for VirtualMachineInstance {
    const GROUP: &'static str = "kubevirt.io";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "VirtualMachineInstance";
    const PLURAL: &'static str = "virtualmachineinstances";
    type Spec = InstanceSpec;
    type Status = InstanceStatus;
}

/// What is read of a machine's wish: power, so that a start or stop by hand is noticed, and which volumes it has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineSpec {
    /// `Always`, `Halted`, ...
    pub run_strategy: Option<String>,
    /// The volumes attached to it.
    #[serde(rename = "template", deserialize_with = "attached::of_template")]
    pub attached: Declared,
}

/// What is read of a machine's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineStatus {
    /// KubeVirt's word for people, such as `Running`.
    pub printable_status: Option<String>,
    /// Whether the guest answers its readiness probe, or runs where it has none.
    pub ready: Option<bool>,
    /// The generation of the machine its instance was made of, or that differs from it in nothing an instance is made of.
    pub observed_generation: Option<i64>,
    /// The generation of the machine that this status was written for.
    pub desired_generation: Option<i64>,
    /// Whether there is an instance of it.
    pub created: Option<bool>,
    /// Whether it was to run when it was looked at last; nothing before it was started once.
    pub run_strategy: Option<String>,
    /// What `KubeVirt` found out about it.
    pub conditions: Option<Vec<MachineCondition>>,
}

/// What is read of a machine's condition.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MachineCondition {
    /// Which.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
}

/// What is read of what an instance is made of.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstanceSpec {
    /// Its hardware.
    pub domain: Domain,
    /// Names of the disks of volumes attached to it.
    #[serde(rename = "volumes", deserialize_with = "attached::of_volumes")]
    pub attached: Vec<String>,
}

/// The hardware of an instance, as far as it can be resized.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Domain {
    /// Its processors.
    pub cpu: Option<Cpu>,
    /// Its memory.
    pub memory: Option<Memory>,
}

/// Processors of an instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Sockets; 1 where nothing is said.
    pub sockets: Option<u64>,
    /// Cores of each; 1 where nothing is said.
    pub cores: Option<u64>,
    /// Threads of each; 1 where nothing is said.
    pub threads: Option<u64>,
}

/// Memory of an instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// What the guest sees.
    pub guest: Option<Quantity>,
}

/// What is read of a running instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct InstanceStatus {
    /// How far its guest is: `Scheduling`, `Running`, ...
    pub phase: Option<String>,
    /// Why it is in that phase, where there is more to say.
    pub reason: Option<String>,
    /// The node it was put on: asked after, and told to nobody.
    #[serde(rename = "nodeName")]
    pub node_name: Option<String>,
    /// Network interfaces.
    pub interfaces: Option<Vec<Interface>>,
    /// How far its volumes are.
    #[serde(rename = "volumeStatus", deserialize_with = "attached::of_status")]
    pub plugs: Plugs,
}

/// A network interface of a running instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Interface {
    /// Its first address.
    pub ip_address: Option<String>,
}

/// What a machine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// Up and answering.
    Running,
    /// Shut down.
    Stopped,
    /// On its way; KubeVirt's word.
    Changing(String),
    /// KubeVirt reports a fault.
    Failed(Fault),
}

/// The fault that a `printableStatus` tells of: those do not pass by waiting for the normal course of things.
fn fault(word: &str) -> Option<Fault> {
    let reason = match word {
        "ErrorUnschedulable" => Reason::Unschedulable,
        // An image of the engine's own: what a host starts from is a disk, and CDI tells whether that can be filled.
        "ErrImagePull" | "ImagePullBackOff" => Reason::ImageUnavailable,
        "CrashLoopBackOff" => Reason::CrashLoop,
        // "Typically due to an error in communicating with the host on which it's running" (types.go).
        "Unknown" => Reason::NodeLost,
        // Asked of a machine only once its system disk is filled: a volume attached to it has failed, or a disk has gone since.
        "ErrorPvcNotFound" | "DataVolumeError" | "ErrorDataVolumeNotFound" => Reason::EngineError,
        _ => return None,
    };
    Some(Fault::new(reason, word))
}

/// Reads a machine's state.
pub fn state(status: &MachineStatus) -> MachineState {
    let word = status.printable_status.as_deref().unwrap_or("Pending");
    match word {
        "Running" if status.ready == Some(true) => MachineState::Running,
        "Running" => MachineState::Changing("Running, not ready".to_owned()),
        "Stopped" => MachineState::Stopped,
        other => fault(other).map_or_else(|| MachineState::Changing(other.to_owned()), MachineState::Failed),
    }
}

/// KubeVirt's reason for an instance whose node does not answer (pkg/virt-controller/watch/node/node.go,
/// `NodeUnresponsiveReason`): virt-handler gave no sign for five minutes, and no pod of the instance is left there.
const NODE_UNRESPONSIVE: &str = "NodeUnresponsive";

/// Whether `KubeVirt` has given an instance up with its node. Long before that, Kubernetes says that the node is silent.
pub fn is_given_up(instance: &InstanceStatus) -> bool {
    instance.reason.as_deref() == Some(NODE_UNRESPONSIVE) || instance.phase.as_deref() == Some("Unknown")
}

/// What a machine is seen to do whose node is silent. One that is ready answers all the same, and one that is to be off and
/// is has nothing to do with the node any more.
pub fn without_node(state: MachineState, power: Power) -> MachineState {
    let does = matches!((&state, power), (MachineState::Running, _) | (MachineState::Stopped, Power::Off));
    if does { state } else { MachineState::Failed(Fault::new(Reason::NodeLost, NODE_UNRESPONSIVE)) }
}

/// Whether the machine runs with another size than is declared, until it is started anew: `KubeVirt` adds to a running
/// machine where it can, and sets this condition where it cannot (pkg/virt-controller/watch/vm/vm.go,
/// `addRestartRequiredIfNeeded`).
pub fn restart_required(status: &MachineStatus) -> bool {
    let mut all = status.conditions.iter().flatten();
    all.any(|condition| condition.kind == "RestartRequired" && condition.status == "True")
}

/// Whether the machine runs as it is declared now: its instance was made of this generation, or of one that differs from it
/// in nothing an instance is made of (vm.go, `syncGenerationInfo` and `conditionallyBumpGenerationAnnotationOnVmi`). What
/// was added to it while it ran makes it one that does not.
pub fn runs_as_declared(machine: &MachineView) -> bool {
    let MachineStatus { observed_generation, desired_generation, .. } = machine.status;
    let declared = machine.metadata.generation;
    declared.is_some()
        && (observed_generation, desired_generation) == (declared, declared)
        && !restart_required(&machine.status)
}

/// Whether `KubeVirt` has looked at the machine as it is declared now; what it can change of a running instance, it has.
///
/// It writes generations of machines with an `instance` alone (`watch/vm/vm.go`, `updateStatus`). A machine without one that
/// is switched off, and was switched off when it was looked at last, has none coming.
pub fn is_looked_at(machine: &MachineView, instance: Option<&InstanceView>) -> bool {
    let (spec, status) = (&machine.spec, &machine.status);
    let off = Some(run_strategy(Power::Off));
    if instance.is_none() && spec.run_strategy.as_deref() == off {
        let was_off = status.run_strategy.is_none() || status.run_strategy.as_deref() == off;
        return was_off && status.created != Some(true);
    }
    let declared = machine.metadata.generation;
    declared.is_some() && status.desired_generation == declared
}

/// Whether an instance has no more than so much. One that says nothing of its size is not known to.
pub fn fits_within(instance: &InstanceSpec, vcpu: u64, memory_mebibytes: u64) -> bool {
    let Domain { cpu: Some(Cpu { sockets, cores, threads }), memory: Some(Memory { guest: Some(guest) }) } =
        &instance.domain
    else {
        return false;
    };
    let count = [sockets, cores, threads].iter().map(|count| count.unwrap_or(1)).fold(1, u64::saturating_mul);
    count <= vcpu && guest.mebibytes_down().is_ok_and(|guest| guest <= memory_mebibytes)
}

/// The most addresses told of a machine: what the status of a host holds.
const ADDRESSES: usize = 16;

/// Addresses of a running instance, in the order of its interfaces.
pub fn addresses(status: &InstanceStatus) -> Vec<String> {
    let all = status.interfaces.iter().flatten().filter_map(|interface| interface.ip_address.clone());
    all.take(ADDRESSES).collect()
}

/// The run strategy that declares `power`.
pub fn run_strategy(power: Power) -> &'static str {
    match power {
        Power::On => "Always",
        Power::Off => "Halted",
    }
}

/// The `VirtualMachine` of an order, ready for server-side apply.
pub fn build(order: &MachineOrder) -> Value {
    let mut disks = vec![
        json!({"name": "system", "disk": {"bus": "virtio"}, "bootOrder": 1}),
        json!({"name": "seed", "disk": {"bus": "virtio"}}),
    ];
    let mut volumes = vec![
        json!({"name": "system", "dataVolume": {"name": order.disk_name}}),
        json!({"name": "seed", "cloudInitNoCloud": seed(order)}),
    ];
    for attached in &order.volumes {
        disks.push(attached::disk(attached));
        volumes.push(attached::volume(attached));
    }
    let mut pod = json!({"labels": order.labels});
    if let Some(subnet) = &order.subnet {
        // KubeVirt copies it to the pod, which is where the network plugin looks.
        pod["annotations"] = json!({(kube_ovn::LOGICAL_SWITCH): subnet});
    }
    if let Some(apart) = &order.apart {
        pod["labels"][LABEL_ANTI_AFFINITY] = group(apart).into();
    }
    let mut machine = json!({
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": order.name, "namespace": order.namespace, "labels": order.labels},
        "spec": {
            "runStrategy": run_strategy(order.power),
            "template": {
                "metadata": pod,
                "spec": {
                    "architecture": order.architecture,
                    "domain": {
                        // One core a socket: sockets are what KubeVirt can add to a running machine later.
                        "cpu": {"sockets": order.vcpu, "cores": 1, "threads": 1},
                        "memory": {"guest": format!("{}Mi", order.memory_mebibytes)},
                        "devices": {
                            "disks": disks,
                            "interfaces": [{"name": "default", "masquerade": {}}],
                        },
                    },
                    "networks": [{"name": "default", "pod": {}}],
                    "volumes": volumes,
                },
            },
        },
    });
    if let Some(apart) = &order.apart {
        machine["spec"]["template"]["spec"]["affinity"] = affinity(apart);
    }
    if order.user_data.is_some() {
        let label = order.labels.get(LABEL_CLAIM).map(String::as_str).unwrap_or_default();
        machine["spec"]["template"]["spec"]["domain"]["firmware"] = json!({"uuid": identity(label)});
    }
    applied::stamped(machine)
}

/// What a label says of a group: at most 8 + 1 + 20 of a label's 63 characters.
fn group(apart: &Apart) -> String {
    format!("{}.{}", apart.system, apart.group)
}

/// Keeps a machine off the nodes of the others of its group. KubeVirt hands it on to the pod the machine runs in, whose
/// labels are the template's (`pkg/virt-controller/services/template.go`).
fn affinity(apart: &Apart) -> Value {
    let term = json!({
        "labelSelector": {"matchLabels": {(LABEL_ANTI_AFFINITY): group(apart)}},
        "topologyKey": "kubernetes.io/hostname",
    });
    let kept = if apart.required {
        json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
    } else {
        json!({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]})
    };
    json!({"podAntiAffinity": kept})
}

/// What cloud-init knows a machine by: that of one claim, however often its machine is made anew beside its disk, and of no other.
/// KubeVirt draws it by chance for each machine that is made (`pkg/virt-api/webhooks/mutating-webhook/mutators/vm-mutator.go`),
/// and cloud-init would then do on a disk in use what is to be done once.
fn identity(claim: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(claim.as_bytes()).into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

/// Where cloud-init's first-boot data is: in the machine itself, or in a Secret where that would not hold it (2048 bytes,
/// `pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go`).
fn seed(order: &MachineOrder) -> Value {
    match &order.user_data {
        Some(secret) => json!({"secretRef": {"name": secret}}),
        None => {
            json!({"userData": format!("#cloud-config\n{}\n", cloud_init::settings(&order.name, &order.ssh_authorized_keys))})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that is ordered with nothing more than it has to have.
    fn plain() -> MachineOrder {
        MachineOrder {
            namespace: "engine-tax".into(),
            name: "web".into(),
            disk_name: "web-system".into(),
            labels: std::collections::BTreeMap::new(),
            vcpu: 2,
            memory_mebibytes: 4096,
            architecture: "amd64".into(),
            disk_mebibytes: 40_960,
            storage_class: "standard".into(),
            image: super::super::order::ImageSource::Http("https://images.example/u.qcow2".into()),
            content: None,
            apart: None,
            ssh_authorized_keys: Vec::new(),
            user_data: None,
            subnet: None,
            volumes: Vec::new(),
            power: Power::On,
        }
    }

    fn status(word: &str, ready: bool) -> MachineStatus {
        MachineStatus { printable_status: Some(word.into()), ready: Some(ready), ..MachineStatus::default() }
    }

    #[test]
    fn a_machine_was_looked_at_when_its_generation_was_or_when_nothing_of_it_can_come() {
        let machine = |power: &str, status: Value| -> MachineView {
            serde_json::from_value(json!({
                "metadata": {"name": "web", "generation": 3}, "spec": {"runStrategy": power}, "status": status,
            }))
            .unwrap()
        };
        let runs: InstanceView = serde_json::from_value(json!({"metadata": {"name": "web"}})).unwrap();
        for (power, status, instance, expected) in [
            ("Always", json!({"desiredGeneration": 3}), Some(&runs), true),
            ("Always", json!({"desiredGeneration": 2}), Some(&runs), false),
            ("Always", json!({"desiredGeneration": 2, "runStrategy": "Halted"}), None, false),
            ("Halted", json!({"desiredGeneration": 2}), Some(&runs), false),
            ("Halted", json!({"desiredGeneration": 2, "runStrategy": "Halted"}), None, true),
            ("Halted", json!({"desiredGeneration": 2, "runStrategy": "Always"}), None, false),
            ("Halted", json!({"runStrategy": "Halted", "created": true}), None, false),
            ("Halted", json!({}), None, true),
        ] {
            assert_eq!(is_looked_at(&machine(power, status.clone()), instance), expected, "{power} {status}");
        }
    }

    #[test]
    fn only_a_machine_with_a_subnet_carries_its_name_to_the_pod() {
        let order = |subnet: Option<&str>| MachineOrder { subnet: subnet.map(str::to_owned), ..plain() };
        let annotations = |subnet| build(&order(subnet)).pointer("/spec/template/metadata/annotations").cloned();
        assert_eq!(annotations(Some("jiyun-tax-1")), Some(json!({"ovn.kubernetes.io/logical_switch": "jiyun-tax-1"})));
        assert_eq!(annotations(None), None, "machines that were there before are not sent anew");
    }

    #[test]
    fn a_machine_is_kept_off_the_nodes_of_its_group_and_others_are_not_sent_anew() {
        let order = |apart: Option<Apart>| MachineOrder {
            labels: [("jiyun.io/cloudhost".to_owned(), "web".to_owned())].into(),
            apart,
            ..plain()
        };
        let apart = |required| build(&order(Some(Apart { system: "3f2a9c1b".into(), group: "web".into(), required })));
        let (strict, soft) = (apart(true), apart(false));
        let rules = |machine: &Value| machine.pointer("/spec/template/spec/affinity/podAntiAffinity").cloned().unwrap();
        let term = json!({
            "labelSelector": {"matchLabels": {"jiyun.io/anti-affinity": "3f2a9c1b.web"}},
            "topologyKey": "kubernetes.io/hostname",
        });
        assert_eq!(rules(&strict), json!({"requiredDuringSchedulingIgnoredDuringExecution": [term.clone()]}));
        let preferred = json!([{"weight": 100, "podAffinityTerm": term}]);
        assert_eq!(rules(&soft), json!({"preferredDuringSchedulingIgnoredDuringExecution": preferred}));
        let labels = soft.pointer("/spec/template/metadata/labels").unwrap();
        assert_eq!(labels["jiyun.io/anti-affinity"], "3f2a9c1b.web");
        assert_eq!(labels["jiyun.io/cloudhost"], "web");
        let alone = build(&order(None));
        assert_eq!(alone.pointer("/spec/template/spec/affinity"), None);
        assert_eq!(alone.pointer("/spec/template/metadata/labels"), Some(&json!({"jiyun.io/cloudhost": "web"})));
    }

    #[test]
    fn a_machine_with_user_data_reads_its_secret_and_is_the_same_to_cloud_init_when_it_is_made_anew() {
        let order = |claim: &str| MachineOrder {
            labels: [(LABEL_CLAIM.to_owned(), claim.to_owned())].into(),
            user_data: Some("user-data.web".into()),
            ..plain()
        };
        let machine = build(&order("claim-7.1a2b3c4d"));
        let seed = json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "user-data.web"}}});
        assert_eq!(machine.pointer("/spec/template/spec/volumes/1"), Some(&seed));
        let known_by = |machine: &Value| machine.pointer("/spec/template/spec/domain/firmware/uuid").cloned().unwrap();
        assert_eq!(
            known_by(&machine),
            "a2f82400-c154-8233-bda9-7b39442a2fde",
            "the same in every release: hosts in use would be set up again"
        );
        assert_ne!(known_by(&build(&order("claim-8.1a2b3c4d"))), known_by(&machine));
        let without = build(&MachineOrder { user_data: None, ..order("claim-7.1a2b3c4d") });
        assert_eq!(without.pointer("/spec/template/spec/domain/firmware"), None, "those there are, are not sent anew");
    }

    #[test]
    fn running_counts_only_when_ready() {
        assert_eq!(state(&status("Running", true)), MachineState::Running);
        assert_eq!(state(&status("Running", false)), MachineState::Changing("Running, not ready".into()));
    }

    #[test]
    fn each_fault_of_a_machine_has_its_reason_and_the_engines_one_word() {
        for (word, reason) in [
            ("ErrorUnschedulable", Reason::Unschedulable),
            ("ErrImagePull", Reason::ImageUnavailable),
            ("ImagePullBackOff", Reason::ImageUnavailable),
            ("CrashLoopBackOff", Reason::CrashLoop),
            ("Unknown", Reason::NodeLost),
            ("ErrorPvcNotFound", Reason::EngineError),
            ("DataVolumeError", Reason::EngineError),
            ("ErrorDataVolumeNotFound", Reason::EngineError),
        ] {
            assert_eq!(state(&status(word, false)), MachineState::Failed(Fault::new(reason, word)), "{word}");
        }
    }

    #[test]
    fn a_machine_is_lost_with_its_node_unless_it_answers_or_is_off_as_asked() {
        let lost = || MachineState::Failed(Fault::new(Reason::NodeLost, "NodeUnresponsive"));
        let changing = || MachineState::Changing("Running, not ready".into());
        for (state, power, expected) in [
            (MachineState::Running, Power::On, MachineState::Running),
            (MachineState::Running, Power::Off, MachineState::Running),
            (MachineState::Stopped, Power::Off, MachineState::Stopped),
            (MachineState::Stopped, Power::On, lost()),
            (changing(), Power::On, lost()),
            (changing(), Power::Off, lost()),
            (MachineState::Failed(Fault::other("ErrorPvcNotFound")), Power::On, lost()),
        ] {
            assert_eq!(without_node(state.clone(), power), expected, "{state:?}");
        }
    }

    #[test]
    fn an_instance_is_given_up_for_the_reason_kubevirt_gives_and_for_no_other() {
        let given_up = |status: Value| is_given_up(&serde_json::from_value(status).unwrap());
        assert!(given_up(json!({"phase": "Failed", "reason": "NodeUnresponsive", "nodeName": "n"})));
        assert!(given_up(json!({"phase": "Unknown"})));
        assert!(!given_up(json!({"phase": "Failed", "reason": null})), "its guest crashed");
        assert!(!given_up(json!({"phase": "Running", "nodeName": "n"})));
    }

    #[test]
    fn an_unknown_word_of_a_later_release_is_a_change_under_way() {
        assert_eq!(state(&status("WaitingForReceiver", false)), MachineState::Changing("WaitingForReceiver".into()));
    }

    #[test]
    fn only_a_machine_started_since_runs_as_declared() {
        let runs = |declared: i64, observed: i64, desired: i64, restart: &str| {
            let machine: MachineView = serde_json::from_value(json!({
                "metadata": {"name": "a", "generation": declared},
                "status": {"observedGeneration": observed, "desiredGeneration": desired,
                           "conditions": [{"type": "RestartRequired", "status": restart}]},
            }))
            .unwrap();
            runs_as_declared(&machine)
        };
        assert!(runs(3, 3, 3, "False"));
        assert!(!runs(4, 3, 3, "False"), "KubeVirt has not looked at it yet");
        assert!(!runs(4, 3, 4, "False"), "what was added to a running machine counts for nothing");
        assert!(!runs(3, 3, 3, "True"));
        assert!(!runs_as_declared(&serde_json::from_value(json!({"metadata": {"name": "a"}})).unwrap()));
    }

    #[test]
    fn an_instance_is_no_larger_than_what_it_says_of_itself() {
        let fits = |domain: Value| fits_within(&serde_json::from_value(json!({"domain": domain})).unwrap(), 4, 8192);
        assert!(fits(json!({"cpu": {"sockets": 4, "cores": 1, "threads": 1}, "memory": {"guest": "8Gi"}})));
        assert!(fits(json!({"cpu": {"cores": 2}, "memory": {"guest": "4096Mi"}})));
        assert!(!fits(json!({"cpu": {"sockets": 4, "cores": 2}, "memory": {"guest": "8Gi"}})));
        assert!(!fits(json!({"cpu": {"sockets": 4}, "memory": {"guest": "16Gi"}})));
        assert!(!fits(json!({"cpu": {"sockets": 4}})), "nothing is said of its memory");
    }

    #[test]
    fn null_transition_times_and_missing_fields_are_read() {
        let view: MachineView = serde_json::from_value(json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "a"},
            "status": {"printableStatus": "Running", "ready": true,
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": null, "message": null}]}
        }))
        .unwrap();
        assert_eq!(state(&view.status), MachineState::Running);
    }
}
