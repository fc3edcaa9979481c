//! KubeVirt's `VirtualMachine` itself, for thousands of them: no launcher pod, one write from made to running, and an instance
//! only in labs that ask for instances.
//!
//! Imitated is pkg/virt-controller/watch/vm/vm.go of KubeVirt 1.8. Left out: addresses, live migration, and with it resizing
//! of a running machine: that waits for a restart, as for a machine that cannot migrate.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{self, BoxStream, StreamExt as _};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use kube::core::DeserializeGuard;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Resource as _, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::data_volume::{self, DataVolume};
use super::instance::{self, Plug, Unable};
use super::runner::{self, Engine, Step, View, condition};
use super::{Fault, NODE, Simulation, vmi};
use crate::options::Instances;

/// Launcher pod scheduled.
const SCHEDULING: Duration = Duration::from_secs(1);
/// Launcher pod started and guest booted.
const BOOT: Duration = Duration::from_secs(10);
/// Guest shut down.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// kubevirt.io/api, core/v1/types.go, `VirtualMachineRestartRequired`.
const RESTART_REQUIRED: &str = "RestartRequired";
/// Between two turns of a flapping machine.
const FLAP: Duration = Duration::from_secs(1);
/// In an instant lab a machine that waits longer than this for its disks says so; a shorter wait is not worth a write.
const PATIENCE: Duration = Duration::from_secs(2);

/// The part of the spec a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    run_strategy: Option<String>,
    running: Option<bool>,
    data_volume_templates: Vec<Value>,
    template: Template,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Value")]
struct Template {
    spec: TemplateSpec,
    /// The volumes the machine takes on and gives up while it runs.
    plugs: Vec<Plug>,
}

impl TryFrom<Value> for Template {
    type Error = serde_json::Error;

    fn try_from(written: Value) -> Result<Self, Self::Error> {
        let spec = written.get("spec").map(TemplateSpec::deserialize).transpose()?.unwrap_or_default();
        Ok(Self { spec, plugs: instance::plugs(&written) })
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct TemplateSpec {
    volumes: Vec<Volume>,
    domain: Domain,
}

/// What of the hardware may be changed while a machine runs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Domain {
    cpu: Value,
    memory: Value,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume {
    data_volume: Option<Named>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: String,
}

/// The part of the status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    #[serde(rename = "printableStatus")]
    state: Option<String>,
    created: bool,
    ready: bool,
    conditions: Vec<Value>,
    state_change_requests: Vec<Value>,
    run_strategy: Option<String>,
    observed_generation: Option<i64>,
    desired_generation: Option<i64>,
}

impl Status {
    fn wants_restart(&self) -> bool {
        self.conditions.iter().any(|condition| condition["type"] == RESTART_REQUIRED && condition["status"] == "True")
    }
}

type VirtualMachine = View<Spec, Status>;

/// The kind `kubevirt.io/v1 VirtualMachine`
pub(super) fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine");
    ApiResource::from_gvk_with_plural(&kind, "virtualmachines")
}

/// (namespace, name)
type Key = (String, String);

struct Controller {
    disks: Store<DeserializeGuard<DataVolume>>,
    /// What machines run as, in a lab that has instances.
    instances: Option<Store<DynamicObject>>,
    /// Disk -> machines that wait for it.
    waiting: Arc<Mutex<HashMap<Key, BTreeSet<String>>>>,
    /// What machines were started with, by uid: KubeVirt keeps it in a `ControllerRevision`.
    started: Mutex<HashMap<String, Started>>,
}

/// What a machine's instance would have been made of.
#[derive(Debug, Clone)]
struct Started {
    generation: i64,
    domain: Domain,
    plugs: Vec<Plug>,
}

/// How far a machine's disks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disks {
    Ready,
    Pending,
    Failed,
}

