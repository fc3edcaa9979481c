//! The wish to bring a disk back to a snapshot: the body of `POST .../restore`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::host_order::rule;
use crate::{
    extract::ObjectName,
    problem::{Code, Fault, Problem},
};

/// The snapshot a disk is to be brought back to (恢复). Fields the API does not know are refused.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"snapshot": "before-upgrade"}))]
pub struct RestoreOrder {
    /// Name of the snapshot (云快照), one that was taken of this very host or volume.
    #[schema(min_length = 1, max_length = 40, pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", example = "before-upgrade")]
    pub snapshot: String,
}

impl RestoreOrder {
    /// Checks what becomes part of an address at the API server.
    pub fn validate(&self) -> Result<(), Problem> {
        let wrong = ObjectName::parse(&self.snapshot).is_none();
        let fault = wrong.then(|| Fault::new(Code::InvalidField, "snapshot", [("problem", rule("snapshot"))]));
        Problem::of_body(fault.into_iter().collect()).map_or(Ok(()), Err)
    }
}
