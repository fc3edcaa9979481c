//! From an audit event to a record: pure.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{GROUP, department_of_namespace},
    v1alpha1::definitions,
};
use jiyun_trail::core::{
    action::Action, actor::Actor, content::Content, object::Object, outcome::Outcome, record::Record,
};
use serde_json::{Value, json, value::RawValue};

use super::{
    body::Body,
    event::{Event, EventObject, EventUser},
};
use crate::trail::{order_of, state_of, zone_of};

/// The annotation that says whether the request was allowed.
const DECISION: &str = "authorization.k8s.io/decision";

/// Parts of a query that are looked through; Go's `net/url` drops all of a query with more than 10,000.
const MOST_PARTS: usize = 100;

/// Names of kinds by their plural.
#[derive(Clone, Debug, Default)]
pub struct Kinds(BTreeMap<String, String>);

impl Kinds {
    /// Those of group `jiyun.io`.
    pub fn ours() -> Self {
        let names = definitions().into_iter().map(|definition| definition.spec.names);
        Self(names.map(|names| (names.plural, names.kind)).collect())
    }

    /// The record of an event; none for what changes nothing of ours. Whoever sends the events chooses by a policy of the
    /// API server's, and what it sends too much is passed over.
    pub fn record(&self, event: &Event) -> Option<Record> {
        let object = event.object_ref.as_ref().filter(|object| object.api_group == GROUP)?;
        let action = match event.verb.as_str() {
            "create" => Action::Create,
            "update" | "patch" => Action::Change,
            "delete" | "deletecollection" => Action::Delete,
            _ => return None,
        };
        if action != Action::Delete && is_dry(&event.uri) {
            return None;
        }
        let result = result(event)?;
        let (sent, answered) = (Body::of(event.request_object.as_deref()), Body::of(event.response_object.as_deref()));
        let unreadable = sent.unreadable().or(answered.unreadable());
        let (sent, answered) = (sent.value(), answered.value().filter(|answered| answered["kind"] != "Status"));
        let action = match sent.or(answered).and_then(|sent| sent.pointer("/spec/decision")).and_then(Value::as_str) {
            Some("Approve") if action == Action::Create => Action::Approve,
            Some("Refuse") if action == Action::Create => Action::Refuse,
            _ => action,
        };
        let mut record = Record::new(event.stage_timestamp, actor(event), action, self.named(object, answered), result);
        record.department = department(event, &record.object);
        record.source = event.addresses.last().cloned();
        record.request = Some(event.id.clone());
        let known = || answered.into_iter().chain(sent);
        record.order = known().find_map(|value| order_of(&record.object.kind, &record.object.name, value));
        record.zone = known().find_map(zone_of);
        if record.action == Action::Delete {
            record.before = answered.map(|answered| Content::of(state_of(answered)));
        } else {
            let asked = sent.map(|sent| if event.verb == "patch" { json!({"patch": sent}) } else { state_of(sent) });
            record.after = answered.map(state_of).or(asked).map(Content::of);
        }
        if record.before.is_none() && record.after.is_none() {
            record.after = unreadable;
        }
        Some(record)
    }

    /// The record of an event that cannot be read: as much as can be. Where it is not even known what it is about, it is
    /// about the event itself.
    pub fn record_in_part(&self, event: &Event, text: &RawValue) -> Option<Record> {
        if event.object_ref.is_some() && !event.stage.is_empty() && !event.verb.is_empty() {
            return self.record(event);
        }
        let object = Object::new("AuditEvent", event.id.as_str());
        let unread = Outcome::failed("the event of the api server cannot be read: it may have been done");
        let mut record = Record::new(event.stage_timestamp, actor(event), Action::Change, object, unread);
        record.source = event.addresses.last().cloned();
        record.request = Some(event.id.clone()).filter(|id| !id.is_empty());
        record.after = Body::of(Some(text)).content();
        Some(record)
    }

    fn named(&self, object: &EventObject, answered: Option<&Value>) -> Object {
        let EventObject { resource, namespace, name, uid, subresource, .. } = object;
        let text = |pointer| answered.and_then(|answered| answered.pointer(pointer)).and_then(Value::as_str);
        let kind = self.0.get(resource).unwrap_or(resource);
        let kind = subresource.as_ref().map_or_else(|| kind.clone(), |part| format!("{kind}/{part}"));
        Object {
            kind,
            namespace: namespace.clone(),
            name: name.clone().or_else(|| text("/metadata/name").map(str::to_owned)).unwrap_or_default(),
            uid: text("/metadata/uid").map(str::to_owned).or_else(|| uid.clone()),
        }
    }
}

/// Whether a create or a change is only tried. The API server has its own ways with what it cannot read: it leaves out
/// pairs that are broken (`dryRun=%zz`), and all of them where there are too many. An end with a body does not go by the
/// address at all. So nothing but what it certainly takes for a trial is one.
fn is_dry(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').count() <= MOST_PARTS && query.split('&').any(|part| part == "dryRun=All")
}