/// Runs the simulator for ever.
pub(crate) async fn run(simulation: Simulation, instances: Instances) {
    let writer = reflector::store::Writer::new(data_volume::resource());
    let waiting = Arc::new(Mutex::new(HashMap::new()));
    let (instances, of_instances) = match instances {
        Instances::AsTheProfileHasIt => (None, stream::pending().boxed()),
        Instances::Simulated => {
            let (store, woken) = followed(&simulation);
            (Some(store), woken)
        }
    };
    let controller =
        Controller { disks: writer.as_reader(), instances, waiting: Arc::clone(&waiting), started: Mutex::default() };
    let api = Api::all_with(simulation.client.clone(), &data_volume::resource());
    let of_disks = runner::observe("DataVolume", api)
        .reflect(writer)
        .touched_objects()
        .filter_map(|disk| std::future::ready(disk.ok()))
        .flat_map(move |disk: DeserializeGuard<DataVolume>| stream::iter(waiters(&waiting, &disk)));
    runner::run(controller, simulation, stream::select(of_disks, of_instances)).await;
}

type Machine = ObjectRef<DeserializeGuard<VirtualMachine>>;

/// All instances, and their machines whenever one changes or goes.
fn followed(simulation: &Simulation) -> (Store<DynamicObject>, BoxStream<'static, Machine>) {
    let writer = reflector::store::Writer::new(vmi::resource());
    let (store, api) =
        (writer.as_reader(), Api::<DynamicObject>::all_with(simulation.client.clone(), &vmi::resource()));
    let machines = runner::observe("VirtualMachineInstance", api)
        .reflect(writer)
        .touched_objects()
        .filter_map(|instance| std::future::ready(instance.ok()))
        .map(|instance| machine_of(&instance.name_any(), &instance.namespace().unwrap_or_default()));
    (store, machines.boxed())
}

fn waiters(waiting: &Mutex<HashMap<Key, BTreeSet<String>>>, disk: &DeserializeGuard<DataVolume>) -> Vec<Machine> {
    let namespace = disk.meta().namespace.clone().unwrap_or_default();
    let key = (namespace.clone(), disk.name_any());
    let machines = waiting.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned().unwrap_or_default();
    machines.iter().map(|name| machine_of(name, &namespace)).collect()
}

fn machine_of(name: &str, namespace: &str) -> Machine {
    ObjectRef::new_with(name, resource()).within(namespace)
}

impl Engine for Controller {
    type Spec = Spec;
    type Status = Status;

    fn resource() -> ApiResource {
        resource()
    }

    fn step(&self, machine: &VirtualMachine, simulation: &Simulation) -> Step {
        if simulation.faults.befalls(Fault::Unlooked, &machine.name_any()) {
            return Step::Rest;
        }
        let namespace = machine.namespace().unwrap_or_default();
        if let Some(template) = self.missing_disk(machine, &namespace) {
            return Step::Create(data_volume::resource(), template);
        }
        let seen = machine.status.clone().unwrap_or_default();
        if wants_to_run(&machine.spec, &seen) {
            return self.towards_running(machine, &namespace, &seen, simulation);
        }
        let step = towards_stopped(machine, &seen, simulation);
        // The instance goes when its guest has shut down, and only then the machine says that it has none.
        match (self.instance(machine, &namespace), step) {
            (Some(_), Step::Status { takes, status }) if status["created"] == false => {
                Step::Delete { takes, resource: vmi::resource() }
            }
            (Some(_), Step::Rest) => Step::Delete { takes: Duration::ZERO, resource: vmi::resource() },
            (_, step) => step,
        }
    }

    fn derived(whole: &DynamicObject) -> Option<(ApiResource, Value)> {
        Some((vmi::resource(), instance::made(whole)))
    }
}

/// vm.go, `isVMIStartExpected` and `isVMIStopExpected`: the run strategy, and for `Manual` the requests in the status.
/// A request to stop comes first whatever the strategy: that is how a restart is asked for.
fn wants_to_run(spec: &Spec, seen: &Status) -> bool {
    match (first_request(seen), spec.run_strategy.as_deref()) {
        (Some("Stop"), _) => false,
        (request, Some("Manual")) => seen.created || request == Some("Start"),
        (_, Some("Always" | "Once" | "RerunOnFailure")) => true,
        (_, Some(_)) => false,
        (_, None) => spec.running == Some(true),
    }
}

