//! Instances of a `Cluster`: for each a volume's claim and a pod. They come and go one by one, and are replaced one by
//! one where the cluster's resources changed. Nobody schedules such a pod, so no node has to let go of it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::super::follow::unless_overtaken;
use super::{Cluster, Doing, resource};

/// From a claim to a standby that answers on it.
const JOINING: Duration = Duration::from_secs(10);
/// From a pod to an instance that answers: until then no other is replaced.
const ROLLING: Duration = Duration::from_secs(8);

/// The label of all that is made for a cluster.
const LABEL: &str = "cnpg.io/cluster";
/// What a pod was made of; another one than would be made now is replaced (`internal/controller/cluster_upgrade.go`,
/// `checkPodSpecIsOutdated`).
const POD_SPEC: &str = "cnpg.io/podSpec";
/// Keeps schedulers away, should there be one; its name says what the pod is.
const GATE: &str = "lab.jiyun.io/simulated";

/// What is there of a cluster, by the number of its instance.
pub(super) struct Instances {
    pub(super) pods: BTreeMap<u32, Pod>,
    claims: BTreeMap<u32, PersistentVolumeClaim>,
}

/// What happens next to the instances of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing.
    Rest,
    /// Nothing, until the standby that is being set up answers.
    AwaitStandby,
    /// Nothing, until the pod made last answers.
    AwaitRollout,
    /// The claim of one more instance is made.
    Claim(u32),
    /// The pod of an instance with a claim is made.
    Start(u32),
    /// A pod is replaced by one as the cluster wants it now.
    Replace(u32),
    /// An instance goes, with its volume.
    Remove(u32),
}

impl Deed {
    /// What a cluster says while this is to be done. That instances go is no phase of their cluster's.
    pub(super) fn doing(self) -> Doing {
        match self {
            Self::Rest | Self::Remove(_) => Doing::Running,
            Self::AwaitStandby | Self::Claim(_) | Self::Start(_) => Doing::AddingInstance,
            Self::AwaitRollout | Self::Replace(_) => Doing::Upgrading,
        }
    }
}

impl Instances {
    /// What is there, without what is on its way out, and what is left of a namesake.
    pub(super) async fn of(client: &Client, cluster: &Cluster) -> Result<Self, kube::Error> {
        let labelled = ListParams::default().labels(&format!("{LABEL}={}", cluster.name_any()));
        let claims = namespaced::<PersistentVolumeClaim>(client, cluster).list(&labelled).await?;
        let pods = namespaced::<Pod>(client, cluster).list(&labelled).await?;
        Ok(Self { pods: numbered(pods.items, cluster), claims: numbered(claims.items, cluster) })
    }

    /// What is next to make these what their cluster wants. `is_due` says whether what began then, and usually takes so
    /// long, is done.
    pub(super) fn next(&self, cluster: &Cluster, is_due: impl Fn(Option<&Time>, Duration) -> bool) -> Deed {
        let instances = cluster.spec.instances;
        if let Some(number) = (1..=instances).find(|number| !self.pods.contains_key(number)) {
            return match self.claims.get(&number) {
                None => Deed::Claim(number),
                Some(claim) if is_due(claim.meta().creation_timestamp.as_ref(), JOINING) => Deed::Start(number),
                Some(_) => Deed::AwaitStandby,
            };
        }
        // internal/controller/replicas.go, `findDeletableInstance`: the one made last.
        let last = self.pods.keys().chain(self.claims.keys()).max().copied();
        if let Some(number) = last.filter(|number| *number > instances) {
            return Deed::Remove(number);
        }
        // internal/controller/cluster_upgrade.go, `rolloutRequiredInstances`: standbys first. Its primary hands over
        // to a standby then; here the first instance is always the primary.
        let wanted = pod_spec(cluster).to_string();
        let is_outdated = |pod: &Pod| pod.annotations().get(POD_SPEC) != Some(&wanted);
        let Some((number, _)) = self.pods.iter().rev().find(|(_, pod)| is_outdated(pod)) else { return Deed::Rest };
        let youngest = self.pods.values().filter_map(|pod| pod.meta().creation_timestamp.as_ref()).max();
        if is_due(youngest, ROLLING) { Deed::Replace(*number) } else { Deed::AwaitRollout }
    }

