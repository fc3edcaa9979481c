//! The API server's audit log: who changed what, with which request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiyun_crds::names::{LABEL_CLOUDHOST, department_of_engine_namespace, department_of_namespace};
use serde::Deserialize;
use serde_json::Value;

/// A line of the log cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("line {line} of the audit log cannot be understood")]
pub struct AuditError {
    /// Which, from 1.
    line: usize,
    /// The cause.
    #[source]
    source: serde_json::Error,
}

/// Who made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A component of ours: the controller, or the API with its caller's token.
    Ours,
    /// Anybody else: simulators, Kubernetes itself, whoever prepared the run.
    Other,
}

/// The controller's user.
pub const CONTROLLER: &str = "system:serviceaccount:jiyun-system:jiyun-controller";

/// How the API introduces itself.
const API_AGENT: &str = "jiyun-api/";

/// A host by name, as far as it can be told from a request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// Its department.
    pub department: String,
    /// Its name.
    pub name: String,
}

/// One changing request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// When it came.
    pub at: Timestamp,
    /// Whose it is.
    pub actor: Actor,
    /// User it was made as.
    pub user: String,
    /// Verb in Kubernetes' words: create, patch, update, delete.
    pub verb: String,
    /// Path and query.
    pub uri: String,
    /// Status code of the answer.
    pub code: u16,
    /// Plural of the kind, with `/status` and the like where it was one.
    pub resource: String,
    /// What was sent.
    pub body: Option<Value>,
    /// The host it is about, if it is about one.
    pub host: Option<HostKey>,
}

impl Write {
    /// Whether it changed anything.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    stage: String,
    #[serde(rename = "requestURI")]
    uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    object_ref: Option<Object>,
    response_status: Option<Answer>,
    request_object: Option<Value>,
    request_received_timestamp: Timestamp,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    code: u16,
}

/// Reads a log: the answered requests in the order they came.
///
/// # Errors
/// When a line is none of the log's. A last line without an end is still being written and is left out.
pub fn parse(log: &str) -> Result<Vec<Write>, AuditError> {
    let whole = log.rfind('\n').and_then(|end| log.get(..end)).unwrap_or_default();
    let mut writes = Vec::new();
    for (index, text) in whole.lines().enumerate() {
        let line: Line = serde_json::from_str(text).map_err(|source| AuditError { line: index + 1, source })?;
        if line.stage == "ResponseComplete" {
            writes.push(line.into());
        }
    }
    writes.sort_by_key(|write: &Write| write.at);
    Ok(writes)
}

impl From<Line> for Write {
    fn from(line: Line) -> Self {
        let object = line.object_ref.unwrap_or_default();
        let ours = line.user.username == CONTROLLER || line.user_agent.starts_with(API_AGENT);
        let resource = match object.subresource.as_str() {
            "" => object.resource.clone(),
            sub => format!("{}/{sub}", object.resource),
        };
        Self {
            at: line.request_received_timestamp,
            actor: if ours { Actor::Ours } else { Actor::Other },
            user: line.user.username,
            verb: line.verb,
            uri: line.uri,
            code: line.response_status.map(|answer| answer.code).unwrap_or_default(),
            resource,
            host: host_of(&object, line.request_object.as_ref()),
            body: line.request_object,
        }
    }
}

/// A cloud host itself, or an engine object with the label that says whose it is.
fn host_of(object: &Object, body: Option<&Value>) -> Option<HostKey> {
    let in_body = |pointer: &str| body?.pointer(pointer)?.as_str();
    if let Some(department) = department_of_namespace(&object.namespace) {
        if object.resource != "cloudhosts" {
            return None;
        }
        let named = Some(object.name.as_str()).filter(|name| !name.is_empty());
        let name = named.or_else(|| in_body("/metadata/name"))?;
        return Some(HostKey { department: department.to_owned(), name: name.to_owned() });
    }
    let department = department_of_engine_namespace(&object.namespace)?;
    let label = LABEL_CLOUDHOST.replace('/', "~1");
    let name = in_body(&format!("/metadata/labels/{label}"))?;
    Some(HostKey { department: department.to_owned(), name: name.to_owned() })
}