fn first_request(seen: &Status) -> Option<&str> {
    seen.state_change_requests.first()?.get("action")?.as_str()
}

impl Controller {
    /// vm.go, `handleDataVolumes`: a disk of the machine's templates that does not exist yet, owned by the machine.
    fn missing_disk(&self, machine: &VirtualMachine, namespace: &str) -> Option<Value> {
        let name_of = |template: &Value| Some(template.pointer("/metadata/name")?.as_str()?.to_owned());
        let missing = |template: &&Value| name_of(template).is_some_and(|name| self.disk(namespace, &name).is_none());
        let mut template = machine.spec.data_volume_templates.iter().find(missing)?.clone();
        let name = name_of(&template)?;
        self.lock().entry((namespace.to_owned(), name)).or_default().insert(machine.name_any());
        let owner = machine.controller_owner_ref(&resource())?;
        template["apiVersion"] = json!("cdi.kubevirt.io/v1beta1");
        template["kind"] = json!("DataVolume");
        template["metadata"]["namespace"] = json!(namespace);
        template["metadata"]["ownerReferences"] = json!([owner]);
        Some(template)
    }

    fn disk(&self, namespace: &str, name: &str) -> Option<Arc<DeserializeGuard<DataVolume>>> {
        self.disks.get(&ObjectRef::new_with(name, data_volume::resource()).within(namespace))
    }

    /// pkg/storage/types/dv.go, `HasDataVolumeProvisioning` and `HasDataVolumeErrors`.
    fn disks(&self, machine: &VirtualMachine, namespace: &str) -> Disks {
        let mut overall = Disks::Ready;
        for name in machine.spec.template.spec.volumes.iter().filter_map(|volume| volume.data_volume.as_ref()) {
            let key = (namespace.to_owned(), name.name.clone());
            // Remembered before the look: a disk that becomes ready in between wakes the machine.
            self.lock().entry(key.clone()).or_default().insert(machine.name_any());
            let disk = self.disk(namespace, &name.name);
            let status = disk.as_ref().and_then(|disk| disk.0.as_ref().ok()).and_then(|disk| disk.status.as_ref());
            match status.and_then(|status| status.phase.as_deref()) {
                Some("Succeeded") => {
                    self.lock().remove(&key);
                }
                Some("Failed") => return Disks::Failed,
                _ => overall = Disks::Pending,
            }
        }
        overall
    }

    /// The machine's own instance. One of a namesake that is gone is on its way out.
    fn instance(&self, machine: &VirtualMachine, namespace: &str) -> Option<Arc<DynamicObject>> {
        let reference = ObjectRef::new_with(&machine.name_any(), vmi::resource()).within(namespace);
        let is_its = |instance: &Arc<DynamicObject>| {
            instance.owner_references().iter().any(|owner| Some(&owner.uid) == machine.metadata.uid.as_ref())
        };
        self.instances.as_ref()?.get(&reference).filter(is_its)
    }

    /// What is done to the instance of a machine that runs or is about to; what is told of the machine comes after.
    fn bring_instance(&self, machine: &VirtualMachine, namespace: &str, simulation: &Simulation) -> Option<Step> {
        self.instances.as_ref()?;
        let Some(instance) = self.instance(machine, namespace) else {
            // An instance was deleted: the next one is made of what is declared by then (`started`).
            let was_there = machine.status.as_ref().is_some_and(|seen| seen.created);
            let gone = || Report::new("Starting", machine).json(&machine.status.clone().unwrap_or_default());
            return Some(if was_there { Step::Status { takes: Duration::ZERO, status: gone() } } else { Step::Derive });
        };
        let befalls = |fault| simulation.faults.befalls(fault, &machine.name_any());
        let unable = Unable { to_change: befalls(Fault::NoHotplug), to_let_go: befalls(Fault::Clinging) };
        let next = instance::next(&instance.data, &machine.spec.template.plugs, unable);
        next.map(|next| Step::Change(vmi::resource(), next))
    }

