//! A cloud bucket (对象存储桶) as the API shows it.

use jiyun_crds::v1alpha1::{BucketConnection, CloudBucket, CloudBucketStatus};
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ChangeView, DeletionProtection, EstimateView,
    host::{Condition, HostState, RefusalView},
};

/// A cloud bucket: what was asked for, how it stands, and where programs find it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::bucket()))]
pub struct Bucket {
    /// Its name.
    #[schema(example = "portal-files")]
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
    /// The network zone.
    pub zone: String,
    /// Storage tier.
    #[schema(example = "standard")]
    pub tier: String,
    /// How much it may hold, as it is asked for: 1Gi to 1Pi in whole Mi.
    #[schema(example = "500Gi")]
    pub size: String,
    /// The size that was granted last: what it may hold, and what is paid for, however much lies in it. Where `size` says
    /// something else, that is not decided, or was decided against.
    #[schema(example = "500Gi")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_size: Option<String>,
    /// Where programs find it, once they can sign in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<BucketConnectionView>,
    /// When another key pair (密钥对) was last asked for, or is to take the place of the one in use.
    #[schema(example = "2026-11-20T02:00:00Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_requested_at: Option<String>,
    /// When the key pair (密钥对) in use was made; absent until the department has one.
    #[schema(example = "2026-11-20T02:00:01Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_at: Option<String>,
    /// The `credentialsRequestedAt` that pair was made for; absent: it was made with the bucket. The department has the pair it
    /// asked for once both are the same.
    #[schema(example = "2026-11-20T02:00:00Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_issued_for: Option<String>,
    /// Whether it is kept from being deleted; `Disabled` counts once it was decided.
    pub deletion_protection: DeletionProtection,
    /// How far the platform has come with it.
    pub state: HostState,
    /// The order (申请单) that people decide about, or decided against.
    #[schema(example = "portal-files-3f2a9c01")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The claim (占用) in the ledger, once granted.
    #[schema(example = "claim-126")]
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

/// Where programs find a bucket. Its key pair is in no answer of this API: it is in the Secret that is named.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BucketConnection)]
pub struct BucketConnectionView {
    /// Name on the network of what answers S3 requests.
    #[schema(example = "rook-ceph-rgw-objects.rook-ceph.svc")]
    pub host: String,
    /// Its port.
    #[schema(example = 80)]
    pub port: u32,
    /// Name of the bucket there.
    #[schema(example = "portal-files-2f6d3a1e-8f0b-4c57-9a4e-0d2b7c6e5f13")]
    pub bucket: String,
    /// The Secret in the department's namespace with the key pair and the place: `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `BUCKET_NAME`, `BUCKET_HOST`, `BUCKET_PORT`. It changes when the pair is replaced.
    #[schema(example = "portal-files-bucket")]
    pub credentials_secret: String,
}

/// A page of buckets.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::bucket_list()))]
pub struct BucketList {
    /// The buckets, in the order asked for.
    pub items: Vec<Bucket>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

/// What would come of a request for a bucket. Nothing was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::bucket_preview()))]
pub struct BucketPreview {
    /// The bucket as it would be, before anything is decided on it; of an end, the bucket that would go. One that is yet to be
    /// created will have another `uid` and `createdAt`.
    pub bucket: Bucket,
    /// Price, quota and whether it could be had now. Absent where nothing is asked of the ledger, the caller may not read the
    /// department's quota, or the ledger cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateView>,
    /// Of a change to a granted bucket: what of it is decided before it counts. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<ChangeView>,
}

/// A bucket after a change: as it is, or, with `dryRun=true`, what would come of the change.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(example = json!(super::example::bucket()))]
pub enum ChangedBucket {
    /// The bucket as it is now asked for.
    Changed(Box<Bucket>),
    /// What would come of it.
    Preview(Box<BucketPreview>),
}

impl Bucket {
    /// The bucket behind `object`, which stands as `state` says, for a reader of `language`.
    pub fn new(department: &str, object: CloudBucket, state: HostState, language: Language) -> Self {
        let CloudBucket { metadata, spec, status } = object;
        let CloudBucketStatus {
            conditions,
            claim_id,
            granted_size,
            connection,
            credentials_issued_at,
            credentials_issued_for,
            refusal,
            order_ref,
            ..
        } = status.unwrap_or_default();
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            display_name: spec.display_name,
            system: spec.system_ref.name,
            zone: spec.zone_ref.name,
            tier: spec.tier,
            size: spec.size.to_string(),
            granted_size: granted_size.map(|size| size.to_string()),
            connection: connection.map(BucketConnectionView::from),
            credentials_requested_at: spec.credentials_requested_at.map(|at| at.to_string()),
            credentials_issued_at: credentials_issued_at.map(|at| at.to_string()),
            credentials_issued_for: credentials_issued_for.map(|at| at.to_string()),
            deletion_protection: spec.deletion_protection.into(),
            state,
            order: order_ref.map(|order| order.name),
            claim: claim_id,
            refusal: refusal.map(|refusal| RefusalView::new(&refusal, language)),
            conditions: conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            deletion_requested_at: metadata.deletion_timestamp,
        }
    }
}

impl From<BucketConnection> for BucketConnectionView {
    fn from(connection: BucketConnection) -> Self {
        Self {
            host: connection.host,
            port: connection.port,
            bucket: connection.bucket,
            credentials_secret: connection.credentials_secret_ref.name,
        }
    }
}
