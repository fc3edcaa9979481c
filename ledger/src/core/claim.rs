//! Claims (占用): what one Kubernetes object holds, where, and since when.

use std::{num::ParseIntError, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    account::AccountId,
    dimensions::{Dimensions, Facts},
    meter::Meter,
    pool::PoolId,
};

/// The number of a claim, given once and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClaimId(pub u64);

impl std::fmt::Display for ClaimId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "claim-{}", self.0)
    }
}

/// A text that is not `claim-<number>`.
#[derive(Debug, thiserror::Error)]
#[error("claim id {text:?} is not of the form claim-<number>")]
pub struct ClaimIdError {
    text: String,
    #[source]
    source: Option<ParseIntError>,
}

impl std::str::FromStr for ClaimId {
    type Err = ClaimIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("claim-").ok_or_else(|| ClaimIdError { text: text.to_owned(), source: None })?;
        number.parse().map(Self).map_err(|source| ClaimIdError { text: text.to_owned(), source: Some(source) })
    }
}

/// The Kubernetes object a claim is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its kind, e.g. `CloudHost`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name; the name of the resource on statements.
    pub name: String,
    /// Its UID; an attribute that can be bound again after a restore.
    pub uid: String,
}

/// One quantity of one meter in one pool.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What is counted.
    pub meter: Meter,
    /// Where it is held.
    pub pool: PoolId,
    /// What it is: limits and rates select by these.
    pub dimensions: Arc<Dimensions>,
    /// How much, in the meter's unit; at least 1.
    pub quantity: u64,
}

impl Line {
    /// Its facts, the pool among them: what limits and floors select by.
    pub fn fact(&self) -> Dimensions {
        self.facts().to_dimensions()
    }

    /// The same, nothing copied.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts::new(&self.pool, &self.dimensions)
    }
}

/// Who bears a claim: the account that holds it, the system it belongs to, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The account.
    pub account: AccountId,
    /// The information system.
    pub system: String,
    /// The name of the object: the resource on statements.
    pub resource: String,
}

/// What a claim was before a change of what or whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LineVersion {
    /// The moment the next version came into force; this one began where the one before ended, or at `reserved_at`.
    pub until: Timestamp,
    /// The item as it was called then.
    pub item: String,
    /// The lines as they were.
    pub lines: Vec<Line>,
    /// What was set aside on top of them by a hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Line>,
    /// Who held it, if this version ended by handing it to somebody else; else whoever held the next version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// Capacity set aside until a deadline, for a change that is not decided yet (预占).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// From this moment on it counts for nothing.
    pub until: Timestamp,
    /// What the claim will be called.
    pub item: String,
    /// What it will hold.
    pub lines: Vec<Line>,
    /// Digest of the spec it is for.
    pub spec_digest: String,
    /// The spec it is for.
    pub approved_spec: Arc<serde_json::Value>,
}

/// Where a claim stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::Display)]
pub enum ClaimStage {
    /// Held: set aside until a deadline, not decided yet; the platform pays.
    Held,
    /// Held: admitted, not yet handed over; the platform pays.
    Reserved,
    /// Used: handed over; the department pays.
    Billable,
    /// Used: its end is decided, its capacity not yet given back; the platform pays.
    Ending,
    /// Given back. Kept for statements.
    Released,
}

/// One object's allocation over all meters, all or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Its number.
    pub id: ClaimId,
    /// Who holds it.
    pub account: AccountId,
    /// The information system (信息系统) it belongs to.
    pub system: String,
    /// The namespace its engine objects lie in, where that is not its account's: it was handed over, and machines do not
    /// move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_namespace: Option<String>,
    /// The object it is for.
    pub subject: Subject,
    /// What the statement calls it, e.g. the host class.
    pub item: String,
    /// What it holds now (or held last), ordered by meter. Empty while only a hold stands, and always for a permission.
    pub lines: Vec<Line>,
    /// What an open hold sets aside on top of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Line>,
    /// The open hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// Digest of the metered spec that was decided.
    pub spec_digest: String,
    /// The spec that was decided: what controllers act on.
    pub approved_spec: Arc<serde_json::Value>,
    /// Whether the book had lost it and an operator booked it again: it was in use before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// When capacity was set aside.
    pub reserved_at: Timestamp,
    /// When it was handed over: billing starts.
    #[serde(default)]
    pub billable_from: Option<Timestamp>,
    /// When its end was decided: billing stops.
    #[serde(default)]
    pub billable_until: Option<Timestamp>,
    /// When capacity was given back.
    #[serde(default)]
    pub released_at: Option<Timestamp>,
    /// What it held before each amendment, oldest first.
    #[serde(default)]
    pub history: Vec<LineVersion>,
}