    /// vm.go, `createVMRevision`, and `conditionallyBumpGenerationAnnotationOnVmi`: a machine whose template has not changed
    /// since it was started runs as it is declared now. What a lab that was begun anew does not know is taken for unchanged.
    fn started(&self, machine: &VirtualMachine, seen: &Status) -> Started {
        let generation = machine.metadata.generation.unwrap_or(0);
        let Template { spec, plugs } = &machine.spec.template;
        let now = Started { generation, domain: spec.domain.clone(), plugs: plugs.clone() };
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let then = started.entry(machine.uid().unwrap_or_default()).or_insert_with(|| now.clone());
        if !seen.created || (&then.domain, &then.plugs) == (&now.domain, &now.plugs) {
            *then = now;
        }
        then.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, BTreeSet<String>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The states a machine passes on its way up: vm.go, `setPrintableStatus`, in its order of precedence.
    fn towards_running(
        &self,
        machine: &VirtualMachine,
        namespace: &str,
        seen: &Status,
        simulation: &Simulation,
    ) -> Step {
        let name = machine.name_any();
        let started = self.started(machine, seen);
        let running = || running(machine).since(&started, machine);
        let not_ready = |state| not_ready(state, machine).since(&started, machine);
        let befalls = |fault| simulation.faults.befalls(fault, &name);
        let instant = simulation.pace.is_instant() && !befalls(Fault::Slow);
        let state = seen.state.as_deref().unwrap_or_default();
        let up = seen.ready && state == "Running";
        if !up {
            match self.disks(machine, namespace) {
                Disks::Failed => return once(seen, Report::new("DataVolumeError", machine)),
                Disks::Pending if instant => {
                    return once_after(PATIENCE, seen, Report::new("Provisioning", machine));
                }
                Disks::Pending => return once(seen, Report::new("Provisioning", machine)),
                Disks::Ready => {}
            }
        }
        if let Some(step) = self.bring_instance(machine, namespace, simulation) {
            return step;
        }
        if befalls(Fault::Lost) {
            // The instance's phase is Unknown, which no case matches.
            return once(seen, Report::new("Unknown", machine).created("PodNotExists", "the node does not answer"));
        }
        if up && befalls(Fault::Flapping) {
            return Step::StatusAfter { wait: FLAP, status: not_ready("Running").json(seen) };
        }
        if up {
            let report = running();
            return if first_request(seen) == Some("Start") {
                Step::Status { takes: Duration::ZERO, status: report.done().json(seen) }
            } else if report.is_news(seen) {
                Step::Status { takes: Duration::ZERO, status: report.json(seen) }
            } else {
                Step::Rest
            };
        }
        if befalls(Fault::Full) {
            return once(
                seen,
                Report::new("ErrorUnschedulable", machine).created("GuestNotRunning", "no node has room"),
            );
        }
        if befalls(Fault::Flapping) && state == "Running" {
            return Step::StatusAfter { wait: FLAP, status: running().json(seen) };
        }
        if befalls(Fault::NeverReady) {
            return once(seen, not_ready("Starting"));
        }
        if instant || state == "Running" {
            return Step::Status { takes: Duration::ZERO, status: running().done().json(seen) };
        }
        if state == "Starting" {
            return Step::Status { takes: BOOT, status: running().done().json(seen) };
        }
        Step::Status { takes: SCHEDULING, status: not_ready("Starting").json(seen) }
    }
}

/// vm.go, `isVirtualMachineStatusStopping` while the instance ends, `isVirtualMachineStatusStopped` after.
fn towards_stopped(machine: &VirtualMachine, seen: &Status, simulation: &Simulation) -> Step {
    let stopped = Report::new("Stopped", machine);
    if first_request(seen) == Some("Stop") {
        let takes = if seen.created { SHUTDOWN } else { Duration::ZERO };
        return Step::Status { takes, status: stopped.done().json(seen) };
    }
    let state = seen.state.as_deref();
    let at_once = simulation.pace.is_instant() && !simulation.faults.befalls(Fault::Slow, &machine.name_any());
    match state {
        Some("Stopping") => Step::Status { takes: SHUTDOWN, status: stopped.json(seen) },
        _ if seen.created && !at_once => {
            Step::Status { takes: Duration::ZERO, status: not_ready("Stopping", machine).json(seen) }
        }
        // The definition's default is Stopped, so the condition tells whether the machine has been looked at.
        Some("Stopped") if !seen.created && !seen.conditions.is_empty() => Step::Rest,
        _ => Step::Status { takes: Duration::ZERO, status: stopped.json(seen) },
    }
}

fn once(seen: &Status, report: Report) -> Step {
    once_after(Duration::ZERO, seen, report)
}

fn once_after(wait: Duration, seen: &Status, report: Report) -> Step {
    if seen.state.as_deref() == Some(report.state) && seen.ready == report.ready {
        return Step::Rest;
    }
    Step::StatusAfter { wait, status: report.json(seen) }
}

fn running(machine: &VirtualMachine) -> Report {
    let mut report = Report::new("Running", machine).created("", &format!("simulated on {NODE}: no guest runs"));
    report.ready = true;
    report
}

fn not_ready(state: &'static str, machine: &VirtualMachine) -> Report {
    Report::new(state, machine).created("GuestNotRunning", "Guest VM is not reported as running")
}

/// What an instance was made of, beside what is declared now.
struct Instance {
    generation: i64,
    outdated: bool,
}

/// A status as virt-controller writes it: vm.go, `updateStatus` and `syncReadyConditionFromVMI`.
struct Report {
    state: &'static str,
    created: bool,
    ready: bool,
    reason: String,
    message: String,
    generation: i64,
    instance: Instance,
    strategy: Option<String>,
    request_done: bool,
}

impl Report {
    /// No instance exists.
    fn new(state: &'static str, machine: &VirtualMachine) -> Self {
        Self {
            state,
            created: false,
            ready: false,
            reason: "VMINotExists".into(),
            message: "VMI does not exist".into(),
            generation: machine.metadata.generation.unwrap_or(0),
            instance: Instance { generation: machine.metadata.generation.unwrap_or(0), outdated: false },
            strategy: machine.spec.run_strategy.clone(),
            request_done: false,
        }
    }

