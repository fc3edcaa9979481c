//! Policies combine to the strictest, and none means the platform's own.

use serde_json::{Value, json};

use super::*;

fn policy(name: &str, spec: &Value) -> ApprovalPolicy {
    let mut whole = json!({"displayName": name});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": name}, "spec": whole,
    }))
    .unwrap()
}

fn facts() -> Facts<'static> {
    Facts {
        path: vec!["kaiyun", "hengshan"],
        about: BTreeSet::from([About::Resources]),
        actions: BTreeSet::from([OrderAction::Create]),
        zones: BTreeSet::from(["internet".to_owned()]),
        protection_level: 2,
        size: Size { vcpu: 4, memory_mebibytes: 8192, storage_mebibytes: 40960, object_mebibytes: 0 },
        beyond_guaranteed: false,
    }
}

fn ask(policies: &[ApprovalPolicy], facts: &Facts<'_>) -> Requirement {
    let (department, parent) = (vec!["kaiyun-leaders".to_owned()], vec!["county-leaders".to_owned()]);
    required(policies, facts, Approvers { department: &department, parent: &parent })
}

fn small() -> Value {
    json!({"automatic": {"vcpu": 8, "memory": "16Gi", "blockStorage": "1Ti"}})
}

fn names(requirement: &Requirement) -> Vec<&str> {
    requirement.levels.iter().map(|level| level.name.as_str()).collect()
}

#[test]
fn without_a_policy_the_departments_approvers_decide() {
    let requirement = ask(&[], &facts());
    assert_eq!(requirement.policies, ["default"]);
    assert_eq!(names(&requirement), ["department"]);
    assert_eq!(requirement.levels[0].groups, ["kaiyun-leaders"]);
    assert!(!requirement.is_automatic());
}

#[test]
fn a_small_order_goes_through_by_itself_and_one_above_any_limit_does_not() {
    let policies = [policy("routine", &small())];
    assert!(ask(&policies, &facts()).is_automatic());
    for size in [
        Size { vcpu: 9, ..facts().size },
        Size { memory_mebibytes: 16 * 1024 + 1, ..facts().size },
        Size { storage_mebibytes: 1024 * 1024 + 1, ..facts().size },
    ] {
        assert_eq!(names(&ask(&policies, &Facts { size, ..facts() })), ["department"], "{size:?}");
    }
}

#[test]
fn a_policy_that_says_nothing_of_object_storage_lets_no_bucket_through() {
    let of = |object_mebibytes| Facts { size: Size { object_mebibytes, ..Size::default() }, ..facts() };
    assert_eq!(names(&ask(&[policy("routine", &small())], &of(1024))), ["department"]);
    let mut named = small();
    named["automatic"]["objectStorage"] = json!("1Ti");
    let policies = [policy("routine", &named)];
    assert!(ask(&policies, &of(1024 * 1024)).is_automatic());
    assert_eq!(names(&ask(&policies, &of(1024 * 1024 + 1))), ["department"]);
}

#[test]
fn one_policy_that_asks_for_people_outweighs_all_that_let_it_through() {
    let strict = json!({"appliesTo": {"zones": ["internet"]},
        "levels": [{"name": "security", "rank": 20, "groups": ["security-office"], "workingDays": 3}]});
    let requirement = ask(&[policy("routine", &small()), policy("internet", &strict)], &facts());
    assert_eq!(names(&requirement), ["security"]);
    assert_eq!(requirement.policies, ["internet", "routine"]);
}

#[test]
fn levels_come_in_the_order_of_their_ranks_whichever_policy_they_are_of() {
    let late = json!({"levels": [
        {"name": "city", "rank": 90, "groups": ["city-office"]}, {"name": "parent", "rank": 40, "roles": ["ParentApprovers"]}]});
    let early = json!({"levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"]}]});
    let requirement = ask(&[policy("a", &late), policy("b", &early)], &facts());
    assert_eq!(names(&requirement), ["leader", "parent", "city"]);
    assert_eq!(requirement.levels[1].groups, ["county-leaders"]);
}

#[test]
fn the_same_people_are_asked_once_with_the_shorter_time() {
    let level = |days: u32, escalate: &[&str]| {
        json!({"levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": days,
                           "escalateTo": escalate}]})
    };
    let requirement = ask(&[policy("a", &level(5, &["x", "y"])), policy("b", &level(2, &["y"]))], &facts());
    assert_eq!(names(&requirement), ["leader"]);
    assert_eq!((requirement.levels[0].working_days, &*requirement.levels[0].escalate_to), (2, &["y".to_owned()][..]));
}

#[test]
fn people_asked_twice_by_one_policy_are_two_people() {
    let twice = json!({"levels": [
        {"name": "first", "rank": 10, "roles": ["DepartmentApprovers"]},
        {"name": "second", "rank": 20, "roles": ["DepartmentApprovers"]}]});
    assert_eq!(names(&ask(&[policy("a", &twice)], &facts())), ["first", "second"]);
}

#[test]
fn levels_of_one_name_with_other_people_are_both_asked() {
    let of = |group: &str| json!({"levels": [{"name": "leader", "rank": 10, "groups": [group]}]});
    let requirement = ask(&[policy("a", &of("x")), policy("b.2", &of("y"))], &facts());
    assert_eq!(names(&requirement), ["leader", "leader-b-2"]);
}

