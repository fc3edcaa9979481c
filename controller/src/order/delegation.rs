//! For whom a person decided besides themselves: what delegations (授权代理) say of the moment of the decision; and who may
//! decide for others now.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{Delegation, Department};

/// The groups that `user` acted for at `at`, by what a department and the units above it (`units`) say now.
pub fn groups_of<'a>(user: &'a str, at: Timestamp, units: &'a [Department]) -> impl Iterator<Item = &'a str> {
    let acts = move |delegation: &&Delegation| delegation.user == user && delegation.lasts_at(at);
    valid(units).filter(acts).map(|delegation| delegation.group.as_str())
}

/// The users who act for one of `groups` at `at`, by what a department and the units above it (`units`) say now.
pub fn deputies_of(groups: &[String], at: Timestamp, units: &[Department]) -> BTreeSet<String> {
    let acts = |delegation: &&Delegation| delegation.lasts_at(at) && groups.contains(&delegation.group);
    valid(units).filter(acts).map(|delegation| delegation.user.clone()).collect()
}

/// When that changes next after `at` by itself.
pub fn next_change(at: Timestamp, units: &[Department]) -> Option<Timestamp> {
    valid(units).flat_map(Delegation::boundaries).filter(|moment| *moment > at).min()
}

/// The delegations that count. Nobody hands on what is not theirs: only groups that decide for that unit.
fn valid(units: &[Department]) -> impl Iterator<Item = &Delegation> {
    units.iter().flat_map(|unit| {
        let access = &unit.spec.access;
        access.delegations.iter().filter(|delegation| access.approvers.contains(&delegation.group))
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
    fn deputies_are_those_who_act_for_one_of_the_groups_at_the_moment() {
        let units = [unit("office", "office-approvers"), unit("bureau", "bureau-approvers")];
        let acting = |group: &str, at: &str| deputies_of(&[group.to_owned()], at.parse().unwrap(), &units);
        let zhang = BTreeSet::from(["oidc:zhang".to_owned()]);
        assert_eq!(acting("bureau-approvers", "2026-10-01T00:00:00Z"), zhang);
        assert_eq!(acting("city-approvers", "2026-10-01T00:00:00Z"), BTreeSet::new());
        assert_eq!(acting("bureau-approvers", "2026-10-08T00:00:00Z"), BTreeSet::new());
    }

    #[test]
    fn the_next_change_is_a_beginning_or_an_end_that_lies_ahead() {
        let units = [unit("office", "office-approvers")];
        let next = |at: &str| next_change(at.parse().unwrap(), &units).map(|moment| moment.to_string());
        assert_eq!(next("2026-09-01T00:00:00Z").as_deref(), Some("2026-10-01T00:00:00Z"));
        assert_eq!(next("2026-10-01T00:00:00Z").as_deref(), Some("2026-10-08T00:00:00Z"));
        assert_eq!(next("2026-10-08T00:00:00Z"), None);
    }

    #[test]
    fn a_unit_delegates_no_group_but_its_own_approvers() {
        let within = "2026-10-02T00:00:00Z";
        assert_eq!(groups("oidc:zhang", within, &[unit("office", "leaders")]), [""; 0]);
    }
}
