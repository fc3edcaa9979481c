//! A lab on an existing cluster. A bare lab plays the cluster: the lab under test has nothing of it but a kubeconfig.

// Helpers of tests fail the test as the tests themselves do; clippy exempts only the latter.
#![allow(clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jiyun_lab::{ClusterError, Engines, Lab, LabError, LabOptions, Person, Profile, lives, wait_for};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(2);

const MACHINES: &str = "virtualmachines.kubevirt.io";
const DISKS: &str = "datavolumes.cdi.kubevirt.io";

/// The cluster that was there before.
async fn cluster() -> Lab {
    Lab::start(LabOptions::bare()).await.expect("the cluster starts")
}

/// Whatever a lab may leave in a cluster, by name.
async fn contents(cluster: &Lab) -> String {
    let kinds =
        "namespaces,clusterroles,clusterrolebindings,crds,validatingadmissionpolicies,mutatingadmissionpolicies";
    let mut names = cluster.kubectl(&["get", kinds, "-o", "name"]).await.expect("listed");
    for kind in ["leases", "rolebindings"] {
        names += &cluster
            .kubectl(&["get", kind, "-A", "-l", "!kubernetes.io/bootstrapping", "-o", "name"])
            .await
            .expect("listed");
    }
    names
}

/// Whether a person may do something, by the API server's own word.
async fn can(cluster: &Lab, person: &Person, verb: &str, resource: &str, namespace: &str) -> bool {
    let who = format!("--as={}", person.user);
    let answer = cluster.kubectl(&["auth", "can-i", verb, resource, "-n", namespace, &who]).await;
    answer.is_ok_and(|told| told.trim() == "yes")
}

async fn refused(cluster: &Lab, options: LabOptions) -> (ClusterError, String) {
    let before = contents(cluster).await;
    let error = Lab::start(options).await.expect_err("refused");
    assert_eq!(contents(cluster).await, before, "nothing is changed");
    let said = error.to_string();
    let cluster = match error {
        LabError::Cluster(error) => Some(*error),
        _ => None,
    };
    (cluster.expect("refused for the cluster's sake"), said)
}

/// A definition as somebody else would have installed it.
async fn define(cluster: &Lab, kind: &str, plural: &str, group: &str) {
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
            }}}],
        },
    });
    let file = cluster.folder().join("definition.json");
    std::fs::write(&file, definition.to_string()).expect("written");
    let file = file.to_string_lossy().into_owned();
    cluster.kubectl(&["apply", "--server-side", "--field-manager=somebody", "-f", &file]).await.expect("applied");
}