#[test]
fn a_policy_applies_where_all_its_conditions_do() {
    let fits = |scope: Value, facts: &Facts<'_>| {
        let asks = json!({"appliesTo": scope, "levels": [{"name": "x", "rank": 1, "groups": ["g"]}]});
        names(&ask(&[policy("p", &asks)], facts)) == ["x"]
    };
    let facts = facts();
    assert!(fits(json!({"departments": ["hengshan"]}), &facts), "units below count");
    assert!(!fits(json!({"departments": ["finance"]}), &facts));
    assert!(fits(json!({"actions": ["Create"], "zones": ["internet"], "minProtectionLevel": 2}), &facts));
    assert!(!fits(json!({"actions": ["End"]}), &facts));
    assert!(!fits(json!({"zones": ["extranet"]}), &facts));
    assert!(!fits(json!({"minProtectionLevel": 3}), &facts));
    assert!(!fits(json!({"quota": "BeyondGuaranteed"}), &facts));
    assert!(fits(json!({"quota": "BeyondGuaranteed"}), &Facts { beyond_guaranteed: true, ..facts }));
}

#[test]
fn evidence_is_asked_for_by_any_policy_even_where_nobody_has_to_agree() {
    let mut asks = small();
    asks["evidence"] = json!(["ProjectNumber"]);
    let requirement = ask(&[policy("routine", &asks), policy("more", &small())], &facts());
    assert!(requirement.is_automatic());
    assert_eq!(requirement.evidence, BTreeSet::from([Evidence::ProjectNumber]));
}

#[test]
fn a_level_behind_which_nobody_is_is_found() {
    let policies = [policy("a", &json!({"levels": [{"name": "parent", "rank": 1, "roles": ["ParentApprovers"]}]}))];
    let requirement = required(&policies, &facts(), Approvers::default());
    assert_eq!(requirement.without_people().map(|level| level.name.as_str()), Some("parent"));
    assert_eq!(ask(&policies, &facts()).without_people(), None);
}

#[test]
fn what_goes_through_for_being_guaranteed_says_so() {
    let upward = json!({"appliesTo": {"quota": "BeyondGuaranteed"},
        "levels": [{"name": "parent", "rank": 20, "groups": ["county"]}]});
    let policies = [policy("routine", &small()), policy("upward", &upward)];
    let within = ask(&policies, &facts());
    assert!(within.is_automatic() && within.only_within_guaranteed);
    let beyond = ask(&policies, &Facts { beyond_guaranteed: true, ..facts() });
    assert_eq!((names(&beyond), beyond.only_within_guaranteed), (vec!["parent"], false));
    assert!(!ask(&policies[..1], &facts()).only_within_guaranteed, "nothing more would be asked");
}

fn flow(reach: &[FlowReach]) -> Facts<'static> {
    let about = reach.iter().map(|reach| About::Flow(*reach)).collect();
    Facts { about, size: Size::default(), ..facts() }
}

fn within_zone() -> Value {
    json!({"appliesTo": {"flows": ["WithinSystem", "WithinZone"]},
           "automatic": {"vcpu": 0, "memory": "0", "blockStorage": "0"}})
}

#[test]
fn a_policy_for_hosts_lets_no_flow_through_and_one_for_flows_no_host() {
    let hosts = [policy("routine", &small())];
    let requirement = ask(&hosts, &flow(&[FlowReach::WithinSystem]));
    assert_eq!(names(&requirement), ["department"]);
    assert_eq!(requirement.policies, ["default"]);
    let flows = [policy("flows", &within_zone())];
    assert!(ask(&flows, &flow(&[FlowReach::WithinZone])).is_automatic());
    assert_eq!(names(&ask(&flows, &facts())), ["department"]);
}

#[test]
fn a_flow_that_reaches_further_than_any_policy_says_is_for_the_departments_approvers() {
    let flows = [policy("flows", &within_zone())];
    for reach in [FlowReach::CrossZone, FlowReach::CrossDepartment, FlowReach::Outside] {
        assert_eq!(names(&ask(&flows, &flow(&[reach]))), ["department"], "{reach}");
    }
}

#[test]
fn what_is_let_through_beside_it_lets_nothing_else_through() {
    let policies = [policy("routine", &small()), policy("flows", &within_zone())];
    let mut both = flow(&[FlowReach::WithinZone]);
    both.about.insert(About::Resources);
    assert!(ask(&policies, &both).is_automatic());
    both.about.insert(About::Flow(FlowReach::Outside));
    assert_eq!(names(&ask(&policies, &both)), ["department"]);
    let security = json!({"appliesTo": {"flows": ["Outside"]},
        "levels": [{"name": "security", "rank": 20, "groups": ["security-office"], "workingDays": 3}]});
    let policies = [policy("routine", &small()), policy("flows", &within_zone()), policy("outside", &security)];
    assert_eq!(names(&ask(&policies, &both)), ["security"]);
}

#[test]
fn a_policy_about_a_zone_looks_at_both_ends_of_a_flow() {
    let asks = json!({"appliesTo": {"flows": ["CrossZone"], "zones": ["internet"], "minProtectionLevel": 3},
        "levels": [{"name": "security", "rank": 20, "groups": ["security-office"], "workingDays": 3}]});
    let zones = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let both = Facts { zones: zones(&["extranet", "internet"]), protection_level: 3, ..flow(&[FlowReach::CrossZone]) };
    assert_eq!(names(&ask(&[policy("security", &asks)], &both)), ["security"]);
    let neither = Facts { zones: zones(&["extranet", "intranet"]), ..both };
    assert_eq!(names(&ask(&[policy("security", &asks)], &neither)), ["department"]);
}
