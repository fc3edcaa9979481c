//! What is counted: the names the book may use, and which kind of pool gives them out.

use serde::Deserialize;

/// A meter by its name in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(from = "String")]
pub enum Meter {
    /// Whole hosts.
    Hosts,
    /// Cores.
    Vcpu,
    /// Memory, MiB.
    Memory,
    /// Cards.
    Gpus,
    /// Block storage, MiB.
    BlockStorage,
    /// File storage, MiB.
    FileStorage,
    /// Object storage, MiB.
    ObjectStorage,
    /// Backup storage, MiB.
    BackupStorage,
    /// Database instances.
    DatabaseInstances,
    /// Capacity protected at another site, MiB.
    ProtectedCapacity,
    /// Bandwidth, Mbit/s.
    Bandwidth,
    /// Addresses.
    PublicIps,
    /// A name this program does not know.
    Unknown,
}

/// Every meter, its name, the kind of pool that gives it out, and whether a pool that does not name it has none of it.
const TABLE: [(Meter, &str, &str, bool); 12] = [
    (Meter::Hosts, "Hosts", "Compute", false),
    (Meter::Vcpu, "Vcpu", "Compute", true),
    (Meter::Memory, "Memory", "Compute", true),
    (Meter::Gpus, "Gpus", "Compute", true),
    (Meter::BlockStorage, "BlockStorage", "Storage", true),
    (Meter::FileStorage, "FileStorage", "Storage", true),
    (Meter::ObjectStorage, "ObjectStorage", "Storage", true),
    (Meter::BackupStorage, "BackupStorage", "Storage", true),
    (Meter::DatabaseInstances, "DatabaseInstances", "Compute", false),
    (Meter::ProtectedCapacity, "ProtectedCapacity", "Recovery", true),
    (Meter::Bandwidth, "Bandwidth", "Network", true),
    (Meter::PublicIps, "PublicIps", "Network", true),
];

impl Meter {
    fn row(self) -> Option<&'static (Self, &'static str, &'static str, bool)> {
        TABLE.iter().find(|(meter, ..)| *meter == self)
    }

    /// Its name in the book.
    pub fn name(self) -> &'static str {
        self.row().map_or("unknown meter", |row| row.1)
    }

    /// The kind of pool that gives it out.
    pub fn pool_kind(self) -> &'static str {
        self.row().map_or("", |row| row.2)
    }

    /// Whether a pool that does not name it has none of it; what is only counted is not bounded by such a pool.
    pub fn is_stocked(self) -> bool {
        self.row().is_none_or(|row| row.3)
    }
}

impl From<String> for Meter {
    fn from(name: String) -> Self {
        TABLE.iter().find(|row| row.1 == name).map_or(Self::Unknown, |row| row.0)
    }
}

impl std::fmt::Display for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
