//! CDI's DataVolume: scheduled, importing with progress, succeeded. No data is fetched and no claim is made. One that is made
//! from a snapshot is `clone`'s, until its storage is lost.

use std::time::Duration;

use futures::stream;
use kube::ResourceExt as _;
use kube::api::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde_json::{Value, json};

use super::runner::{self, Engine, Step, View, condition};
use super::{Fault, Simulation};

/// Pod scheduled and started, as CDI's importer usually takes.
const SCHEDULING: Duration = Duration::from_secs(3);
/// A tenth of an image of a few gigabytes over a fast network.
const TENTH: Duration = Duration::from_secs(2);
/// Between two tries of a failing importer (kubelet's back-off begins at ten seconds; shortened).
const RETRY: Duration = Duration::from_secs(2);
/// Tries that are written down; an importer would go on.
const TRIES: u64 = 3;

/// Time fields of CDI's conditions (pkg/controller/datavolume/conditions.go, `updateCondition`).
pub(super) const TIMES: [&str; 2] = ["lastTransitionTime", "lastHeartbeatTime"];

/// Nothing else of the spec matters: every other source is imported the same way.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Spec {
    source: Option<Source>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Source {
    snapshot: Option<Value>,
}

/// The part of the status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) phase: Option<String>,
    progress: Option<String>,
    restart_count: Option<u64>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    reason: Option<String>,
}

pub(crate) type DataVolume = View<Spec, Status>;

/// cdi.kubevirt.io/v1beta1 DataVolume
pub(crate) fn resource() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("cdi.kubevirt.io", "v1beta1", "DataVolume"), "datavolumes")
}

struct Importer;

/// Runs the simulator for ever.
pub(crate) async fn run(simulation: Simulation) {
    runner::run(Importer, simulation, stream::pending()).await;
}

impl Engine for Importer {
    type Spec = Spec;
    type Status = Status;

    fn resource() -> ApiResource {
        resource()
    }

    fn step(&self, object: &DataVolume, simulation: &Simulation) -> Step {
        let name = object.name_any();
        let seen = object.status.clone().unwrap_or_default();
        let befalls = |fault| simulation.faults.befalls(fault, &name);
        if befalls(Fault::Lost) {
            return lost(&seen);
        }
        if object.spec.source.as_ref().is_some_and(|source| source.snapshot.is_some()) {
            return Step::Rest;
        }
        match seen.phase.as_deref() {
            Some("Succeeded") => Step::Rest,
            _ if befalls(Fault::Full) => full(&seen, &name),
            _ if befalls(Fault::ImportFails) => failing(&seen, &name),
            _ if befalls(Fault::NeverReady) => stuck(&seen, &name),
            _ if simulation.pace.is_instant() && !befalls(Fault::Slow) => succeeded(&name, Duration::ZERO),
            Some("ImportInProgress") => advance(&seen, &name),
            Some("ImportScheduled") => in_progress(&name, 0, SCHEDULING),
            _ => scheduled(&name),
        }
    }
}

/// PVC bound, importer pod pending: pkg/controller/datavolume/import-controller.go, `updateStatusPhase`, `PodPending`.
fn scheduled(name: &str) -> Step {
    let conditions = [bound(name), running(false, "Pending", ""), ready(false, "")];
    Step::Status {
        takes: Duration::from_millis(500),
        status: json!({"phase": "ImportScheduled", "progress": "N/A", "claimName": name, "conditions": conditions}),
    }
}

/// Importer pod running: `updateStatusPhase`, `PodRunning`; conditions.go, `updateWithTargetRunning`.
fn in_progress(name: &str, percent: u32, takes: Duration) -> Step {
    let conditions = [bound(name), running(true, "Pod is running", ""), ready(false, "TransferRunning")];
    let progress = format!("{percent}.0%");
    let status =
        json!({"phase": "ImportInProgress", "progress": progress, "claimName": name, "conditions": conditions});
    Step::Status { takes, status }
}

/// Importer pod succeeded: `updateStatusPhase`, `PodSucceeded`.
fn succeeded(name: &str, takes: Duration) -> Step {
    let conditions = [bound(name), running(false, "Completed", "Import Complete"), ready(true, "")];
    let status = json!({"phase": "Succeeded", "progress": "100.0%", "claimName": name, "conditions": conditions});
    Step::Status { takes, status }
}

fn advance(seen: &Status, name: &str) -> Step {
    let done: u32 = seen.progress.as_deref().and_then(|text| text.split('.').next()?.parse().ok()).unwrap_or(0);
    if done >= 90 { succeeded(name, TENTH) } else { in_progress(name, done - done % 10 + 10, TENTH) }
}

/// Importer container fails and is started again: the phase stays, the pod's restarts are copied
/// (pkg/controller/datavolume/controller-base.go, `reconcileProgressUpdate` and `restartCount`).
fn failing(seen: &Status, name: &str) -> Step {
    let tries = seen.restart_count.unwrap_or(0);
    if tries >= TRIES {
        return Step::Rest;
    }
    let message = "Unable to process data: the simulated source does not answer";
    let conditions = [bound(name), running(false, "Error", message), ready(false, "TransferRunning")];
    let status = json!({
        "phase": "ImportInProgress", "progress": "N/A", "claimName": name,
        "restartCount": tries + 1, "conditions": conditions,
    });
    Step::StatusAfter { wait: if tries == 0 { Duration::ZERO } else { RETRY }, status }
}

/// An import that stays at 42 percent.
fn stuck(seen: &Status, name: &str) -> Step {
    if seen.progress.as_deref() == Some("42.0%") { Step::Rest } else { in_progress(name, 42, SCHEDULING) }
}

/// The PVC waits for storage: `updateBoundCondition`, `ClaimPending`.
fn full(seen: &Status, name: &str) -> Step {
    if seen.phase.as_deref() == Some("Pending") {
        return Step::Rest;
    }
    let message = format!("PVC {name} Pending");
    let conditions = [condition("Bound", false, "Pending", &message, &TIMES), running(false, "", ""), ready(false, "")];
    Step::Status {
        takes: Duration::ZERO,
        status: json!({"phase": "Pending", "progress": "N/A", "conditions": conditions}),
    }
}

/// The PVC's volume is gone: controller-base.go, `ClaimLost` makes the phase `Failed`; `updateBoundCondition`.
fn lost(seen: &Status) -> Step {
    let told = seen.conditions.iter().any(|seen| seen.kind == "Bound" && seen.reason.as_deref() == Some("ClaimLost"));
    if told {
        return Step::Rest;
    }
    let conditions =
        [condition("Bound", false, "ClaimLost", "Claim Lost", &TIMES), running(false, "", ""), ready(false, "")];
    Step::Status { takes: Duration::ZERO, status: json!({"phase": "Failed", "conditions": conditions}) }
}

pub(super) fn bound(name: &str) -> Value {
    condition("Bound", true, "Bound", &format!("PVC {name} Bound"), &TIMES)
}

pub(super) fn running(status: bool, reason: &str, message: &str) -> Value {
    condition("Running", status, reason, message, &TIMES)
}

pub(super) fn ready(status: bool, reason: &str) -> Value {
    condition("Ready", status, reason, "", &TIMES)
}