    /// Does the deed. False where there is nothing to do, or it did not come about.
    pub(super) async fn perform(
        &mut self,
        client: &Client,
        cluster: &Cluster,
        deed: Deed,
    ) -> Result<bool, kube::Error> {
        match deed {
            Deed::Rest | Deed::AwaitStandby | Deed::AwaitRollout => return Ok(false),
            Deed::Claim(number) => {
                let body = claim(cluster, number)?;
                let answer = namespaced(client, cluster).create(&PostParams::default(), &body).await;
                let Some(made) = made(answer)? else { return Ok(false) };
                self.claims.insert(number, made);
            }
            Deed::Start(number) => return self.start(client, cluster, number).await,
            Deed::Replace(number) => {
                self.stop(client, cluster, number).await?;
                return self.start(client, cluster, number).await;
            }
            Deed::Remove(number) => {
                let name = instance_name(cluster, number);
                let claims = namespaced::<PersistentVolumeClaim>(client, cluster);
                unless_overtaken(claims.delete(&name, &DeleteParams::default()).await)?;
                self.claims.remove(&number);
                self.stop(client, cluster, number).await?;
            }
        }
        Ok(true)
    }

    /// `pkg/reconciler/hibernation/reconciler.go`, `reconcileDeletePods`.
    pub(super) async fn stop_all(&mut self, client: &Client, cluster: &Cluster) -> Result<(), kube::Error> {
        let numbers: Vec<u32> = self.pods.keys().copied().collect();
        for number in numbers {
            self.stop(client, cluster, number).await?;
        }
        Ok(())
    }

    /// The claims of a cluster that is being set up: of all instances at once.
    pub(super) async fn claim_all(&mut self, client: &Client, cluster: &Cluster) -> Result<(), kube::Error> {
        for number in 1..=cluster.spec.instances {
            if !self.claims.contains_key(&number) {
                self.perform(client, cluster, Deed::Claim(number)).await?;
            }
        }
        Ok(())
    }

    /// `pkg/reconciler/persistentvolumeclaim/existing.go`, `reconcilePVCQuantity`. Kubernetes lets only bound claims
    /// grow; where their class lets none, the engine gets no further.
    pub(super) async fn grow(&self, client: &Client, cluster: &Cluster) -> Result<(), kube::Error> {
        let Some(size) = cluster.spec.storage.size.as_deref() else { return Ok(()) };
        let claims = namespaced::<PersistentVolumeClaim>(client, cluster);
        for claim in self.claims.values().filter(|claim| is_bound(claim) && is_smaller(claim, size)) {
            let grown = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": size}}}}));
            unless_overtaken(claims.patch(&claim.name_any(), &PatchParams::default(), &grown).await)?;
        }
        Ok(())
    }

    async fn start(&mut self, client: &Client, cluster: &Cluster, number: u32) -> Result<bool, kube::Error> {
        let body = pod(cluster, number)?;
        let answer = namespaced(client, cluster).create(&PostParams::default(), &body).await;
        let Some(made) = made(answer)? else { return Ok(false) };
        self.pods.insert(number, made);
        Ok(true)
    }

    async fn stop(&mut self, client: &Client, cluster: &Cluster, number: u32) -> Result<(), kube::Error> {
        self.pods.remove(&number);
        let name = instance_name(cluster, number);
        unless_overtaken(namespaced::<Pod>(client, cluster).delete(&name, &DeleteParams::default()).await)
    }
}

/// Objects beside a cluster.
fn namespaced<K>(client: &Client, cluster: &Cluster) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), &cluster.namespace().unwrap_or_default())
}

/// Nothing where somebody was faster.
fn made<K>(answer: Result<K, kube::Error>) -> Result<Option<K>, kube::Error> {
    match answer {
        Ok(made) => Ok(Some(made)),
        refused => unless_overtaken(refused).map(|()| None),
    }
}

