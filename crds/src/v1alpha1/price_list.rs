//! Price list (价目): what one unit of each meter costs from a given moment on.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Architecture, Meter, PlainStatus, PriceUnit};
use crate::date_time::DateTime;
use crate::rules;
use crate::schema::structural;

/// What one unit of each meter costs from `validFrom` on, until a later list takes over. A list never changes: a
/// statement can be recomputed years later.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "jiyun.io",
    version = "v1alpha1",
    kind = "PriceList",
    doc = "What one unit of each meter costs (价目) from a given moment on.",
    status = "PlainStatus",
    shortname = "pl",
    category = "jiyun",
    derive = "PartialEq",
    validation = rules::referable_name(),
    printcolumn(name = "ValidFrom", type_ = "string", json_path = ".spec.validFrom"),
    printcolumn(name = "Currency", type_ = "string", json_path = ".spec.currency"),
    printcolumn(name = "InForce", type_ = "string", json_path = r#".status.conditions[?(@.type=="InForce")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="InForce")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = structural)]
pub struct PriceListSpec {
    /// [immutable] Since when it counts: RFC 3339 with an offset, e.g. `2026-01-01T00:00:00+08:00`.
    #[x_kube(
        validation = rules::immutable("生效时间", "validFrom"),
        validation = rules::moment("生效时间", "validFrom"),
        validation = rules::day_exists("生效时间", "validFrom")
    )]
    pub valid_from: DateTime,
    /// [immutable] Currency of all prices.
    #[serde(default)]
    #[x_kube(validation = rules::immutable("货币", "currency"))]
    pub currency: Currency,
    /// [immutable] The prices, 1 to 64. The most specific one that matches counts.
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = rules::immutable("价目", "items"),
        validation = Rule::new("self.size() >= 1").message("至少填写一条价目 (items must hold at least one price)"),
        validation = rules::one_price_a_selector(),
        merge_strategy = ListMerge::Atomic
    )]
    pub items: Vec<PriceItem>,
}

/// One price.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::dimensions_fit_meter(),
    validation = rules::unit_fits_meter()
)]
pub struct PriceItem {
    /// [immutable] What is priced.
    pub meter: Meter,
    /// [immutable] Only on this architecture. For computing alone: `Vcpu`, `Memory`, `Hosts`, `Gpus`, `DatabaseInstances`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// [immutable] Only of this storage tier. For storage alone: `BlockStorage`, `FileStorage`, `ObjectStorage`,
    /// `BackupStorage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::label("存储级别", "tier"))]
    pub tier: Option<String>,
    /// [immutable] What the price is for.
    pub unit: PriceUnit,
    /// [immutable] Price of one unit as a decimal number: up to 9 digits before and 4 after the point, in quotes.
    #[schemars(length(max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,9}([.][0-9]{1,4})?$')").message(
        "单价须为不超过 9 位整数、4 位小数的非负数，例如 \"45.00\" \
         (price must be a number of up to 9 digits and 4 decimals, for example \"45.00\")"
    ))]
    pub price: String,
}

/// A currency (ISO 4217).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
    strum::EnumIter,
    strum::EnumString,
)]
pub enum Currency {
    /// Chinese yuan (人民币元).
    #[default]
    #[serde(rename = "CNY")]
    #[strum(serialize = "CNY")]
    Cny,
}
