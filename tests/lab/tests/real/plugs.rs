//! What KubeVirt itself does with a volume that is added to a machine while it runs; the simulated machine does the same
//! (`simulate/instance.rs`).

use jiyun_lab::wait_for;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{Outcome, Place, SOON, disk};

#[tokio::test]
async fn without_its_feature_gate_an_added_volume_waits_for_a_restart_and_nobody_says_so() -> Outcome {
    let place = Place::new().await?;
    place.machine_with_disk("fixed").await?;
    place.sees("fixed", "Running", true).await?;
    place.create(&place.disks(), disk("data", "standard")).await?;
    place.capacity("data", "20Gi").await?;
    let added = Patch::Merge(json!({"spec": {"template": {"spec": {
        "domain": {"devices": {"disks": [
            {"name": "root", "disk": {"bus": "virtio"}},
            {"name": "data", "serial": "claim-7", "disk": {"bus": "scsi"}},
        ]}},
        "volumes": [
            {"name": "root", "dataVolume": {"name": "fixed-system"}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data", "hotpluggable": true}},
        ],
    }}}}));
    let machines = place.machines();
    machines.patch("fixed", &PatchParams::default(), &added).await?;
    let status = wait_for("the machine to be looked at", SOON, || async {
        let machine = machines.get("fixed").await.map_err(|error| error.to_string())?;
        let status = machine.data["status"].clone();
        let seen = status["desiredGeneration"].as_i64();
        if seen == machine.metadata.generation { Ok(status) } else { Err(status.to_string()) }
    })
    .await?;
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    assert!(conditions.iter().all(|condition| condition["type"] != "RestartRequired"), "{status}");
    assert_ne!(status["observedGeneration"], status["desiredGeneration"]);
    assert_eq!(volumes(&place).await?, ["root"]);

    place.set_strategy("fixed", "Halted").await?;
    place.sees("fixed", "Stopped", false).await?;
    place.set_strategy("fixed", "Always").await?;
    wait_for("an instance with the volume", SOON, || async {
        let volumes = volumes(&place).await.map_err(|error| error.to_string())?;
        if volumes == ["root", "data"] { Ok(()) } else { Err(format!("{volumes:?}")) }
    })
    .await?;
    Ok(())
}

/// The volumes that the instance lists.
async fn volumes(place: &Place) -> Outcome<Vec<String>> {
    let instance = place.instances().get("fixed").await?;
    let volumes = instance.data.pointer("/spec/volumes").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(volumes.iter().map(|volume| volume["name"].as_str().unwrap_or_default().to_owned()).collect())
}