/// `pkg/specs/pods.go`, `GetInstanceName`.
fn instance_name(cluster: &Cluster, number: u32) -> String {
    format!("{}-{number}", cluster.name_any())
}

fn numbered<K: kube::Resource>(objects: Vec<K>, cluster: &Cluster) -> BTreeMap<u32, K> {
    let prefix = format!("{}-", cluster.name_any());
    let number = |object: &K| object.name_any().strip_prefix(&prefix)?.parse::<u32>().ok();
    let uid = cluster.meta().uid.as_ref();
    let is_its = |object: &K| object.owner_references().iter().any(|owner| Some(&owner.uid) == uid);
    let stays = |object: &K| object.meta().deletion_timestamp.is_none() && is_its(object);
    objects.into_iter().filter(stays).filter_map(|object| Some((number(&object)?, object))).collect()
}

fn is_bound(claim: &PersistentVolumeClaim) -> bool {
    claim.status.as_ref().is_some_and(|status| status.phase.as_deref() == Some("Bound"))
}

fn is_smaller(claim: &PersistentVolumeClaim, size: &str) -> bool {
    let requested = || claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get("storage");
    let requested = requested().and_then(|requested| mebibytes(&requested.0));
    matches!((requested, mebibytes(size)), (Some(requested), Some(size)) if requested < size)
}

/// A size in whole Mi, as it is asked for or as the API server writes it.
fn mebibytes(size: &str) -> Option<u64> {
    let units = [("Mi", 1), ("Gi", 1 << 10), ("Ti", 1 << 20), ("Pi", 1 << 30)];
    units.into_iter().find_map(|(unit, factor)| size.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(factor))
}

/// `pkg/specs/pods.go`, `buildInstance`.
fn pod(cluster: &Cluster, number: u32) -> Result<Pod, kube::Error> {
    let (name, spec) = (instance_name(cluster, number), pod_spec(cluster));
    let mut labels = cluster.spec.inherited_metadata.labels.clone();
    let role = if number == 1 { "primary" } else { "replica" };
    for (label, value) in [
        (LABEL, cluster.name_any().as_str()),
        ("cnpg.io/instanceName", name.as_str()),
        ("cnpg.io/podRole", "instance"),
        ("cnpg.io/instanceRole", role),
    ] {
        labels.insert(label.to_owned(), value.into());
    }
    let body = json!({
        "metadata": {
            "name": name, "namespace": cluster.namespace(), "labels": labels,
            "annotations": {(POD_SPEC): spec.to_string()},
            "ownerReferences": [cluster.controller_owner_ref(&resource())],
        },
        "spec": spec,
    });
    serde_json::from_value(body).map_err(kube::Error::SerdeError)
}

/// `pkg/specs/pods.go`, `createClusterPodSpec` and `GetPodSecurityContext`; `pkg/specs/containers.go`,
/// `GetSecurityContext`.
fn pod_spec(cluster: &Cluster) -> Value {
    json!({
        "schedulingGates": [{"name": GATE}],
        "automountServiceAccountToken": false,
        "securityContext": {
            "runAsUser": 26, "runAsGroup": 26, "fsGroup": 26, "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "postgres", "image": cluster.spec.image_name, "resources": cluster.spec.resources,
            "securityContext": {
                "capabilities": {"drop": ["ALL"]}, "privileged": false, "runAsNonRoot": true,
                "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            },
        }],
    })
}

