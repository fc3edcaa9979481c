//! User data (自定义数据) of hosts: written by a department into a Secret, read by the machine alone, and refused where it would
//! do nothing or tell something. The engine is a simulator: no guest reads it.

use data_encoding::BASE64;
use http::StatusCode;
use jiyun_crds::{
    names::{LABEL_CLAIM, engine_namespace, user_data_name},
    v1alpha1::{CloudHost, ConditionType, condition},
};
use jiyun_lab::LabError;
use jiyun_tests::{
    Order, World, WorldError,
    world::{Bureau, PATIENCE, Quota},
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use serde_json::{Value, json};

use super::buckets::written;

/// What departments write here. Nothing else says so.
const WORD: &str = "correct-horse-battery-staple";

/// A department that writes Secrets.
struct Writer<'a> {
    bureau: Bureau<'a>,
    home: String,
}

impl Writer<'_> {
    async fn new() -> Result<Writer<'static>, WorldError> {
        let bureau = World::shared().await?.department(Quota::AMPLE).await?;
        Ok(Writer { home: format!("dept-{}", bureau.name), bureau })
    }

    /// What kubectl says to one of the department's people.
    async fn asks(&self, role: &str, arguments: &[&str]) -> Result<String, LabError> {
        let name = &self.bureau.name;
        let (who, group) = (format!("--as={name}-{role}"), format!("--as-group={name}-{role}s"));
        let more = ["-n", &self.home, &who, &group];
        self.bureau.world.lab.kubectl(&[arguments, &more].concat()).await
    }

    /// Makes a Secret of this type, as the department's operator.
    async fn makes(&self, name: &str, kind: &str, literals: &[&str]) -> Result<String, LabError> {
        let kind = format!("--type={kind}");
        let literals: Vec<String> = literals.iter().map(|literal| format!("--from-literal={literal}")).collect();
        let literals: Vec<&str> = literals.iter().map(String::as_str).collect();
        self.asks("operator", &[&["create", "secret", "generic", name, &kind][..], &literals].concat()).await
    }

    /// Orders a host with user data.
    async fn orders(&self, host: &str, secret: &str, wait: u32) -> Result<StatusCode, WorldError> {
        let mut body = Order::new(host, "portal").body();
        body["userDataSecret"] = json!(secret);
        body["sshAuthorizedKeys"] = json!(["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== of-the-order"]);
        let answer = self.bureau.caller.post(&self.bureau.hosts_path(), &body, wait).await?;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_eq!(answer.json()["userDataSecret"], secret, "{answer:?}");
        Ok(answer.status)
    }

    /// The copy that a machine reads.
    async fn copy(&self, host: &str) -> Result<Option<Secret>, WorldError> {
        let engines = engine_namespace(&self.bureau.name);
        let secrets = Api::<Secret>::namespaced(self.bureau.world.lab.client().await?, &engines);
        Ok(secrets.get_opt(&user_data_name(host)).await?)
    }

    async fn machine(&self, host: &str) -> Result<Value, WorldError> {
        let engines = engine_namespace(&self.bureau.name);
        let text = self.bureau.world.lab.kubectl(&["get", "vm", host, "-n", &engines, "-o", "json"]).await?;
        Ok(serde_json::from_str(&text).unwrap())
    }
}

/// Status, reason and message of a condition.
fn told(host: &CloudHost, kind: ConditionType) -> (&str, &str, &str) {
    let found = host.status.as_ref().and_then(|status| condition::find(&status.conditions, kind));
    found.map_or(("", "", ""), |found| (&found.status, &found.reason, &found.message))
}

/// Bodies of the parts of a message, decoded.
fn parts(message: &str) -> Vec<String> {
    let boundary = message.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let between = format!("--{boundary}");
    let bodies = message.split(&between).filter_map(|part| part.split_once("base64\n\n"));
    let decode = |(_, body): (&str, &str)| {
        let body: String = body.split_whitespace().collect();
        String::from_utf8(BASE64.decode(body.as_bytes()).unwrap()).unwrap()
    };
    bodies.map(decode).collect()
}

