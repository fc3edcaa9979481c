//! Who is told what of an order, by its status and the time.

use serde_json::{Value, json};

use super::*;

/// Thursday. With 3 working days from here a level has until the midnight after Tuesday, in Beijing.
const ACCEPTED: &str = "2026-11-26T02:00:00Z";
const DEADLINE: &str = "2026-12-01T16:00:00Z";
/// The midnight after the first working day.
const REMINDED: &str = "2026-11-27T16:00:00Z";
/// As long again, for those who may step in.
const END: &str = "2026-12-04T16:00:00Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn horizon(now: &str) -> Horizon {
    Horizon { now: at(now), begun: at("2026-11-01T00:00:00Z"), keep: SignedDuration::from_hours(7 * 24) }
}

fn order(approved: (&str, &str), status: &Value) -> Order {
    let mut whole = json!({
        "acceptedAt": ACCEPTED, "applicants": ["system:serviceaccount:jiyun-system:jiyun-controller", "zhang", "li"],
        "levels": [
            {"name": "leader", "groups": ["leaders"], "mode": "Any", "workingDays": 3, "remindAfter": 1,
             "escalateTo": ["deputies"]},
            {"name": "city", "groups": ["bureau", "office"], "mode": "All", "workingDays": 3},
        ],
        "conditions": [{"type": "Approved", "status": approved.0, "reason": approved.1, "message": "",
                        "lastTransitionTime": "2026-11-26T02:00:00Z"}],
    });
    whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "web-1", "namespace": "dept-tax", "uid": "u-1"},
        "spec": {"systemRef": {"name": "portal"}, "items": [{"kind": "CloudHost", "name": "web", "action": "Create"}]},
        "status": whole,
    }))
    .unwrap()
}

fn open(level: &str, status: &Value) -> Order {
    let mut whole = json!({"level": level});
    whole.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
    order(("Unknown", "AwaitingApproval"), &whole)
}

fn told(order: &Order, now: &str) -> Option<Notice> {
    of_order(order, &Calendar::built_in().unwrap(), horizon(now))
}

fn groups(notice: &Notice) -> Vec<&str> {
    notice.to.groups.iter().map(String::as_str).collect()
}

#[test]
fn those_whose_turn_it_is_are_told_then_reminded_and_then_those_who_may_step_in_with_them() {
    let first = open("leader", &json!({}));
    for (now, id, event, from, until, groups_told) in [
        (ACCEPTED, "u-1-leader-waiting", Event::OrderWaiting, ACCEPTED, DEADLINE, &["leaders"][..]),
        ("2026-11-27T15:59:59Z", "u-1-leader-waiting", Event::OrderWaiting, ACCEPTED, DEADLINE, &["leaders"]),
        (REMINDED, "u-1-leader-reminder", Event::OrderReminder, REMINDED, DEADLINE, &["leaders"]),
        ("2026-12-01T15:59:59Z", "u-1-leader-reminder", Event::OrderReminder, REMINDED, DEADLINE, &["leaders"]),
        (DEADLINE, "u-1-leader-escalated", Event::OrderEscalated, DEADLINE, END, &["deputies", "leaders"]),
        (
            "2026-12-04T15:59:59Z",
            "u-1-leader-escalated",
            Event::OrderEscalated,
            DEADLINE,
            END,
            &["deputies", "leaders"],
        ),
    ] {
        let notice = told(&first, now).unwrap();
        assert_eq!((notice.id.as_str(), notice.event, notice.at), (id, event, at(from)), "{now}");
        assert_eq!((notice.deadline, groups(&notice)), (Some(at(until)), groups_told.to_vec()), "{now}");
        assert!(notice.to.users.is_empty() && notice.facts["until"] == until, "{now}: {notice:?}");
    }
    assert_eq!(told(&first, END), None, "nobody can decide any more");
}

#[test]
fn whoever_acts_for_those_whose_turn_it_is_is_told_with_them() {
    let notice = told(&open("leader", &json!({"deputies": ["oidc:zhang"]})), ACCEPTED).unwrap();
    assert_eq!(groups(&notice), ["leaders"]);
    assert_eq!(notice.to.users, BTreeSet::from(["oidc:zhang".to_owned()]));
}

#[test]
fn the_next_level_has_its_time_from_when_the_one_before_agreed() {
    let decided = json!({"decisions": [
        {"approval": "a", "level": "leader", "user": "wang", "decision": "Approve", "at": "2026-11-30T03:00:00Z"},
        {"approval": "b", "level": "city", "user": "zhao", "decision": "Approve", "at": "2026-12-01T03:00:00Z"},
    ]});
    let notice = told(&open("city", &decided), "2026-12-01T04:00:00Z").unwrap();
    assert_eq!((notice.id.as_str(), notice.at), ("u-1-city-waiting", at("2026-11-30T03:00:00Z")));
    assert_eq!((groups(&notice), notice.deadline), (vec!["bureau", "office"], Some(at("2026-12-03T16:00:00Z"))));
    assert_eq!(told(&open("city", &decided), "2026-12-03T16:00:00Z"), None, "nobody may step in");
}