/// `pkg/reconciler/persistentvolumeclaim/build.go`, `Build`.
fn claim(cluster: &Cluster, number: u32) -> Result<PersistentVolumeClaim, kube::Error> {
    let (name, storage) = (instance_name(cluster, number), &cluster.spec.storage);
    let mut labels = cluster.spec.inherited_metadata.labels.clone();
    labels.insert(LABEL.into(), cluster.name_any().into());
    labels.insert("cnpg.io/instanceName".into(), name.as_str().into());
    let body = json!({
        "metadata": {
            "name": name, "namespace": cluster.namespace(), "labels": labels,
            "ownerReferences": [cluster.controller_owner_ref(&resource())],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": storage.storage_class,
            "resources": {"requests": {"storage": storage.size}},
        },
    });
    serde_json::from_value(body).map_err(kube::Error::SerdeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(instances: u32, cores: &str) -> Cluster {
        serde_json::from_value(json!({
            "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster",
            "metadata": {"name": "pg", "namespace": "engine-tax", "uid": "0-1"},
            "spec": {
                "instances": instances, "imageName": "registry.example/postgresql:17.6",
                "storage": {"size": "20480Mi", "storageClass": "standard"},
                "resources": {"requests": {"cpu": cores, "memory": "8192Mi"}},
                "inheritedMetadata": {"labels": {"jiyun.io/claim": "claim-1.book"}},
            },
        }))
        .expect("a cluster")
    }

    /// Pods and claims of these numbers, made for `cluster`.
    fn there(cluster: &Cluster, pods: &[u32], claims: &[u32]) -> Instances {
        Instances {
            pods: pods.iter().map(|number| (*number, pod(cluster, *number).expect("a pod"))).collect(),
            claims: claims.iter().map(|number| (*number, claim(cluster, *number).expect("a claim"))).collect(),
        }
    }

    fn due(_: Option<&Time>, _: Duration) -> bool {
        true
    }

    fn early(_: Option<&Time>, _: Duration) -> bool {
        false
    }

    #[test]
    fn an_instance_that_is_wanted_gets_a_claim_and_after_its_time_a_pod() {
        let wanted = cluster(3, "2");
        assert_eq!(there(&wanted, &[1, 2], &[1, 2]).next(&wanted, due), Deed::Claim(3));
        assert_eq!(there(&wanted, &[1, 2], &[1, 2, 3]).next(&wanted, early), Deed::AwaitStandby);
        assert_eq!(there(&wanted, &[1, 2], &[1, 2, 3]).next(&wanted, due), Deed::Start(3));
        assert_eq!(there(&wanted, &[1, 2, 3], &[1, 2, 3]).next(&wanted, early), Deed::Rest);
    }

    #[test]
    fn the_instances_made_last_go_first_also_while_none_runs() {
        let wanted = cluster(1, "2");
        assert_eq!(there(&wanted, &[1, 2, 3], &[1, 2, 3]).next(&wanted, due), Deed::Remove(3));
        assert_eq!(there(&wanted, &[1], &[1, 2]).next(&wanted, due), Deed::Remove(2));
        assert_eq!(there(&wanted, &[], &[1, 2]).next(&wanted, due), Deed::Start(1));
    }

    #[test]
    fn pods_of_another_size_are_replaced_one_after_the_other_and_the_primary_last() {
        let (before, wanted) = (cluster(3, "2"), cluster(3, "8"));
        let mut found = there(&before, &[1, 2, 3], &[1, 2, 3]);
        assert_eq!(found.next(&wanted, early), Deed::AwaitRollout);
        for number in [3, 2, 1] {
            assert_eq!(found.next(&wanted, due), Deed::Replace(number));
            found.pods.insert(number, pod(&wanted, number).expect("a pod"));
        }
        assert_eq!(found.next(&wanted, due), Deed::Rest);
    }

    #[test]
    fn a_claim_grows_and_does_not_shrink_whatever_the_unit() {
        let claim = claim(&cluster(1, "2"), 1).expect("a claim");
        for size in ["20481Mi", "21Gi", "1Ti"] {
            assert!(is_smaller(&claim, size), "{size}");
        }
        for size in ["20480Mi", "20Gi", "10Gi", "much"] {
            assert!(!is_smaller(&claim, size), "{size}");
        }
    }

    #[test]
    fn a_pod_can_be_told_from_those_of_others_and_has_what_the_cluster_says() {
        let pod = serde_json::to_value(pod(&cluster(2, "2"), 2).expect("a pod")).expect("JSON");
        let labels = &pod["metadata"]["labels"];
        assert_eq!((&labels[LABEL], &labels["jiyun.io/claim"]), (&json!("pg"), &json!("claim-1.book")));
        assert_eq!(labels["cnpg.io/instanceRole"], "replica");
        assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "2");
        assert_eq!(pod["metadata"]["ownerReferences"][0]["uid"], "0-1");
    }
}
