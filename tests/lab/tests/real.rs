//! Profile `real`: KubeVirt's own control plane decides, a simulated node obeys.

#[path = "real/plugs.rs"]
mod plugs;
#[path = "real/snapshots.rs"]
mod snapshots;

use std::error::Error;
use std::time::Duration;

use jiyun_lab::simulate::Fault;
use jiyun_lab::{Lab, LabOptions, NotInTime, Profile, wait_for};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use serde_json::{Value, json};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const SOON: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_machine_runs_stops_starts_restarts_and_leaves_nothing_behind() -> Outcome {
    let place = Place::new().await?;
    place.machine_with_disk("web").await?;
    place.sees("web", "Running", true).await?;
    let instance = place.instances().get("web").await?;
    let address = instance.data.pointer("/status/interfaces/0/ipAddress").and_then(Value::as_str);
    assert!(address.is_some_and(|address| address.starts_with("198.18.")), "{}", instance.data["status"]);

    place.set_strategy("web", "Halted").await?;
    place.sees("web", "Stopped", false).await?;
    place.nothing_left(&place.pods()).await?;

    place.set_strategy("web", "Always").await?;
    place.sees("web", "Running", true).await?;

    let before = place.instances().get("web").await?.metadata.uid;
    place.restart("web").await?;
    wait_for("another instance", SOON, || async {
        let seen = place.instances().get("web").await.map_err(|error| error.to_string())?.metadata.uid;
        if seen == before { Err(format!("{seen:?}")) } else { Ok(()) }
    })
    .await?;
    let restarted = place.sees("web", "Running", true).await?;
    assert_eq!(restarted.data.pointer("/status/startFailure"), None, "a restart is not a crash");

    a_deleted_instance_is_followed_by_one_of_what_is_declared_by_then(&place).await?;

    place.machines().delete("web", &DeleteParams::default()).await?;
    for kind in [place.machines(), place.instances(), place.pods()] {
        place.nothing_left(&kind).await?;
    }
    assert!(place.disks().get_opt("web-system").await?.is_some(), "a disk outlives the machine that used it");
    Ok(())
}

/// What a restart does where the engine's own verb is not called: the instance is deleted, if it is the one that was read.
async fn a_deleted_instance_is_followed_by_one_of_what_is_declared_by_then(place: &Place) -> Outcome {
    let (machines, instances) = (place.machines(), place.instances());
    let more = Patch::Merge(json!({"spec": {"template": {"spec": {"domain": {"memory": {"guest": "3Gi"}}}}}}));
    machines.patch("web", &PatchParams::default(), &more).await?;
    let before = instances.get("web").await?;
    let only = Preconditions { uid: before.metadata.uid.clone(), resource_version: None };
    instances.delete("web", &DeleteParams { preconditions: Some(only), ..DeleteParams::default() }).await?;
    let after = wait_for("an instance of what is declared", SOON, || async {
        let seen = instances.get("web").await.map_err(|error| error.to_string())?;
        if seen.metadata.uid == before.metadata.uid { Err(format!("{:?}", seen.metadata)) } else { Ok(seen) }
    })
    .await?;
    assert_eq!(after.data.pointer("/spec/domain/memory/guest"), Some(&json!("3Gi")));
    let restarted = place.sees("web", "Running", true).await?;
    assert_eq!(restarted.data.pointer("/status/startFailure"), None, "a restart is not a crash");
    Ok(())
}

