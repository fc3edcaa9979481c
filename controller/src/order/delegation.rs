//! For whom a person decided besides themselves: what delegations (授权代理) say of the moment of the decision.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::Department;

/// The groups that `user` acted for at `at`, by what a department and the units above it (`units`) say now.
pub fn groups_of<'a>(user: &'a str, at: Timestamp, units: &'a [Department]) -> impl Iterator<Item = &'a str> {
    units.iter().flat_map(move |unit| {
        let access = &unit.spec.access;
        // Nobody hands on what is not theirs: only groups that decide for that unit.
        let counts = move |group: &String| access.approvers.contains(group);
        let delegations = access.delegations.iter();
        delegations
            .filter(move |delegation| delegation.user == user && delegation.lasts_at(at) && counts(&delegation.group))
            .map(|delegation| delegation.group.as_str())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unit(name: &str, group: &str) -> Department {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Department", "metadata": {"name": name},
            "spec": {
                "displayName": name, "code": "1", "billingAccount": name, "zones": ["extranet"],
                "access": {"approvers": [format!("{name}-approvers")], "delegations": [{
                    "group": group, "user": "oidc:zhang", "reason": "休假",
                    "from": "2026-10-01T00:00:00Z", "until": "2026-10-08T00:00:00Z",
                }]},
            },
        }))
        .unwrap()
    }

    fn groups(user: &str, at: &str, units: &[Department]) -> Vec<String> {
        groups_of(user, at.parse().unwrap(), units).map(str::to_owned).collect()
    }

    #[test]
    fn a_decision_is_made_for_others_within_the_time_and_by_that_person_alone() {
        let units = [unit("office", "office-approvers"), unit("bureau", "bureau-approvers")];
        let within = "2026-10-07T23:59:59Z";
        assert_eq!(groups("oidc:zhang", within, &units), ["office-approvers", "bureau-approvers"]);
        assert_eq!(groups("oidc:li", within, &units), [""; 0]);
        assert_eq!(groups("oidc:zhang", "2026-10-08T00:00:00Z", &units), [""; 0]);
        assert_eq!(groups("oidc:zhang", "2026-09-30T23:59:59Z", &units), [""; 0]);
    }

    #[test]
    fn a_unit_delegates_no_group_but_its_own_approvers() {
        let within = "2026-10-02T00:00:00Z";
        assert_eq!(groups("oidc:zhang", within, &[unit("office", "leaders")]), [""; 0]);
    }
}
