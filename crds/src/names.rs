//! Names every part must spell alike: group, labels, annotations, finalizer, namespaces and derived object names.

/// API group of all kinds.
pub const GROUP: &str = "jiyun.io";
/// Category under which `kubectl get jiyun` lists all kinds.
pub const CATEGORY: &str = "jiyun";

/// Label: the department an engine object or a namespace belongs to (value: name of the `Department`).
pub const LABEL_DEPARTMENT: &str = "jiyun.io/department";
/// Label: the cloud host an engine object was made for (value: name of the `CloudHost`).
pub const LABEL_CLOUDHOST: &str = "jiyun.io/cloudhost";
/// Label: the cloud database an engine object was made for (value: name of the `CloudDatabase`).
pub const LABEL_DATABASE: &str = "jiyun.io/clouddatabase";
/// Label: the cloud volume an engine object was made for (value: name of the `CloudVolume`).
pub const LABEL_VOLUME: &str = "jiyun.io/cloudvolume";
/// Label: the cloud bucket an engine object was made for (value: name of the `CloudBucket`).
pub const LABEL_BUCKET: &str = "jiyun.io/cloudbucket";
/// Label: the cloud snapshot an engine object was made for (value: name of the `CloudSnapshot`).
pub const LABEL_SNAPSHOT: &str = "jiyun.io/cloudsnapshot";
/// Label: the network flow a wall was opened for (value: name of the `NetworkFlow`).
pub const LABEL_FLOW: &str = "jiyun.io/networkflow";
/// On a machine: the group of hosts it shares no node with, `<first of its information system's UID>.<group>`.
pub const LABEL_ANTI_AFFINITY: &str = "jiyun.io/anti-affinity";
/// Label: the network zone a subnet was made for (value: name of the `NetworkZone`).
pub const LABEL_ZONE: &str = "jiyun.io/networkzone";
/// Label: the claim an engine object was made for, with the beginning of its ledger's lineage (`claim-7.1a2b3c4d`). The
/// object behind a claim can be made anew, by a restore, and have another UID; the claim stays.
pub const LABEL_CLAIM: &str = "jiyun.io/claim";
/// Label: the program that manages an object, by the name Kubernetes recommends.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`LABEL_MANAGED_BY`] on everything this platform creates.
pub const MANAGED_BY: &str = "jiyun";

/// Annotation: user who created the object; written by an admission policy only. Whoever filed something decides nothing
/// about it, whoever writes into it later.
pub const ANNOTATION_CREATED_BY: &str = "jiyun.io/created-by";
/// Annotation: user who created the object or last changed its spec; written by an admission policy only.
pub const ANNOTATION_REQUESTED_BY: &str = "jiyun.io/requested-by";
/// Annotation: groups of that user at that moment, one a line; written by an admission policy only.
pub const ANNOTATION_REQUESTED_BY_GROUPS: &str = "jiyun.io/requested-by-groups";

/// Annotation: digest of the request that created the object with an `Idempotency-Key`, by which the API knows that
/// request again (SHA-256, hexadecimal).
pub const ANNOTATION_REQUEST_DIGEST: &str = "jiyun.io/request-digest";

/// Annotation: this object is in the hands of a `Handover` (value: `<handover>/<name of the object that hands over>`).
/// Meanwhile its spec stays as it is, and nothing is asked for it; written and taken off by the platform only.
pub const ANNOTATION_HANDOVER: &str = "jiyun.io/handover";

/// Annotation of an object that is asked for by an order of this name (value: name of the `Order`): none is filed for it.
pub const ANNOTATION_ORDER: &str = "jiyun.io/order";
/// Annotation: whom a tool asks for (declared by the tool, verified by nobody). They may not approve it either.
pub const ANNOTATION_APPLICANT: &str = "jiyun.io/applicant";

/// Finalizer that keeps an object until its claim in the ledger is released.
pub const FINALIZER_CLAIM: &str = "jiyun.io/claim";
/// Finalizer that keeps a department until nothing is booked on its account any more.
pub const FINALIZER_ACCOUNT: &str = "jiyun.io/account";
/// Finalizer that keeps an information system until no resource names it any more.
pub const FINALIZER_SYSTEM: &str = "jiyun.io/system";
/// Finalizer that keeps a handover until nothing is left halfway.
pub const FINALIZER_HANDOVER: &str = "jiyun.io/handover";
/// Finalizer that keeps a compute or storage pool until nothing lies in it any more.
pub const FINALIZER_POOL: &str = "jiyun.io/pool";
/// Finalizer that keeps a network zone whose departments have networks of their own, and those networks, until nothing is in
/// them any more.
pub const FINALIZER_NETWORK: &str = "jiyun.io/network";
/// Field manager of the controller in server-side apply.
pub const FIELD_MANAGER: &str = "jiyun-controller";
/// Namespace of the platform's own programs and settings.
pub const SYSTEM_NAMESPACE: &str = "jiyun-system";

/// Longest name, in bytes, of a `CloudHost`, `CloudDatabase`, `CloudVolume`, `CloudBucket`, `CloudSnapshot`, `Department` or
/// `InformationSystem`.
///
/// Longer names are derived from these (`engine-<department>`, `<host>-system`, `<volume>-volume`, `<bucket>-bucket`,
/// `<database>-credentials`, and the engines' own suffixes), and all of them have to stay within the 63 bytes of a DNS
/// label.
pub const MAX_NAME_LENGTH: usize = 40;

