//! What something was before or after: its value without secrets, or, where that is large, its hash.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hash::{Digest, Hash};

mod secret;

/// The most bytes of JSON a value takes in a record; above it the hash stands for it.
pub const MOST_BYTES: usize = 4096;

/// What something was. Secrets were taken out when it was made, so they cannot be written; see [`Content::of`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(Kept);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Kept {
    Value(Value),
    Digest { algorithm: String, hash: Digest, bytes: u64 },
}

impl Content {
    /// Of this value. Fields whose names sound like secrets, private keys and bearer tokens are replaced by
    /// `"(secret)"`: rather one too many than one too few.
    pub fn of(mut value: Value) -> Self {
        secret::take_out(&mut value);
        value.sort_all_objects();
        Self(Kept::Value(value))
    }

    /// The value, where it is not only a hash.
    pub fn value(&self) -> Option<&Value> {
        match &self.0 {
            Kept::Value(value) => Some(value),
            Kept::Digest { .. } => None,
        }
    }

    /// Puts the hash of the value's JSON in its place if that is larger than [`MOST_BYTES`].
    pub(crate) fn bound(&mut self, hash: &dyn Hash) {
        let Kept::Value(value) = &self.0 else { return };
        let text = value.to_string();
        if text.len() > MOST_BYTES {
            let (algorithm, bytes) = (hash.name().to_owned(), text.len() as u64);
            self.0 = Kept::Digest { algorithm, hash: hash.of(text.as_bytes()), bytes };
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::hash::Sha256;

    #[test]
    fn a_large_value_is_kept_as_its_hash() {
        let mut content = Content::of(json!({"cores": 4}));
        content.bound(&Sha256);
        assert_eq!(content.value(), Some(&json!({"cores": 4})));
        let mut content = Content::of(json!({"text": "x".repeat(MOST_BYTES)}));
        content.bound(&Sha256);
        assert_eq!(content.value(), None);
        let text = serde_json::to_string(&content).unwrap();
        assert!(text.starts_with(r#"{"digest":{"algorithm":"SHA-256","hash":""#) && text.len() < 200, "{text}");
    }

    #[test]
    fn the_order_of_fields_does_not_change_what_is_written() {
        let one: Value = serde_json::from_str(r#"{"b":{"d":1,"c":2},"a":3}"#).unwrap();
        let text = serde_json::to_string(&Content::of(one)).unwrap();
        assert_eq!(text, r#"{"value":{"a":3,"b":{"c":2,"d":1}}}"#);
    }
}
