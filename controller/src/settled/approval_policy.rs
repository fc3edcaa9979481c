//! Approval policies (审批策略): in force as they are; what cannot be meant as written is told.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use jiyun_approvals::{Approvers, without_people};
use jiyun_crds::v1alpha1::{ApprovalPolicy, ConditionStatus, ConditionType, Department, Reason};
use jiyun_messages::parameters;

use super::{Outcome, Settled};
use crate::{
    catalogue::lookup,
    conditions::{finding, plain},
    context::Context,
    error::ReconcileError,
    host::rejection::Rejection,
    order::route::People,
};

impl Settled for ApprovalPolicy {
    super::reported!(cluster);

    fn settle<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<Outcome, ReconcileError>> {
        Box::pin(async move {
            let all = context.catalogue.departments.state();
            let departments = all.iter().filter_map(|object| object.0.as_ref().ok());
            let is_zone = |name: &str| lookup(&context.catalogue.zones, None, name).is_some();
            let ready = ConditionType::Ready;
            let found = match objection(self, departments, is_zone) {
                None => plain(ready, ConditionStatus::True, Reason::Valid),
                Some(Rejection { reason, code, parameters }) => {
                    finding(ready, ConditionStatus::False, reason, code, &parameters)
                }
            };
            Ok(Outcome::found(vec![found]))
        })
    }
}

/// What of `policy` cannot be meant as written. `departments` are all there are.
fn objection<'a>(
    policy: &ApprovalPolicy,
    departments: impl Iterator<Item = &'a Department>,
    is_zone: impl Fn(&str) -> bool,
) -> Option<Rejection> {
    let departments: BTreeMap<&str, &Department> =
        departments.filter_map(|unit| Some((unit.metadata.name.as_deref()?, unit))).collect();
    let scope = &policy.spec.applies_to;
    // A policy for a unit that is not there applies to nobody: whoever wrote it means somebody.
    if let Some(name) = scope.departments.iter().find(|name| !departments.contains_key(name.as_str())) {
        return Some(Rejection::unknown_reference("spec.appliesTo.departments", "Department", name));
    }
    if let Some(name) = scope.zones.iter().find(|name| !is_zone(name)) {
        return Some(Rejection::unknown_reference("spec.appliesTo.zones", "NetworkZone", name));
    }
    let people: Vec<People> =
        departments.keys().map(|unit| People::among(unit, |name| departments.get(name).copied())).collect();
    let units: Vec<(Vec<&str>, Approvers<'_>)> =
        people.iter().map(|people| (people.path.iter().map(String::as_str).collect(), people.approvers())).collect();
    let level = without_people(policy, &units)?;
    let about = parameters([("level", level.name.as_str())]);
    Some(Rejection { reason: Reason::NobodyToApprove, code: "LevelWithoutPeople", parameters: about })
}

#[cfg(test)]
mod tests {
    use jiyun_messages::bilingual;
    use serde_json::{Value, json};

    use super::*;

    fn unit(name: &str, parent: Option<&str>, approvers: &[&str]) -> Department {
        let mut unit = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
            "spec": {
                "displayName": name, "code": "1", "billingAccount": name, "zones": ["extranet"],
                "access": {"approvers": approvers},
            },
        });
        if let Some(parent) = parent {
            unit["spec"]["parentRef"] = json!({"name": parent});
        }
        serde_json::from_value(unit).unwrap()
    }

    fn policy(scope: &Value, level: &Value) -> ApprovalPolicy {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": "p"},
            "spec": {"displayName": "p", "appliesTo": scope, "levels": [level]},
        }))
        .unwrap()
    }

    fn of_roles(roles: &[&str]) -> Value {
        json!({"name": "leader", "rank": 10, "roles": roles})
    }

    /// The code and the sentence, if there is anything to say.
    fn told(policy: &ApprovalPolicy, departments: &[Department]) -> Option<(Reason, String)> {
        let objection = objection(policy, departments.iter(), |zone| zone == "extranet")?;
        Some((objection.reason, bilingual(objection.code, &objection.parameters)))
    }

    #[test]
    fn a_department_or_a_zone_that_is_not_there_is_named_with_its_field() {
        let departments = [unit("tax", None, &["leaders"])];
        let level = of_roles(&["DepartmentApprovers"]);
        let (unknown_unit, unknown_zone) =
            (json!({"departments": ["tax", "taxes"]}), json!({"departments": ["tax"], "zones": ["intranet"]}));
        for (scope, field, chinese, english) in [
            (unknown_unit, "spec.appliesTo.departments", "单位 taxes", "Department taxes"),
            (unknown_zone, "spec.appliesTo.zones", "网络区域 intranet", "NetworkZone intranet"),
        ] {
            let (reason, message) = told(&policy(&scope, &level), &departments).unwrap();
            assert_eq!(reason, Reason::UnknownReference);
            assert!(message.contains(&format!("{field} 指向的 {chinese} 不存在")), "{message}");
            assert!(message.contains(&format!("{field} names {english}, which does not exist")), "{message}");
        }
        let known = policy(&json!({"departments": ["tax"], "zones": ["extranet"]}), &level);
        assert_eq!(told(&known, &departments), None);
    }

    #[test]
    fn a_level_behind_which_nobody_is_anywhere_is_named_in_both_languages() {
        let departments = [unit("county", None, &["leaders"]), unit("tax", Some("county"), &[])];
        let own = of_roles(&["DepartmentApprovers"]);
        let (reason, message) = told(&policy(&json!({"departments": ["tax"]}), &own), &departments).unwrap();
        assert_eq!(reason, Reason::NobodyToApprove);
        assert!(message.contains("审批级次 leader 在本策略适用的所有单位中都没有对应的用户组"), "{message}");
        assert!(message.contains("level leader stands for no group in any department this policy is for"), "{message}");
        // In one of the departments it is for there is somebody: what the other lacks is told by its orders.
        for scope in [json!({"departments": ["county"]}), json!({})] {
            assert_eq!(told(&policy(&scope, &own), &departments), None, "{scope}");
        }
        let above = of_roles(&["ParentApprovers"]);
        let named = json!({"name": "leader", "rank": 10, "groups": ["board"]});
        for level in [above, named] {
            assert_eq!(told(&policy(&json!({"departments": ["tax"]}), &level), &departments), None, "{level}");
        }
    }

    #[test]
    fn whoever_is_asked_above_a_root_or_an_unknown_unit_is_found_out_as_for_orders() {
        let above = policy(&json!({}), &of_roles(&["ParentApprovers"]));
        assert_eq!(told(&above, &[unit("county", None, &["leaders"])]), None, "above the root its own decide");
        let orphan = [unit("tax", Some("county"), &["leaders"])];
        assert_eq!(told(&above, &orphan).map(|(reason, _)| reason), Some(Reason::NobodyToApprove));
        assert_eq!(told(&above, &[]), None, "where there is no department nobody is missing");
    }
}