/// How many requests went to each resource, by verb.
pub fn by_resource<'a>(writes: impl IntoIterator<Item = &'a Write>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for write in writes {
        *counts.entry(format!("{} {}", write.verb, write.resource)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A line of the log as the API server writes it, without what is not read.
    pub fn line(
        second: u32,
        who: (&str, &str),
        verb: &str,
        uri: &str,
        object: impl Into<Value>,
        body: impl Into<Value>,
    ) -> String {
        let (object, body): (Value, Value) = (object.into(), body.into());
        let (user, agent) = who;
        let code = if verb == "create" { 201 } else { 200 };
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "1",
            "stage": "ResponseComplete", "requestURI": uri, "verb": verb,
            "user": {"username": user, "groups": ["system:authenticated"]}, "sourceIPs": ["127.0.0.1"],
            "userAgent": agent, "objectRef": object, "responseStatus": {"metadata": {}, "code": code},
            "requestObject": body, "requestReceivedTimestamp": format!("2026-01-01T00:00:{second:02}.123456Z"),
            "stageTimestamp": "2026-01-01T00:01:00.000000Z", "annotations": {"authorization.k8s.io/decision": "allow"},
        })
        .to_string()
            + "\n"
    }

    pub const PERSON: (&str, &str) = ("culture-operator", "jiyun-api/0.1.0");
    pub const OURS: (&str, &str) = (CONTROLLER, "kube-rs");
    pub const SIMULATOR: (&str, &str) = ("lab-admin", "kube-rs");

    /// What happens to one host, as a log.
    pub fn life_of(host: &str, second: u32) -> String {
        let hosts = "/apis/jiyun.io/v1alpha1/namespaces/dept-culture/cloudhosts";
        let machines = "/apis/kubevirt.io/v1/namespaces/engine-culture/virtualmachines";
        let object = |resource: &str, namespace: &str, subresource: &str| json!({"resource": resource, "namespace": namespace, "name": host, "subresource": subresource});
        let machine = json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            "metadata": {"name": host, "labels": {"jiyun.io/cloudhost": host}},
        });
        let reported = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost", "metadata": {"name": host}, "status": {},
        });
        [
            line(
                second,
                PERSON,
                "create",
                &format!("{hosts}?&fieldManager=jiyun-api&fieldValidation=Strict"),
                json!({"resource": "cloudhosts", "namespace": "dept-culture"}),
                json!({"metadata": {"name": host}}),
            ),
            line(
                second + 1,
                OURS,
                "patch",
                &format!("{machines}/{host}?&force=true&fieldManager=jiyun-controller"),
                object("virtualmachines", "engine-culture", ""),
                machine,
            ),
            line(
                second + 2,
                SIMULATOR,
                "patch",
                &format!("{machines}/{host}/status?"),
                object("virtualmachines", "engine-culture", "status"),
                json!({"status": {"ready": true}}),
            ),
            line(
                second + 3,
                OURS,
                "patch",
                &format!("{hosts}/{host}/status?&force=true&fieldManager=jiyun-controller"),
                object("cloudhosts", "dept-culture", "status"),
                reported,
            ),
        ]
        .concat()
    }

    #[test]
    fn a_host_is_known_in_every_request_about_it_even_before_it_has_an_address() {
        let writes = parse(&life_of("web-1", 0)).unwrap();
        let host = HostKey { department: "culture".into(), name: "web-1".into() };
        let known: Vec<_> = writes.iter().map(|write| write.host.clone()).collect();
        // The simulator's body does not name it, and simulators are not replayed.
        assert_eq!(known, [Some(host.clone()), Some(host.clone()), None, Some(host)]);
    }

    #[test]
    fn the_apis_callers_and_the_controller_are_ours_and_the_simulators_are_not() {
        let writes = parse(&life_of("web-1", 0)).unwrap();
        let ours: Vec<_> = writes.iter().map(|write| write.actor).collect();
        assert_eq!(ours, [Actor::Ours, Actor::Ours, Actor::Other, Actor::Ours]);
        let counted = by_resource(writes.iter().filter(|write| write.actor == Actor::Ours));
        let counted: Vec<_> = counted.iter().map(|(what, count)| (what.as_str(), *count)).collect();
        assert_eq!(counted, [("create cloudhosts", 1), ("patch cloudhosts/status", 1), ("patch virtualmachines", 1)]);
    }

    #[test]
    fn somebody_who_uses_kubectl_is_not_the_api() {
        let text = line(0, ("culture-operator", "kubectl/v1.36"), "delete", "/x", json!({}), json!(null));
        assert_eq!(parse(&text).unwrap()[0].actor, Actor::Other);
    }

    #[test]
    fn requests_come_in_the_order_they_were_received_whatever_the_log_says() {
        let log = life_of("late", 10) + &life_of("early", 0);
        let first = parse(&log).unwrap().remove(0);
        assert_eq!(first.host.unwrap().name, "early");
    }

    #[test]
    fn a_line_still_being_written_is_left_out_and_a_broken_one_is_named() {
        let whole = life_of("web-1", 0);
        let cut = format!("{whole}{{\"kind\": \"Ev");
        assert_eq!(parse(&cut).unwrap().len(), 4);
        let broken = parse(&format!("{whole}nonsense\n")).unwrap_err();
        assert!(broken.to_string().contains("line 5"), "{broken}");
    }
}
