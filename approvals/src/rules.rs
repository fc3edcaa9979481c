//! What all policies come to for one department, so that its people can be told without the names of others, and back.

use jiyun_crds::v1alpha1::{
    ApplicablePolicy, ApprovalPolicy, ApprovalPolicySpec, ApprovalRules, AutomaticLimits, AutomaticSize, PolicyLevel,
    PolicyScope, RankedLevel, RequiredLevel,
};

use crate::requirement::{Approvers, is_of, resolved};

/// The most policies that are told; the schema's bound.
const MOST_POLICIES: usize = 32;
/// The most groups of approvers, and the most of one level, for the same reason.
const MOST_APPROVERS: usize = 16;
const MOST_GROUPS: usize = 32;

/// What `policies` come to for the department that `path` begins with, units above it following; nothing where that is more
/// than can be told.
pub fn rules_for(policies: &[ApprovalPolicy], path: &[&str], approvers: Approvers<'_>) -> Option<ApprovalRules> {
    // What asks about network flows says nothing about what is previewed.
    let is_told = |scope: &PolicyScope| is_of(scope, path) && scope.flows.is_empty();
    let mut applying: Vec<_> = policies.iter().filter(|policy| is_told(&policy.spec.applies_to)).collect();
    applying.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    let policies: Vec<_> = applying.into_iter().map(|policy| applicable(policy, approvers)).collect();
    let groups = |policy: &ApplicablePolicy| policy.levels.iter().map(|ranked| ranked.level.groups.len()).max();
    let fits = policies.len() <= MOST_POLICIES
        && approvers.department.len() <= MOST_APPROVERS
        && policies.iter().filter_map(groups).all(|groups| groups <= MOST_GROUPS);
    fits.then(|| ApprovalRules { approvers: approvers.department.to_vec(), policies })
}

fn applicable(policy: &ApprovalPolicy, approvers: Approvers<'_>) -> ApplicablePolicy {
    let ApprovalPolicySpec { applies_to, automatic, levels, evidence, display_name: _ } = &policy.spec;
    let PolicyScope { actions, zones, min_protection_level, quota, departments: _, flows: _ } = applies_to;
    let ranked = |level: &PolicyLevel| RankedLevel { rank: level.rank, level: resolved(level, approvers) };
    ApplicablePolicy {
        name: policy.metadata.name.clone().unwrap_or_default(),
        actions: actions.clone(),
        zones: zones.clone(),
        min_protection_level: *min_protection_level,
        quota: *quota,
        automatic: automatic.clone().map(|AutomaticLimits { vcpu, memory, block_storage, object_storage }| {
            AutomaticSize { vcpu, memory, block_storage, object_storage }
        }),
        levels: levels.iter().map(ranked).collect(),
        evidence: evidence.clone(),
    }
}

/// The policies again, for orders of that department alone.
pub fn policies_of(rules: &ApprovalRules) -> Vec<ApprovalPolicy> {
    rules.policies.iter().map(policy).collect()
}

fn policy(told: &ApplicablePolicy) -> ApprovalPolicy {
    let ApplicablePolicy { name, actions, zones, min_protection_level, quota, automatic, levels, evidence } =
        told.clone();
    let level = |RankedLevel { rank, level }: RankedLevel| {
        let RequiredLevel { name, groups, mode, working_days, remind_after, escalate_to } = level;
        PolicyLevel { name, rank, roles: Vec::new(), groups, mode, working_days, remind_after, escalate_to }
    };
    let spec = ApprovalPolicySpec {
        display_name: String::new(),
        applies_to: PolicyScope {
            departments: Vec::new(),
            flows: Vec::new(),
            actions,
            zones,
            min_protection_level,
            quota,
        },
        automatic: automatic.map(|AutomaticSize { vcpu, memory, block_storage, object_storage }| AutomaticLimits {
            vcpu,
            memory,
            block_storage,
            object_storage,
        }),
        levels: levels.into_iter().map(level).collect(),
        evidence,
    };
    ApprovalPolicy::new(&name, spec)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiyun_crds::v1alpha1::OrderAction;
    use serde_json::{Value, json};

    use super::*;
    use crate::{About, Facts, Size, required};

    fn policy(name: &str, spec: &Value) -> ApprovalPolicy {
        let mut whole = json!({"displayName": name});
        whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": name}, "spec": whole,
        }))
        .unwrap()
    }

    fn all() -> Vec<ApprovalPolicy> {
        vec![
            policy(
                "routine",
                &json!({
                    "automatic": {"vcpu": 8, "memory": "16Gi", "blockStorage": "1Ti", "objectStorage": "1Gi"},
                    "levels": [{"name": "leader", "rank": 10, "roles": ["DepartmentApprovers"], "workingDays": 5, "remindAfter": 3}],
                }),
            ),
            policy(
                "upward",
                &json!({
                    "appliesTo": {"departments": ["county"], "quota": "BeyondGuaranteed"},
                    "levels": [{"name": "above", "rank": 20, "roles": ["ParentApprovers"], "groups": ["board"], "mode": "All"}],
                }),
            ),
            policy("court-only", &json!({"appliesTo": {"departments": ["court"]}, "evidence": ["FilingNumber"]})),
            policy(
                "internet",
                &json!({
                    "appliesTo": {"zones": ["internet"], "minProtectionLevel": 3, "actions": ["Create"]},
                    "levels": [{"name": "security", "rank": 5, "groups": ["security"], "escalateTo": ["board"]}],
                    "evidence": ["ProjectNumber"],
                }),
            ),
        ]
    }

    #[test]
    fn what_is_told_asks_of_every_order_what_the_policies_ask_and_names_nobody_else() {
        let (own, parent) = (vec!["leaders".to_owned()], vec!["county-leaders".to_owned()]);
        let approvers = Approvers { department: &own, parent: &parent };
        for policies in [all(), Vec::new()] {
            let rules = rules_for(&policies, &["town", "county"], approvers).unwrap();
            let told = policies_of(&rules);
            for (zone, protection_level, vcpu, beyond_guaranteed, action) in [
                ("extranet", 2, 4, false, OrderAction::Create),
                ("extranet", 2, 9, false, OrderAction::Create),
                ("internet", 3, 4, false, OrderAction::Create),
                ("internet", 3, 4, true, OrderAction::End),
                ("internet", 4, 900, true, OrderAction::Create),
            ] {
                let facts = Facts {
                    path: vec!["town", "county"],
                    about: [About::Resources].into(),
                    actions: BTreeSet::from([action]),
                    zones: [zone.to_owned()].into(),
                    protection_level,
                    size: Size { vcpu, memory_mebibytes: 1, storage_mebibytes: 1, object_mebibytes: 1 },
                    beyond_guaranteed,
                };
                let through = Facts { path: vec!["town"], ..facts.clone() };
                let own = Approvers { department: &rules.approvers, parent: &[] };
                assert_eq!(required(&told, &through, own), required(&policies, &facts, approvers), "{facts:?}");
            }
            assert!(!serde_json::to_string(&rules).unwrap().contains("court"));
        }
    }

    #[test]
    fn more_than_can_be_told_is_not_told_in_part() {
        let many: Vec<_> = (0..=MOST_POLICIES).map(|number| policy(&format!("p-{number}"), &json!({}))).collect();
        assert_eq!(rules_for(&many, &["town"], Approvers::default()), None);
        assert!(rules_for(&many[1..], &["town"], Approvers::default()).is_some());
    }
}