const DEPARTMENT_NAMESPACE_PREFIX: &str = "dept-";
const ENGINE_NAMESPACE_PREFIX: &str = "engine-";
const SYSTEM_DISK_SUFFIX: &str = "-system";
const VOLUME_SUFFIX: &str = "-volume";
const SNAPSHOT_SUFFIX: &str = "-snapshot";
const BUCKET_SUFFIX: &str = "-bucket";
const BUCKET_PREFIX: &str = "bucket.";
const USER_DATA_PREFIX: &str = "user-data.";
const CREDENTIALS_SUFFIX: &str = "-credentials";

/// The namespace in which a department writes its requests: `dept-<department>`.
pub fn department_namespace(department: &str) -> String {
    format!("{DEPARTMENT_NAMESPACE_PREFIX}{department}")
}

/// The department whose namespace this is, or `None` where the namespace is not one of a department.
pub fn department_of_namespace(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(DEPARTMENT_NAMESPACE_PREFIX).filter(|department| !department.is_empty())
}

/// The namespace of a department's engine objects (virtual machines, disks), where tenants have no rights:
/// `engine-<department>`.
pub fn engine_namespace(department: &str) -> String {
    format!("{ENGINE_NAMESPACE_PREFIX}{department}")
}

/// Where engine objects lie now: with their department, or where they were when it was handed over to it, for machines do not move.
pub fn engine_namespace_of(kept: Option<&str>, department: &str) -> String {
    kept.map_or_else(|| engine_namespace(department), str::to_owned)
}

/// The department whose engine objects live in this namespace, or `None` where it is no engine namespace.
pub fn department_of_engine_namespace(namespace: &str) -> Option<&str> {
    namespace.strip_prefix(ENGINE_NAMESPACE_PREFIX).filter(|department| !department.is_empty())
}

/// Name of the system disk (a `DataVolume`) of a host: `<host>-system`.
pub fn system_disk_name(host: &str) -> String {
    format!("{host}{SYSTEM_DISK_SUFFIX}")
}

/// Type of a Secret with user data for hosts: no other one is read for that, and people make none of another type.
pub const USER_DATA_TYPE: &str = "jiyun.io/user-data";

/// Key in such a Secret.
pub const USER_DATA_KEY: &str = "userData";

/// Name of the Secret that the machine of a host reads its user data from: `user-data.<host>`. Other Secrets where machines live
/// are called as databases, whose names have no dot, or begin with `bucket.`.
pub fn user_data_name(host: &str) -> String {
    format!("{USER_DATA_PREFIX}{host}")
}

/// Name of the disk (a `DataVolume`) of a volume: `<volume>-volume`. No host's system disk is called so.
pub fn volume_disk_name(volume: &str) -> String {
    format!("{volume}{VOLUME_SUFFIX}")
}

/// The volume whose disk is called so, or `None` where it is no volume's.
pub fn volume_of_disk_name(disk: &str) -> Option<&str> {
    disk.strip_suffix(VOLUME_SUFFIX).filter(|volume| !volume.is_empty())
}

/// Name of what a snapshot is at its engine (a `VolumeSnapshot`): `<snapshot>-snapshot`.
pub fn volume_snapshot_name(snapshot: &str) -> String {
    format!("{snapshot}{SNAPSHOT_SUFFIX}")
}

/// Name of the Secret in which a department finds user and password of a database: `<database>-credentials`.
pub fn credentials_name(database: &str) -> String {
    format!("{database}{CREDENTIALS_SUFFIX}")
}

/// Name of what a bucket is asked for with at its engine (an `ObjectBucketClaim`): `bucket.<bucket>`. The engine joins it to its
/// namespace with a hyphen, for something that is of the whole cluster (`obc-engine-tax-bucket.files`); no namespace has a dot, so
/// no two departments ever come to the same.
pub fn bucket_claim_name(bucket: &str) -> String {
    format!("{BUCKET_PREFIX}{bucket}")
}

/// Name of the Secret in which a department finds key pair and place of a bucket: `<bucket>-bucket`. No database's is called
/// so.
pub fn bucket_secret_name(bucket: &str) -> String {
    format!("{bucket}{BUCKET_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_leads_back_to_its_department() {
        assert_eq!(department_of_namespace(&department_namespace("finance")), Some("finance"));
        assert_eq!(department_of_engine_namespace(&engine_namespace("finance")), Some("finance"));
        assert_eq!(department_of_namespace("engine-finance"), None);
        assert_eq!(department_of_namespace("dept-"), None);
    }

    #[test]
    fn a_disk_leads_back_to_its_volume_and_a_hosts_to_none() {
        assert_eq!(volume_of_disk_name(&volume_disk_name("data")), Some("data"));
        assert_eq!(volume_of_disk_name(&volume_disk_name("data-volume")), Some("data-volume"));
        for other in ["data", "-volume", &system_disk_name("data"), &system_disk_name("data-volume")] {
            assert_eq!(volume_of_disk_name(other), None, "{other}");
        }
    }

    #[test]
    fn what_engines_make_of_namespace_and_bucket_is_another_for_every_department() {
        let made = |department: &str, bucket: &str| {
            format!("obc-{}-{}", engine_namespace(department), bucket_claim_name(bucket))
        };
        assert_ne!(made("finance", "tax-files"), made("finance-tax", "files"));
        assert_ne!(made("finance", "bucket-files"), made("finance-bucket", "files"));
    }

    #[test]
    fn derived_names_of_the_longest_name_fit_a_dns_label() {
        let longest = "a".repeat(MAX_NAME_LENGTH);
        for derived in [
            department_namespace(&longest),
            engine_namespace(&longest),
            system_disk_name(&longest),
            volume_disk_name(&longest),
            volume_snapshot_name(&longest),
            credentials_name(&longest),
            bucket_claim_name(&longest),
            bucket_secret_name(&longest),
        ] {
            assert!(derived.len() <= 63, "{derived}");
        }
    }
}
