//! Restoring in place (恢复): a disk is made anew from a snapshot that was taken of it.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::LocalRef;
use crate::date_time::DateTime;
use crate::rules;

/// A wish to bring a disk back to what a snapshot of it holds. What was written since is lost.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restore {
    /// [free] The `CloudSnapshot` of the same namespace, one that was taken of this very object.
    pub snapshot_ref: LocalRef,
    /// [free] Once this moment has come the disk is made anew, once for each moment that is later than the last one.
    /// What cannot begin then waits, and begins once it can; after 24 hours it does not begin any more. RFC 3339 with
    /// an offset and whole seconds. It can be taken back until the former disk goes: take `restore` out.
    #[x_kube(
        validation = rules::moment("恢复时间", "restore.requestedAt"),
        validation = rules::day_exists("恢复时间", "restore.requestedAt")
    )]
    pub requested_at: DateTime,
}

/// The restore that was begun last.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// Name of the snapshot it is made from.
    #[schemars(length(max = 253))]
    pub snapshot: String,
    /// The `restore.requestedAt` it was begun for.
    pub requested_at: DateTime,
    /// When the disk had the content of the snapshot; absent while it is being made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<DateTime>,
}
