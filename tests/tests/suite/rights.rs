//! Who may do what: rights come from the chart, stamps and finalizers from its admission policies.

use std::collections::BTreeSet;

use http::StatusCode;
use jiyun_crds::names::{ANNOTATION_CREATED_BY, ANNOTATION_REQUESTED_BY, FINALIZER_CLAIM};
use jiyun_tests::{
    Order, World, WorldError,
    world::{PATIENCE, Quota},
};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

#[tokio::test]
async fn a_reader_sees_and_does_not_order() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let reader = world.caller(&format!("{}-reader", bureau.name))?;
    assert_eq!(reader.get(&bureau.hosts_path()).await?.status, StatusCode::OK);
    let answer = reader.post(&bureau.hosts_path(), &Order::new("web", "portal").body(), 0).await?;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn the_api_servers_stamp_names_the_person_and_cannot_be_forged() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let operator = format!("{}-operator", bureau.name);
    let client = world.lab.client_as(&world.lab.person(&operator)?.token).await?;
    let mut object = Order::new("forged", "portal").object(&bureau.name);
    object["metadata"]["annotations"] = json!({(ANNOTATION_REQUESTED_BY): "the-mayor"});
    let hosts = world.hosts_with(client, &bureau.name);
    let created = hosts.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await?;
    assert_eq!(created.metadata.annotations.unwrap()[ANNOTATION_REQUESTED_BY], operator);
    assert_eq!(created.metadata.finalizers, Some(vec![FINALIZER_CLAIM.to_owned()]));

    for stamp in [ANNOTATION_REQUESTED_BY, ANNOTATION_CREATED_BY] {
        for forged in [json!("the-mayor"), json!(null)] {
            let forge = json!({"metadata": {"annotations": {(stamp): forged}}});
            let after = hosts.patch("forged", &PatchParams::default(), &Patch::Merge(&forge)).await?;
            assert_eq!(after.metadata.annotations.unwrap()[stamp], operator);
        }
    }
    Ok(())
}

#[tokio::test]
async fn whoever_writes_into_a_wish_is_stamped_beside_whoever_made_it() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    let edit =
        json!({"spec": {"displayName": "门户"}, "metadata": {"annotations": {(ANNOTATION_CREATED_BY): "the-mayor"}}});
    let hosts = world.hosts(&bureau.name).await?;
    let after =
        hosts.patch("web-1", &PatchParams::default(), &Patch::Merge(&edit)).await?.metadata.annotations.unwrap();
    assert_eq!(after[ANNOTATION_CREATED_BY], format!("{}-operator", bureau.name));
    assert_ne!(after[ANNOTATION_REQUESTED_BY], after[ANNOTATION_CREATED_BY]);
    Ok(())
}

