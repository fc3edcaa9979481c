//! What a department used in a month and what it costs (用量账单): the ledger's statement without the pools.

pub mod csv;

use jiff::Timestamp;
use jiyun_ledger::{Holder, Statement, StatementLine, UnpricedRow};
use serde::Serialize;
use utoipa::ToSchema;

use super::Meter;

/// Use and cost of one department in one month of the fiscal calendar (Asia/Shanghai).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!(super::example::usage()))]
pub struct Usage {
    /// The department.
    #[schema(example = "finance")]
    pub department: String,
    /// Its name for people.
    pub display_name: String,
    /// The fiscal unit (预算单位) it is addressed to.
    pub billing_account: String,
    /// The month.
    #[schema(example = "2026-11")]
    pub month: String,
    /// First moment of the month.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// First moment after the month.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Length of the month in seconds: what a month's price is divided by.
    #[schema(value_type = i64)]
    pub month_seconds: i128,
    /// Up to when use is counted.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Whether the month was not over then: figures still grow (暂计).
    pub provisional: bool,
    /// The ledger's entry this was read at.
    pub revision: u64,
    /// Always `CNY`.
    pub currency: String,
    /// The lines, by claim, meter and time.
    pub lines: Vec<UsageLine>,
    /// Use for which no price was in force. It is in no sum; with such rows the total is not complete.
    pub unpriced: Vec<UnpricedLine>,
    /// The sum of the lines' amounts, in yuan.
    #[schema(example = "1234.56")]
    pub total: String,
}

/// One resource and meter at one quantity and one price.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageLine {
    /// What was used.
    #[serde(flatten)]
    pub used: Used,
    /// The price list in force.
    pub price_list: String,
    /// What the price is for: `CoreMonth`, `GiBMonth`, `HostMonth`.
    #[schema(example = "CoreMonth")]
    pub price_unit: String,
    /// Yuan per price unit.
    #[schema(example = "45.00")]
    pub price: String,
    /// Yuan, rounded half up to the fen: unit seconds x price / (units a price unit has x seconds of the month).
    #[schema(example = "12.34")]
    pub amount: String,
}

/// Use without a price.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnpricedLine {
    /// What was used.
    #[serde(flatten)]
    pub used: Used,
    /// The price list in force that has no price for it; absent if none was in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_list: Option<String>,
}

/// One quantity over one interval.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Used {
    /// The claim in the ledger.
    #[schema(example = "claim-123")]
    pub claim: String,
    /// The information system.
    pub system: String,
    /// Name of the resource.
    pub resource: String,
    /// What it was called, e.g. the host class.
    pub item: String,
    /// What was counted.
    pub meter: Meter,
    /// The architecture, of processors and memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// The storage tier, of storage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The network zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How much throughout.
    pub quantity: u64,
    /// The unit of the quantity: `host`, `vCPU` or `MiB`.
    #[schema(example = "vCPU")]
    pub unit: &'static str,
    /// From this second on.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Up to but not including this second.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Quantity times seconds; text, since it may be larger than what all JSON readers hold exactly.
    #[schema(example = "10368000")]
    pub unit_seconds: String,
    /// Who had it before it was handed over to this department (划入); absent if nobody had.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_from: Option<UsageHolder>,
    /// Who got it at the end of this line (划出), where that is why it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed_to: Option<UsageHolder>,
}

/// The other party of a handover (移交).
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageHolder {
    /// The department.
    #[schema(example = "finance")]
    pub department: String,
    /// The information system there.
    pub system: String,
    /// Name of the resource there.
    pub resource: String,
}

impl From<Holder> for UsageHolder {
    fn from(holder: Holder) -> Self {
        Self { department: holder.account.to_string(), system: holder.system, resource: holder.resource }
    }
}

impl From<Statement> for Usage {
    fn from(statement: Statement) -> Self {
        Self {
            department: statement.account.to_string(),
            display_name: statement.display_name,
            billing_account: statement.billing_account,
            month: statement.month.to_string(),
            from: statement.period.from,
            to: statement.period.to,
            month_seconds: statement.month_seconds,
            as_of: statement.as_of,
            provisional: statement.provisional,
            revision: statement.revision,
            currency: statement.currency.to_owned(),
            lines: statement.lines.into_iter().map(UsageLine::from).collect(),
            unpriced: statement.unpriced.into_iter().map(UnpricedLine::from).collect(),
            total: statement.total.to_string(),
        }
    }
}

impl From<StatementLine> for UsageLine {
    fn from(line: StatementLine) -> Self {
        Self {
            used: Used {
                claim: line.claim.to_string(),
                system: line.system,
                resource: line.resource,
                item: line.item,
                meter: line.meter.into(),
                architecture: line.dimensions.architecture,
                tier: line.dimensions.tier,
                zone: line.dimensions.zone,
                quantity: line.quantity,
                unit: line.meter.unit(),
                from: line.from,
                to: line.to,
                unit_seconds: line.unit_seconds.to_string(),
                received_from: line.received_from.map(UsageHolder::from),
                passed_to: line.passed_to.map(UsageHolder::from),
            },
            price_list: line.book,
            price_unit: line.unit.to_string(),
            price: line.price.to_string(),
            amount: line.amount.to_string(),
        }
    }
}

impl From<UnpricedRow> for UnpricedLine {
    fn from(row: UnpricedRow) -> Self {
        let usage = row.usage;
        Self {
            used: Used {
                claim: usage.claim.to_string(),
                system: usage.system,
                resource: usage.resource,
                item: usage.item,
                meter: usage.meter.into(),
                architecture: usage.dimensions.architecture,
                tier: usage.dimensions.tier,
                zone: usage.dimensions.zone,
                quantity: usage.quantity,
                unit: usage.meter.unit(),
                from: usage.from,
                to: usage.to,
                unit_seconds: usage.unit_seconds.to_string(),
                received_from: usage.received_from.map(UsageHolder::from),
                passed_to: usage.passed_to.map(UsageHolder::from),
            },
            price_list: row.book,
        }
    }
}
