//! Records of what is written in a caller's name: pure, from what was asked and what was answered.

use jiff::Timestamp;
use jiyun_crds::{
    names::{ANNOTATION_ORDER, department_of_namespace},
    v1alpha1::CloudHost,
};
use jiyun_trail::core::{
    action::Action,
    actor::{Actor, Authentication},
    content::Content,
    object::Object,
    outcome::Outcome,
    record::Record,
};
use serde_json::{Value, json};

use super::Origin;
use crate::{
    console::{Console, Course},
    store::User,
};

/// What is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What is done.
    pub action: Action,
    /// The kind of the object.
    pub kind: &'a str,
    /// Its namespace, where it has one.
    pub namespace: Option<&'a str>,
    /// Its name; empty where the API server is to choose it, or nobody got so far.
    pub name: &'a str,
    /// The object as it is sent, or the patch; none for an end.
    pub sent: Option<&'a Value>,
    /// The object as the API server remembered it before; none for a new one, and where the caller may not look.
    pub before: Option<&'a Value>,
}

/// The record written before it is passed on. `insider` says whether the sender may look at the department: whoever may
/// not is none of its business, and no department learns of another by who knocked at its door.
pub fn begun(at: Timestamp, asked: &Asked<'_>, user: &User, insider: bool, origin: &Origin) -> Record {
    let Asked { action, kind, namespace, name, sent, before } = *asked;
    let known = || before.into_iter().chain(sent);
    let object = Object::new(kind, name);
    let object = Object {
        namespace: namespace.map(str::to_owned),
        uid: before.and_then(|before| text(before, "/metadata/uid")),
        ..object
    };
    let mut record = about(at, action, object, Outcome::Begun, user, insider, origin);
    record.order = known().find_map(|value| order(kind, name, value));
    record.zone = known().find_map(zone);
    record.before = before.map(|before| Content::of(state_of(before)));
    record.after = sent.map(|sent| {
        let is_patch = action == Action::Change;
        Content::of(if is_patch { json!({"patch": sent}) } else { state_of(sent) })
    });
    record
}

/// The record written before a console of `host` is opened in somebody's name.
pub fn console_opened(
    at: Timestamp,
    namespace: &str,
    host: &CloudHost,
    console: Console,
    user: &User,
    insider: bool,
    origin: &Origin,
) -> Record {
    let name = host.metadata.name.clone().unwrap_or_default();
    let object = Object { namespace: Some(namespace.to_owned()), ..Object::new("CloudHost", name) };
    let object = Object { uid: host.metadata.uid.clone(), ..object };
    let mut record = about(at, Action::ConsoleOpened, object, Outcome::Begun, user, insider, origin);
    record.zone = Some(host.spec.zone_ref.name.clone());
    record.after = Some(Content::of(json!({"console": <&str>::from(console)})));
    record
}

/// The record written when it was closed: for how long it was open and how much went over it, nothing of what that was.
pub fn console_closed(opened: Record, at: Timestamp, console: Console, course: &Course) -> Record {
    let Course { ending, open_for, typed, shown } = course;
    let told = json!({
        "console": <&str>::from(console), "ending": <&str>::from(ending), "seconds": open_for.as_secs(),
        "typedBytes": typed, "shownBytes": shown,
    });
    let department = department_of(&opened.object).or(opened.department);
    let (action, result, after) = (Action::ConsoleClosed, Outcome::Succeeded, Some(Content::of(told)));
    Record { at, action, result, department, after, ..opened }
}

/// The record written when it has been answered; `answered` is the object as it is then.
pub fn ended(begun: Record, at: Timestamp, result: Outcome, answered: Option<&Value>) -> Record {
    let mut record = Record { at, result, ..begun };
    // What was done is the department's affair, whoever was allowed to do it.
    if record.result == Outcome::Succeeded {
        record.department = department_of(&record.object).or(record.department);
    }
    let Some(answered) = answered.filter(|answered| answered["kind"] != "Status") else { return record };
    record.object.uid = text(answered, "/metadata/uid").or(record.object.uid);
    record.zone = zone(answered).or(record.zone);
    if record.order.is_none() {
        record.order = order(&record.object.kind, &record.object.name, answered);
    }
    // Of an end the answer is what was there: more certain than what was remembered.
    if record.action == Action::Delete {
        record.before = Some(Content::of(state_of(answered)));
    } else {
        record.after = Some(Content::of(state_of(answered)));
    }
    record
}

/// The record of a request that was refused before anything was passed on.
pub fn refused(
    at: Timestamp,
    action: Action,
    object: Object,
    result: Outcome,
    user: &User,
    insider: bool,
    origin: &Origin,
) -> Record {
    about(at, action, object, result, user, insider, origin)
}

fn about(
    at: Timestamp,
    action: Action,
    object: Object,
    result: Outcome,
    user: &User,
    insider: bool,
    origin: &Origin,
) -> Record {
    let actor = Actor {
        groups: user.groups.clone(),
        authentication: Some(Authentication::Token),
        ..Actor::new(user.name.clone())
    };
    let department = department_of(&object).filter(|_| insider);
    let mut record = Record::new(at, actor, action, object, result);
    record.department = department;
    record.source = origin.source().map(|address| address.to_string());
    record.request = origin.request().map(str::to_owned);
    record
}

fn department_of(object: &Object) -> Option<String> {
    object.namespace.as_deref().and_then(department_of_namespace).map(str::to_owned)
}

/// What of an object is kept: what was asked for, and which version it is. How it stands is the platform's doing and would
/// fill the record.
pub fn state_of(object: &Value) -> Value {
    let mut state = json!({"spec": object["spec"]});
    if let Some(version) = object.pointer("/metadata/resourceVersion") {
        state["resourceVersion"] = version.clone();
    }
    state
}

