//! Restarting a host (重启): once for each request, by those who may change it, and with what waits for it.

use http::{Method, StatusCode};
use jiff::Timestamp;
use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{CloudHost, ConditionType},
};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, WorldError,
    person::{Answer, Caller},
    volume::{Volumes, shared},
    world::{Bureau, PATIENCE, Quota, has, reason},
};
use kube::api::DynamicObject;
use serde_json::json;

const HOST: &str = "web-1";

/// A department with a host that runs, in the world where what runs has an instance; and that instance.
async fn with_host() -> Result<(Bureau<'static>, DynamicObject), WorldError> {
    let bureau = shared().await?.department(Quota::AMPLE).await?;
    let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new(HOST, "portal").body(), 30).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    bureau.wait_ready(HOST).await?;
    let instance = instance(&bureau).await?;
    Ok((bureau, instance))
}

/// What the host runs as.
async fn instance(bureau: &Bureau<'_>) -> Result<DynamicObject, WorldError> {
    Volumes { bureau }.instance(HOST).await
}

async fn restart(bureau: &Bureau<'_>, caller: &Caller) -> Result<Answer, WorldError> {
    let path = format!("{}/restart", bureau.host_path(HOST));
    Ok(caller.send(caller.request(Method::POST, &path).header("accept-language", "en")).await?)
}

/// Has the host restarted by its operator.
async fn restarted(bureau: &Bureau<'_>) -> Result<(), WorldError> {
    let answer = restart(bureau, &bureau.caller).await?;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert!(!answer.header("etag").is_empty() && answer.json()["restartRequestedAt"].is_string(), "{answer:?}");
    Ok(())
}

/// Waits until the host runs as another instance than `before`, and is ready; gives that one.
async fn runs_anew(bureau: &Bureau<'_>, before: &DynamicObject) -> Result<DynamicObject, WorldError> {
    let another = wait_for(format!("{HOST} of {} to run anew", bureau.name), PATIENCE, || async {
        let found = instance(bureau).await.map_err(|error| format!("{error:?}"))?;
        let is_another = found.metadata.uid != before.metadata.uid && found.metadata.deletion_timestamp.is_none();
        if is_another && found.data["status"]["phase"] == "Running" { Ok(found) } else { Err(format!("{found:?}")) }
    });
    let another = another.await?;
    let started = another.metadata.creation_timestamp.as_ref().map(|started| started.0);
    let is_told = |host: &CloudHost| {
        let told = host.status.as_ref().and_then(|status| status.started_at.as_ref()?.timestamp().ok());
        has(host, ConditionType::Ready) && told == started
    };
    bureau.wait_for_host(HOST, "ready, and it says since when", is_told).await?;
    bureau.wait_ready(HOST).await?;
    Ok(another)
}