#[tokio::test]
async fn a_tenant_cannot_take_the_finalizer_off_or_write_the_status() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let client = world.lab.client_as(&world.lab.person(&format!("{}-operator", bureau.name))?.token).await?;
    let hosts = world.hosts_with(client, &bureau.name);
    let off = json!({"metadata": {"finalizers": null}});
    let error = hosts.patch("web-1", &PatchParams::default(), &Patch::Merge(&off)).await.unwrap_err();
    assert!(error.to_string().contains("taken off by the platform alone"), "{error}");
    let status = json!({"status": {"claimId": "claim-0"}});
    let error = hosts.patch_status("web-1", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap_err();
    assert!(matches!(error, kube::Error::Api(ref status) if status.code == 403), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_tenant_has_no_rights_where_machines_live_nor_for_pods_anywhere() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let (home, engine) = (format!("dept-{}", bureau.name), format!("engine-{}", bureau.name));
    let who = format!("--as={}-operator", bureau.name);
    let group = format!("--as-group={}-operators", bureau.name);
    for (verb, resource, namespace) in [
        ("get", "virtualmachines.kubevirt.io", &engine),
        ("list", "pods", &engine),
        ("create", "pods", &home),
        ("create", "virtualmachines.kubevirt.io", &home),
        ("create", "persistentvolumeclaims", &home),
        ("list", "secrets", &home),
        ("get", "secrets", &engine),
        ("list", "departments.jiyun.io", &home),
    ] {
        let answer = world.lab.kubectl(&["auth", "can-i", verb, resource, "-n", namespace, &who, &group]).await;
        let told = match answer {
            Ok(text) => text,
            Err(error) => error.to_string(),
        };
        assert!(!told.contains("yes"), "{verb} {resource} in {namespace}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn a_departments_namespace_is_deleted_by_nobody_else() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let error = bureau.world.lab.kubectl(&["delete", "namespace", &format!("dept-{}", bureau.name)]).await.unwrap_err();
    assert!(error.to_string().contains("delete its Department instead"), "{error}");
    Ok(())
}

/// A line of `kubectl auth can-i --list`: a resource, and what may be done with it. Nothing of one about an address.
fn right(line: &str) -> Option<(&str, &str)> {
    let resource = line.split_whitespace().next().filter(|_| !line.starts_with([' ', '[']))?;
    let (_, verbs) = line.trim_end().strip_suffix(']')?.rsplit_once('[')?;
    Some((resource, verbs))
}

#[tokio::test]
async fn the_apis_own_account_opens_consoles_where_machines_live_and_has_no_other_right() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (lab, bureau) = (&world.lab, world.department(Quota::AMPLE).await?);
    let account = "system:serviceaccount:jiyun-system:jiyun-api";
    let who = format!("--as={account}");
    let listed = lab.kubectl(&["auth", "can-i", "--list", &who, "-n", "jiyun-system"]).await?;
    // Everybody signed in may ask who they are and what they may do. Certificates that vouch for servers are no secret.
    let is_anybodys = |(resource, verbs): &(&str, &str)| {
        resource.ends_with(".k8s.io")
            && (resource.starts_with("selfsubject") && *verbs == "create"
                || resource.starts_with("clustertrustbundles.") && *verbs == "get list watch")
    };
    let rights: BTreeSet<(&str, &str)> = listed.lines().filter_map(right).filter(|right| !is_anybodys(right)).collect();
    let catalogue = ["databaseclasses", "hostclasses", "hostimages", "networkzones", "pricelists"]
        .map(|plural| format!("{plural}.jiyun.io"));
    let catalogue: BTreeSet<(&str, &str)> =
        catalogue.iter().map(|resource| (resource.as_str(), "get list watch")).collect();
    assert_eq!(rights, catalogue, "{listed}");

    let listed = lab.kubectl(&["auth", "can-i", "--list", &who, "-n", &format!("engine-{}", bureau.name)]).await?;
    let there: BTreeSet<(&str, &str)> = listed.lines().filter_map(right).filter(|right| !is_anybodys(right)).collect();
    let machine = "virtualmachineinstances";
    let subresource = |name| format!("{machine}.subresources.kubevirt.io/{name}");
    let more = [format!("{machine}.kubevirt.io"), subresource("console"), subresource("vnc")];
    let with_consoles: BTreeSet<_> =
        catalogue.iter().copied().chain(more.iter().map(|named| (named.as_str(), "get"))).collect();
    assert_eq!(there, with_consoles, "{listed}");

    // What a list of one namespace does not show: everywhere, and of what is in no namespace.
    let reviews = Api::<SubjectAccessReview>::all(lab.client().await?);
    let allowed = async |verb: &str, group: &str, resource: &str| {
        let attributes = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            ..ResourceAttributes::default()
        };
        let groups = ["system:serviceaccounts", "system:serviceaccounts:jiyun-system", "system:authenticated"];
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(account.to_owned()),
                groups: Some(groups.map(str::to_owned).into()),
                resource_attributes: Some(attributes),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok::<bool, kube::Error>(answer.status.is_some_and(|status| status.allowed))
    };
    assert!(allowed("list", "jiyun.io", "hostclasses").await?, "asked about the right account");
    for (verb, group, resource) in [
        ("list", "jiyun.io", "cloudhosts"),
        ("get", "jiyun.io", "orders"),
        ("create", "jiyun.io", "cloudhosts"),
        ("create", "jiyun.io", "approvals"),
        ("get", "jiyun.io", "statements"),
        ("get", "jiyun.io", "auditrecords"),
        ("list", "jiyun.io", "departments"),
        ("list", "kubevirt.io", "virtualmachines"),
        ("list", "", "namespaces"),
        ("get", "", "secrets"),
        ("impersonate", "", "users"),
        ("create", "authentication.k8s.io", "tokenreviews"),
        ("create", "authorization.k8s.io", "subjectaccessreviews"),
    ] {
        assert!(!allowed(verb, group, resource).await?, "{verb} {resource}.{group}");
    }
    Ok(())
}

#[tokio::test]
async fn a_wall_taken_down_and_a_right_given_by_hand_are_put_right() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let (home, engine) = (format!("dept-{}", bureau.name), format!("engine-{}", bureau.name));
    let lab = &world.lab;
    lab.kubectl(&["delete", "netpol", "jiyun-default-deny", "-n", &engine]).await?;
    let stranger = r#"[{"op": "add", "path": "/subjects/-",
                        "value": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "strangers"}}]"#;
    lab.kubectl(&["patch", "rolebinding", "jiyun-department-operator", "-n", &home, "--type=json", "-p", stranger])
        .await?;
    // Any change of the department brings the look forward that comes by itself every five minutes.
    let renamed = json!({"spec": {"displayName": "改名的单位"}}).to_string();
    lab.kubectl(&["patch", "department", &bureau.name, "--type=merge", "-p", &renamed]).await?;
    jiyun_lab::wait_for("wall and rights to be as declared", PATIENCE, || async {
        let told = |error: jiyun_lab::LabError| error.to_string();
        lab.kubectl(&["get", "netpol", "jiyun-default-deny", "-n", &engine]).await.map_err(told)?;
        let subjects =
            ["get", "rolebinding", "jiyun-department-operator", "-n", &home, "-o", "jsonpath={.subjects[*].name}"];
        let names = lab.kubectl(&subjects).await.map_err(told)?;
        if names.contains("strangers") { Err(names) } else { Ok(()) }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn what_would_destroy_or_hide_too_much_is_refused() -> Result<(), WorldError> {
    let lab = &World::shared().await?.lab;
    for (arguments, says) in [
        (["delete", "crd", "cloudhosts.jiyun.io"], "jiyun.io/allow-deletion"),
        (["delete", "pricelist", "list-2026"], "cannot be deleted"),
    ] {
        let error = lab.kubectl(&arguments).await.unwrap_err().to_string();
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn the_protection_level_is_the_operators_to_change() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let home = format!("dept-{}", bureau.name);
    let change = ["patch", "isys", "portal", "-n", &home, "--type=merge", "-p", r#"{"spec": {"protectionLevel": 3}}"#];
    let (who, group) = (format!("--as={}-operator", bureau.name), format!("--as-group={}-operators", bureau.name));
    let refused = world.lab.kubectl(&[&change[..], &[&who, &group]].concat()).await.unwrap_err();
    assert!(refused.to_string().contains("changed by the platform operators"), "{refused}");
    world.lab.kubectl(&[&change[..], &["--as=operator", "--as-group=jiyun:operators"]].concat()).await?;
    Ok(())
}

#[tokio::test]
async fn an_object_cannot_be_used_to_fill_the_platforms_memory() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let mut object = Order::new("fat", "portal").object(&bureau.name);
    object["metadata"]["annotations"] = json!({"note": "x".repeat(20_000)});
    let error = bureau.world.lab.apply_text(&object.to_string()).await.unwrap_err();
    assert!(format!("{error:?}").contains("16384"), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn an_auditor_sees_the_evidence_of_every_department_and_changes_nothing() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web", "portal").body(), 30).await?;
    bureau.wait_ready("web").await?;
    let auditor = world.caller("auditor")?;
    for what in ["hosts", "systems", "quota", "usage"] {
        let answer = auditor.get(&format!("/v1/departments/{}/{what}", bureau.name)).await?;
        assert_eq!(answer.status, StatusCode::OK, "{what}: {answer:?}");
    }
    let ordered = auditor.post(&bureau.hosts_path(), &Order::new("web-2", "portal").body(), 0).await?;
    assert_eq!(ordered.status, StatusCode::FORBIDDEN, "{ordered:?}");
    assert_eq!(auditor.delete(&bureau.host_path("web")).await?.status, StatusCode::FORBIDDEN);
    let (who, group) = ("--as=auditor", "--as-group=jiyun:auditors");
    for kind in ["orders", "approvals", "departments", "handovers", "approvalpolicies"] {
        world.lab.kubectl(&["get", &format!("{kind}.jiyun.io"), "--all-namespaces", who, group]).await?;
    }
    Ok(())
}