#[test]
fn whoever_asked_is_told_what_it_came_to_and_programs_are_not_written_to() {
    let asked = ["li", "zhang"].map(str::to_owned).into();
    for (approved, expected) in [
        (("True", "Approved"), Some((Event::OrderApproved, "u-1-approved"))),
        (("False", "OrderRefused"), Some((Event::OrderRefused, "u-1-refused"))),
        (("False", "ExceedsLimit"), Some((Event::OrderRefused, "u-1-refused"))),
        (("False", "OrderExpired"), Some((Event::OrderExpired, "u-1-expired"))),
        (("True", "Automatic"), None),
        (("False", "OrderWithdrawn"), None),
        (("False", "OrderSuperseded"), None),
    ] {
        let notice = told(&order(approved, &json!({})), "2026-11-26T03:00:00Z");
        let found = notice.as_ref().map(|notice| (notice.event, notice.id.as_str()));
        assert_eq!(found, expected, "{approved:?}");
        assert!(
            notice
                .is_none_or(|notice| notice.to == Recipients { groups: BTreeSet::new(), users: Clone::clone(&asked) })
        );
    }
}

#[test]
fn a_result_is_told_for_a_week_and_not_if_it_is_older_than_the_notices() {
    let approved = order(("True", "Approved"), &json!({}));
    assert!(told(&approved, "2026-12-03T01:59:59Z").is_some());
    assert_eq!(told(&approved, "2026-12-03T02:00:00Z"), None);
    let later = Horizon { begun: at("2026-11-26T02:00:01Z"), ..horizon("2026-11-26T03:00:00Z") };
    assert_eq!(of_order(&approved, &Calendar::built_in().unwrap(), later), None);
}

#[test]
fn what_is_kept_of_an_order_goes_a_day_after_nothing_is_told_of_it() {
    let day = SignedDuration::from_hours(24);
    let approved = order(("True", "Approved"), &json!({}));
    assert!(!matter_is_over(&approved, horizon("2026-12-04T01:59:59Z"), day));
    assert!(matter_is_over(&approved, horizon("2026-12-04T02:00:00Z"), day));
    assert!(!matter_is_over(&open("leader", &json!({})), horizon("2026-12-31T00:00:00Z"), day));
}

#[test]
fn an_order_nobody_can_decide_about_is_told_nobody() {
    let unfit = json!({"conditions": [
        {"type": "Accepted", "status": "False", "reason": "EvidenceMissing", "message": "",
         "lastTransitionTime": ACCEPTED},
        {"type": "Approved", "status": "Unknown", "reason": "AwaitingApproval", "message": "",
         "lastTransitionTime": ACCEPTED},
    ]});
    assert_eq!(told(&open("leader", &unfit), ACCEPTED), None);
    assert_eq!(told(&order(("Unknown", "Undecided"), &json!({})), ACCEPTED), None, "not held yet: no level");
    let mut leaving = open("leader", &json!({}));
    leaving.metadata.deletion_timestamp = serde_json::from_value(json!(ACCEPTED)).unwrap();
    assert_eq!(told(&leaving, ACCEPTED), None);
}

#[test]
fn the_words_say_who_asks_for_what_until_when_and_why_not() {
    let waiting = told(&open("leader", &json!({})), ACCEPTED).unwrap();
    let mail = crate::words::bilingual(&waiting, Some("https://cloud.example/o/web-1"));
    for fact in ["tax", "web-1", "portal", "zhang", "leaders", "2026-12-02 00:00", "https://cloud.example/o/web-1"] {
        assert!(mail.contains(fact), "{fact} in {mail}");
    }
    assert!(!mail.contains('?') && !mail.contains("serviceaccount"), "{mail}");
    let refusal = json!({"refusal": {"code": "OrderRefused", "parameters": [
        {"name": "user", "value": "wang"}, {"name": "level", "value": "leader"}, {"name": "reason", "value": "预算不足"}]}});
    let refused = told(&order(("False", "OrderRefused"), &refusal), ACCEPTED).unwrap();
    let mail = crate::words::bilingual(&refused, None);
    assert!(mail.contains("预算不足") && mail.contains("wang") && !mail.contains('?'), "{mail}");
}

#[test]
fn a_body_is_the_same_however_often_it_is_made() {
    let body = |now: &str| {
        serde_json::to_value(crate::Body::of(&told(&open("leader", &json!({})), now).unwrap(), None)).unwrap()
    };
    assert_eq!(body(ACCEPTED), body("2026-11-27T01:00:00Z"));
    let body = body(ACCEPTED);
    assert_eq!((&body["type"], &body["timestamp"]), (&json!("order.waiting"), &json!(ACCEPTED)));
    assert_eq!((&body["data"]["department"], &body["data"]["groups"]), (&json!("tax"), &json!(["leaders"])));
}