fn actor(event: &Event) -> Actor {
    let EventUser { username, groups } = event.user.clone();
    let other = event.impersonated_user.as_ref().map(|other| other.username.clone());
    Actor { groups, on_behalf_of: other, ..Actor::new(username) }
}

/// How it ended; none for stages in between.
fn result(event: &Event) -> Option<Outcome> {
    match event.stage.as_str() {
        "RequestReceived" => Some(Outcome::Begun),
        "Panic" => Some(Outcome::failed("the api server panicked: it may have been done")),
        "ResponseComplete" => {
            let status = event.response_status.clone().unwrap_or_default();
            let reason = status.reason.filter(|reason| !reason.is_empty());
            Some(match status.code {
                200..=399 => Outcome::Succeeded,
                400..=499 => Outcome::refused(reason.unwrap_or_else(|| format!("Http{}", status.code))),
                code => Outcome::failed(reason.unwrap_or_else(|| format!("the api server answered {code}"))),
            })
        }
        _ => None,
    }
}

fn decision(event: &Event) -> Option<&str> {
    event.annotations.get(DECISION).map(String::as_str)
}

/// Whether it was not allowed, as is known once it has ended.
pub fn is_forbidden(event: &Event) -> bool {
    decision(event) == Some("forbid")
}

/// The department whose affair it is, once the request was allowed: who may not do anything there is no business of its. What
/// has only begun is not known to be allowed.
fn department(event: &Event, object: &Object) -> Option<String> {
    if decision(event) != Some("allow") {
        return None;
    }
    match &object.namespace {
        Some(namespace) => department_of_namespace(namespace).map(str::to_owned),
        None => (object.kind == "Department").then(|| object.name.clone()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// A change by kubectl, as the API server sends it.
    fn event(changes: &Value) -> Event {
        let mut event = json!({
            "level": "RequestResponse", "auditID": "a-1", "stage": "ResponseComplete",
            "requestURI": "/apis/jiyun.io/v1alpha1/namespaces/dept-finance/cloudhosts/web-1?fieldManager=kubectl-patch",
            "verb": "patch",
            "user": {"username": "oidc:wang", "uid": "u", "groups": ["finance-operators", "system:authenticated"]},
            "sourceIPs": ["198.51.100.7", "10.0.0.7"], "userAgent": "kubectl/v1.36.0",
            "objectRef": {"resource": "cloudhosts", "namespace": "dept-finance", "name": "web-1",
                "apiGroup": "jiyun.io", "apiVersion": "v1alpha1"},
            "responseStatus": {"metadata": {}, "code": 200},
            "requestObject": {"spec": {"power": "Stopped"}},
            "responseObject": {"kind": "CloudHost", "apiVersion": "jiyun.io/v1alpha1",
                "metadata": {"name": "web-1", "namespace": "dept-finance", "uid": "u-1", "resourceVersion": "8"},
                "spec": {"power": "Stopped", "zoneRef": {"name": "public"}}, "status": {"orderRef": {"name": "o-1"}}},
            "requestReceivedTimestamp": "2026-11-20T01:00:00.000001Z", "stageTimestamp": "2026-11-20T01:00:00.004Z",
            "annotations": {DECISION: "allow"},
        });
        event.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_str(&event.to_string()).unwrap()
    }

    fn record(changes: &Value) -> Option<Record> {
        Kinds::ours().record(&event(changes))
    }

    #[test]
    fn a_change_by_kubectl_says_who_where_from_what_and_which_order() {
        let record = record(&json!({})).unwrap();
        assert_eq!((record.action, &record.result), (Action::Change, &Outcome::Succeeded));
        assert_eq!((record.actor.name.as_str(), record.source.as_deref()), ("oidc:wang", Some("10.0.0.7")));
        assert_eq!((record.department.as_deref(), record.request.as_deref()), (Some("finance"), Some("a-1")));
        assert_eq!((record.order.as_deref(), record.zone.as_deref()), (Some("o-1"), Some("public")));
        let object = Object::new("CloudHost", "web-1").within("dept-finance").with_uid("u-1");
        assert_eq!(record.object, object);
        let after = record.after.unwrap();
        assert_eq!(after.value().unwrap()["spec"]["power"], "Stopped");
        assert_eq!(after.value().unwrap()["resourceVersion"], "8");
    }

    #[test]
    fn what_is_received_has_begun_and_belongs_to_no_department_yet() {
        let received = record(&json!({"stage": "RequestReceived", "annotations": {}, "responseObject": null,
            "requestObject": null, "responseStatus": null}));
        let received = received.unwrap();
        assert_eq!((received.result, received.department), (Outcome::Begun, None));
    }

    #[test]
    fn what_is_refused_says_why_and_who_may_do_nothing_there_is_not_the_departments_business() {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure"});
        let forbidden = record(&json!({"annotations": {DECISION: "forbid"}, "responseObject": status,
            "responseStatus": {"code": 403, "reason": "Forbidden"}}));
        let forbidden = forbidden.unwrap();
        assert_eq!((forbidden.result, forbidden.department), (Outcome::refused("Forbidden"), None));
        assert_eq!(forbidden.after.unwrap().value().unwrap()["patch"]["spec"]["power"], "Stopped");
        let invalid = record(&json!({"responseObject": status, "responseStatus": {"code": 422, "reason": "Invalid"}}));
        assert_eq!(invalid.unwrap().department.as_deref(), Some("finance"));
        let broken = record(&json!({"responseObject": null, "responseStatus": {"code": 504}})).unwrap();
        assert!(matches!(broken.result, Outcome::Failed { .. }));
    }

    #[test]
    fn an_end_a_decision_and_somebody_in_anothers_name_are_told_apart() {
        let ended = record(&json!({"verb": "delete", "requestObject": null})).unwrap();
        assert!(ended.action == Action::Delete && ended.before.is_some() && ended.after.is_none());
        let approval = json!({"kind": "Approval", "metadata": {"name": "a"}, "spec": {"decision": "Refuse",
            "orderRef": {"name": "rollout"}}});
        let decided = record(&json!({"verb": "create", "requestObject": approval, "responseObject": approval,
            "objectRef": {"resource": "approvals", "namespace": "dept-finance", "apiGroup": "jiyun.io"}}));
        let decided = decided.unwrap();
        assert_eq!((decided.action, decided.order.as_deref()), (Action::Refuse, Some("rollout")));
        assert_eq!(decided.object.name, "a");
        let other = record(&json!({"impersonatedUser": {"username": "oidc:li"}})).unwrap();
        assert_eq!((other.actor.name.as_str(), other.actor.on_behalf_of.as_deref()), ("oidc:wang", Some("oidc:li")));
    }

    #[test]
    fn what_only_looks_like_a_trial_is_recorded() {
        let at = |query: &str| format!("/apis/jiyun.io/v1alpha1/namespaces/dept-finance/cloudhosts/web-1?{query}");
        let many = format!("dryRun=All{}", "&x".repeat(10_000));
        for query in ["dryRun=", "dryRun=%zz", "dryRun=All;", "dryRun=All%", "xdryRun=All", &many] {
            assert!(record(&json!({"requestURI": at(query)})).is_some(), "{query:.80}");
        }
        for query in ["dryRun=All", "fieldManager=x&dryRun=All"] {
            assert!(record(&json!({"requestURI": at(query)})).is_none(), "{query}");
            for verb in ["delete", "deletecollection"] {
                assert!(record(&json!({"verb": verb, "requestURI": at(query)})).is_some(), "{verb} {query}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_recorded_by_its_digest_and_shows_no_secret() {
        let deep = format!("{}\"s3cret\"{}", "[".repeat(200), "]".repeat(200));
        for body in [r#"{"password": "s3cret \ud800"}"#, &deep] {
            let mut event = event(&json!({"responseObject": null}));
            event.request_object = Some(serde_json::from_str(body).unwrap());
            let after = Kinds::ours().record(&event).unwrap().after.unwrap();
            let text = after.value().unwrap().to_string();
            assert!(text.contains("SHA-256") && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn of_an_event_that_cannot_be_read_is_recorded_what_can_be() {
        let now = Timestamp::UNIX_EPOCH;
        let read = |text: &str| {
            let text: Box<RawValue> = serde_json::from_str(text).unwrap();
            Kinds::ours().record_in_part(&Event::in_part(&text, now), &text)
        };
        let part = read(
            r#"{"auditID": 7, "stage": "ResponseComplete", "verb": "delete", "user": {"username": "oidc:wang"},
                "objectRef": {"resource": "cloudhosts", "namespace": "dept-finance", "name": "web-1", "apiGroup": "jiyun.io"},
                "responseStatus": {"code": 200}, "requestReceivedTimestamp": "2026-11-20T01:00:00Z"}"#,
        );
        let part = part.unwrap();
        assert_eq!((part.action, part.result, part.at), (Action::Delete, Outcome::Succeeded, now));
        assert_eq!((part.actor.name.as_str(), part.object.name.as_str()), ("oidc:wang", "web-1"));
        for text in [r#"{"auditID": "a-1", "objectRef": 7}"#, "7"] {
            let unread = read(text).unwrap();
            assert!(unread.object.kind == "AuditEvent" && matches!(unread.result, Outcome::Failed { .. }), "{text}");
        }
        assert!(read(r#"{"stage": "ResponseComplete", "verb": "delete", "objectRef": {"apiGroup": ""}}"#).is_none());
    }

    #[test]
    fn what_changes_nothing_of_ours_leaves_no_record() {
        for changes in [
            json!({"verb": "get"}),
            json!({"stage": "ResponseStarted"}),
            json!({"requestURI": "/apis/jiyun.io/v1alpha1/namespaces/dept-finance/cloudhosts/web-1?dryRun=All"}),
            json!({"objectRef": {"resource": "configmaps", "namespace": "x", "name": "y"}}),
            json!({"objectRef": null}),
        ] {
            assert!(record(&changes).is_none(), "{changes}");
        }
    }
}
