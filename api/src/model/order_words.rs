//! The fixed words of orders: what is asked for, what is decided, how it stands.

use jiyun_crds::v1alpha1 as crds;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kinds that can be ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum OrderedKind {
    /// A cloud host (云主机).
    #[default]
    CloudHost,
    /// A network flow (网络互访).
    NetworkFlow,
    /// A cloud database (云数据库).
    CloudDatabase,
    /// A cloud volume (云硬盘).
    CloudVolume,
    /// A cloud bucket (对象存储桶).
    CloudBucket,
    /// A cloud snapshot (云快照).
    CloudSnapshot,
}

/// What is to happen to an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum OrderAction {
    /// It is granted and made (新建).
    #[default]
    Create,
    /// A guarded field of it is changed, e.g. its deletion protection taken off (变更).
    Change,
    /// It is ended and deleted, its deletion protection notwithstanding (注销).
    End,
}

/// What somebody decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum ApprovalDecision {
    /// It may be done (同意).
    Approve,
    /// It may not (不同意); the order is refused.
    Refuse,
}

/// How many of a level have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum ApprovalMode {
    /// One person of any of the groups (或签).
    Any,
    /// One person of each group, all of them different (会签).
    All,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr)]
pub enum OrderState {
    /// Not looked at yet, or it cannot be decided as it is (已提交): the conditions and the refusal say what is missing.
    Filed,
    /// What it asks for is set aside; somebody has to agree (待审批).
    AwaitingApproval,
    /// Everybody agreed, or nobody had to; it is being done (办理中).
    Approved,
    /// All of it is done (已办结).
    Fulfilled,
    /// What could be done is; some of it went before (部分办结).
    PartlyFailed,
    /// Somebody did not agree, or there is no quota or room for it (未通过); the refusal says which.
    Refused,
    /// Nobody decided in time (已逾期).
    Expired,
    /// It is not asked for any more (已撤回).
    Withdrawn,
    /// An item was changed after the order was accepted, so nobody decides about it any more (已失效).
    Superseded,
}

impl OrderState {
    /// Whether it was decided, or will not be any more: nobody can approve or withdraw it.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::Filed | Self::AwaitingApproval)
    }
}

impl From<crds::OrderedKind> for OrderedKind {
    fn from(kind: crds::OrderedKind) -> Self {
        match kind {
            crds::OrderedKind::CloudHost => Self::CloudHost,
            crds::OrderedKind::NetworkFlow => Self::NetworkFlow,
            crds::OrderedKind::CloudDatabase => Self::CloudDatabase,
            crds::OrderedKind::CloudVolume => Self::CloudVolume,
            crds::OrderedKind::CloudBucket => Self::CloudBucket,
            crds::OrderedKind::CloudSnapshot => Self::CloudSnapshot,
        }
    }
}

impl From<OrderedKind> for crds::OrderedKind {
    fn from(kind: OrderedKind) -> Self {
        match kind {
            OrderedKind::CloudHost => Self::CloudHost,
            OrderedKind::NetworkFlow => Self::NetworkFlow,
            OrderedKind::CloudDatabase => Self::CloudDatabase,
            OrderedKind::CloudVolume => Self::CloudVolume,
            OrderedKind::CloudBucket => Self::CloudBucket,
            OrderedKind::CloudSnapshot => Self::CloudSnapshot,
        }
    }
}

impl From<crds::OrderAction> for OrderAction {
    fn from(action: crds::OrderAction) -> Self {
        match action {
            crds::OrderAction::Create => Self::Create,
            crds::OrderAction::Change => Self::Change,
            crds::OrderAction::End => Self::End,
        }
    }
}

impl From<OrderAction> for crds::OrderAction {
    fn from(action: OrderAction) -> Self {
        match action {
            OrderAction::Create => Self::Create,
            OrderAction::Change => Self::Change,
            OrderAction::End => Self::End,
        }
    }
}

impl From<crds::ApprovalDecision> for ApprovalDecision {
    fn from(decision: crds::ApprovalDecision) -> Self {
        match decision {
            crds::ApprovalDecision::Approve => Self::Approve,
            crds::ApprovalDecision::Refuse => Self::Refuse,
        }
    }
}

impl From<ApprovalDecision> for crds::ApprovalDecision {
    fn from(decision: ApprovalDecision) -> Self {
        match decision {
            ApprovalDecision::Approve => Self::Approve,
            ApprovalDecision::Refuse => Self::Refuse,
        }
    }
}

impl From<crds::ApprovalMode> for ApprovalMode {
    fn from(mode: crds::ApprovalMode) -> Self {
        match mode {
            crds::ApprovalMode::Any => Self::Any,
            crds::ApprovalMode::All => Self::All,
        }
    }
}
