//! The fixed words of volumes.

use jiyun_crds::v1alpha1 as crds;
use serde::Serialize;
use utoipa::ToSchema;

/// How far a volume and its host are with each other. In each of these states no other host is given the volume.
///
/// `Attaching` (挂载中): it is on its way to the host, or waits until that is there again, as after its archival.
/// `AttachedAtRestart` (重启后挂载): the host takes it on when it is next started; `POST` its `restart`, or set `power` to `Stopped`
/// and, once `Ready` says `Stopped`, to `Running`. A reboot in the guest is not enough. `Attached` (已挂载): the host has it, or
/// will have it once it runs. `Detaching` (卸载中): it is on its way off the host, which still has it or may have it.
/// `DetachedAtRestart` (重启后卸载): the host gives it up when it is next stopped; `POST` its `restart`, or set `power` to
/// `Stopped`, after which no start is needed. A reboot in the guest is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum AttachmentState {
    /// It is on its way to the host (挂载中).
    Attaching,
    /// The host takes it on when it is next started: it is to be restarted, or stopped and started (重启后挂载).
    AttachedAtRestart,
    /// The host has it, or will have it once it runs (已挂载).
    Attached,
    /// It is on its way off the host (卸载中).
    Detaching,
    /// The host gives it up when it is next stopped: it is to be restarted or stopped (重启后卸载).
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
