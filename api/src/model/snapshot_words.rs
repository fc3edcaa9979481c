//! What snapshots are of, and the restores that disks are made anew by.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kinds whose content can be kept in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum SnapshotSourceKind {
    /// The system disk of a cloud host (云主机系统盘).
    CloudHost,
    /// A cloud volume (云硬盘).
    CloudVolume,
}

/// What a snapshot is taken of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotSource {
    /// Of a host its system disk is taken, of a volume all of it.
    pub kind: SnapshotSourceKind,
    /// Name of the host or volume, of the same department and information system.
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "web-1")]
    pub name: String,
}

/// The restore that was asked for last.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Restore)]
pub struct RestoreView {
    /// The snapshot (云快照) the disk is brought back to.
    #[schema(example = "before-upgrade")]
    pub snapshot: String,
    /// The moment it was asked for with, as it was written: the disk is made anew once for each moment that has come
    /// and is later than that of the last restore.
    #[schema(example = "2026-11-20T02:00:00Z")]
    pub requested_at: String,
}

/// The restore that was begun last.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Restored)]
pub struct RestoredView {
    /// The snapshot (云快照) the disk is made from.
    #[schema(example = "before-upgrade")]
    pub snapshot: String,
    /// The moment it was asked for with. What was asked for last has been begun once this is that moment.
    #[schema(example = "2026-11-20T02:00:00Z")]
    pub requested_at: String,
    /// When the disk had the content of the snapshot; absent while it is being made.
    #[schema(format = DateTime, example = "2026-11-20T02:00:41Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
}

impl From<crds::SnapshotSourceKind> for SnapshotSourceKind {
    fn from(kind: crds::SnapshotSourceKind) -> Self {
        match kind {
            crds::SnapshotSourceKind::CloudHost => Self::CloudHost,
            crds::SnapshotSourceKind::CloudVolume => Self::CloudVolume,
        }
    }
}

impl From<SnapshotSourceKind> for crds::SnapshotSourceKind {
    fn from(kind: SnapshotSourceKind) -> Self {
        match kind {
            SnapshotSourceKind::CloudHost => Self::CloudHost,
            SnapshotSourceKind::CloudVolume => Self::CloudVolume,
        }
    }
}

impl From<crds::SnapshotSource> for SnapshotSource {
    fn from(crds::SnapshotSource { kind, name }: crds::SnapshotSource) -> Self {
        Self { kind: kind.into(), name }
    }
}

impl From<SnapshotSource> for crds::SnapshotSource {
    fn from(SnapshotSource { kind, name }: SnapshotSource) -> Self {
        Self { kind: kind.into(), name }
    }
}

impl From<crds::Restore> for RestoreView {
    fn from(crds::Restore { snapshot_ref, requested_at }: crds::Restore) -> Self {
        Self { snapshot: snapshot_ref.name, requested_at: requested_at.to_string() }
    }
}

impl From<crds::Restored> for RestoredView {
    fn from(crds::Restored { snapshot, requested_at, completed_at }: crds::Restored) -> Self {
        Self { snapshot, requested_at: requested_at.to_string(), completed_at: completed_at.map(|at| at.to_string()) }
    }
}
