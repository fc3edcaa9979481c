//! Instances, and the volumes that machines take on and give up while they run.

use jiyun_lab::simulate::Fault;
use jiyun_lab::{Lab, LabOptions, wait_for};
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::{DEADLINE, Site, apply};

/// A lab where machines that run have instances.
async fn lab() -> &'static Lab {
    static LAB: OnceCell<Lab> = OnceCell::const_new();
    let begin = || Lab::start(LabOptions::default().charts(false).instances());
    LAB.get_or_try_init(begin).await.expect("the lab starts")
}

impl Site {
    /// Declares the machine `name`, which runs or not, with its system disk and these volumes.
    async fn declare(&self, name: &str, strategy: &str, data: &[&str]) {
        let mut volumes = vec![json!({"name": "system", "dataVolume": {"name": format!("{name}-system")}})];
        let mut disks = vec![json!({"name": "system", "disk": {"bus": "virtio"}})];
        for volume in data {
            volumes.push(json!({"name": volume, "persistentVolumeClaim": {"claimName": volume, "hotpluggable": true}}));
            disks.push(json!({"name": volume, "serial": volume, "disk": {"bus": "scsi"}}));
        }
        let machine = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": name},
            "spec": {
                "runStrategy": strategy,
                "template": {
                    "metadata": {"labels": {"of": name}},
                    "spec": {
                        "domain": {"cpu": {"cores": 2}, "memory": {"guest": "4Gi"}, "devices": {"disks": disks}},
                        "volumes": volumes,
                    },
                },
            },
        });
        apply(&self.machines, name, &machine).await;
    }

    /// Waits until the instance of `name` lists these volumes beside its system disk, and their disks, and has given its guest
    /// the volumes of `given`.
    async fn lists(&self, name: &str, expected: &[&str], given: &[&str]) -> DynamicObject {
        let expected: Vec<_> = std::iter::once("system").chain(expected.iter().copied()).collect();
        wait_for(format!("the instance {name} to list {expected:?} and have {given:?}"), DEADLINE, || async {
            let instance = self.instances.get(name).await.map_err(|error| error.to_string())?;
            let (spec, status) = (&instance.data["spec"], &instance.data["status"]);
            let (volumes, disks) = (names(&spec["volumes"]), names(&spec["domain"]["devices"]["disks"]));
            let told = names(&status["volumeStatus"]);
            let is_so = volumes == expected && disks == expected && told == given;
            if is_so { Ok(instance) } else { Err(format!("{volumes:?} {disks:?} {told:?}")) }
        })
        .await
        .expect("in time")
    }

    /// Waits until the machine's status is of the generation it has now.
    async fn looked_at(&self, name: &str) -> Value {
        wait_for(format!("{name} to be looked at"), DEADLINE, || async {
            let machine = self.machines.get(name).await.map_err(|error| error.to_string())?;
            let status = machine.data["status"].clone();
            let seen = status["desiredGeneration"].as_i64();
            if seen == machine.metadata.generation { Ok(status) } else { Err(status.to_string()) }
        })
        .await
        .expect("in time")
    }

    /// Stops the machine and starts it again, with these volumes.
    async fn restart(&self, name: &str, data: &[&str]) {
        self.declare(name, "Halted", data).await;
        self.machine(name, "Stopped").await;
        let left = self.instances.list(&ListParams::default()).await.expect("instances");
        assert!(left.items.is_empty(), "what is said to be off has no instance");
        self.declare(name, "Always", data).await;
        self.machine(name, "Running").await;
    }
}