#[tokio::test]
async fn a_deleted_disk_takes_its_claim_and_volume_along() -> Outcome {
    let place = Place::new().await?;
    place.create(&place.disks(), disk("data", "standard")).await?;
    let claim = place.capacity("data", "20Gi").await?;
    let volume = claim.data.pointer("/spec/volumeName").and_then(Value::as_str).ok_or("the claim has no volume")?;
    place.disks().delete("data", &DeleteParams::default()).await?;
    place.nothing_left(&place.claims()).await?;
    let volumes: Api<PersistentVolume> = Api::all(place.client.clone());
    wait_for("the volume to go", SOON, || async {
        match volumes.get_opt(volume).await {
            Ok(None) => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_grown_claim_gets_its_size() -> Outcome {
    let place = Place::new().await?;
    let class = "
        apiVersion: storage.k8s.io/v1
        kind: StorageClass
        metadata: {name: growing}
        provisioner: simulated.lab.jiyun.io
        allowVolumeExpansion: true";
    place.lab.apply_text(class).await?;
    place.create(&place.disks(), disk("data", "growing")).await?;
    place.capacity("data", "20Gi").await?;
    let larger = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": "40Gi"}}}}));
    place.claims().patch("data", &PatchParams::default(), &larger).await?;
    place.capacity("data", "40Gi").await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_made_smaller_while_it_runs_waits_for_a_restart_and_says_which_generation_it_runs() -> Outcome {
    let place = Place::new().await?;
    let sized = |sockets: u64, memory: &str| json!({"cpu": {"sockets": sockets, "cores": 1, "threads": 1}, "memory": {"guest": memory}});
    let mut large = machine("resized");
    let domain = large.pointer_mut("/spec/template/spec/domain").and_then(Value::as_object_mut).ok_or("no domain")?;
    domain.extend(sized(4, "8Gi").as_object().cloned().unwrap_or_default());
    place.create(&place.disks(), disk("resized-system", "standard")).await?;
    place.create(&place.machines(), large).await?;
    place.sees("resized", "Running", true).await?;
    let told = |machine: &DynamicObject| {
        let status = &machine.data["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let restart = conditions.iter().any(|each| each["type"] == "RestartRequired" && each["status"] == "True");
        let generations = [&status["observedGeneration"], &status["desiredGeneration"]].map(Value::as_i64);
        (restart, generations.map(|seen| seen == machine.metadata.generation))
    };
    let resized = |what: &'static str, expected: (bool, [bool; 2])| {
        let machines = place.machines();
        wait_for(what, SOON, move || {
            let machines = machines.clone();
            async move {
                let machine = machines.get("resized").await.map_err(|error| error.to_string())?;
                if told(&machine) == expected { Ok(()) } else { Err(machine.data["status"].to_string()) }
            }
        })
    };
    resized("it to run as declared", (false, [true, true])).await?;

    let smaller = Patch::Merge(json!({"spec": {"template": {"spec": {"domain": sized(2, "4Gi")}}}}));
    place.machines().patch("resized", &PatchParams::default(), &smaller).await?;
    resized("a restart to be required", (true, [false, true])).await?;

    place.set_strategy("resized", "Halted").await?;
    place.sees("resized", "Stopped", false).await?;
    place.set_strategy("resized", "Always").await?;
    place.sees("resized", "Running", true).await?;
    resized("it to run as declared again", (false, [true, true])).await?;
    let instance = place.instances().get("resized").await?;
    let domain = &instance.data["spec"]["domain"];
    assert_eq!((&domain["cpu"]["sockets"], &domain["memory"]["guest"]), (&json!(2), &json!("4Gi")));
    Ok(())
}

#[tokio::test]
async fn a_wrong_machine_is_refused_by_kubevirt_itself() -> Outcome {
    let place = Place::new().await?;
    let mut wrong = machine("wrong");
    wrong["spec"]["template"]["spec"]["volumes"][0]["name"] = json!("other");
    let Err(refusal) = place.create(&place.machines(), wrong).await else { return Err("it was accepted".into()) };
    assert!(refusal.to_string().contains("Name 'root' not found"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_machine_of_another_architecture_runs_on_its_node() -> Outcome {
    let place = Place::new().await?;
    let mut arm = machine("arm");
    arm["spec"]["template"]["spec"]["architecture"] = json!("arm64");
    place.create(&place.disks(), disk("arm-system", "standard")).await?;
    place.create(&place.machines(), arm).await?;
    place.sees("arm", "Running", true).await?;
    let instance = place.instances().get("arm").await?;
    assert_eq!(instance.data.pointer("/status/nodeName"), Some(&json!("simulated-node-2")));
    Ok(())
}

#[tokio::test]
async fn the_pod_of_a_machine_is_kept_off_the_nodes_of_its_group_as_its_machine_says() -> Outcome {
    let place = Place::new().await?;
    let (mut apart, label) = (machine("apart"), "jiyun.io/anti-affinity");
    let term =
        json!({"labelSelector": {"matchLabels": {label: "portal.web"}}, "topologyKey": "kubernetes.io/hostname"});
    let kept = json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
    apart["spec"]["template"]["spec"]["affinity"] = kept.clone();
    apart["spec"]["template"]["metadata"]["labels"][label] = json!("portal.web");
    place.create(&place.disks(), disk("apart-system", "standard")).await?;
    place.create(&place.machines(), apart).await?;
    place.sees("apart", "Running", true).await?;
    let of_it = ListParams::default().labels(&format!("{label}=portal.web"));
    let pods = place.pods().list(&of_it).await?.items;
    assert_eq!(pods.len(), 1, "the others of the group find it by that label");
    let wanted = pods[0].data.pointer("/spec/affinity/podAntiAffinity").cloned().unwrap_or_default();
    assert_eq!(wanted, kept["podAntiAffinity"]);
    Ok(())
}

#[tokio::test]
async fn the_pod_of_a_machine_reads_the_secret_that_its_seed_names() -> Outcome {
    let place = Place::new().await?;
    let (mut seeded, label) = (machine("seeded"), "jiyun.io/claim");
    let template = &mut seeded["spec"]["template"];
    template["metadata"]["labels"][label] = json!("claim-1.seeded");
    let disks = template["spec"]["domain"]["devices"]["disks"].as_array_mut().ok_or("no disks")?;
    disks.push(json!({"name": "seed", "disk": {"bus": "virtio"}}));
    let volumes = template["spec"]["volumes"].as_array_mut().ok_or("no volumes")?;
    volumes.push(json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "user-data.seeded"}}}));
    place.create(&place.disks(), disk("seeded-system", "standard")).await?;
    place.create(&place.machines(), seeded).await?;
    place.sees("seeded", "Running", true).await?;
    let pods = place.pods().list(&ListParams::default().labels(&format!("{label}=claim-1.seeded"))).await?.items;
    let volumes = pods[0].data.pointer("/spec/volumes").and_then(Value::as_array).ok_or("a pod without volumes")?;
    let of_secret = |volume: &&Value| volume.pointer("/secret/secretName") == Some(&json!("user-data.seeded"));
    assert_eq!(volumes.iter().filter(of_secret).count(), 1, "{volumes:?}");
    Ok(())
}

#[tokio::test]
async fn a_machine_without_room_says_so_and_runs_when_there_is_room() -> Outcome {
    let place = Place::new().await?;
    place.lab.faults().set(Fault::Full, "crowded");
    place.machine_with_disk("crowded").await?;
    place.sees("crowded", "ErrorUnschedulable", false).await?;
    place.lab.faults().clear(Fault::Full, "crowded");
    place.sees("crowded", "Running", true).await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_on_a_lost_node_is_not_ready_until_the_node_is_back() -> Outcome {
    let place = Place::new().await?;
    place.machine_with_disk("far").await?;
    place.sees("far", "Running", true).await?;
    place.lab.faults().set(Fault::Lost, "far");
    place.sees("far", "Running", false).await?;
    place.lab.faults().clear(Fault::Lost, "far");
    place.sees("far", "Running", true).await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_that_is_never_ready_stays_starting() -> Outcome {
    let place = Place::new().await?;
    place.lab.faults().set(Fault::NeverReady, "stuck");
    place.machine_with_disk("stuck").await?;
    wait_for("the instance to be the node's", SOON, || async {
        match place.instances().get("stuck").await {
            Ok(instance) if instance.data["status"]["phase"] == "Scheduled" => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await?;
    place.sees("stuck", "Starting", false).await?;
    place.lab.faults().clear(Fault::NeverReady, "stuck");
    place.sees("stuck", "Running", true).await?;
    Ok(())
}

#[tokio::test]
async fn a_slow_machine_is_seen_starting_and_stopping() -> Outcome {
    let place = Place::new().await?;
    place.lab.faults().set(Fault::Slow, "slow");
    place.machine_with_disk("slow").await?;
    place.sees("slow", "Starting", false).await?;
    place.sees("slow", "Running", true).await?;
    place.set_strategy("slow", "Halted").await?;
    place.sees("slow", "Stopping", false).await?;
    place.sees("slow", "Stopped", false).await?;
    Ok(())
}

/// A namespace of the lab all tests share.
struct Place {
    lab: &'static Lab,
    namespace: String,
    client: Client,
}

impl Place {
    async fn new() -> Outcome<Self> {
        let options = || LabOptions::default().profile(Profile::Real).charts(false);
        let lab = Box::pin(Lab::shared_with(options)).await?;
        Ok(Self { lab, namespace: lab.namespace().await?, client: lab.client().await? })
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    fn machines(&self) -> Api<DynamicObject> {
        self.api("kubevirt.io", "v1", "VirtualMachine")
    }

    fn instances(&self) -> Api<DynamicObject> {
        self.api("kubevirt.io", "v1", "VirtualMachineInstance")
    }

    fn disks(&self) -> Api<DynamicObject> {
        self.api("cdi.kubevirt.io", "v1beta1", "DataVolume")
    }

    fn pods(&self) -> Api<DynamicObject> {
        self.api("", "v1", "Pod")
    }

    fn claims(&self) -> Api<DynamicObject> {
        self.api("", "v1", "PersistentVolumeClaim")
    }

    async fn create(&self, kind: &Api<DynamicObject>, object: Value) -> Outcome<DynamicObject> {
        Ok(kind.create(&PostParams::default(), &serde_json::from_value(object)?).await?)
    }

    async fn machine_with_disk(&self, name: &str) -> Outcome {
        self.create(&self.disks(), disk(&format!("{name}-system"), "standard")).await?;
        self.create(&self.machines(), machine(name)).await?;
        Ok(())
    }

    async fn set_strategy(&self, name: &str, strategy: &str) -> Outcome {
        let patch = Patch::Merge(json!({"spec": {"runStrategy": strategy}}));
        self.machines().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn restart(&self, name: &str) -> Outcome {
        let machines = format!("/apis/subresources.kubevirt.io/v1/namespaces/{}/virtualmachines", self.namespace);
        let request = http::Request::put(format!("{machines}/{name}/restart")).body(b"{}".to_vec())?;
        self.client.request_text(request).await?;
        Ok(())
    }

    async fn sees(&self, name: &str, state: &str, ready: bool) -> Result<DynamicObject, NotInTime> {
        let machines = self.machines();
        wait_for(format!("{name} to be {state}, ready: {ready}"), SOON, || async {
            let machine = machines.get(name).await.map_err(|error| error.to_string())?;
            let status = &machine.data["status"];
            let matches = status["printableStatus"] == state && status["ready"].as_bool().unwrap_or(false) == ready;
            if matches { Ok(machine) } else { Err(status.to_string()) }
        })
        .await
    }

    async fn capacity(&self, claim: &str, size: &str) -> Result<DynamicObject, NotInTime> {
        let claims = self.claims();
        wait_for(format!("{claim} to hold {size}"), SOON, || async {
            let claim = claims.get(claim).await.map_err(|error| error.to_string())?;
            let status = &claim.data["status"];
            if status["capacity"]["storage"] == size { Ok(claim) } else { Err(status.to_string()) }
        })
        .await
    }

    async fn nothing_left(&self, kind: &Api<DynamicObject>) -> Result<(), NotInTime> {
        wait_for(format!("the last of {} to go", kind.resource_url()), SOON, || async {
            let left = kind.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
            left.items.first().map_or(Ok(()), |object| Err(format!("{object:?}")))
        })
        .await
    }
}

fn disk(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {
            "source": {"http": {"url": "http://images.invalid/image.qcow2"}},
            "storage": {"storageClassName": class, "resources": {"requests": {"storage": "20Gi"}}},
        },
    })
}

fn machine(name: &str) -> Value {
    json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name},
        "spec": {"runStrategy": "Always", "template": {"spec": {
            "domain": {
                "cpu": {"cores": 2},
                "memory": {"guest": "4Gi"},
                "devices": {
                    "disks": [{"name": "root", "disk": {"bus": "virtio"}}],
                    "interfaces": [{"name": "default", "masquerade": {}}],
                },
            },
            "networks": [{"name": "default", "pod": {}}],
            "volumes": [{"name": "root", "dataVolume": {"name": format!("{name}-system")}}],
        }}},
    })
}
