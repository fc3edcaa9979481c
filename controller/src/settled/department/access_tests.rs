//! Tests of who gets which role: up the tree as far as it is open, and for as long as somebody acts for others.

use serde_json::{Value, json};

use super::*;

fn unit(name: &str, parent: Option<&str>, open: &str, delegations: &Value) -> Department {
    let mut unit = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
        "spec": {
            "displayName": name, "code": "1", "billingAccount": name, "zones": ["extranet"],
            "access": {
                "readers": [format!("{name}-readers")], "operators": [format!("{name}-operators")],
                "approvers": [format!("{name}-approvers")], "parentAccess": open, "delegations": delegations,
            },
        },
    });
    if let Some(parent) = parent {
        unit["spec"]["parentRef"] = json!({"name": parent});
    }
    serde_json::from_value(unit).unwrap()
}

fn leave(group: &str, user: &str) -> Value {
    json!([{"group": group, "user": user, "from": "2026-10-01T00:00:00Z", "until": "2026-10-08T00:00:00Z",
            "reason": "休假"}])
}

fn at(moment: &str) -> Timestamp {
    moment.parse().unwrap()
}

fn named(subjects: &[Subject]) -> Vec<&str> {
    fn name(subject: &Subject) -> &str {
        match subject {
            Subject::Group(name) | Subject::User(name) => name,
        }
    }
    subjects.iter().map(name).collect()
}

/// county > bureau > office, and a sibling of the office; `office` and `bureau` say how far they are open.
fn tree(office: &str, bureau: &str) -> Vec<Department> {
    vec![
        unit("county", None, "ReadersAndApprovers", &json!([])),
        unit("bureau", Some("county"), bureau, &json!([])),
        unit("office", Some("bureau"), office, &json!([])),
        unit("sibling", Some("bureau"), "None", &json!([])),
    ]
}

fn access(all: &[Department], name: &str) -> Access {
    let department = all.iter().find(|unit| unit.name_any() == name).unwrap();
    Access::of(department, all, at("2026-10-02T00:00:00Z"))
}

#[test]
fn a_unit_that_says_nothing_is_open_to_its_own_people_alone() {
    let access = access(&tree("None", "ReadersAndApprovers"), "office");
    assert_eq!(named(&access.readers), ["office-readers"]);
    assert_eq!(named(&access.operators), ["office-operators"]);
    assert_eq!(named(&access.approvers), ["office-approvers"]);
}

#[test]
fn each_level_opens_no_further_than_it_says_itself() {
    for (office, bureau, readers, approvers) in [
        ("Readers", "None", vec!["office", "bureau"], vec!["office"]),
        ("Readers", "ReadersAndApprovers", vec!["office", "bureau", "county"], vec!["office"]),
        ("ReadersAndApprovers", "Readers", vec!["office", "bureau", "county"], vec!["office", "bureau"]),
        (
            "ReadersAndApprovers",
            "ReadersAndApprovers",
            vec!["office", "bureau", "county"],
            vec!["office", "bureau", "county"],
        ),
    ] {
        let access = access(&tree(office, bureau), "office");
        let of = |units: &[&str], role: &str| units.iter().map(|unit| format!("{unit}-{role}")).collect::<Vec<_>>();
        assert_eq!(named(&access.readers), of(&readers, "readers"), "{office} {bureau}");
        assert_eq!(named(&access.approvers), of(&approvers, "approvers"), "{office} {bureau}");
        assert_eq!(named(&access.operators), ["office-operators"]);
    }
}

#[test]
fn nothing_is_open_to_a_sibling_or_to_units_below() {
    let all = tree("ReadersAndApprovers", "ReadersAndApprovers");
    assert_eq!(named(&access(&all, "sibling").readers), ["sibling-readers"]);
    assert_eq!(named(&access(&all, "bureau").readers), ["bureau-readers", "county-readers"]);
}

#[test]
fn a_circle_of_units_is_walked_once() {
    let mut all = tree("Readers", "Readers");
    all[0] = unit("county", Some("office"), "Readers", &json!([]));
    assert_eq!(named(&access(&all, "office").readers), ["office-readers", "bureau-readers", "county-readers"]);
}

#[test]
fn somebody_acts_for_approvers_while_the_delegation_lasts() {
    let office = unit("office", None, "None", &leave("office-approvers", "oidc:zhang"));
    let all = [office.clone()];
    for (moment, acts, changes_at) in [
        ("2026-09-30T23:59:59Z", false, Some("2026-10-01T00:00:00Z")),
        ("2026-10-01T00:00:00Z", true, Some("2026-10-08T00:00:00Z")),
        ("2026-10-08T00:00:00Z", false, None),
    ] {
        let access = Access::of(&office, &all, at(moment));
        let zhang = Subject::User("oidc:zhang".into());
        assert_eq!(access.approvers.contains(&zhang), acts, "{moment}");
        assert!(!access.readers.contains(&zhang) && !access.operators.contains(&zhang));
        assert_eq!(access.changes_at, changes_at.map(at), "{moment}");
    }
}

#[test]
fn nobody_acts_for_a_group_that_does_not_decide_here() {
    let office = unit("office", None, "None", &leave("leaders", "oidc:zhang"));
    assert_eq!(named(&access(&[office], "office").approvers), ["office-approvers"]);
}

#[test]
fn whoever_acts_for_approvers_above_decides_below_only_where_those_do() {
    let mut all = tree("ReadersAndApprovers", "None");
    all[1] = unit("bureau", Some("county"), "None", &leave("bureau-approvers", "oidc:zhang"));
    assert_eq!(named(&access(&all, "office").approvers), ["office-approvers", "bureau-approvers", "oidc:zhang"]);
    all[2] = unit("office", Some("bureau"), "Readers", &json!([]));
    assert_eq!(named(&access(&all, "office").approvers), ["office-approvers"]);
}

#[test]
fn a_change_of_status_is_no_change_of_access() {
    let mut known = Known::default();
    let mut office = unit("office", Some("bureau"), "Readers", &json!([]));
    assert!(known.changed(&office));
    office.status = Some(serde_json::from_value(json!({"namespace": "dept-office"})).unwrap());
    assert!(!known.changed(&office));
    assert!(known.changed(&unit("office", Some("bureau"), "None", &json!([]))));
    assert!(known.changed(&unit("office", Some("county"), "None", &json!([]))));
}
