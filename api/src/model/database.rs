//! A cloud database (云数据库) as the API shows it.

use jiyun_crds::v1alpha1::{CloudDatabase, CloudDatabaseStatus, DatabaseConnection, DatabaseGrant};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Architecture, ChangeView, DeletionProtection, EstimateView, Power,
    database_words::{DatabaseEngine, DatabaseTopology},
    host::{Condition, HostState, RefusalView},
};

/// A cloud database: what was asked for, how it stands, and where clients find it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::database()))]
pub struct Database {
    /// Its name.
    #[schema(example = "budget-pg")]
    pub name: String,
    /// The department it belongs to.
    #[schema(example = "finance")]
    pub department: String,
    /// Its UID at the API server; a namesake created later has another one.
    pub uid: String,
    /// Name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The information system it is for.
    pub system: String,
    /// The database class.
    pub class: String,
    /// The network zone.
    pub zone: String,
    /// The architecture.
    pub architecture: Architecture,
    /// What kind of database, and in which version.
    pub engine: EngineView,
    /// How many instances it runs on.
    pub topology: DatabaseTopology,
    /// Storage of each instance.
    pub storage: StorageView,
    /// What was granted last: what it has, or takes on as its instances follow or when it is next started. Where
    /// `class`, `topology` or `storage` say something else, that is not decided, or was decided against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<GrantView>,
    /// Whether it is to run.
    pub power: Power,
    /// Whether it is kept from being deleted; `Disabled` counts once it was decided.
    pub deletion_protection: DeletionProtection,
    /// How far the platform has come with it.
    pub state: HostState,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "budget-pg-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Where clients find it, once they can sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionView>,
    /// Instances that answer.
    #[schema(example = 2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_instances: Option<u32>,
    /// The claim (占用) in the ledger, once granted.
    #[schema(example = "claim-123")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Why it, or a change of it, was not granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What the platform found out, aspect by aspect.
    pub conditions: Vec<Condition>,
    /// Counts changes of what is asked for; a condition of an older generation is outdated.
    pub generation: i64,
    /// When it was ordered.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When its end was asked for.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_requested_at: Option<Time>,
}

/// Engine and version of a database.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseEngineChoice)]
pub struct EngineView {
    /// The engine.
    pub kind: DatabaseEngine,
    /// Major version.
    #[schema(example = "17")]
    pub version: String,
}

/// Storage of each instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseStorage)]
pub struct StorageView {
    /// Storage tier.
    #[schema(example = "standard")]
    pub tier: String,
    /// Size for each instance.
    #[schema(example = "100Gi")]
    pub size: String,
}

/// The size of a database as it was granted.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseGrant)]
pub struct GrantView {
    /// The database class.
    #[schema(example = "database-2c8g")]
    pub class: String,
    /// How many instances it runs on: 1 of topology `Single`, 2 of `PrimaryStandby`, 3 of `Three`.
    #[schema(example = 2)]
    pub instances: u32,
    /// Storage of each.
    #[schema(example = "100Gi")]
    pub storage_size: String,
}

/// Where clients find a database. User and password are in no answer of this API: they are in the Secret that is named.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DatabaseConnection)]
pub struct ConnectionView {
    /// Name of the primary on the network; it follows the primary.
    #[schema(example = "budget-pg-rw.engine-finance.svc")]
    pub host: String,
    /// Name of the standbys, which only read; absent where there are none.
    #[schema(example = "budget-pg-ro.engine-finance.svc")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_host: Option<String>,
    /// Port of both.
    #[schema(example = 5432)]
    pub port: u32,
    /// Name of the database to connect to.
    #[schema(example = "app")]
    pub database: String,
    /// The Secret in the department's namespace with user and password.
    #[schema(example = "budget-pg-credentials")]
    pub credentials_secret: String,
}

/// A page of databases.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::database_list()))]
pub struct DatabaseList {
    /// The databases, in the order asked for.
    pub items: Vec<Database>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for a database. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::database_preview()))]
pub struct DatabasePreview {
    /// The database as it would be, before anything is decided on it; of an end, the database that would go. One that is
    /// yet to be created will have another `uid` and `createdAt`.
    pub database: Database,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not read the
    /// department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
    /// Of a change to a granted database: what of it is decided before it counts. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
}

/// A database after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::database()))]
pub enum ChangedDatabase {
    /// The database as it is now asked for.
    Changed(Box<Database>),
    /// What would come of it.
    Preview(Box<DatabasePreview>),
}

impl Database {
    /// The database behind `object`, which stands as `state` says, for a reader of `language`.
    pub fn new(department: &str, object: CloudDatabase, state: HostState, language: Language) -> Self {
        let CloudDatabase { metadata, spec, status } = object;
        let CloudDatabaseStatus {
            conditions, claim_id, granted, connection, ready_instances, refusal, order_ref, ..
        } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            class: spec.class_ref.name,
            zone: spec.zone_ref.name,
            architecture: spec.architecture.into(),
            engine: EngineView { kind: spec.engine.kind.into(), version: spec.engine.version },
            topology: spec.topology.into(),
            storage: StorageView { tier: spec.storage.tier, size: spec.storage.size.to_string() },
            granted: granted.map(GrantView::from),
            power: spec.power.into(),
            deletion_protection: spec.deletion_protection.into(),
            state,
            order: order_ref.map(|order| order.name),
            connection: connection.map(ConnectionView::from),
            ready_instances,
            claim: claim_id,
            refusal: refusal.map(|refusal| RefusalView::new(&refusal, language)),
            conditions: conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            deletion_requested_at: metadata.deletion_timestamp,
        }
    }
}

impl From<DatabaseGrant> for GrantView {
    fn from(DatabaseGrant { class, instances, storage_size }: DatabaseGrant) -> Self {
        Self { class, instances, storage_size: storage_size.to_string() }
    }
}

impl From<DatabaseConnection> for ConnectionView {
    fn from(connection: DatabaseConnection) -> Self {
        Self {
            host: connection.host,
            read_only_host: connection.read_only_host,
            port: connection.port,
            database: connection.database,
            credentials_secret: connection.credentials_secret_ref.name,
        }
    }
}