#[tokio::test]
async fn people_have_the_roles_of_their_groups_and_stop_takes_them_away() {
    let cluster = cluster().await;
    let options = || LabOptions::default().departments(["culture", "health"]).cluster(cluster.kubeconfig());
    let lab = Lab::start(options()).await.expect("the lab starts");
    assert!(lab.uses_given_cluster());
    assert_eq!((lab.url(), lab.engines()), (cluster.url(), Engines::Simulated));
    let running: Vec<_> = lab.processes().iter().map(|process| process.name().to_owned()).collect();
    assert_eq!(running, ["etcd-ledger"]);
    assert!(lab.process("kube-apiserver").is_none() && lab.ports().len() == 2);
    let authority = |path: &Path| std::fs::read_to_string(path).expect("read");
    assert_eq!(authority(lab.kubernetes_authority()), authority(cluster.authority()));
    assert_ne!(authority(lab.authority()), authority(cluster.authority()));

    let person = |name: &str| lab.person(name).expect("known").clone();
    let (operator, finance, auditor) = (person("operator"), person("finance"), person("auditor"));
    let client = lab.client_as(&operator.token).await.expect("client");
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let review =
        reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await.expect("the token is good");
    let seen = review.status.and_then(|status| status.user_info).expect("user");
    assert_eq!(seen.username.as_deref(), Some("system:serviceaccount:jiyun-lab-people:operator"));
    assert_eq!(seen.username.as_deref(), Some(operator.user.as_str()));
    assert!(can(&cluster, &operator, "create", "departments.jiyun.io", "default").await);
    assert!(can(&cluster, &finance, "list", "departments.jiyun.io", "default").await);
    assert!(!can(&cluster, &finance, "create", "departments.jiyun.io", "default").await);
    assert!(can(&cluster, &auditor, "list", "departments.jiyun.io", "default").await);
    assert!(!can(&cluster, &auditor, "create", "departments.jiyun.io", "default").await);
    let groups = cluster.kubectl(&["get", "clusterrolebindings", "-o", "jsonpath={.items[*].subjects[*].name}"]).await;
    assert!(!groups.expect("listed").contains("jiyun:"), "no group of the cluster's own users is bound to anything");

    let (clerk, reader, stranger) = (person("culture-operator"), person("culture-reader"), person("health-operator"));
    assert!(!can(&cluster, &clerk, "create", "cloudhosts.jiyun.io", "dept-culture").await);
    // The second time the namespace is another one of the same name.
    for _ in 0..2 {
        cluster.kubectl(&["create", "namespace", "dept-culture"]).await.expect("created");
        lab.people_ready("culture").await.expect("bound");
        assert!(can(&cluster, &clerk, "create", "cloudhosts.jiyun.io", "dept-culture").await);
        assert!(can(&cluster, &reader, "list", "cloudhosts.jiyun.io", "dept-culture").await);
        assert!(!can(&cluster, &reader, "create", "cloudhosts.jiyun.io", "dept-culture").await);
        assert!(!can(&cluster, &stranger, "list", "cloudhosts.jiyun.io", "dept-culture").await);
        cluster.kubectl(&["delete", "namespace", "dept-culture", "--timeout=60s"]).await.expect("deleted");
    }
    cluster.kubectl(&["create", "namespace", "dept-culture"]).await.expect("created");
    lab.people_ready("culture").await.expect("bound");

    let (living, said) = refused(&cluster, options()).await;
    assert!(matches!(living, ClusterError::Living { .. }) && said.contains("another lab uses"), "{said}");

    let folder = lab.folder().to_owned();
    lab.stop().await.expect("stops");
    assert!(!folder.exists());
    let left = contents(&cluster).await;
    for gone in ["jiyun-lab-people", "lease.coordination.k8s.io/jiyun-lab"] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
    for stays in ["namespace/jiyun-system", "namespace/dept-culture", "cloudhosts.jiyun.io", MACHINES] {
        assert!(left.contains(stays), "{stays} in {left}");
    }
    assert!(!can(&cluster, &operator, "create", "departments.jiyun.io", "default").await);

    let next = Lab::start(options()).await.expect("what a lab installed is a lab's to use again");
    assert_eq!(next.engines(), Engines::Simulated);
    next.people_ready("culture").await.expect("a namespace that was there before is bound as well");
    next.stop().await.expect("stops");

    let scale = ["scale", "deployment", "jiyun-controller", "-n", "jiyun-system", "--replicas=1"];
    cluster.kubectl(&scale).await.expect("scaled");
    let (installed, said) = refused(&cluster, options()).await;
    assert!(matches!(installed, ClusterError::Installed(_)), "{said}");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_nothing_is_changed() {
    let cluster = cluster().await;
    let options = || LabOptions::default().cluster(cluster.kubeconfig());

    cluster.kubectl(&["create", "namespace", "jiyun-system"]).await.expect("created");
    let (foreign, said) = refused(&cluster, options()).await;
    assert!(matches!(foreign, ClusterError::Foreign { namespace: "jiyun-system", .. }), "{said}");
    assert!(said.contains("lab.jiyun.io/owner") && said.contains("nothing was changed"), "{said}");
    cluster.kubectl(&["delete", "namespace", "jiyun-system", "--timeout=60s"]).await.expect("deleted");

    let token = cluster.user_token("default", "default").await.expect("token");
    let nobody = cluster.write_kubeconfig("nobody", &token).expect("written");
    let (weak, said) = refused(&cluster, LabOptions::default().cluster(nobody)).await;
    assert!(matches!(weak, ClusterError::NotAdministrator) && said.contains("cluster-admin"), "{said}");
    let unknown = cluster.write_kubeconfig("unknown", "not-a-token").expect("written");
    let (unknown, said) = refused(&cluster, LabOptions::default().cluster(unknown)).await;
    assert!(matches!(unknown, ClusterError::Unknown { .. }), "{said}");
    let (audited, said) = refused(&cluster, options().audit("audit.log")).await;
    assert!(matches!(audited, ClusterError::NoAudit), "{said}");
    let (real, said) = refused(&cluster, options().profile(Profile::Real)).await;
    assert!(matches!(real, ClusterError::NoKubeVirt) && said.contains("--profile scale"), "{said}");

    define(&cluster, "VirtualMachine", "virtualmachines", "kubevirt.io").await;
    let (half, said) = refused(&cluster, options()).await;
    assert!(matches!(half, ClusterError::HalfEngines { present: MACHINES, missing: DISKS }), "{said}");
    define(&cluster, "DataVolume", "datavolumes", "cdi.kubevirt.io").await;
    let before = contents(&cluster).await;
    let lab = Lab::start(options().charts(false).profile(Profile::Real)).await.expect("the cluster's own engines do");
    assert_eq!(lab.engines(), Engines::TheClusters);
    let definitions = cluster.kubectl(&["get", "crds", "-o", "name"]).await.expect("listed");
    assert_eq!(definitions.lines().count(), 2, "{definitions}");
    lab.stop().await.expect("stops");
    assert_eq!(contents(&cluster).await, before, "without charts nothing is left, not even the namespace");

    define(&cluster, "CloudHost", "cloudhosts", "jiyun.io").await;
    let (kinds, said) = refused(&cluster, options()).await;
    assert!(matches!(kinds, ClusterError::ForeignKinds(_)) && said.contains("cloudhosts.jiyun.io"), "{said}");

    let kubeconfig = cluster.folder().with_extension("kubeconfig");
    std::fs::copy(cluster.kubeconfig(), &kubeconfig).expect("copied");
    let authority = cluster.folder().with_extension("crt");
    std::fs::copy(cluster.authority(), &authority).expect("copied");
    cluster.process("kube-apiserver").expect("runs").kill();
    let silent = Lab::start(LabOptions::default().cluster(&kubeconfig)).await.expect_err("nobody answers");
    assert!(silent.to_string().contains("does not answer"), "{silent}");
    for file in [kubeconfig, authority] {
        std::fs::remove_file(file).expect("removed");
    }
}

/// The command, on an existing cluster.
struct Cli {
    folder: tempfile::TempDir,
    cluster: String,
}

impl Cli {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jiyun-lab"));
        command.arg("--dir").arg(self.folder.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("jiyun-lab runs")
    }

    fn up(&self) -> [&str; 5] {
        ["up", "--without-charts", "--departments=culture", "--cluster", &self.cluster]
    }

    fn state(&self) -> Value {
        let state = std::fs::read(self.folder.path().join("default/state.json")).expect("state");
        serde_json::from_slice(&state).expect("JSON")
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        // After a failed assertion nothing may stay either.
        let _ = self.command(&["down"]).output();
    }
}

#[tokio::test]
async fn the_command_uses_a_cluster_and_the_claim_of_a_killed_lab_expires() {
    let cluster = cluster().await;
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    let cli = Cli { folder: tempfile::tempdir().expect("temp dir"), cluster: kubeconfig };
    let wrong = cli.run(&[&cli.up()[..], &["--context=other"]].concat());
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(!wrong.status.success() && said.contains("has no context `other`: name one of `lab`"), "{said}");

    let mut holder = cli.command(&[&cli.up()[..], &["--foreground"]].concat());
    let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("jiyun-lab starts");
    wait_for("the lab to be ready", DEADLINE, || async {
        let status = cli.run(&["status"]);
        if status.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&status.stdout).into_owned()) }
    })
    .await
    .expect("ready");
    let person = |state: &Value| state["people"][0][1].as_str().expect("a token").to_owned();
    let old = person(&cli.state());
    holder.kill().expect("SIGKILL");
    holder.wait().expect("reaped");
    assert!(!lives(&cli.folder.path().join("default")));

    // Waits for the Lease to expire, then removes what the killed lab left. This time the environment names the cluster.
    let mut up = cli.command(&["up", "--without-charts", "--departments=culture"]);
    let up = up.env("JIYUN_LAB_CLUSTER", &cli.cluster).output().expect("jiyun-lab runs");
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let said = String::from_utf8_lossy(&cli.run(&["status"]).stdout).into_owned();
    assert!(said.contains("(an existing cluster)") && said.contains("engines     simulated"), "{said}");
    let new = person(&cli.state());
    let review = async |token: &str| {
        let reviews = Api::<SelfSubjectReview>::all(cluster.client_as(token).await.expect("client"));
        reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await
    };
    review(&new).await.expect("the new lab's people are known");
    wait_for("the killed lab's people to be unknown", DEADLINE, || async {
        match review(&old).await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await
    .expect("unknown");

    let down = cli.run(&["down"]);
    let said = String::from_utf8_lossy(&down.stdout).into_owned();
    assert!(down.status.success() && said.contains("its people and their roles are gone"), "{said}");
    assert!(said.contains("docs/lab.md"), "{said}");
    let left = contents(&cluster).await;
    assert!(!left.contains("jiyun") && left.contains(MACHINES), "{left}");
}
