//! `Idempotency-Key`: what a caller sends along so that asking again does not order again.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};

use crate::problem::{Code, Problem};

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

/// A key: 1 to 255 visible ASCII characters. Quotes, which a draft of the IETF would have around it, are part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The key of a request, if it has one.
#[derive(Clone, Debug)]
pub struct Keyed(pub Option<IdempotencyKey>);

impl Keyed {
    /// Reads it off headers. Two are refused: which of them was meant?
    fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = value.as_bytes();
        let fits = (1..=MAX_KEY).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic);
        match (fits, values.next(), value.to_str()) {
            (true, None, Ok(key)) => Ok(Self(Some(IdempotencyKey(key.to_owned())))),
            _ => Err(invalid()),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}

fn invalid() -> Problem {
    let facts = [
        ("name", "Idempotency-Key"),
        (
            "problem",
            "须为 1 至 255 个英文字母、数字或符号，不含空格，且只能有一个 (1 to 255 visible ASCII characters, and only one)",
        ),
    ];
    Problem::new(Code::InvalidHeader, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, Problem> {
        let headers = values.iter().map(|value| (IDEMPOTENCY_KEY, value.parse().unwrap()));
        Keyed::from_headers(&headers.collect()).map(|Keyed(key)| key.map(|IdempotencyKey(key)| key))
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length_and_single() {
        assert_eq!(read(&[]).unwrap(), None);
        let longest = "k".repeat(255);
        for good in ["1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &longest] {
            assert_eq!(read(&[good]).unwrap().as_deref(), Some(good));
        }
        for bad in [&[""][..], &["a b"], &["a\tb"], &[&"k".repeat(256)], &["a", "a"]] {
            assert_eq!(read(bad).unwrap_err().fault.code, <&str>::from(Code::InvalidHeader), "{bad:?}");
        }
    }
}
