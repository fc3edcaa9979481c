//! The charts: linted, rendered, and free of rights and settings nobody decided on.

use std::process::Command;

use jiyun_tests::{World, WorldError};
use serde_json::Value;

fn helm(arguments: &[&str]) -> String {
    let program = jiyun_lab::programs::program("helm", "helm").unwrap();
    let output = Command::new(program).args(arguments).current_dir(jiyun_lab::source_root()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm {arguments:?}: {told}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stdout).unwrap()
}

/// What helm says to settings that it does not take.
fn refused(setting: &str) -> String {
    let program = jiyun_lab::programs::program("helm", "helm").unwrap();
    let arguments = ["template", "jiyun", "charts/jiyun", "--set", setting];
    let output = Command::new(program).args(arguments).current_dir(jiyun_lab::source_root()).output().unwrap();
    assert!(!output.status.success(), "helm took {setting}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(super) fn rendered(settings: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["template", "jiyun", "charts/jiyun", "--namespace", "jiyun-system"];
    arguments.extend(settings);
    let text = helm(&arguments);
    let documents = text.split("\n---").map(|document| document.trim_start_matches("---"));
    documents
        .filter(|document| document.contains("kind:"))
        .map(|document| serde_yaml::from_str(document).unwrap())
        .collect()
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn both_charts_pass_helm_lint_strictly() {
    for chart in ["charts/jiyun", "charts/jiyun-crds"] {
        helm(&["lint", "--strict", chart]);
    }
}

#[test]
fn the_definitions_chart_holds_exactly_the_generated_manifests() -> Result<(), WorldError> {
    let text = helm(&["template", "crds", "charts/jiyun-crds"]);
    let manifests = std::fs::read_dir(jiyun_lab::source_root().join("crds/manifests"))?.count();
    assert_eq!(text.matches("\nkind: CustomResourceDefinition").count(), manifests);
    assert_eq!(manifests, jiyun_crds::v1alpha1::definitions().len());
    Ok(())
}

/// Needs no daemon, so nothing is built: `on_node/images.rs` looks for the same in what `make images` writes.
#[test]
fn the_recipe_for_a_container_daemon_has_our_compiler_user_and_entrypoints() {
    let read = |name: &str| std::fs::read_to_string(jiyun_lab::source_root().join(name)).unwrap();
    let (recipe, toolchain) = (read("Containerfile"), read("rust-toolchain.toml"));
    let compiler = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert!(recipe.contains(&format!("/rust:{compiler}-")), "not the compiler {compiler}:\n{recipe}");
    let stage = |name: &str| {
        let first = format!(" AS {name}");
        let mut stages = recipe.split("\nFROM ");
        let found = stages.find(|stage| stage.lines().next().is_some_and(|line| line.ends_with(&first)));
        found.unwrap_or_else(|| panic!("no stage {name}:\n{recipe}")).to_owned()
    };
    let base = stage("base");
    assert!(base.contains("\nUSER 65532:65532\n") && base.contains("\nENV PATH=/usr/bin\n"), "{base}");
    for name in ["jiyun-controller", "jiyun-api"] {
        let target = stage(name);
        assert!(target.starts_with("base AS "), "{target}");
        assert!(target.contains(&format!("\nENTRYPOINT [\"/usr/bin/{name}\"]\n")), "{target}");
    }
}

#[test]
fn no_role_holds_a_wildcard() {
    let objects = rendered(&[]);
    let roles: Vec<_> = of_kind(&objects, "ClusterRole").into_iter().chain(of_kind(&objects, "Role")).collect();
    assert!(roles.len() >= 7, "only {} roles", roles.len());
    for role in roles {
        assert!(!role["rules"].to_string().contains("\"*\""), "{}: {}", role["metadata"]["name"], role["rules"]);
    }
}

#[test]
fn workloads_run_restricted_and_the_api_has_no_token_but_for_consoles() {
    let (plain, recorded) = (rendered(&[]), rendered(&["--set", "trail.enabled=true"]));
    let of = |objects| [of_kind(objects, "Deployment"), of_kind(objects, "StatefulSet")].concat();
    let workloads = [of(&plain), of(&recorded)].concat();
    let jobs = of_kind(&plain, "Job");
    assert_eq!((workloads.len(), jobs.len()), (8, 1));
    for workload in workloads.into_iter().chain(jobs) {
        let is_service = workload["kind"] != "Job" && workload["metadata"]["name"] != "jiyun-ledger-tool";
        let pod = &workload["spec"]["template"]["spec"];
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        for container in pod["containers"].as_array().unwrap() {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false);
            assert_eq!(security["readOnlyRootFilesystem"], true);
            assert_eq!(security["capabilities"]["drop"][0], "ALL");
            assert!(
                container["resources"]["requests"]["memory"].is_string()
                    && container["resources"]["limits"].is_object()
            );
            if is_service {
                assert!(container["livenessProbe"].is_object() && container["readinessProbe"].is_object());
            }
        }
        if is_service {
            let spread = pod["topologySpreadConstraints"].as_array().map(Vec::len);
            assert_eq!(spread, Some(2), "over nodes and over zones: {}", workload["metadata"]["name"]);
        }
        // Both change what Kubernetes holds; the second runs while books are brought back, and the first does not.
        let changes =
            ["jiyun-controller", "jiyun-ledger-tool"].iter().any(|name| workload["metadata"]["name"] == *name);
        if !changes {
            assert_eq!(pod["automountServiceAccountToken"], false);
        }
    }
}

#[test]
fn consoles_switched_off_or_unknown_to_older_values_leave_the_api_without_token_and_without_right() {
    let (token, role) = ("--console-token=/var/run/secrets/jiyun/token", "jiyun-consoles");
    for (settings, on) in [
        (&[][..], true),
        (&["--set", "api.consoles.enabled=false"], false),
        // As `helm upgrade --reuse-values` has them, of a release that had no consoles.
        (&["--set", "api.consoles=null"], false),
    ] {
        let objects = rendered(settings);
        let rights = of_kind(&objects, "ClusterRole").into_iter().find(|one| one["metadata"]["name"] == role);
        let rights = rights.unwrap()["rules"].as_array().map_or(0, Vec::len);
        let api = of_kind(&objects, "Deployment").into_iter().find(|one| one["metadata"]["name"] == "jiyun-api");
        let pod = &api.unwrap()["spec"]["template"]["spec"];
        let has = |text: &str| pod.to_string().contains(text);
        assert_eq!((rights > 0, has(token), has("serviceAccountToken\"")), (on, on, on), "{settings:?}");
    }
    for wrong in ["0s", "200h", "soon", "15"] {
        let told = refused(&format!("api.consoles.idle={wrong}"));
        assert!(told.contains("idle"), "{told}");
    }
}

#[test]
fn the_tool_for_bringing_books_back_runs_only_where_it_is_asked_for() {
    let replicas = |settings: &[&str]| {
        let objects = rendered(settings);
        let tool =
            of_kind(&objects, "Deployment").into_iter().find(|one| one["metadata"]["name"] == "jiyun-ledger-tool");
        tool.cloned().unwrap()["spec"]["replicas"].clone()
    };
    assert_eq!(replicas(&[]), 0);
    assert_eq!(replicas(&["--set", "ledger.tool.enabled=true"]), 1);
}

#[test]
fn one_registry_and_tag_are_those_of_every_image_of_ours_and_older_values_know_neither() {
    let images = |settings: &[&str]| {
        let objects = rendered(settings);
        let workloads = [of_kind(&objects, "Deployment"), of_kind(&objects, "Job")].concat();
        let image = |workload: &&Value| workload["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        workloads.iter().map(image).collect::<Vec<_>>()
    };
    let named = images(&["--set", "images.registry=registry.example/cloud/", "--set-string", "images.tag=7"]);
    assert_eq!(named.len(), 4);
    for image in named {
        let image = image.as_str().unwrap().to_owned();
        assert!(image.starts_with("registry.example/cloud/jiyun-") && image.ends_with(":7"), "{image}");
    }
    let older = images(&["--set", "images=null", "--set", "ledger.tool=null", "--set-string", "api.image.tag=5"]);
    assert!(older.contains(&"jiyun-api:5".into()), "{older:?}");
}

#[test]
fn the_file_that_says_who_is_told_is_mounted_where_a_secret_is_named_and_nowhere_else() {
    let of = |settings: &[&str]| {
        let objects = rendered(settings);
        let workloads = of_kind(&objects, "Deployment").into_iter().map(ToString::to_string);
        workloads.filter(|workload| workload.contains("notifications")).collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), Vec::<String>::new());
    let told = of(&["--set", "controller.notificationsSecret=who-is-told"]);
    assert_eq!(told.len(), 1, "the controller alone");
    for part in ["\"secretName\":\"who-is-told\"", "/etc/jiyun/notifications/notifications.yaml"] {
        assert!(told[0].contains(part), "{part} in {}", told[0]);
    }
}

#[test]
fn working_days_of_further_years_come_as_values_and_start_the_controller_anew() {
    let of = |year: &str, text: &str| {
        let file = format!("controller.calendars.{year}\\.yaml={text}");
        rendered(&["--set-string", &file])
    };
    let objects = of("2027", "year: 2027");
    let files = of_kind(&objects, "ConfigMap");
    assert_eq!(files.len(), 1);
    assert_eq!(files[0]["data"]["2027.yaml"], "year: 2027");
    let workload = |objects: &[Value]| {
        let mut workloads = of_kind(objects, "Deployment").into_iter();
        workloads.find(|one| one["metadata"]["name"] == "jiyun-controller").cloned().unwrap()
    };
    let controller = workload(&objects);
    for part in ["JIYUN_CALENDARS", "/etc/jiyun/calendars", "\"name\":\"jiyun-calendars\""] {
        assert!(controller.to_string().contains(part), "{part} in {controller}");
    }
    let mark = |objects: &[Value]| workload(objects)["spec"]["template"]["metadata"]["annotations"].clone();
    assert_ne!(mark(&objects), mark(&of("2027", "year: 2028")));
    assert!(of_kind(&rendered(&[]), "ConfigMap").is_empty());
}

#[test]
fn with_an_audit_trail_both_programs_write_to_one_volume_and_each_api_under_a_name_that_stays() {
    assert!(of_kind(&rendered(&[]), "PersistentVolumeClaim").is_empty());
    let objects = rendered(&["--set", "trail.enabled=true", "--set", "trail.retentionDays=400"]);
    let claims = of_kind(&objects, "PersistentVolumeClaim");
    assert_eq!(claims.len(), 1);
    assert_eq!(claims[0]["metadata"]["name"], "jiyun-trail");
    assert_eq!(claims[0]["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    assert_eq!(claims[0]["spec"]["accessModes"], serde_json::json!(["ReadWriteMany"]));
    let (mut api, mut controller) = (of_kind(&objects, "StatefulSet"), of_kind(&objects, "Deployment"));
    api.retain(|workload| workload["metadata"]["name"] == "jiyun-api");
    controller.retain(|workload| workload["metadata"]["name"] == "jiyun-controller");
    assert_eq!((api.len(), controller.len()), (1, 1));
    for workload in [api[0], controller[0]] {
        let pod = &workload["spec"]["template"]["spec"];
        let with_name = |list: &Value, name: &str| {
            list.as_array()
                .unwrap()
                .iter()
                .find(|one| one["name"] == name)
                .cloned()
                .unwrap_or_else(|| panic!("{name}: {list}"))
        };
        let container = &pod["containers"][0];
        assert_eq!(with_name(&pod["volumes"], "trail")["persistentVolumeClaim"]["claimName"], "jiyun-trail");
        let folder = with_name(&container["env"], "JIYUN_TRAIL_DIR")["value"].clone();
        assert_eq!(with_name(&container["volumeMounts"], "trail")["mountPath"], folder);
        assert_eq!(with_name(&container["env"], "JIYUN_TRAIL_RETENTION")["value"], "400");
        if workload["metadata"]["name"] == "jiyun-api" {
            // The name of a pod of a StatefulSet outlives it; that of a Deployment would leave a chain behind each time.
            assert!(container["args"].as_array().unwrap().contains(&"--trail-writer=$(POD_NAME)".into()));
            let name = with_name(&container["env"], "POD_NAME");
            assert_eq!(name["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
        }
    }
    let given = rendered(&["--set", "trail.enabled=true", "--set", "trail.existingClaim=evidence"]);
    assert!(of_kind(&given, "PersistentVolumeClaim").is_empty());
    let mut api =
        of_kind(&given, "StatefulSet").into_iter().filter(|workload| workload["metadata"]["name"] == "jiyun-api");
    assert!(api.next().unwrap().to_string().contains(r#"{"claimName":"evidence"}"#));
}

#[test]
fn the_chart_runs_an_etcd_of_its_own_unless_endpoints_are_given() {
    let ours = ["--set", "ledger.etcd.replicas=1", "--set", "ledger.etcd.keepData=false"];
    let given = ["--set", "ledger.endpoints={https://a:2379,https://b:2379}", "--set", "api.tlsSecret=the-citys"];
    let (objects, given) = (rendered(&[]), rendered(&given));
    let names = |objects: &[Value], kind: &str| -> Vec<String> {
        of_kind(objects, kind).iter().map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let made =
        ["jiyun-authority", "jiyun-ledger-etcd", "jiyun-ledger-api", "jiyun-ledger-controller", "jiyun-ledger-root"];
    let mut secrets = names(&objects, "Secret");
    secrets.sort();
    let mut expected = [&made[..], &["jiyun-api-tls"]].concat();
    expected.sort_unstable();
    assert_eq!(secrets, expected);
    for kind in ["Secret", "StatefulSet", "Job"] {
        assert_eq!(names(&given, kind), Vec::<String>::new(), "{kind} beside endpoints of one's own");
    }
    let controller =
        |objects: &[Value]| of_kind(objects, "Deployment").iter().map(ToString::to_string).collect::<String>();
    let members =
        (0..3).map(|member| format!("https://jiyun-ledger-{member}.jiyun-ledger-members.jiyun-system.svc:2379"));
    assert!(controller(&objects).contains(&members.collect::<Vec<_>>().join(",")));
    assert!(controller(&given).contains("https://a:2379,https://b:2379") && controller(&given).contains("the-citys"));

    let own_keys = rendered(&["--set", "ledger.etcd.certificates=given,api.tlsSecret=the-citys"]);
    assert_eq!(names(&own_keys, "Secret"), Vec::<String>::new());
    assert_eq!(names(&own_keys, "StatefulSet"), ["jiyun-ledger"]);

    let kept = |objects: &[Value]| {
        let etcd = of_kind(objects, "StatefulSet")[0];
        let authority = of_kind(objects, "Secret").into_iter().find(|secret| secret["metadata"]["name"] == made[0]);
        let when = etcd["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"].clone();
        (when, authority.unwrap()["metadata"]["annotations"]["helm.sh/resource-policy"].clone())
    };
    assert_eq!(kept(&objects), ("Retain".into(), "keep".into()), "the books outlive the chart");
    assert_eq!(kept(&rendered(&ours)), ("Delete".into(), Value::Null), "unless told otherwise");
    assert!(names(&objects, "PodDisruptionBudget").contains(&"jiyun-ledger".to_owned()));
    assert!(!names(&rendered(&ours), "PodDisruptionBudget").contains(&"jiyun-ledger".to_owned()));
}

#[test]
fn nobody_but_jiyuns_own_parts_may_reach_the_books() {
    let objects = rendered(&[]);
    let policies = of_kind(&objects, "NetworkPolicy");
    assert_eq!(policies.len(), 4);
    let ledger = policies.iter().find(|policy| policy["metadata"]["name"] == "jiyun-ledger").unwrap();
    for rule in ledger["spec"]["ingress"].as_array().unwrap().iter().filter(|rule| rule["ports"][0]["port"] != 2381) {
        for from in rule["from"].as_array().unwrap() {
            let component = from["podSelector"]["matchLabels"]["app.kubernetes.io/name"].as_str().unwrap();
            assert!(component.starts_with("jiyun-") && from["namespaceSelector"].is_null(), "{from}");
        }
    }
    let users = policies.iter().find(|policy| policy["metadata"]["name"] == "jiyun-ledger-users").unwrap();
    assert_eq!(users["spec"]["ingress"], serde_json::json!([]));
    assert!(of_kind(&rendered(&["--set", "networkPolicies.enabled=false"]), "NetworkPolicy").is_empty());
}

/// A server's own schemas, defaults, admission and Pod Security have a look at everything the chart makes.
#[tokio::test]
async fn an_api_server_takes_everything_the_chart_makes_without_a_warning() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let namespace = world.lab.unique_name("install");
    world.lab.kubectl(&["create", "namespace", &namespace]).await?;
    let level = "pod-security.kubernetes.io/enforce=restricted";
    world.lab.kubectl(&["label", "namespace", &namespace, level, "pod-security.kubernetes.io/warn=restricted"]).await?;
    for settings in [&[][..], &["--set", "trail.enabled=true,networkPolicies.monitoring.matchLabels.team=watch"]] {
        let arguments = [&["template", "jiyun", "charts/jiyun", "--namespace", &namespace], settings].concat();
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("chart.yaml");
        std::fs::write(&file, helm(&arguments))?;
        let file = file.to_str().unwrap();
        let tried =
            ["apply", "--dry-run=server", "--server-side", "--force-conflicts", "--warnings-as-errors", "-f", file];
        let told = world.lab.kubectl(&tried).await?;
        assert!(told.contains("statefulset.apps/jiyun-ledger serverside-applied (server dry run)"), "{told}");
    }
    world.lab.kubectl(&["delete", "namespace", &namespace, "--wait=false"]).await?;
    Ok(())
}

#[test]
fn a_setting_the_chart_does_not_know_is_refused() {
    let program = jiyun_lab::programs::program("helm", "helm").unwrap();
    for (chart, setting) in [
        ("jiyun", "controller.replicaz=3"),
        ("jiyun", "ledger.endpoints[0]=http://plain:2379"),
        ("jiyun", "ledger.etcd.replicas=2"),
        ("jiyun", "ledger.etcd.size=much"),
        ("jiyun", "api.replicas=-1"),
        ("jiyun", "trail.retentionDays=179"),
        ("jiyun-crds", "x=1"),
    ] {
        let folder = jiyun_lab::source_root().join("charts").join(chart);
        let output = Command::new(&program).args(["template", chart]).arg(folder).args(["--set", setting]).output();
        assert!(!output.unwrap().status.success(), "{chart}: {setting} was taken");
    }
}
