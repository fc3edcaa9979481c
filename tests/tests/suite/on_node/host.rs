//! A host that boots: from user data of its department, with a snapshot of its disk by a CSI driver, brought back to that and
//! made from it, and what was on the disk is there each time.

use std::net::SocketAddr;

use http::StatusCode;
use jiyun_crds::names::{department_namespace, engine_namespace, user_data_name};
use jiyun_lab::{Lab, LabOptions, Part, wait_for};
use jiyun_tests::{
    Order, World, WorldError,
    city::{CATALOGUE_FILES, folder, on_node_with_snapshots},
    console::{self, Seat},
    installed::{self, page},
    snapshot::{Of, Snapshots},
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::json;

use super::{DEPARTMENT, able_with};

/// What the node is made of.
const PARTS: [Part; 3] = [Part::Kubevirt, Part::Cdi, Part::Csi];

/// What a guest does at its first start: it says so on its page, with the keys that may sign in.
const USER_DATA: &str = r"#!/bin/sh
echo run >>/srv/www/runs.txt
cat >/srv/www/index.txt <<END
its department has set up $(hostname) 一号, $(wc -l </srv/www/runs.txt) times
$(find / -xdev -name authorized_keys -exec cat {} +)
END
";

/// Waits until the page of a host says this.
async fn says(bureau: &Bureau<'_>, host: &str, path: &str, wanted: &str) -> Result<String, WorldError> {
    bureau.wait_ready(host).await?;
    let (lab, hosts) = (&bureau.world.lab, bureau.world.hosts(&bureau.name).await?);
    Ok(wait_for(format!("{host} to say {wanted:?}"), PATIENCE * 2, || async {
        // It may be known a moment after the machine is Ready.
        let found = hosts.get(host).await.map_err(|error| error.to_string())?;
        let address = found.status.and_then(|status| status.addresses.first().cloned()).unwrap_or_default();
        let address: SocketAddr = format!("{address}:80").parse().map_err(|_| format!("no address: {address:?}"))?;
        let said = page(lab, address, path).await?;
        if said.contains(wanted) { Ok(said) } else { Err(said) }
    })
    .await?)
}

async fn power(bureau: &Bureau<'_>, host: &str, power: &str) -> Result<(), WorldError> {
    let answer = bureau.caller.patch(&bureau.host_path(host), &json!({"power": power}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let reason = |found: &jiyun_crds::v1alpha1::CloudHost| {
        let ready = jiyun_tests::world::reason(found, jiyun_crds::v1alpha1::ConditionType::Ready);
        ready.map(str::to_owned)
    };
    bureau.wait_for_host(host, power, |found| reason(found).as_deref() == Some(power)).await?;
    Ok(())
}

#[tokio::test]
async fn a_host_boots_with_its_user_data_and_has_what_was_on_its_disk_when_it_is_restored() -> Result<(), WorldError> {
    let test = "a_host_boots_with_its_user_data_and_has_what_was_on_its_disk_when_it_is_restored";
    let Some(_alone) = able_with(test, &PARTS).await else { return Ok(()) };
    let options = installed::with_parts(LabOptions::default(), PARTS);
    let lab = Lab::start(options.departments([DEPARTMENT])).await?;
    let world = World::deployed(lab, &[]).await?;
    for file in CATALOGUE_FILES {
        let there = on_node_with_snapshots(&std::fs::read_to_string(folder().join(file))?);
        world.take(file, &there).await?;
    }
    let bureau = world.named_department(DEPARTMENT, Quota::AMPLE).await?;
    if let Err(error) = Box::pin(life(&bureau)).await {
        let looked = ["get", "vm,vmi,dv,pvc,volumesnapshots,pods,events,cloudhosts,cloudsnapshots", "-o", "wide", "-A"];
        panic!("{error}\n{}", world.lab.kubectl(&looked).await?);
    }
    world.close().await
}

/// Opens both consoles of a host over the API; gives the serial one, whose guest asks for a password.
async fn seated(bureau: &Bureau<'_>, host: &str) -> Result<Seat, WorldError> {
    let operator = console::person(bureau.world, &format!("{}-operator", bureau.name))?;
    let open = async |path: &str| {
        let path = format!("{}/{path}", bureau.host_path(host));
        Ok::<_, WorldError>(console::open(&operator, &path).await?.unwrap_or_else(|answer| panic!("{answer:?}")))
    };
    let mut screen = open("vnc").await?;
    screen.wait_for("RFB 003.00").await?;
    screen.leave().await?;
    let mut seat = open("console").await?;
    seat.type_in("\n").await?;
    seat.wait_for("login:").await?;
    seat.type_in("nobody-of-this-name\n").await?;
    seat.wait_for("assword:").await?;
    Ok(seat)
}

/// What the test is about.
async fn life(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    let (snapshots, lab) = (Snapshots { bureau }, &bureau.world.lab);
    let (home, engines) = (department_namespace(&bureau.name), engine_namespace(&bureau.name));
    let (kind, data) = ("--type=jiyun.io/user-data", format!("--from-literal=userData={USER_DATA}"));
    let (who, group) = (format!("--as={DEPARTMENT}-operator"), format!("--as-group={DEPARTMENT}-operators"));
    lab.kubectl(&["create", "secret", "generic", "boot", "-n", &home, kind, &data, &who, &group]).await?;
    let order = |name: &str| {
        let mut body = Order::new(name, "portal").body();
        body["systemDisk"]["size"] = json!("20Gi");
        body["userDataSecret"] = json!("boot");
        body["sshAuthorizedKeys"] = json!(["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== of-the-order"]);
        body
    };
    let answer = bureau.caller.post(&bureau.hosts_path(), &order("web"), 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    told(lab, "granted");
    says(bureau, "web", "/", "start 1").await?;
    told(lab, "the host answers");
    let set_up = says(bureau, "web", "/index.txt", "its department has set up web 一号, 1 times").await?;
    assert!(set_up.contains("of-the-order"), "its keys are those of the order: {set_up}");
    told(lab, "cloud-init did what its department wrote");
    let mut seat = seated(bureau, "web").await?;
    told(lab, "its consoles were opened");

    // Its disk as it is when the host was off after one start.
    power(bureau, "web", "Stopped").await?;
    assert_eq!(seat.closed().await?.0, 1000, "whoever sits in front of it is told that it is over");
    snapshots.take("once", Of::Host("web")).await?;
    told(lab, "a snapshot was taken");
    power(bureau, "web", "Running").await?;
    says(bureau, "web", "/", "start 2").await?;
    told(lab, "started again");

    // Its machine goes, as with an archive; the one that is made anew on its disk does not set it up once more.
    lab.kubectl(&["delete", "vm", "web", "-n", &engines]).await?;
    says(bureau, "web", "/", "start 3").await?;
    wait_for("cloud-init to be through once more", PATIENCE * 2, || async {
        let text = lab.console(&engines, "web").await.map_err(|error| error.to_string())?;
        if text.contains("finished at") { Ok(()) } else { Err(text) }
    })
    .await?;
    says(bureau, "web", "/index.txt", "its department has set up web 一号, 1 times").await?;
    told(lab, "its machine was made anew, and is the same to cloud-init");

    // Brought back, it starts for the second time once more.
    power(bureau, "web", "Stopped").await?;
    let answer = snapshots.restore(Of::Host("web"), "once").await?;
    assert!(answer.status.is_success(), "{answer:?}");
    let moment = answer.json()["restore"]["requestedAt"].as_str().unwrap_or_default().to_owned();
    snapshots.wait_restored(Of::Host("web"), &moment).await?;
    told(lab, "restored");
    power(bureau, "web", "Running").await?;
    says(bureau, "web", "/", "start 2").await?;
    told(lab, "the restored host answers");

    // Another host begins with it, and is a new one for cloud-init.
    power(bureau, "web", "Stopped").await?;
    let mut copy = order("copy");
    copy["snapshot"] = json!("once");
    let answer = bureau.caller.post(&bureau.hosts_path(), &copy, 30).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    says(bureau, "copy", "/", "start 2").await?;
    says(bureau, "copy", "/index.txt", "its department has set up copy 一号, 2 times").await?;
    told(lab, "the copy answers, and has its own name");

    // The end: nothing is left where machines live.
    for (path, host) in [(bureau.host_path("web"), "web"), (bureau.host_path("copy"), "copy")] {
        bureau.caller.delete(&path).await?;
        bureau.wait_gone(host).await?;
    }
    bureau.caller.delete(&snapshots.one("once")).await?;
    snapshots.wait_gone("once").await?;
    let left = lab.kubectl(&["get", "vm,vmi,dv,pvc,volumesnapshots,secrets", "-n", &engines, "-o", "name"]).await?;
    assert_eq!(left.trim(), "", "{} and all else is gone", user_data_name("web"));
    told(lab, "nothing is left");
    Ok(())
}

/// For who measures.
fn told(lab: &Lab, what: &str) {
    eprintln!("{:6.1} s: {what}", lab.age().as_secs_f32());
}
