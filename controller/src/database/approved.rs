//! What was approved for a cloud database, resolved from the catalogue: kept in the ledger, and all that the engine sees.
//!
//! Later edits of a class do not reach databases that exist: they are built from this.

use jiyun_crds::v1alpha1::{DatabaseEngine, RefusalParameter};
use jiyun_ledger::Claim;
use jiyun_messages::parameters;
use serde::{Deserialize, Serialize};

use crate::{host::rejection::Rejection, order::mark::OrderMark};

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

impl Approved {
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

    /// Says which metered field of a granted database was asked to change, if any: not possible yet.
    pub fn change_to(&self, asked: &Self) -> Option<Rejection> {
        let gib = |mebibytes: u64| format!("{} GiB", mebibytes / 1024);
        let (field, from, to) = if self.class != asked.class {
            ("spec.classRef.name", self.class.clone(), asked.class.clone())
        } else if self.instances != asked.instances {
            ("spec.topology", self.instances.to_string(), asked.instances.to_string())
        } else if self.storage_mebibytes != asked.storage_mebibytes {
            ("spec.storage.size", gib(self.storage_mebibytes), gib(asked.storage_mebibytes))
        } else {
            return None;
        };
        let about = parameters([("field", field), ("from", &from), ("to", &to)]);
        Some(Rejection::misconfigured("DatabaseResizeNotSupported", about))
    }
}
