//! Sites as operations see them: which engines they have, which of them is too old, and what is told where one is missing.

use jiyun_crds::{names::department_namespace, v1alpha1::ConditionType};
use jiyun_lab::{Engines, LabOptions, wait_for};
use jiyun_tests::{
    Order, World, WorldError, WorldOptions,
    volume::{Volumes, told},
    world::{PATIENCE, Quota, reason},
};
use serde_json::json;

#[tokio::test]
async fn a_site_shows_its_engines_and_names_the_one_that_is_too_old() -> Result<(), WorldError> {
    let world = World::shared().await?;
    // CDI's own object is one for a whole cluster; on a cluster of somebody's it is theirs.
    if world.lab.engines() != Engines::Simulated || world.lab.uses_given_cluster() {
        return Ok(());
    }
    let site = world.lab.unique_name("engines");
    let object = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Site", "metadata": {"name": site},
        "spec": {"displayName": "测试数据中心", "region": "test", "role": "Primary"},
    });
    world.lab.apply_text(&object.to_string()).await?;
    let condition = "{.status.conditions[?(@.type=='EnginesSupported')]";
    let (shown, said) = (["get", "site", &site], format!("jsonpath={condition}.reason}} {condition}.message}}"));
    let explained = ["get", "site", &site, "-o", &said];
    let told = async |arguments: &[&str], part: &str| {
        wait_for(format!("{arguments:?} to hold {part}"), PATIENCE, || async {
            // A site is looked at when it changes; otherwise in a minute, since its engines are not as they should be.
            let now = format!("jiyun.test/looked={}", world.lab.unique_name("at"));
            let touch = ["annotate", "site", &site, &now, "--overwrite"];
            world.lab.kubectl(&touch).await.map_err(|error| error.to_string())?;
            let found = world.lab.kubectl(arguments).await.map_err(|error| error.to_string())?;
            if found.contains(part) { Ok(()) } else { Err(found) }
        })
        .await
    };
    // The lab installs kinds and no operators, so nothing says which version it is.
    told(&shown, "KubeVirt Unknown, CDI Unknown").await?;
    told(&explained, "EngineUnknown").await?;

    let old = json!({
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDI", "metadata": {"name": "cdi"}, "spec": {},
        "status": {"observedVersion": "v1.57.0", "phase": "Deployed"},
    });
    world.lab.apply_text(&old.to_string()).await?;
    told(&shown, "KubeVirt Unknown, CDI 1.57.0 TooOld").await?;
    told(&explained, "EngineTooOld").await?;
    told(&explained, "CDI 1.57.0 (>= 1.65.0)").await?;
    let figures = world.controller_metrics().await?;
    let line = format!(r#"jiyun_engine_info{{engine="CDI",site="{site}",state="TooOld",version="1.57.0"}} 1"#);
    assert!(figures.contains(&line), "{figures}");

    world.lab.kubectl(&["delete", "cdis.cdi.kubevirt.io/cdi", &format!("site/{site}"), "--timeout=60s"]).await?;
    Ok(())
}

#[tokio::test]
async fn where_no_engine_is_installed_hosts_and_volumes_say_so_and_nothing_is_set_aside() -> Result<(), WorldError> {
    let lab = LabOptions::default().departments(["finance"]).engines(false).own_cluster();
    let world = World::start(WorldOptions { lab, ..WorldOptions::default() }).await?;
    let bureau = world.named_department("finance", Quota::AMPLE).await?;
    let volumes = Volumes { bureau: &bureau };
    world.lab.apply_text(&Order::new("web-1", "portal").object("finance").to_string()).await?;
    let answer = volumes.order(&volumes.body("files", "10Gi", None), 0).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let missing = |host: &_| reason(host, ConditionType::Admitted) == Some("EngineMissing");
    bureau.wait_for_host("web-1", "told that there is no engine", missing).await?;
    let missing = |volume: &_| {
        let admitted = told(volume, ConditionType::Admitted);
        admitted.is_some_and(|(status, why, _)| (status, why) == ("Unknown", "EngineMissing"))
    };
    let volume = volumes.wait("files", "told that there is no engine", missing).await?;
    let (_, _, message) = told(&volume, ConditionType::Admitted).unwrap();
    assert!(message.contains("KubeVirt"), "{message}");
    assert_eq!(bureau.used("Vcpu").await?, (0, 0));
    assert_eq!(bureau.used("BlockStorage").await?, (0, 0));

    // What was not granted is let go all the same.
    let namespace = department_namespace("finance");
    let all = ["delete", "cloudhost/web-1", "cloudvolume/files", "-n", &namespace, "--timeout=60s"];
    world.lab.kubectl(&all).await?;
    world.lab.stop().await?;
    Ok(())
}
