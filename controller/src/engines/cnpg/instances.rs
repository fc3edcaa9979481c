//! Instances of a cluster: whether they are what was declared last. A cluster's own status does not say of which declaration
//! it speaks, so its pods and volumes are looked at.
//!
//! Contract: `CloudNativePG` 1.30, `pkg/specs/pods.go` (the container [`CONTAINER`] has the cluster's resources; a rollout
//! replaces pods one by one), `pkg/utils/labels_annotations.go` ([`super::CLUSTER`] on pods and volumes, [`JOB`] on pods of
//! jobs), `internal/controller/cluster_scale.go` (an instance goes with its volume).

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::Quantity;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use serde::Deserialize;

use crate::engines::{
    order::{DatabaseOrder, Power},
    view::{EngineKind, View},
    volume::{Growth, growth},
};

/// Marks a cluster whose instances were seen to be what it declares: its UID and the generation they were seen to follow.
pub const FOLLOWED: &str = "jiyun.io/followed";

/// The container PostgreSQL runs in.
const CONTAINER: &str = "postgres";

/// The label of pods that set instances up and then end.
const JOB: &str = "cnpg.io/jobRole";

/// The kind `Pod`.
#[derive(Clone, Debug)]
pub struct Pod;

/// A `Pod` as we see it.
pub type PodView = View<Pod>;

impl EngineKind for Pod {
    const GROUP: &'static str = "";
    const VERSION: &'static str = "v1";
    const KIND: &'static str = "Pod";
    const PLURAL: &'static str = "pods";
    type Spec = PodSpec;
    type Status = PodStatus;
}

/// What is read of a pod's wish.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodSpec {
    /// Its containers.
    pub containers: Option<Vec<Container>>,
}

/// What is read of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// What it asks of its node.
    pub resources: Option<Resources>,
}

/// What a container asks of its node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// By resource.
    pub requests: Option<BTreeMap<String, Quantity>>,
}

/// What is read of a pod's status.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`.
    pub phase: Option<String>,
}

/// In what instances are behind what was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// Some are still to come or to go.
    Instances,
    /// Some have other cores or memory.
    Sizes,
    /// Some have smaller volumes.
    Storage,
    /// In nothing; but the engine may not have heard of it yet.
    Unheard,
}

/// In what `pods` and `volumes` of a cluster are behind `order`; nothing where they are what it says.
pub fn lag(order: &DatabaseOrder, claim: &str, pods: &[PodView], volumes: &[PersistentVolumeClaim]) -> Option<Lag> {
    let has_ended = |pod: &&PodView| matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"));
    let alive = || pods.iter().filter(|pod| !has_ended(pod));
    let wanted = if order.power == Power::On { order.instances } else { 0 };
    let sets_up = alive().any(|pod| pod.labels().contains_key(JOB));
    let count = alive().count() as u64;
    if sets_up || count > wanted || volumes.len() as u64 != order.instances {
        return Some(Lag::Instances);
    }
    // One that has its volume and no pod is being replaced.
    if count < wanted || !alive().all(|pod| has_size(pod, order)) {
        return Some(Lag::Sizes);
    }
    let has_room = |volume: &PersistentVolumeClaim| growth(volume, claim, order.storage_mebibytes) == Growth::Done;
    (!volumes.iter().all(has_room)).then_some(Lag::Storage)
}

fn has_size(pod: &PodView, order: &DatabaseOrder) -> bool {
    let containers = pod.spec.containers.iter().flatten();
    let mut of_postgres = containers.filter(|container| container.name == CONTAINER);
    let asked = of_postgres.find_map(|container| container.resources.as_ref()?.requests.as_ref());
    asked.is_some_and(|asked| {
        let cores = asked.get("cpu").and_then(|cores| cores.whole().ok());
        let memory = asked.get("memory").and_then(|memory| memory.mebibytes().ok());
        cores == Some(order.vcpu) && memory == Some(order.memory_mebibytes)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engines::cnpg::tests::order;

    fn pod(cores: &str, memory: &str) -> Value {
        let resources = json!({"requests": {"cpu": cores, "memory": memory}});
        json!({
            "metadata": {"name": "pg-1", "labels": {"cnpg.io/cluster": "pg"}},
            "spec": {"containers": [{"name": "sidecar"}, {"name": "postgres", "resources": resources}]},
            "status": {"phase": "Running"},
        })
    }

    fn volume(size: &str) -> Value {
        json!({
            "metadata": {"name": "pg-1", "labels": {"jiyun.io/claim": "claim-1.book"}},
            "status": {"phase": "Bound", "capacity": {"storage": size}},
        })
    }

    fn seen(power: Power, pods: &[Value], volumes: &[Value]) -> Option<Lag> {
        let pods: Vec<PodView> = serde_json::from_value(json!(pods)).unwrap();
        let volumes: Vec<PersistentVolumeClaim> = serde_json::from_value(json!(volumes)).unwrap();
        lag(&order(power), "claim-1.book", &pods, &volumes)
    }

    #[test]
    fn instances_are_what_was_declared_once_every_pod_and_volume_is() {
        let (right, room) = (pod("2", "8Gi"), volume("10Gi"));
        let (pods, volumes) = ([right.clone(), right.clone()], [room.clone(), room.clone()]);
        assert_eq!(seen(Power::On, &pods, &volumes), None);
        assert_eq!(seen(Power::On, &pods[..1], &volumes), Some(Lag::Sizes), "one is replaced");
        assert_eq!(seen(Power::On, &pods[..1], &volumes[..1]), Some(Lag::Instances), "one is to come");
        let more = [right.clone(), right.clone(), right.clone()];
        assert_eq!(seen(Power::On, &more, &volumes), Some(Lag::Instances), "one is to go");
        for other in [pod("4", "8Gi"), pod("2", "16Gi"), pod("1500m", "8Gi")] {
            assert_eq!(seen(Power::On, &[right.clone(), other], &volumes), Some(Lag::Sizes));
        }
        assert_eq!(seen(Power::On, &pods, &[room, volume("5Gi")]), Some(Lag::Storage));
    }

    #[test]
    fn pods_of_jobs_count_until_they_have_ended() {
        let (right, room) = (pod("2", "8Gi"), volume("10Gi"));
        let mut joins = right.clone();
        joins["metadata"]["labels"]["cnpg.io/jobRole"] = json!("join");
        let volumes = [room.clone(), room];
        assert_eq!(seen(Power::On, &[right.clone(), joins.clone()], &volumes), Some(Lag::Instances));
        joins["status"]["phase"] = json!("Succeeded");
        assert_eq!(seen(Power::On, &[right.clone(), right, joins], &volumes), None);
    }

    #[test]
    fn a_stopped_cluster_has_its_volumes_and_no_pod() {
        let (right, room) = (pod("2", "8Gi"), volume("10Gi"));
        let volumes = [room.clone(), room];
        assert_eq!(seen(Power::Off, &[], &volumes), None);
        assert_eq!(seen(Power::Off, &[right], &volumes), Some(Lag::Instances));
    }

    #[test]
    fn what_cannot_be_read_is_taken_for_what_is_behind() {
        let room = volume("10Gi");
        let unread = json!({"metadata": {"name": "pg-1"}, "spec": {"containers": null}, "status": {}});
        assert_eq!(seen(Power::On, &[unread.clone(), unread], &[room.clone(), room]), Some(Lag::Sizes));
    }
}
