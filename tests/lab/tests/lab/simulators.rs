//! Simulated engines, seen as a controller sees them: through the engines' own kinds.

#[path = "plugs.rs"]
mod plugs;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use jiyun_lab::simulate::{Fault, Pace};
use jiyun_lab::{Lab, LabOptions, wait_for};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);

const AUDIT: &str = "audit.log";

async fn lab() -> &'static Lab {
    let lab = Lab::shared_with(|| LabOptions::default().charts(false).kube_ovn().audit(AUDIT));
    lab.await.expect("the lab starts")
}

/// One namespace of engines' objects.
struct Site {
    machines: Api<DynamicObject>,
    instances: Api<DynamicObject>,
    disks: Api<DynamicObject>,
}

impl Site {
    async fn new(lab: &Lab) -> Self {
        let (client, namespace) = (lab.client().await.expect("client"), lab.namespace().await.expect("namespace"));
        let machine = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachine"));
        let instance = ApiResource::from_gvk(&GroupVersionKind::gvk("kubevirt.io", "v1", "VirtualMachineInstance"));
        let disk = ApiResource::from_gvk(&GroupVersionKind::gvk("cdi.kubevirt.io", "v1beta1", "DataVolume"));
        Self {
            machines: Api::namespaced_with(client.clone(), &namespace, &machine),
            instances: Api::namespaced_with(client.clone(), &namespace, &instance),
            disks: Api::namespaced_with(client, &namespace, &disk),
        }
    }

    async fn create_disk(&self, name: &str) {
        let disk = json!({
            "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": name},
            "spec": {
                "source": {"http": {"url": "http://images.example/u.qcow2"}},
                "storage": {"resources": {"requests": {"storage": "20Gi"}}},
            },
        });
        apply(&self.disks, name, &disk).await;
    }

    async fn create_machine(&self, name: &str, strategy: &str) {
        let machine = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name},
            "spec": {
                "runStrategy": strategy,
                "template": {"spec": {
                    "domain": {"cpu": {"cores": 2}, "memory": {"guest": "4Gi"}, "devices": {}},
                    "volumes": [{"name": "system", "dataVolume": {"name": format!("{name}-system")}}],
                }},
            },
        });
        apply(&self.machines, name, &machine).await;
    }

    async fn create_host(&self, name: &str, strategy: &str) {
        self.create_disk(&format!("{name}-system")).await;
        self.create_machine(name, strategy).await;
    }

    async fn machine(&self, name: &str, state: &str) -> Value {
        reach(&self.machines, name, "printableStatus", state).await
    }

    async fn disk(&self, name: &str, phase: &str) -> Value {
        reach(&self.disks, name, "phase", phase).await
    }
}

async fn apply(api: &Api<DynamicObject>, name: &str, object: &Value) {
    // Strict: a field the engine's definition does not know is an error, as in the product.
    let parameters = PatchParams { force: true, ..PatchParams::apply("test").validation_strict() };
    api.patch(name, &parameters, &Patch::Apply(object)).await.expect("applies");
}

/// Waits until the field of the status has the value and returns the status.
async fn reach(api: &Api<DynamicObject>, name: &str, field: &str, value: &str) -> Value {
    wait_for(format!("{field} of {name} to be {value}"), DEADLINE, || async {
        let object = api.get(name).await.map_err(|error| error.to_string())?;
        let status = object.data.get("status").cloned().unwrap_or_default();
        if status[field] == value { Ok(status) } else { Err(status.to_string()) }
    })
    .await
    .expect("in time")
}

fn ready(status: &Value) -> &str {
    let conditions = status["conditions"].as_array().expect("conditions");
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready").expect("Ready");
    ready["status"].as_str().expect("status")
}

#[tokio::test]
async fn at_full_speed_a_host_costs_one_status_write_per_machine_and_one_per_disk() {
    let lab = lab().await;
    let site = Site::new(lab).await;
    let names: Vec<String> = (0..20).map(|number| format!("count-{number}")).collect();
    for name in &names {
        site.create_host(name, "Always").await;
    }
    for name in &names {
        let machine = site.machine(name, "Running").await;
        assert_eq!((ready(&machine), &machine["ready"], &machine["created"]), ("True", &json!(true), &json!(true)));
        assert!(machine["conditions"][0]["message"].as_str().expect("message").contains("simulated"));
        let disk = site.disk(&format!("{name}-system"), "Succeeded").await;
        assert_eq!((ready(&disk), disk["progress"].as_str()), ("True", Some("100.0%")));
    }
    let audit = std::fs::read_to_string(lab.folder().join(AUDIT)).expect("audit log");
    let writes = |resource: &str| {
        let events = audit.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        events
            .filter(|event| {
                let object = &event["objectRef"];
                object["resource"] == resource
                    && object["subresource"] == "status"
                    && object["name"].as_str().is_some_and(|name| name.starts_with("count-"))
            })
            .count()
    };
    assert_eq!((writes("virtualmachines"), writes("datavolumes")), (names.len(), names.len()));
}

