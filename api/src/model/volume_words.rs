//! The fixed words of volumes.

use jiyun_crds::v1alpha1 as crds;
use serde::Serialize;
use utoipa::ToSchema;

/// How far a volume and its host are with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum AttachmentState {
    /// It is being attached (挂载中).
    Attaching,
    /// The running host takes it on once it was restarted, or stopped and started (重启后挂载).
    AttachedAtRestart,
    /// The host has it, or will have it once it runs (已挂载).
    Attached,
    /// It is being taken off (卸载中).
    Detaching,
    /// The running host gives it up once it was restarted, or stopped and started (重启后卸载).
    DetachedAtRestart,
}

impl From<crds::AttachmentState> for AttachmentState {
    fn from(state: crds::AttachmentState) -> Self {
        match state {
            crds::AttachmentState::Attaching => Self::Attaching,
            crds::AttachmentState::AttachedAtRestart => Self::AttachedAtRestart,
            crds::AttachmentState::Attached => Self::Attached,
            crds::AttachmentState::Detaching => Self::Detaching,
            crds::AttachmentState::DetachedAtRestart => Self::DetachedAtRestart,
        }
    }
}
