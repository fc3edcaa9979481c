//! How large the instances of a database are, and what they may be while they are changed
//! (`controller/src/database/approved.rs`): for previews.

use jiyun_crds::v1alpha1::{CloudDatabase, DatabaseClass};
use jiyun_ledger::{Claim, Meter};
use serde::Deserialize;

/// How many instances there are, and how large each of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// What `database` asks for; none if an amount cannot be read, which the API server's rules exclude.
    pub fn of(database: &CloudDatabase, class: &DatabaseClass) -> Option<Self> {
        Some(Self {
            instances: database.spec.topology.instances().into(),
            vcpu: class.spec.vcpu.into(),
            memory_mebibytes: class.spec.memory.mebibytes().ok()?,
            storage_mebibytes: database.spec.storage.size.mebibytes().ok()?,
        })
    }

    /// What `claim` was granted for, or the largest its instances may still be while a change is carried out; none
    /// where the book says neither.
    pub fn held(claim: &Claim) -> Option<Self> {
        let under_way = claim.approved_spec.get("underWay").and_then(|had| Self::deserialize(had).ok());
        under_way.or_else(|| Self::deserialize(&*claim.approved_spec).ok())
    }

    /// The same, of the class that `claim` was granted for: a class that was made anew under its old name is another
    /// one.
    #[must_use]
    pub fn of_the_class_of(self, claim: &Claim) -> Self {
        let granted = Self::deserialize(&*claim.approved_spec).unwrap_or(self);
        Self { vcpu: granted.vcpu, memory_mebibytes: granted.memory_mebibytes, ..self }
    }

    /// The least that holds both, whichever instances there are of the one and of the other: the engine takes the steps
    /// between them in an order of its own.
    #[must_use]
    pub fn around(self, other: Self) -> Self {
        Self {
            instances: self.instances.max(other.instances),
            vcpu: self.vcpu.max(other.vcpu),
            memory_mebibytes: self.memory_mebibytes.max(other.memory_mebibytes),
            storage_mebibytes: self.storage_mebibytes.max(other.storage_mebibytes),
        }
    }

    /// The fields by which it is larger than `other`.
    pub fn larger_than(self, other: Self) -> impl Iterator<Item = &'static str> {
        let class = self.vcpu > other.vcpu || self.memory_mebibytes > other.memory_mebibytes;
        let topology = self.instances > other.instances;
        let storage = self.storage_mebibytes > other.storage_mebibytes;
        let fields = [("class", class), ("topology", topology), ("storage.size", storage)];
        fields.into_iter().filter(|(_, larger)| *larger).map(|(field, _)| field)
    }

    /// What all instances take together.
    pub fn quantities(self) -> [(Meter, u64); 3] {
        [
            (Meter::Vcpu, self.instances * self.vcpu),
            (Meter::Memory, self.instances * self.memory_mebibytes),
            (Meter::BlockStorage, self.instances * self.storage_mebibytes),
        ]
    }
}
