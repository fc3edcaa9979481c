//! The fixed words of databases.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Engine of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum DatabaseEngine {
    /// PostgreSQL.
    Postgresql,
}

/// Instances of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum DatabaseTopology {
    /// One instance (单节点).
    Single,
    /// A primary and a standby that takes over (一主一备).
    PrimaryStandby,
    /// A primary and two standbys (一主两备).
    Three,
}

impl From<crds::DatabaseEngine> for DatabaseEngine {
    fn from(engine: crds::DatabaseEngine) -> Self {
        match engine {
            crds::DatabaseEngine::Postgresql => Self::Postgresql,
        }
    }
}

impl From<DatabaseEngine> for crds::DatabaseEngine {
    fn from(engine: DatabaseEngine) -> Self {
        match engine {
            DatabaseEngine::Postgresql => Self::Postgresql,
        }
    }
}

impl From<crds::DatabaseTopology> for DatabaseTopology {
    fn from(topology: crds::DatabaseTopology) -> Self {
        match topology {
            crds::DatabaseTopology::Single => Self::Single,
            crds::DatabaseTopology::PrimaryStandby => Self::PrimaryStandby,
            crds::DatabaseTopology::Three => Self::Three,
        }
    }
}

impl From<DatabaseTopology> for crds::DatabaseTopology {
    fn from(topology: DatabaseTopology) -> Self {
        match topology {
            DatabaseTopology::Single => Self::Single,
            DatabaseTopology::PrimaryStandby => Self::PrimaryStandby,
            DatabaseTopology::Three => Self::Three,
        }
    }
}
