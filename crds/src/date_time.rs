//! A moment as people write it in an object: RFC 3339 with an offset, kept as written.

use std::fmt;

use k8s_openapi::jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// RFC 3339 date and time with an offset and whole seconds, e.g. `2026-01-01T00:00:00+08:00`.
///
/// Kept as text, so that an object that holds nonsense can still be read, reported on and corrected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateTime(String);

/// Text that is not an RFC 3339 date and time.
#[derive(Debug, thiserror::Error)]
#[error("{value:?} is not a date and time; write it like 2026-01-01T00:00:00+08:00")]
pub struct InvalidDateTime {
    value: String,
    #[source]
    source: k8s_openapi::jiff::Error,
}

impl DateTime {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The moment this text stands for.
    pub fn timestamp(&self) -> Result<Timestamp, InvalidDateTime> {
        self.0.parse().map_err(|source| InvalidDateTime { value: self.0.clone(), source })
    }
}

impl From<&str> for DateTime {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Timestamp> for DateTime {
    /// In UTC and whole seconds, as Kubernetes writes times.
    fn from(moment: Timestamp) -> Self {
        let seconds = Timestamp::from_second(moment.as_second()).unwrap_or(moment);
        Self(seconds.to_string())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for DateTime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DateTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // 25 = `2026-01-01T00:00:00+08:00`; a little more, so that the rule on the field can say what is wrong.
        json_schema!({ "type": "string", "maxLength": 40 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_taken_into_account() {
        let shanghai = DateTime::from("2026-01-01T00:00:00+08:00").timestamp().unwrap();
        let utc = DateTime::from("2025-12-31T16:00:00Z").timestamp().unwrap();
        assert_eq!(shanghai, utc);
    }

    #[test]
    fn a_day_that_does_not_exist_is_an_error_and_not_a_panic() {
        let error = DateTime::from("2026-02-31T00:00:00+08:00").timestamp().unwrap_err();
        assert!(error.to_string().contains("2026-02-31"), "{error}");
    }
}