#[tokio::test]
async fn a_machine_waits_for_its_disk_and_stops_and_starts_as_told() {
    let lab = lab().await;
    let site = Site::new(lab).await;
    lab.faults().set(Fault::NeverReady, "patient-system");
    site.create_host("patient", "Always").await;
    let disk = site.disk("patient-system", "ImportInProgress").await;
    assert_eq!((ready(&disk), disk["progress"].as_str()), ("False", Some("42.0%")));
    assert_eq!(ready(&site.machine("patient", "Provisioning").await), "False");
    lab.faults().clear(Fault::NeverReady, "patient-system");
    site.machine("patient", "Running").await;

    for (strategy, state) in [("Halted", "Stopped"), ("Always", "Running")] {
        site.create_machine("patient", strategy).await;
        let machine = site.machine("patient", state).await;
        assert_eq!(machine["created"], json!(strategy == "Always"));
    }

    // A restart, as virt-api asks for it: stop what runs, then start.
    let requests = json!({"status": {"stateChangeRequests": [{"action": "Stop"}, {"action": "Start"}]}});
    site.machines.patch_status("patient", &PatchParams::default(), &Patch::Merge(&requests)).await.expect("asks");
    wait_for("the restart to be done", DEADLINE, || async {
        let machine = site.machines.get("patient").await.map_err(|error| error.to_string())?;
        let status = machine.data["status"].clone();
        let asked = status["stateChangeRequests"].as_array().is_some_and(|requests| !requests.is_empty());
        if !asked && status["printableStatus"] == "Running" { Ok(()) } else { Err(status.to_string()) }
    })
    .await
    .expect("restarted");
}

#[tokio::test]
async fn a_halted_machine_is_stopped_and_its_disk_is_imported_all_the_same() {
    let site = Site::new(lab().await).await;
    site.create_host("idle", "Halted").await;
    assert_eq!(ready(&site.machine("idle", "Stopped").await), "False");
    site.disk("idle-system", "Succeeded").await;
}

#[tokio::test]
async fn a_machine_makes_the_disks_of_its_templates() {
    let site = Site::new(lab().await).await;
    let machine = json!({
        "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "maker"},
        "spec": {
            "runStrategy": "Always",
            "dataVolumeTemplates": [{
                "metadata": {"name": "maker-data"},
                "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "1Gi"}}}},
            }],
            "template": {"spec": {
                "domain": {"devices": {}},
                "volumes": [{"name": "data", "dataVolume": {"name": "maker-data"}}],
            }},
        },
    });
    apply(&site.machines, "maker", &machine).await;
    site.machine("maker", "Running").await;
    let disk = site.disks.get("maker-data").await.expect("made");
    let owner = &disk.metadata.owner_references.expect("owned")[0];
    assert_eq!((owner.kind.as_str(), owner.name.as_str()), ("VirtualMachine", "maker"));
}