    /// An instance exists whose Ready condition gives this reason.
    fn created(mut self, reason: &str, message: &str) -> Self {
        self.created = true;
        self.reason = reason.into();
        self.message = message.into();
        self
    }

    /// The instance was made of this: vm.go, `syncGenerationInfo` and `addRestartRequiredIfNeeded`.
    fn since(mut self, started: &Started, machine: &VirtualMachine) -> Self {
        let outdated = started.domain != machine.spec.template.spec.domain;
        self.instance = Instance { generation: started.generation, outdated };
        self
    }

    /// Whether a running machine is declared otherwise than was last told.
    fn is_news(&self, seen: &Status) -> bool {
        (seen.observed_generation, seen.desired_generation) != (Some(self.instance.generation), Some(self.generation))
            || seen.wants_restart() != self.instance.outdated
    }

    /// The first request to start or stop has been answered.
    fn done(mut self) -> Self {
        self.request_done = true;
        self
    }

    fn json(self, seen: &Status) -> Value {
        let times = ["lastProbeTime", "lastTransitionTime"];
        let mut status = json!({
            "created": self.created,
            "ready": self.ready,
            "printableStatus": self.state,
            "conditions": [condition("Ready", self.ready, &self.reason, &self.message, &times)],
        });
        if self.created {
            status["observedGeneration"] = json!(self.instance.generation);
            status["desiredGeneration"] = json!(self.generation);
        }
        // vm.go, `updateStatus`: told from the first start on, and of a machine that is off as well. The generations are not.
        if self.created || seen.run_strategy.is_some() {
            status["runStrategy"] = json!(self.strategy);
        }
        if let Some(conditions) = status["conditions"].as_array_mut().filter(|_| self.instance.outdated) {
            let message = "a non-live-updatable field was changed in the template spec";
            conditions.push(condition(RESTART_REQUIRED, true, RESTART_REQUIRED, message, &times));
        }
        if self.request_done && !seen.state_change_requests.is_empty() {
            status["stateChangeRequests"] = seen.state_change_requests.iter().skip(1).cloned().collect();
        }
        status
    }
}