/// The number of the order an object belongs to (工单号): its own name, the order it names, or the one that was filed for it.
pub fn order(kind: &str, name: &str, object: &Value) -> Option<String> {
    if kind == "Order" {
        return Some(name.to_owned());
    }
    let annotated = object.pointer("/metadata/annotations").and_then(|all| all.get(ANNOTATION_ORDER));
    let annotated = annotated.and_then(Value::as_str).map(str::to_owned);
    annotated.or_else(|| text(object, "/spec/orderRef/name")).or_else(|| text(object, "/status/orderRef/name"))
}

/// The network zone an object lies in.
pub fn zone(object: &Value) -> Option<String> {
    text(object, "/spec/zoneRef/name")
}

fn text(object: &Value, pointer: &str) -> Option<String> {
    object.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> User {
        User { name: "wang".to_owned(), groups: vec!["finance-operators".to_owned()] }
    }

    fn origin() -> Origin {
        Origin::new(Some("::ffff:10.0.0.7".parse().unwrap()), Some("t-1".to_owned()))
    }

    fn host(power: &str, version: &str) -> Value {
        json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
            "metadata": {"name": "web-1", "namespace": "dept-finance", "uid": "u-1", "resourceVersion": version},
            "spec": {"power": power, "zoneRef": {"name": "public"}},
            "status": {"orderRef": {"name": "o-web-1"}}})
    }

    fn change<'a>(before: Option<&'a Value>, sent: &'a Value) -> Asked<'a> {
        Asked {
            action: Action::Change,
            kind: "CloudHost",
            namespace: Some("dept-finance"),
            name: "web-1",
            sent: Some(sent),
            before,
        }
    }

    #[test]
    fn a_change_says_who_where_from_which_order_and_what_it_was_before_and_after() {
        let (before, after, sent) = (host("Running", "7"), host("Stopped", "8"), json!({"spec": {"power": "Stopped"}}));
        let begun = begun(Timestamp::UNIX_EPOCH, &change(Some(&before), &sent), &who(), true, &origin());
        assert_eq!(begun.actor.name, "wang");
        assert_eq!(begun.actor.groups, ["finance-operators"]);
        assert_eq!(begun.source.as_deref(), Some("10.0.0.7"));
        assert_eq!(begun.request.as_deref(), Some("t-1"));
        assert_eq!(begun.department.as_deref(), Some("finance"));
        assert_eq!(begun.order.as_deref(), Some("o-web-1"));
        assert_eq!(begun.zone.as_deref(), Some("public"));
        assert_eq!(begun.object.uid.as_deref(), Some("u-1"));
        assert_eq!(begun.after.as_ref().unwrap().value(), Some(&json!({"patch": {"spec": {"power": "Stopped"}}})));
        let ended = ended(begun, Timestamp::UNIX_EPOCH, Outcome::Succeeded, Some(&after));
        let value = |content: &Option<Content>| content.as_ref().unwrap().value().unwrap().clone();
        assert_eq!(value(&ended.before)["spec"]["power"], "Running");
        assert_eq!(value(&ended.before)["resourceVersion"], "7");
        assert_eq!(value(&ended.after)["spec"]["power"], "Stopped");
        assert_eq!(value(&ended.after)["resourceVersion"], "8");
    }

    #[test]
    fn whoever_may_not_look_at_the_department_is_not_told_to_it() {
        let sent = json!({});
        let begun = begun(Timestamp::UNIX_EPOCH, &change(None, &sent), &who(), false, &origin());
        assert_eq!(begun.department, None);
        assert_eq!(begun.object.namespace.as_deref(), Some("dept-finance"), "the auditor sees where it was tried");
        let refused = ended(begun.clone(), Timestamp::UNIX_EPOCH, Outcome::refused("Forbidden"), None);
        assert_eq!(refused.department, None);
        let done = ended(begun, Timestamp::UNIX_EPOCH, Outcome::Succeeded, None);
        assert_eq!(done.department.as_deref(), Some("finance"), "what was done there is its affair");
    }

    #[test]
    fn of_an_end_the_answer_is_what_was_there_before() {
        let asked = Asked { action: Action::Delete, sent: None, ..change(None, &Value::Null) };
        let begun = begun(Timestamp::UNIX_EPOCH, &asked, &who(), true, &origin());
        assert!(begun.before.is_none() && begun.after.is_none());
        let status = json!({"kind": "Status", "status": "Success"});
        let gone = ended(begun.clone(), Timestamp::UNIX_EPOCH, Outcome::Succeeded, Some(&status));
        assert!(gone.before.is_none() && gone.after.is_none());
        let ended = ended(begun, Timestamp::UNIX_EPOCH, Outcome::Succeeded, Some(&host("Running", "9")));
        assert!(ended.before.is_some() && ended.after.is_none());
        assert_eq!(ended.object.uid.as_deref(), Some("u-1"));
    }

    #[test]
    fn the_order_number_is_found_wherever_it_stands() {
        for (kind, object, number) in [
            ("Order", json!({}), Some("o")),
            ("CloudHost", json!({"metadata": {"annotations": {ANNOTATION_ORDER: "rollout"}}}), Some("rollout")),
            ("Approval", json!({"spec": {"orderRef": {"name": "rollout"}}}), Some("rollout")),
            ("CloudHost", json!({"status": {"orderRef": {"name": "own"}}}), Some("own")),
            ("InformationSystem", json!({"spec": {}}), None),
        ] {
            assert_eq!(order(kind, "o", &object).as_deref(), number, "{kind}");
        }
    }
}
