//! Every request has a number: the caller's `x-request-id` if it is a sane one, else a new one. It is in every answer
//! and every log line.

use axum::{extract::Request, middleware::Next, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that carries it.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest number taken over from a caller.
const MAX_LENGTH: usize = 64;

/// The number of a request: 1 to 64 letters, digits and `-_.`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The caller's, if it sent one that can be put into logs without harm.
    fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(X_REQUEST_ID)?.to_str().ok()?;
        let sane = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(sane);
        fits.then(|| Self(text.to_owned()))
    }

    /// A new one, of 32 hexadecimal digits.
    fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}

/// Numbers the request.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::from_headers(request.headers()).unwrap_or_else(RequestId::random);
    let value = HeaderValue::try_from(id.as_str());
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(value) = value {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_over(value: &str) -> Option<RequestId> {
        let mut headers = HeaderMap::new();
        headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        RequestId::from_headers(&headers)
    }

    #[test]
    fn a_sane_number_is_taken_over_and_no_other() {
        assert_eq!(taken_over("a-B_9.").unwrap().as_str(), "a-B_9.");
        for bad in ["", "a b", "a\"b", "{}", "名", &"a".repeat(65)] {
            assert_eq!(taken_over(bad), None, "{bad}");
        }
    }

    #[test]
    fn new_numbers_differ_and_are_sane() {
        let (one, other) = (RequestId::random(), RequestId::random());
        assert_ne!(one, other);
        assert_eq!(taken_over(one.as_str()), Some(one));
    }
}