#[tokio::test]
async fn a_machine_reads_what_its_department_wrote_nobody_else_does_and_at_its_end_nothing_is_left()
-> Result<(), WorldError> {
    let writer = Writer::new().await?;
    let bureau = &writer.bureau;
    let data = format!("#!/bin/sh\necho {WORD} 口令 >/etc/motd\n");
    writer.makes("boot", "jiyun.io/user-data", &[&format!("userData={data}")]).await?;
    assert_eq!(writer.orders("web", "boot", 30).await?, StatusCode::CREATED);
    bureau.wait_ready("web").await?;

    let copy = writer.copy("web").await?.expect("the machine reads it");
    let label = copy.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_CLAIM)).cloned().unwrap_or_default();
    assert!(label.starts_with("claim-"), "{label}");
    let message = String::from_utf8(copy.data.as_ref().unwrap()["userdata"].0.clone()).unwrap();
    let [theirs, ours] = <[_; 2]>::try_from(parts(&message)).expect("two parts");
    assert_eq!(theirs, data);
    assert!(ours.starts_with("#cloud-config\n") && ours.contains("of-the-order"), "{ours}");
    let machine = writer.machine("web").await?;
    let volumes = machine.pointer("/spec/template/spec/volumes").unwrap();
    let seed = json!({"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "user-data.web"}}});
    assert!(volumes.as_array().unwrap().contains(&seed), "{volumes}");
    let engines = engine_namespace(&bureau.name);
    let (who, group) = (format!("--as={}-operator", bureau.name), format!("--as-group={}-operators", bureau.name));
    let asked = ["get", "secret", "user-data.web", "-n", &engines, &who, &group];
    let refused = bureau.world.lab.kubectl(&asked).await.expect_err("the copy is not for people").to_string();
    assert!(refused.contains("orbidden"), "{refused}");

    // What is done to the Secret later is of no matter to the host.
    writer.asks("operator", &["delete", "secret", "boot"]).await?;
    for power in ["Stopped", "Running"] {
        let answer = bureau.caller.patch(&bureau.host_path("web"), &json!({"power": power}), "").await?;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let host = bureau.wait_for_host("web", power, |host| told(host, ConditionType::Ready).1 == power).await?;
        assert_eq!(told(&host, ConditionType::Accepted).1, "Valid");
    }
    assert_eq!(writer.copy("web").await?.map(|copy| copy.metadata.uid), Some(copy.metadata.uid));

    let shown = bureau.caller.get(&bureau.host_path("web")).await?;
    let object = writer.asks("operator", &["get", "cloudhost", "web", "-o", "yaml"]).await?;
    let everything = [written(bureau.world)?, format!("{shown:?}"), object, machine.to_string()].concat();
    let lines = message.lines().filter(|line| line.len() > 60 && !line.contains(' '));
    let forms = [WORD.to_owned(), BASE64.encode(data.as_bytes()), BASE64.encode(message.as_bytes())];
    for form in forms.into_iter().chain(lines.map(str::to_owned)) {
        assert!(!everything.contains(&form), "it was told");
    }

    bureau.caller.delete(&bureau.host_path("web")).await?;
    bureau.wait_gone("web").await?;
    assert!(writer.copy("web").await?.is_none(), "it goes with its machine");
    Ok(())
}

#[tokio::test]
async fn nothing_is_granted_until_the_user_data_is_there_and_would_be_understood() -> Result<(), WorldError> {
    let writer = Writer::new().await?;
    let bureau = &writer.bureau;
    for path in [bureau.hosts_path(), format!("{}?dryRun=true", bureau.hosts_path())] {
        let mut body = Order::new("web", "portal").body();
        body["userDataSecret"] = json!("boot");
        let answer = bureau.caller.post(&path, &body, 30).await?;
        let told = (answer.status, answer.json()["code"].clone(), answer.json()["field"].clone());
        assert_eq!(told, (StatusCode::UNPROCESSABLE_ENTITY, json!("UnknownReference"), json!("userDataSecret")));
    }
    let mut web = Order::new("web", "portal").object(&bureau.name);
    web["spec"]["userDataSecretRef"] = json!({"name": "boot"});
    bureau.world.lab.apply_text(&web.to_string()).await?;
    let waits = |reason: &'static str, what: &'static str| {
        bureau.wait_for_host("web", what, move |host| {
            let (status, is, message) = told(host, ConditionType::Accepted);
            (status, is) == ("False", reason) && message.contains(what) && message.contains("userDataSecretRef")
        })
    };
    waits("UnknownReference", "Secret boot").await?;
    // Whoever may do everything is kept from nothing here, and the host says so.
    let lab = &bureau.world.lab;
    let by_hand = ["create", "secret", "generic", "boot", "-n", &writer.home, "--from-literal=userData=#!/bin/sh"];
    lab.kubectl(&by_hand).await?;
    waits("Misconfigured", "is not of type jiyun.io/user-data").await?;
    lab.kubectl(&["delete", "secret", "boot", "-n", &writer.home]).await?;
    writer.makes("boot", "jiyun.io/user-data", &["userData=packages: [nginx]"]).await?;
    waits("Misconfigured", "cloud-init would not know").await?;
    assert_eq!(bureau.used("Vcpu").await?, (0, 0), "nothing is set aside meanwhile");
    let mended = json!({"stringData": {"userData": "#cloud-config\npackages: [nginx]\n"}}).to_string();
    writer.asks("operator", &["patch", "secret", "boot", "--type=merge", "-p", &mended]).await?;
    bureau.wait_ready("web").await?;
    Ok(())
}

#[tokio::test]
async fn user_data_that_goes_between_grant_and_machine_is_asked_for_again() -> Result<(), WorldError> {
    let writer = Writer::new().await?;
    let (bureau, engines) = (&writer.bureau, engine_namespace(&writer.bureau.name));
    let lab = &bureau.world.lab;
    // Somebody else's has the name of the copy: the machine cannot be made.
    lab.kubectl(&["create", "secret", "generic", "user-data.web", "-n", &engines, "--from-literal=a=b"]).await?;
    let data = "userData=#!/bin/sh\nexit 0\n";
    writer.makes("boot", "jiyun.io/user-data", &[data]).await?;
    assert_eq!(writer.orders("web", "boot", 30).await?, StatusCode::CREATED);
    let ready = |reason: &'static str, what: &'static str| {
        bureau.wait_for_host("web", what, move |host| {
            let (status, is, message) = told(host, ConditionType::Ready);
            (status, is) == ("False", reason) && message.contains(what)
        })
    };
    ready("EngineError", "Secret user-data.web still belongs to something else").await?;
    writer.asks("operator", &["delete", "secret", "boot"]).await?;
    lab.kubectl(&["delete", "secret", "user-data.web", "-n", &engines]).await?;
    let waits = ready("UnknownReference", "Secret boot").await?;
    assert_eq!(told(&waits, ConditionType::Provisioned).1, "UnknownReference");
    assert_eq!(told(&waits, ConditionType::Admitted).1, "Granted");
    writer.makes("boot", "jiyun.io/user-data", &[data]).await?;
    bureau.wait_ready("web").await?;

    // A copy that is lost of a host in use is made anew with what is left.
    writer.asks("operator", &["delete", "secret", "boot"]).await?;
    lab.kubectl(&["delete", "secret", "user-data.web", "-n", &engines]).await?;
    for power in ["Stopped", "Running"] {
        bureau.caller.patch(&bureau.host_path("web"), &json!({"power": power}), "").await?;
        bureau.wait_for_host("web", power, |host| told(host, ConditionType::Ready).1 == power).await?;
    }
    let copy = writer.copy("web").await?.expect("a machine without it would not start");
    let message = String::from_utf8(copy.data.unwrap()["userdata"].0.clone()).unwrap();
    assert_eq!(parts(&message).len(), 1, "{message}");
    Ok(())
}

#[tokio::test]
async fn people_write_no_secrets_but_user_data_of_a_size_that_hosts_can_have() -> Result<(), WorldError> {
    let writer = Writer::new().await?;
    let lab = &writer.bureau.world.lab;
    let kind = "jiyun.io/user-data";
    let longest = format!("userData=#!/bin/sh\n{}", "#".repeat(32 * 1024 - 10));
    writer.makes("longest", kind, &[&longest]).await?;
    let too_long = format!("{longest}#");
    for (name, kind, literals, told) in [
        ("other", "Opaque", &["userData=#!/bin/sh"][..], "jiyun.io/user-data"),
        ("more", kind, &["userData=#!/bin/sh", "other=a"], "under the key userData"),
        ("long", kind, &[&too_long], "at most 32 KiB"),
        ("pg-credentials", kind, &["userData=#!/bin/sh"], "are the platform's"),
        ("files-bucket", kind, &["userData=#!/bin/sh"], "are the platform's"),
        (&"n".repeat(64), kind, &["userData=#!/bin/sh"], "at most 63 characters"),
    ] {
        let error = writer.makes(name, kind, literals).await.expect_err(name).to_string();
        assert!(error.contains(told), "{name}: {error}");
    }
    // What the platform wrote there is read, and nothing else.
    lab.kubectl(&["create", "secret", "generic", "pg-credentials", "-n", &writer.home, "--from-literal=password=p"])
        .await?;
    writer.asks("operator", &["get", "secret", "pg-credentials"]).await?;
    let patch = r#"{"stringData": {"password": "q"}}"#;
    for asked in [
        &["delete", "secret", "pg-credentials"][..],
        &["patch", "secret", "pg-credentials", "--type=merge", "-p", patch],
    ] {
        let error = writer.asks("operator", asked).await.unwrap_err().to_string();
        assert!(error.contains("the platform keeps the credentials"), "{asked:?}: {error}");
    }
    for (role, asked) in [
        ("operator", &["get", "secrets"][..]),
        ("reader", &["get", "secret", "longest"]),
        ("reader", &["delete", "secret", "longest"]),
        ("approver", &["get", "secret", "longest"]),
    ] {
        let error = writer.asks(role, asked).await.unwrap_err().to_string();
        assert!(error.contains("Forbidden") || error.contains("forbidden"), "{role} {asked:?}: {error}");
    }
    writer.asks("operator", &["delete", "secret", "longest"]).await?;
    Ok(())
}

#[tokio::test]
async fn nobody_agrees_to_a_host_whose_user_data_is_not_there() -> Result<(), WorldError> {
    let writer = Writer::new().await?;
    let bureau = &writer.bureau;
    // Asked for by an order of their own: nothing is filed for it by itself.
    let mut web = Order::new("web", "portal").object(&bureau.name);
    web["spec"]["userDataSecretRef"] = json!({"name": "boot"});
    web["metadata"]["annotations"] = json!({"jiyun.io/order": "rollout"});
    let order = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "rollout", "namespace": writer.home},
        "spec": {"systemRef": {"name": "portal"}, "items": [{"kind": "CloudHost", "name": "web", "action": "Create"}]},
    });
    for object in [web, order] {
        bureau.world.lab.apply_text(&object.to_string()).await?;
    }
    let orders = Api::<jiyun_crds::v1alpha1::Order>::namespaced(bureau.world.lab.client().await?, &writer.home);
    let accepted = |wanted: &'static str, about: &'static str| {
        let orders = orders.clone();
        jiyun_lab::wait_for(format!("the order to be {wanted}"), PATIENCE, move || {
            let orders = orders.clone();
            async move {
                let found = orders.get("rollout").await.map_err(|error| error.to_string())?;
                let status = found.status.unwrap_or_default();
                let told = condition::find(&status.conditions, ConditionType::Accepted);
                let is_it = told.is_some_and(|told| told.reason == wanted && told.message.contains(about));
                if is_it { Ok(()) } else { Err(format!("{status:?}")) }
            }
        })
    };
    accepted("UnknownReference", "Secret boot").await?;
    assert_eq!(bureau.used("Vcpu").await?, (0, 0), "nothing is held for it");
    writer.makes("boot", "jiyun.io/user-data", &["userData=#!/bin/sh"]).await?;
    accepted("Valid", "").await?;
    bureau.wait_ready("web").await?;
    Ok(())
}