#[tokio::test]
async fn faults_show_as_the_engine_would_show_them_and_end_when_cleared() {
    let lab = lab().await;
    let site = Site::new(lab).await;
    let faults = lab.faults();
    for (fault, name) in [
        (Fault::ImportFails, "failing-system"),
        (Fault::Full, "full*"),
        (Fault::Lost, "lost-system"),
        (Fault::NeverReady, "dull"),
    ] {
        faults.set(fault, name);
    }
    for name in ["failing", "full", "lost", "dull"] {
        site.create_host(name, "Always").await;
    }
    wait_for("three tries of the import", DEADLINE, || async {
        let disk = site.disks.get("failing-system").await.map_err(|error| error.to_string())?;
        let status = disk.data.get("status").cloned().unwrap_or_default();
        if status["restartCount"] == 3 && status["phase"] == "ImportInProgress" {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })
    .await
    .expect("tried");
    site.disk("full-system", "Pending").await;
    site.disk("lost-system", "Failed").await;
    site.machine("lost", "DataVolumeError").await;
    assert_eq!(ready(&site.machine("dull", "Starting").await), "False");

    for (fault, name) in [
        (Fault::ImportFails, "failing-system"),
        (Fault::Full, "full*"),
        (Fault::Lost, "lost-system"),
        (Fault::NeverReady, "dull"),
    ] {
        faults.clear(fault, name);
    }
    for name in ["failing", "full", "lost", "dull"] {
        site.machine(name, "Running").await;
    }
    faults.set(Fault::Lost, "dull");
    site.machine("dull", "Unknown").await;
    faults.clear(Fault::Lost, "dull");
    site.machine("dull", "Running").await;
}

#[tokio::test]
async fn a_flapping_machine_is_ready_and_not_ready_in_turns() {
    let lab = lab().await;
    let site = Site::new(lab).await;
    site.create_host("flapper", "Always").await;
    site.machine("flapper", "Running").await;
    lab.faults().set(Fault::Flapping, "flapper");
    for expected in [false, true, false] {
        wait_for(format!("ready to become {expected}"), DEADLINE, || async {
            let machine = site.machines.get("flapper").await.map_err(|error| error.to_string())?;
            let status = machine.data["status"].clone();
            if status["ready"] == expected { Ok(()) } else { Err(status.to_string()) }
        })
        .await
        .expect("turns");
    }
    lab.faults().clear(Fault::Flapping, "flapper");
    wait_for("the machine to stay ready", DEADLINE, || async {
        let machine = site.machines.get("flapper").await.map_err(|error| error.to_string())?;
        if machine.data["status"]["ready"] == true { Ok(()) } else { Err("not ready".to_owned()) }
    })
    .await
    .expect("ready");
}

#[tokio::test]
async fn at_a_pace_of_their_own_engines_pass_through_their_states() {
    // A fifth of the usual time: slow enough to see each state, short enough to wait for.
    let options = LabOptions::default().charts(false).pace(Pace::percent(20));
    let lab = Lab::start(options).await.expect("starts");
    let site = Site::new(&lab).await;
    // Watched, and not looked at now and then: on a busy machine a state may pass between two looks.
    let seen = Arc::new(Mutex::new(Vec::<String>::new()));
    for (objects, fields) in [(&site.disks, ["phase", "progress"].as_slice()), (&site.machines, &["printableStatus"])] {
        let events = objects.watch(&WatchParams::default(), "0").await.expect("watches");
        let seen = Arc::clone(&seen);
        tokio::spawn(events.for_each(move |event| {
            if let Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) = event {
                let state = |field: &&str| Some(object.data.get("status")?.get(*field)?.as_str()?.to_owned());
                seen.lock().expect("lock").extend(fields.iter().filter_map(state));
            }
            std::future::ready(())
        }));
    }
    site.create_host("walker", "Always").await;
    let runs = wait_for("the machine to run", DEADLINE, || async {
        let seen = seen.lock().expect("lock");
        if seen.iter().any(|state| state == "Running") { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    runs.await.expect("runs");
    let seen = seen.lock().expect("lock").clone();
    for expected in ["ImportScheduled", "ImportInProgress", "50.0%", "Succeeded", "Provisioning", "Starting", "Running"]
    {
        assert!(seen.iter().any(|state| state == expected), "{expected} was not seen: {seen:?}");
    }
}

#[tokio::test]
async fn a_router_stands_by_and_a_subnet_is_ready_unless_it_cannot_be_made() {
    let lab = lab().await;
    let client = lab.client().await.expect("client");
    let kind = |kind: &str| {
        Api::<DynamicObject>::all_with(
            client.clone(),
            &ApiResource::from_gvk(&GroupVersionKind::gvk("kubeovn.io", "v1", kind)),
        )
    };
    let (routers, subnets) = (kind("Vpc"), kind("Subnet"));
    let object = |kind: &str, name: &str, spec: Value| {
        json!({
            "apiVersion": "kubeovn.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
        })
    };
    let (router, broken) = (lab.unique_name("router"), lab.unique_name("broken"));
    lab.faults().set(Fault::NeverReady, &broken);
    apply(&routers, &router, &object("Vpc", &router, json!({}))).await;
    let subnet = lab.unique_name("subnet");
    for name in [&subnet, &broken] {
        let spec = json!({"vpc": router, "protocol": "IPv4", "cidrBlock": "10.64.0.0/26"});
        apply(&subnets, name, &object("Subnet", name, spec)).await;
    }
    let ready = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().find(|one| one["type"] == "Ready").and_then(|one| one["status"].as_str().map(str::to_owned))
    };
    wait_for("the router and both subnets to be told of", DEADLINE, || async {
        let found = (routers.get(&router).await, subnets.get(&subnet).await, subnets.get(&broken).await);
        let (Ok(router), Ok(subnet), Ok(broken)) = &found else { return Err(format!("{found:?}")) };
        let told = (router.data["status"]["standby"] == true, ready(subnet), ready(broken));
        if told == (true, Some("True".to_owned()), Some("False".to_owned())) {
            Ok(())
        } else {
            Err(format!("{told:?}"))
        }
    })
    .await
    .expect("simulated");
}