/// Gives the host another name for people; the platform has looked at it since.
async fn renamed(bureau: &Bureau<'_>, name: &str) -> Result<(), WorldError> {
    let answer = bureau.caller.patch(&bureau.host_path(HOST), &json!({"displayName": name}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let is_so = |host: &CloudHost| host.spec.display_name.as_deref() == Some(name) && has(host, ConditionType::Ready);
    bureau.wait_for_host(HOST, name, is_so).await?;
    Ok(())
}

#[tokio::test]
async fn each_request_restarts_a_host_once() -> Result<(), WorldError> {
    let (bureau, first) = with_host().await?;
    restarted(&bureau).await?;
    let second = runs_anew(&bureau, &first).await?;
    renamed(&bureau, "门户网站").await?;
    assert_eq!(instance(&bureau).await?.metadata.uid, second.metadata.uid, "nobody asked for another restart");
    assert_eq!(bureau.used("Vcpu").await?, (2, 0), "nothing is given back");
    restarted(&bureau).await?;
    let third = runs_anew(&bureau, &second).await?;
    renamed(&bureau, "门户网站一号机").await?;
    assert_eq!(instance(&bureau).await?.metadata.uid, third.metadata.uid);
    Ok(())
}

#[tokio::test]
async fn a_restart_takes_on_the_larger_class_that_waits_for_it() -> Result<(), WorldError> {
    let (bureau, before) = with_host().await?;
    let answer = bureau.caller.patch(&bureau.host_path(HOST), &json!({"class": "basic-4c8g"}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let says = |why: &'static str| {
        move |host: &CloudHost| {
            has(host, ConditionType::Provisioned) && reason(host, ConditionType::Provisioned) == Some(why)
        }
    };
    bureau.wait_for_host(HOST, "waiting for a restart", says("RestartPending")).await?;
    let cores = |instance: &DynamicObject| instance.data["spec"]["domain"]["cpu"]["sockets"].as_u64();
    assert_eq!(cores(&instance(&bureau).await?), Some(2));
    restarted(&bureau).await?;
    assert_eq!(cores(&runs_anew(&bureau, &before).await?), Some(4));
    bureau.wait_for_host(HOST, "of its larger class", says("Provisioned")).await?;
    Ok(())
}

#[tokio::test]
async fn by_kubectl_a_restart_may_be_asked_for_at_a_time_to_come() -> Result<(), WorldError> {
    let (bureau, before) = with_host().await?;
    let moment = Timestamp::from_second(Timestamp::now().as_second() + 3).unwrap();
    let patch = json!({"spec": {"restartRequestedAt": moment.to_string()}}).to_string();
    let namespace = department_namespace(&bureau.name);
    bureau.world.lab.kubectl(&["patch", "chost", HOST, "-n", &namespace, "--type=merge", "-p", &patch]).await?;
    let after = runs_anew(&bureau, &before).await?;
    let started = after.metadata.creation_timestamp.as_ref().map(|started| started.0);
    assert!(started >= Some(moment), "{started:?} is before {moment}");
    let shown = bureau.caller.get(&bureau.host_path(HOST)).await?.json();
    assert_eq!(shown["restartRequestedAt"], moment.to_string());
    renamed(&bureau, "门户网站").await?;
    assert_eq!(instance(&bureau).await?.metadata.uid, after.metadata.uid, "it was started since");
    Ok(())
}

#[tokio::test]
async fn a_restart_is_refused_to_those_who_only_look_and_of_a_host_that_is_off() -> Result<(), WorldError> {
    let (bureau, before) = with_host().await?;
    let world = bureau.world;
    let reader = world.caller(&format!("{}-reader", bureau.name))?;
    let refused = restart(&bureau, &reader).await?;
    assert_eq!((refused.status, &refused.json()["code"]), (StatusCode::FORBIDDEN, &json!("Forbidden")), "{refused:?}");
    let stranger = world.department(Quota::AMPLE).await?;
    let hidden = restart(&bureau, &stranger.caller).await?;
    assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{hidden:?}");
    renamed(&bureau, "门户网站").await?;
    assert_eq!(instance(&bureau).await?.metadata.uid, before.metadata.uid);

    let off = bureau.caller.patch(&bureau.host_path(HOST), &json!({"power": "Stopped"}), "").await?;
    assert_eq!(off.status, StatusCode::OK, "{off:?}");
    let is_off =
        |host: &CloudHost| has(host, ConditionType::Ready) && reason(host, ConditionType::Ready) == Some("Stopped");
    bureau.wait_for_host(HOST, "off", is_off).await?;
    let refused = restart(&bureau, &bureau.caller).await?;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (StatusCode::CONFLICT, &json!("HostIsStopped")),
        "{refused:?}"
    );
    assert!(refused.json()["detail"].as_str().unwrap().contains("power to Running"), "{refused:?}");
    let host = bureau.wait_for_host(HOST, "off still", is_off).await?;
    assert_eq!(host.spec.restart_requested_at, None, "nothing was written");
    Ok(())
}