impl Claim {
    /// Where it stands.
    pub fn stage(&self) -> ClaimStage {
        match (self.released_at, self.billable_until, self.billable_from) {
            (Some(_), _, _) => ClaimStage::Released,
            (None, Some(_), _) => ClaimStage::Ending,
            (None, None, Some(_)) => ClaimStage::Billable,
            // A permission has no lines once it is granted either; then nothing is held any more.
            (None, None, None) if self.lines.is_empty() && self.hold.is_some() => ClaimStage::Held,
            (None, None, None) => ClaimStage::Reserved,
        }
    }

    /// Whether it still holds capacity.
    pub fn is_open(&self) -> bool {
        self.released_at.is_none()
    }

    /// Whether it says that something is allowed, and takes nothing of anything: no amounts, now or with its hold.
    pub fn is_permission(&self) -> bool {
        self.lines.is_empty() && self.hold.as_ref().is_none_or(|hold| hold.lines.is_empty())
    }

    /// When it was granted: what is only held for people to decide is not. `None` while it is only held, and of a permission.
    pub fn granted_at(&self) -> Option<Timestamp> {
        let began = std::iter::once(self.reserved_at).chain(self.history.iter().map(|version| version.until));
        let lines = self.history.iter().map(|version| &version.lines).chain([&self.lines]);
        began.zip(lines).find(|(_, lines)| !lines.is_empty()).map(|(began, _)| began)
    }

    /// The pool its lines of `meter` lie in, if it holds any.
    pub fn pool_of(&self, meter: Meter) -> Option<&PoolId> {
        self.lines.iter().find(|line| line.meter == meter).map(|line| &line.pool)
    }

    /// Everything it takes from its pools now: lines and what is held on top.
    pub fn taken(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().chain(&self.held)
    }

    /// How much of `meter` it takes now, with what is held on top.
    pub fn taken_of(&self, meter: Meter) -> u64 {
        self.taken().filter(|line| line.meter == meter).map(|line| line.quantity).sum()
    }

    /// How much of `meter` it has, without what is held on top.
    pub fn has_of(&self, meter: Meter) -> u64 {
        self.lines.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum()
    }

    /// How much of `meter` its open hold sets aside on top of what it has.
    pub fn held_of(&self, meter: Meter) -> u64 {
        self.held.iter().filter(|line| line.meter == meter).map(|line| line.quantity).sum()
    }

    /// Who bears it now.
    pub fn holder(&self) -> Holder {
        Holder { account: self.account.clone(), system: self.system.clone(), resource: self.subject.name.clone() }
    }

    /// Whether `account` held it under the name `resource` before it was handed over.
    pub fn was_handed_over_by(&self, account: &str, resource: &str) -> bool {
        let before = self.history.iter().filter_map(|version| version.holder.as_ref());
        before.into_iter().any(|holder| holder.account.as_str() == account && holder.resource == resource)
    }

    /// The name its object had when its machine was made, which the machine keeps: that of its first holder.
    pub fn first_name(&self) -> &str {
        let first = self.history.iter().find_map(|version| version.holder.as_ref());
        first.map_or(&self.subject.name, |holder| &holder.resource)
    }

    /// Everyone who ever held it, in order.
    pub fn holders(&self) -> Vec<Holder> {
        let mut holders: Vec<_> = self.history.iter().filter_map(|version| version.holder.clone()).collect();
        holders.push(self.holder());
        holders
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_granted_when_it_first_has_what_was_asked_for_and_not_when_that_was_held() {
        let line =
            |quantity: u64| json!([{"meter": "Vcpu", "pool": "Compute/x86", "dimensions": {}, "quantity": quantity}]);
        let version = |until: &str, lines: &serde_json::Value| json!({"until": until, "item": "c", "lines": lines});
        let granted = |history: serde_json::Value, lines: serde_json::Value| {
            let claim: Claim = serde_json::from_value(json!({
                "id": 1, "account": "tax", "system": "portal", "item": "c", "specDigest": "d", "approvedSpec": {},
                "subject": {"kind": "CloudHost", "namespace": "dept-tax", "name": "web", "uid": "u"},
                "lines": lines, "reservedAt": "2026-11-01T00:00:00Z", "history": history,
            }))
            .unwrap();
            claim.granted_at().map(|at| at.to_string())
        };
        let (none, held, decided) = (json!([]), "2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z");
        assert_eq!(granted(json!([]), line(2)).as_deref(), Some("2026-11-01T00:00:00Z"), "a policy let it through");
        assert_eq!(granted(json!([]), none.clone()), None, "held, or a permission");
        let by_people = json!([version(held, &none), version(decided, &none)]);
        assert_eq!(granted(by_people, line(2)).as_deref(), Some(decided));
        let resized = json!([version(held, &line(2)), version(decided, &line(4))]);
        assert_eq!(granted(resized, line(2)).as_deref(), Some("2026-11-01T00:00:00Z"), "a change is no other grant");
    }
}
