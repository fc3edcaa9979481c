//! Delegation (授权代理): somebody acts for a group of approvers for a while, e.g. while its only member is on leave.

use k8s_openapi::jiff::Timestamp;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::date_time::DateTime;
use crate::rules;

/// While it lasts, from `from` on and before `until`, `user` decides like a member of `group`.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::delegation_ends())]
pub struct Delegation {
    /// [free] The group that is acted for: one of the unit's `approvers`.
    #[schemars(length(max = 253))]
    pub group: String,
    /// [free] Who acts (代理人): a user's name as the API server knows it, e.g. `oidc:zhang.san`.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::person("代理人", "user"))]
    pub user: String,
    /// [free] Since when: RFC 3339 with an offset, e.g. `2026-01-01T00:00:00+08:00`.
    #[x_kube(
        validation = rules::moment("代理开始时间", "from"),
        validation = rules::day_exists("代理开始时间", "from")
    )]
    pub from: DateTime,
    /// [free] Until when, not included; at most 92 days later. To end it early, set it to that moment: taken out of the
    /// list, what was decided by it counts no more for orders that are open.
    #[x_kube(
        validation = rules::moment("代理结束时间", "until"),
        validation = rules::day_exists("代理结束时间", "until")
    )]
    pub until: DateTime,
    /// [free] Why (代理事由), one line of at most 200 characters.
    #[schemars(length(max = 200))]
    #[x_kube(validation = rules::line("代理事由", "reason"))]
    pub reason: String,
}

impl Delegation {
    /// Whether it lasts at this moment. One whose times cannot be read never does.
    pub fn lasts_at(&self, moment: Timestamp) -> bool {
        match (self.from.timestamp(), self.until.timestamp()) {
            (Ok(from), Ok(until)) => from <= moment && moment < until,
            _ => false,
        }
    }

    /// The moments at which it begins and ends, as far as they can be read.
    pub fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        [&self.from, &self.until].into_iter().filter_map(|moment| moment.timestamp().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lasts_from_its_beginning_until_just_before_its_end() {
        let delegation = Delegation {
            group: "leaders".into(),
            user: "oidc:zhang.san".into(),
            from: "2026-10-01T00:00:00+08:00".into(),
            until: "2026-10-08T00:00:00+08:00".into(),
            reason: "休假".into(),
        };
        let lasts = |moment: &str| delegation.lasts_at(moment.parse().unwrap());
        assert!(!lasts("2026-09-30T15:59:59Z"));
        assert!(lasts("2026-09-30T16:00:00Z"));
        assert!(lasts("2026-10-07T15:59:59.999Z"));
        assert!(!lasts("2026-10-07T16:00:00Z"));
        let nonsense = Delegation { until: "2026-02-31T00:00:00Z".into(), ..delegation };
        assert!(!nonsense.lasts_at("2026-10-02T00:00:00Z".parse().unwrap()));
    }
}