fn names(items: &Value) -> Vec<String> {
    let items = items.as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_running_machine_takes_on_a_volume_and_gives_it_up() {
    let site = Site::new(lab().await).await;
    site.create_disk("web-system").await;
    site.declare("web", "Always", &[]).await;
    site.machine("web", "Running").await;
    let made = site.lists("web", &[], &[]).await;
    assert_eq!(made.metadata.owner_references.expect("owned")[0].name, "web");
    assert_eq!(made.metadata.labels.expect("labelled")["of"], "web");

    site.declare("web", "Always", &["data"]).await;
    let instance = site.lists("web", &["data"], &["data"]).await;
    assert_eq!(instance.data["spec"]["domain"]["devices"]["disks"][1]["serial"], "data");
    assert_eq!(instance.data["status"]["volumeStatus"][0]["phase"], "Ready");
    let status = site.looked_at("web").await;
    assert_ne!(status["observedGeneration"], status["desiredGeneration"], "what was added does not count as observed");

    site.declare("web", "Always", &["logs"]).await;
    site.lists("web", &["logs"], &["logs"]).await;
    site.declare("web", "Always", &[]).await;
    site.lists("web", &[], &[]).await;
    let status = site.looked_at("web").await;
    assert_eq!(status["observedGeneration"], status["desiredGeneration"], "it is again as it was started");

    site.restart("web", &["data", "logs"]).await;
    site.lists("web", &["data", "logs"], &["data", "logs"]).await;
}

#[tokio::test]
async fn where_nothing_can_be_plugged_an_instance_stays_as_it_was_started_and_nobody_asks_for_a_restart() {
    let site = Site::new(lab().await).await;
    lab().await.faults().set(Fault::NoHotplug, "fixed");
    site.create_disk("fixed-system").await;
    site.declare("fixed", "Always", &["data"]).await;
    site.lists("fixed", &["data"], &["data"]).await;
    site.machine("fixed", "Running").await;

    site.declare("fixed", "Always", &["data", "logs"]).await;
    let status = site.looked_at("fixed").await;
    assert_ne!(status["observedGeneration"], status["desiredGeneration"]);
    let conditions = status["conditions"].as_array().expect("conditions");
    assert!(conditions.iter().all(|condition| condition["type"] != "RestartRequired"), "{status}");
    site.lists("fixed", &["data"], &["data"]).await;
    site.restart("fixed", &["data", "logs"]).await;
    site.lists("fixed", &["data", "logs"], &["data", "logs"]).await;

    site.declare("fixed", "Always", &["logs"]).await;
    site.looked_at("fixed").await;
    site.lists("fixed", &["data", "logs"], &["data", "logs"]).await;
    site.restart("fixed", &["logs"]).await;
    site.lists("fixed", &["logs"], &["logs"]).await;
}

#[tokio::test]
async fn a_guest_that_does_not_let_go_keeps_a_volume_that_is_listed_no_more() {
    let site = Site::new(lab().await).await;
    lab().await.faults().set(Fault::Clinging, "clinging");
    site.create_disk("clinging-system").await;
    site.declare("clinging", "Always", &["data"]).await;
    site.lists("clinging", &["data"], &["data"]).await;
    site.machine("clinging", "Running").await;
    site.declare("clinging", "Always", &[]).await;
    site.lists("clinging", &[], &["data"]).await;
    lab().await.faults().clear(Fault::Clinging, "clinging");
    site.lists("clinging", &[], &[]).await;
}

#[tokio::test]
async fn of_a_machine_that_is_not_looked_at_nothing_comes_and_nothing_is_said_until_it_is() {
    let site = Site::new(lab().await).await;
    for name in ["unseen", "seen"] {
        site.create_disk(&format!("{name}-system")).await;
        site.declare(name, "Always", &[]).await;
        site.machine(name, "Running").await;
        site.looked_at(name).await;
    }
    lab().await.faults().set(Fault::Unlooked, "unseen");
    for name in ["unseen", "seen"] {
        site.declare(name, "Always", &["data"]).await;
    }
    // The one declared later is what it should be: the other had its time.
    site.lists("seen", &["data"], &["data"]).await;
    site.lists("unseen", &[], &[]).await;
    let machine = site.machines.get("unseen").await.expect("the machine");
    assert!(machine.data["status"]["desiredGeneration"].as_i64() < machine.metadata.generation, "{machine:?}");

    lab().await.faults().clear(Fault::Unlooked, "unseen");
    site.lists("unseen", &["data"], &["data"]).await;
    site.looked_at("unseen").await;
}

#[tokio::test]
async fn a_machine_that_is_off_says_how_it_is_to_run_and_nothing_of_the_generation_it_was_looked_at() {
    let site = Site::new(lab().await).await;
    site.create_disk("off-system").await;
    site.declare("off", "Always", &["data"]).await;
    site.machine("off", "Running").await;
    let ran = site.looked_at("off").await;
    assert_eq!(ran["runStrategy"], "Always");
    site.declare("off", "Halted", &[]).await;
    let off = site.machine("off", "Stopped").await;
    assert_eq!((&off["runStrategy"], &off["desiredGeneration"]), (&json!("Halted"), &ran["desiredGeneration"]));
}

#[tokio::test]
async fn a_blank_disk_is_filled_as_any_other() {
    let site = Site::new(lab().await).await;
    let disk = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "blank"},
        "spec": {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": "20Gi"}}}},
    });
    apply(&site.disks, "blank", &disk).await;
    site.disk("blank", "Succeeded").await;
}
