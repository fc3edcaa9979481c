//! Kube-OVN's routers and subnets: made, then ready. Nothing is connected to anything, and no address is given out.

use std::time::Duration;

use futures::stream;
use kube::ResourceExt as _;
use kube::api::{ApiResource, GroupVersionKind};
use serde::Deserialize;
use serde_json::json;

use super::runner::{self, Engine, Step, View, condition};
use super::{Fault, Simulation};

/// A logical router or switch in the northbound database.
const MAKING: Duration = Duration::from_millis(500);

/// Time fields of its conditions (pkg/apis/kubeovn/v1/condition.go, `addCondition`).
const TIMES: [&str; 2] = ["lastTransitionTime", "lastUpdateTime"];

/// Nothing of a wish matters.
#[derive(Debug, Clone, Default, Deserialize)]
struct Spec {}

/// The part of a router's status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct RouterStatus {
    standby: bool,
}

/// The part of a subnet's status a step depends on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct SubnetStatus {
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

struct Routers;

struct Subnets;

/// Runs both simulators for ever.
pub(crate) async fn run(simulation: Simulation) {
    let routers = runner::run(Routers, simulation.clone(), stream::pending());
    tokio::join!(routers, runner::run(Subnets, simulation, stream::pending()));
}

fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("kubeovn.io", "v1", kind), plural)
}

impl Engine for Routers {
    type Spec = Spec;
    type Status = RouterStatus;

    fn resource() -> ApiResource {
        resource("Vpc", "vpcs")
    }

    /// pkg/controller/vpc.go, `handleAddOrUpdateVpc`.
    fn step(&self, object: &View<Spec, RouterStatus>, simulation: &Simulation) -> Step {
        let name = object.name_any();
        if object.status.as_ref().is_some_and(|seen| seen.standby)
            || simulation.faults.befalls(Fault::NeverReady, &name)
        {
            return Step::Rest;
        }
        Step::Status { takes: MAKING, status: json!({"standby": true, "default": false, "router": name}) }
    }
}

impl Engine for Subnets {
    type Spec = Spec;
    type Status = SubnetStatus;

    fn resource() -> ApiResource {
        resource("Subnet", "subnets")
    }

    /// pkg/controller/subnet.go, `handleAddOrUpdateSubnet`; a subnet that fails says so in the same condition.
    fn step(&self, object: &View<Spec, SubnetStatus>, simulation: &Simulation) -> Step {
        let fails = simulation.faults.befalls(Fault::NeverReady, &object.name_any());
        let wanted = if fails { "False" } else { "True" };
        let conditions = object.status.as_ref().map(|seen| seen.conditions.as_slice()).unwrap_or_default();
        if conditions.iter().any(|seen| seen.kind == "Ready" && seen.status == wanted) {
            return Step::Rest;
        }
        let reason = if fails { "SetPrivateLogicalSwitchFailed" } else { "SetPrivateLogicalSwitchSuccess" };
        let conditions = [
            condition("Validated", true, "ValidateLogicalSwitchSuccess", "", &TIMES),
            condition("Ready", !fails, reason, "", &TIMES),
        ];
        Step::Status { takes: MAKING, status: json!({"v4usingIPs": 0, "v4availableIPs": 61, "conditions": conditions}) }
    }
}
