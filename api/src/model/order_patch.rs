//! What of an order may change: the body of `PATCH .../orders/{name}`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::extract::merge_patch::{Change, given};

/// A merge patch (RFC 7396) of an order: the fields to change. Fields the API does not know, or that cannot change, are
/// refused.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"filingNumber": "43042300001"}))]
pub struct OrderPatch {
    /// Why it is asked for (事由), one line of at most 512 characters; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 512, example = "门户网站扩容")]
    justification: Change<String>,
    /// Number of the project (项目编号), one line of at most 63 characters; `null`: that of the system counts.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "HS-2026-001")]
    project_number: Change<String>,
    /// Number of the filing with the authority (备案号), one line of at most 63 characters; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 63, example = "43042300001")]
    filing_number: Change<String>,
    /// `Withdrawn`: it is not asked for any more. What was withdrawn stays so.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Withdrawal)]
    state: Option<Withdrawal>,
}

/// What a caller may make of an order's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Withdrawal {
    /// It is not asked for any more (撤回).
    Withdrawn,
}

impl OrderPatch {
    /// Whether it withdraws the order.
    pub const fn withdraws(&self) -> bool {
        self.state.is_some()
    }

    /// The same as a merge patch of the object's `spec`.
    pub fn into_spec(self) -> Map<String, Value> {
        let Self { justification, project_number, filing_number, state } = self;
        let fields = [
            ("justification", justification.into_value()),
            ("projectNumber", project_number.into_value()),
            ("filingNumber", filing_number.into_value()),
            ("state", state.map(|state| json!(state))),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}
