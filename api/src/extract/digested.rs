//! A JSON body and its digest, by which a second request is known to ask for the same as the first.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::json;
use crate::problem::Problem;

/// The SHA-256 digest of a body in hexadecimal, whatever the order of its fields and the blanks between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestDigest(String);

impl RequestDigest {
    /// As text: 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(body: &[u8]) -> Result<Self, Problem> {
        let mut value: serde_json::Value = json::parse(body)?;
        // Does nothing unless some crate of the build has the library keep the order of fields.
        value.sort_all_objects();
        Ok(Self(hex::encode(Sha256::digest(value.to_string()))))
    }
}

/// The body, read as a `T`, with its digest.
#[derive(Debug)]
pub struct Digested<T> {
    /// What it says.
    pub value: T,
    /// Its digest.
    pub digest: RequestDigest,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Digested<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = json::body(request, state, json::JSON).await?;
        Ok(Self { value: json::parse_object(&body)?, digest: RequestDigest::of(&body)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_the_same_has_the_same_digest() {
        let of = |body: &str| RequestDigest::of(body.as_bytes()).unwrap();
        let plain = of(r#"{"a": 1, "b": {"c": [1, 2], "d": "云"}}"#);
        assert_eq!(of(r#" {"b":{"d":"\u4e91","c":[1,2]},"a":1} "#), plain);
        assert_ne!(of(r#"{"a": 1, "b": {"c": [2, 1], "d": "云"}}"#), plain);
        assert_eq!(plain.as_str().len(), 64);
    }
}
