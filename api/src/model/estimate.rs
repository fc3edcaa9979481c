//! What the ledger makes of a request that is not meant: price, quota, whether it could be had.

use jiff::Timestamp;
use jiyun_approvals::Requirement;
use jiyun_ledger::Refusal;
use jiyun_messages::Language;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Meter, host::RefusalView, order::Level};
use crate::problem::document::{facts, sentence};

/// What would come of a request at one revision of the ledger, all its hosts together. Nothing is promised: somebody else
/// may be faster.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The ledger's entry it was read at.
    pub revision: u64,
    /// Up to when the ledger is known.
    pub as_of: Timestamp,
    /// Whether quota and room are there.
    pub fits: bool,
    /// Why not.
    pub refusal: Option<Refusal>,
    /// What it costs.
    pub price: Option<MonthlyPrice>,
    /// What a host that is changed costs now.
    pub price_before: Option<MonthlyPrice>,
    /// What is left of limits.
    pub quota: Vec<QuotaLeft>,
    /// Who would have to agree.
    pub approvals: Result<Requirement, ApprovalsUnknown>,
}

/// Why it is not known who would have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum ApprovalsUnknown {
    /// The platform has not told what the policies (审批策略) come to for the department: it is new, or there are too many.
    NotPublished,
    /// The platform's API server does not answer now.
    KubernetesUnavailable,
}

/// Who would have to agree.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// Nobody: the policies let it through by itself.
    pub automatic: bool,
    /// The policies that apply; `default` is the platform's own.
    pub policies: Vec<String>,
    /// Who, in this order.
    pub levels: Vec<Level>,
    /// What it has to carry: `ProjectNumber`, `FilingNumber`.
    pub evidence: Vec<String>,
}

/// What would come of a request at one revision of the ledger, all its hosts together. Nothing is promised: somebody else
/// may be faster.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Estimate)]
pub struct EstimateView {
    /// The ledger's entry it was read at.
    pub revision: u64,
    /// Up to when the ledger is known.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Whether quota and room are there.
    pub fits: bool,
    /// Why not, the first constraint that binds; `WaitingForCapacity`: it would get a place in line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalView>,
    /// What a whole month of it costs by the prices in force; absent if none are. Of a database that is changed, once
    /// its instances have followed; until then what it holds is paid for, which `quota` counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<MonthlyPrice>,
    /// What a whole month of it costs as it is now; of a change of what was granted only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_before: Option<MonthlyPrice>,
    /// The department's own limits that bear on it. A unit above may leave less: `fits` knows.
    pub quota: Vec<QuotaLeft>,
    /// Who would have to agree; `null` where that is not known now.
    pub approvals: Option<Approvals>,
    /// Why it is not known who would have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals_unknown: Option<ApprovalsUnknown>,
}

/// What a month costs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthlyPrice {
    /// The price list in force.
    #[schema(example = "prices-2026")]
    pub price_list: String,
    /// Always `CNY`.
    #[schema(example = "CNY")]
    pub currency: &'static str,
    /// A line for each host and meter.
    pub lines: Vec<MonthlyPriceLine>,
    /// What has no price. It is in no sum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced: Vec<UnpricedMeter>,
    /// The sum of the lines' amounts, in yuan a month.
    #[schema(example = "318.00")]
    pub total: String,
}

/// What one meter of one host costs a month.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthlyPriceLine {
    /// The host.
    #[schema(example = "web-1")]
    pub resource: String,
    /// What is counted.
    pub meter: Meter,
    /// How much.
    #[schema(example = 4)]
    pub quantity: u64,
    /// The unit of the quantity: `host`, `vCPU` or `MiB`.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// Yuan per price unit.
    #[schema(example = "45.00")]
    pub price: String,
    /// What the price is for: `CoreMonth`, `GiBMonth`, `HostMonth`.
    #[schema(example = "CoreMonth")]
    pub price_unit: String,
    /// Yuan for a whole month, rounded half up to the fen.
    #[schema(example = "180.00")]
    pub amount: String,
}

/// A meter without a price.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnpricedMeter {
    /// The host.
    #[schema(example = "web-1")]
    pub resource: String,
    /// What is counted.
    pub meter: Meter,
}

/// A limit of the department, before and after.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaLeft {
    /// What is counted.
    pub meter: Meter,
    /// The unit of all figures of this row: `host`, `vCPU`, `MiB`.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// Only in this pool; absent: in any. Where the request was not placed, such limits are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Only on this architecture; absent: on any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Only of this storage tier; absent: of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Only in this network zone; absent: in any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The ceiling (上限).
    pub limit: u64,
    /// What is left of it now.
    pub before: u64,
    /// What the request takes; of a change, what it takes more than there is.
    pub requested: u64,
    /// What would be left of it.
    pub after: u64,
    /// How much more is asked for than is left; 0 if it fits.
    pub missing: u64,
}

impl EstimateView {
    /// The estimate, for a reader of `language`.
    pub fn new(estimate: Estimate, language: Language) -> Self {
        let Estimate { revision, as_of, fits, refusal, price, price_before, quota, approvals } = estimate;
        let refusal = refusal.map(|Refusal { code, parameters, .. }| RefusalView {
            code: code.to_string(),
            detail: sentence(&code.to_string(), &parameters, language),
            parameters: facts(&parameters),
        });
        let approvals_unknown = approvals.as_ref().err().copied();
        let approvals = approvals.ok().map(Approvals::from);
        Self { revision, as_of, fits, refusal, price, price_before, quota, approvals, approvals_unknown }
    }
}

impl From<Requirement> for Approvals {
    fn from(needed: Requirement) -> Self {
        Self {
            automatic: needed.is_automatic(),
            policies: needed.policies,
            levels: needed.levels.into_iter().map(|level| Level::new(level, None)).collect(),
            evidence: needed.evidence.iter().map(ToString::to_string).collect(),
        }
    }
}
