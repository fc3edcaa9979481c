//! What vanishes behind the platform's back while nobody leads: a machine that has a volume, and the object of a volume that a
//! machine has.

use std::collections::BTreeSet;

use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{AttachmentState, CloudVolume},
};
use jiyun_lab::{LabOptions, wait_for};
use jiyun_tests::{
    WorldError,
    volume::{Volumes, begin_with},
    world::{PATIENCE, Quota},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use super::{
    super::interrupted::program::{Lead, Program},
    both, hosts, order, path, uses,
};

/// Deletes the object of a volume and forces its finalizer off, which the platform's own rights alone allow.
async fn force_away(volumes: &Volumes<'_>, name: &str) -> Result<(), WorldError> {
    volumes.objects().await?.delete(name, &DeleteParams::default()).await?;
    let lab = &volumes.bureau.world.lab;
    let token = lab.user_token("jiyun-system", "jiyun-controller").await?;
    let namespace = department_namespace(&volumes.bureau.name);
    let as_controller = Api::<CloudVolume>::namespaced(lab.client_as(&token).await?, &namespace);
    let free = Patch::Merge(json!({"metadata": {"finalizers": []}}));
    as_controller.patch(name, &PatchParams::default(), &free).await?;
    assert!(volumes.objects().await?.get_opt(name).await?.is_none(), "it is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_machine_comes_back_with_its_volume_and_a_volume_without_an_object_goes_off_its_host_and_away()
-> Result<(), WorldError> {
    let lab = LabOptions::default().departments(["finance"]);
    // Claims without an object are looked for often.
    let world = begin_with(lab, &["--look-every=1"]).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    hosts(&bureau, &["web", "db"]).await?;
    let volumes = Volumes { bureau: &bureau };
    for (name, host) in [("logs", "web"), ("data", "db")] {
        order(&volumes, name, "10Gi", Some(host)).await?;
        volumes.wait_attached(name, host, AttachmentState::Attached).await?;
    }
    let lost = volumes.machine("db").await?.uid();
    let (declared, disk) = (volumes.declared("db", "data").await?, volumes.made("dv", "data").await?);
    let watch = volumes.watch().await?;

    Program::Controller.kill(&world).await;
    force_away(&volumes, "logs").await?;
    world.lab.kubectl(&["delete", "vm", "db", "-n", "engine-finance", "--timeout=60s"]).await?;
    assert_eq!(volumes.holders("logs").await?, BTreeSet::from(both("web")), "nobody has taken it off");
    Program::Controller.revive(&world, Lead::IsTaken).await;

    wait_for("another machine of db that has the volume", PATIENCE, || async {
        let machine = volumes.machine("db").await.map_err(|error| error.to_string())?;
        let holders = volumes.holders("data").await.map_err(|error| error.to_string())?;
        let is_back = machine.uid() != lost && holders == BTreeSet::from(both("db"));
        if is_back { Ok(()) } else { Err(format!("{:?} {holders:?}", machine.uid())) }
    })
    .await?;
    volumes.wait_attached("data", "db", AttachmentState::Attached).await?;
    assert_eq!(volumes.declared("db", "data").await?, declared, "its guest finds it as before");
    assert_eq!(volumes.made("dv", "data").await?["metadata"]["uid"], disk["metadata"]["uid"], "with what is on it");
    bureau.wait_ready("db").await?;
    let moments = watch.moments("data").await?;
    assert!(path(&moments).iter().all(|holder| ["db", "nobody"].contains(holder)), "{moments:?}");

    volumes.wait_gone("logs").await?;
    let moments = watch.moments("logs").await?;
    assert_eq!(path(&moments)[1..], ["web", "nobody"], "{moments:?}");
    assert!(moments.iter().all(|moment| !moment.without_disk || moment.hosts.is_empty()), "{moments:?}");
    uses(&bureau, ((40 + 40 + 10) * 1024, 0)).await?;
    bureau.wait_ready("web").await?;
    world.lab.stop().await?;
    Ok(())
}
