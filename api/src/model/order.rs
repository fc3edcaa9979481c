//! An order (申请单) as people see it: what is asked for, how it stands, who has to agree and who did.

use jiyun_crds::v1alpha1 as crds;
use jiyun_messages::Language;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ApprovalDecision, ApprovalMode, OrderState,
    host::{Condition, RefusalView},
    order_item::OrderItem,
};

/// A request for one or several resources of one information system, decided wholly or not at all.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::order()))]
pub struct Order {
    /// Its name.
    #[schema(example = "web-1-3f2a9c01")]
    pub name: String,
    /// The department that asks.
    #[schema(example = "finance")]
    pub department: String,
    /// Its UID at the API server.
    pub uid: String,
    /// The information system everything is for.
    #[schema(example = "portal")]
    pub system: String,
    /// What is asked for.
    pub items: Vec<OrderItem>,
    /// How far it has come.
    pub state: OrderState,
    /// Whoever asked does not any more. `state` says so once the platform has taken note, unless it was decided before.
    pub withdrawn: bool,
    /// Why it is asked for (事由).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub justification: Option<String>,
    /// Number of its project (项目编号); absent: that of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_number: Option<String>,
    /// Number of its filing with the authority (备案号).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filing_number: Option<String>,
    /// Whom it is filed for, as declared; verified by nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applicant: Option<String>,
    /// Who asks: none of them may decide.
    pub applicants: Vec<String>,
    /// The digest of what is asked for: send it along with a decision, so that it counts for this and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The approval policies (审批策略) that applied; `default` is the platform's own.
    pub policies: Vec<String>,
    /// Who has to agree, in this order. Empty: nobody, or it is not known yet.
    pub levels: Vec<Level>,
    /// Whose turn it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<Turn>,
    /// Decisions that count, oldest first.
    pub decisions: Vec<Counted>,
    /// Decisions that do not count.
    pub ignored: Vec<Ignored>,
    /// Why it was not granted, or cannot be decided as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What the platform found out: `Accepted`, `Held`, `Approved`, `Fulfilled`.
    pub conditions: Vec<Condition>,
    /// Counts changes of what is asked for.
    pub generation: i64,
    /// When it was filed.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Time>,
    /// When the platform accepted it: from then on the first level had time.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
}

/// People who have to agree.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    /// Its name (审批级次).
    #[schema(example = "leader")]
    pub name: String,
    /// Groups whose members may decide.
    pub groups: Vec<String>,
    /// Whether one of them is enough.
    pub mode: ApprovalMode,
    /// Working days (工作日) it has.
    #[schema(example = 5)]
    pub working_days: u32,
    /// Groups that may decide as well once the deadline has passed, for as many working days again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub escalate_to: Vec<String>,
    /// Until when it has to decide; only of the level whose turn it is.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

/// Whose turn it is, and until when.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Turn {
    /// The level.
    #[schema(example = "leader")]
    pub level: String,
    /// Groups whose members may decide now.
    pub groups: Vec<String>,
    /// Users who may decide now for one of these groups by a delegation (授权代理).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["oidc:zhang.san"]))]
    pub deputies: Vec<String>,
    /// Whether one of them is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ApprovalMode>,
    /// Until when.
    #[schema(format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    /// The level's own time is over (逾期): those who may step in are among the groups.
    pub escalated: bool,
}

/// A decision that counts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counted {
    /// The approval (审批意见) it was made by.
    pub approval: String,
    /// The level it was made for.
    #[schema(example = "leader")]
    pub level: String,
    /// Who decided.
    pub user: String,
    /// What.
    pub decision: ApprovalDecision,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The groups that they decided for by a delegation (授权代理). Left out: they decided in their own right.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["finance-approvers"]))]
    pub on_behalf_of: Vec<String>,
}

/// A decision that does not count.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// The approval it was made by.
    pub approval: String,
    /// Why not: `OtherOrder`, `OtherDigest`, `NoSuchLevel`, `OwnRequest`, `NotEntitled`, `DecidedBefore`,
    /// `AlreadyDecided`, `TooLate`.
    #[schema(example = "OwnRequest")]
    pub code: String,
}

/// A page of orders.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::order_list()))]
pub struct OrderList {
    /// The orders, in the order asked for.
    pub items: Vec<Order>,
    /// Where the next page starts: pass it as `continue`. Absent on the last page.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many are left after this page, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<i64>,
}

impl Order {
    /// The order behind `object`, for a reader of `language`.
    pub fn new(department: &str, object: crds::Order, state: OrderState, language: Language) -> Self {
        let crds::Order { metadata, spec, status } = object;
        let status = status.unwrap_or_default();
        let turn = turn(&status);
        let levels = status.levels.into_iter().map(|level| Level::new(level, turn.as_ref())).collect();
        let accepted = status.items;
        Self {
            name: metadata.name.unwrap_or_default(),
            department: department.to_owned(),
            uid: metadata.uid.unwrap_or_default(),
            system: spec.system_ref.name,
            items: spec.items.into_iter().map(|item| OrderItem::new(item, &accepted)).collect(),
            state,
            withdrawn: spec.state == crds::OrderState::Withdrawn,
            justification: spec.justification,
            project_number: spec.project_number,
            filing_number: spec.filing_number,
            applicant: Some(spec.applicant).filter(|name| !name.is_empty()),
            applicants: status.applicants,
            digest: status.digest,
            policies: status.policies,
            levels,
            turn,
            decisions: status.decisions.into_iter().map(Counted::from).collect(),
            ignored: status.ignored.into_iter().map(Ignored::from).collect(),
            refusal: status.refusal.map(|refusal| RefusalView::new(&refusal, language)),
            conditions: status.conditions.into_iter().map(Condition::from).collect(),
            generation: metadata.generation.unwrap_or_default(),
            created_at: metadata.creation_timestamp,
            accepted_at: status.accepted_at.map(|at| at.to_string()),
        }
    }
}

fn turn(status: &crds::OrderStatus) -> Option<Turn> {
    let level = status.level.clone()?;
    let required = status.levels.iter().find(|required| required.name == level);
    let stepped_in = |required: &crds::RequiredLevel| {
        let mut others = required.escalate_to.iter().filter(|group| !required.groups.contains(group));
        others.any(|group| status.groups.contains(group))
    };
    Some(Turn {
        escalated: required.is_some_and(stepped_in),
        groups: status.groups.clone(),
        deputies: status.deputies.clone(),
        mode: required.map(|required| required.mode.into()),
        deadline: status.deadline.as_ref().map(ToString::to_string),
        level,
    })
}

impl Level {
    /// The level; `turn` is whose turn it is.
    pub(super) fn new(level: crds::RequiredLevel, turn: Option<&Turn>) -> Self {
        let turn = turn.filter(|turn| turn.level == level.name);
        Self {
            deadline: turn.and_then(|turn| turn.deadline.clone()),
            name: level.name,
            groups: level.groups,
            mode: level.mode.into(),
            working_days: level.working_days,
            escalate_to: level.escalate_to,
        }
    }
}

impl From<crds::CountedDecision> for Counted {
    fn from(decision: crds::CountedDecision) -> Self {
        Self {
            approval: decision.approval,
            level: decision.level,
            user: decision.user,
            decision: decision.decision.into(),
            at: decision.at.to_string(),
            on_behalf_of: decision.on_behalf_of,
        }
    }
}

impl From<crds::IgnoredApproval> for Ignored {
    fn from(ignored: crds::IgnoredApproval) -> Self {
        Self { approval: ignored.approval, code: ignored.code }
    }
}
