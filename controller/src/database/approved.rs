//! What was approved for a cloud database, resolved from the catalogue: kept in the ledger, and all that the engine sees.
//!
//! Later edits of a class do not reach databases that exist: they are built from this.

use jiyun_crds::v1alpha1::{DatabaseEngine, RefusalParameter};
use jiyun_ledger::Claim;
use serde::{Deserialize, Serialize};

use crate::order::mark::OrderMark;

/// A cloud database in resolved terms: quantities instead of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Approved {
    /// Database class, for statements.
    pub class: String,
    /// Engine.
    pub engine: DatabaseEngine,
    /// Major version, for people.
    pub version: String,
    /// Container image of that version.
    pub image: String,
    /// CPU architecture.
    pub architecture: String,
    /// Instances, at least 1.
    pub instances: u64,
    /// vCPUs of each.
    pub vcpu: u64,
    /// Memory of each in MiB.
    pub memory_mebibytes: u64,
    /// Tier of their storage.
    pub storage_tier: String,
    /// Storage of each in MiB.
    pub storage_mebibytes: u64,
    /// The largest its instances may still be while the engine carries a change out; none once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<Extent>,
    /// Whether the database may be deleted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deletable: bool,
    /// The order that was approved, if people had to agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderMark>,
    /// The policies that let it through, if nobody had to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// How large instances are, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extent {
    /// How many there are.
    pub instances: u64,
    /// vCPUs of each.
    pub vcpu: u64,
    /// Memory of each in MiB.
    pub memory_mebibytes: u64,
    /// Storage of each in MiB.
    pub storage_mebibytes: u64,
}

impl Extent {
    /// The least that holds both, whichever instances there are of the one and of the other: the engine takes the steps
    /// between them in an order of its own.
    pub fn around(self, other: Self) -> Self {
        Self {
            instances: self.instances.max(other.instances),
            vcpu: self.vcpu.max(other.vcpu),
            memory_mebibytes: self.memory_mebibytes.max(other.memory_mebibytes),
            storage_mebibytes: self.storage_mebibytes.max(other.storage_mebibytes),
        }
    }
}

impl Approved {
    /// How large its instances are once the engine has followed.
    pub fn extent(&self) -> Extent {
        Extent {
            instances: self.instances,
            vcpu: self.vcpu,
            memory_mebibytes: self.memory_mebibytes,
            storage_mebibytes: self.storage_mebibytes,
        }
    }

    /// How large its instances may be at this moment: what its claim holds.
    pub fn held(&self) -> Extent {
        self.under_way.unwrap_or_else(|| self.extent())
    }

    /// The same, when the engine has followed.
    #[must_use]
    pub fn followed(self) -> Self {
        Self { under_way: None, ..self }
    }

    /// What a claim was granted for.
    ///
    /// # Errors
    /// When the book's text is none of ours.
    pub fn of(claim: &Claim) -> Result<Self, serde_json::Error> {
        Self::deserialize(&*claim.approved_spec)
    }

    /// What was approved, for people: sums over all instances, as quotas count them.
    pub fn summary(&self) -> Vec<RefusalParameter> {
        let size = |mebibytes: u64| format!("{} MiB", mebibytes * self.instances);
        [
            ("class", self.class.clone()),
            ("engine", format!("{} {}", self.engine, self.version)),
            ("instances", self.instances.to_string()),
            ("vcpu", (self.vcpu * self.instances).to_string()),
            ("memory", size(self.memory_mebibytes)),
            ("tier", self.storage_tier.clone()),
            ("blockStorage", size(self.storage_mebibytes)),
        ]
        .map(|(name, value)| RefusalParameter { name: name.to_owned(), value })
        .into()
    }
}
