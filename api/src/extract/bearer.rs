//! The caller's token: taken from the request, passed on, never kept and never shown; and where the request came from.

use axum::extract::FromRequestParts;
use http::{HeaderValue, header, request::Parts};

use crate::{
    problem::{Code, Problem},
    trail::Origin,
};

/// The longest token passed on. Service account tokens take about 1 KiB; identity providers' with many groups a few.
const MAX_TOKEN: usize = 16 * 1024;

/// The value of the header `Authorization` for requests made in the caller's name. Marked sensitive, so no layer prints
/// it; [`Debug`](std::fmt::Debug) hides it too.
#[derive(Clone)]
pub struct Bearer {
    header: HeaderValue,
    origin: Origin,
}

impl Bearer {
    /// The header's value.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Takes it out of headers. Exactly one `Authorization` header with the scheme `Bearer` (any case) and a `b64token`
    /// (RFC 6750, section 2.1) will do: with two, this program and the API server might read different ones.
    pub fn from_headers(headers: &http::HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let value = values.next().ok_or_else(missing)?;
        if values.next().is_some() {
            return Err(several());
        }
        let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(missing());
        }
        let token = token.trim_matches(' ');
        if !is_token(token) {
            return Err(refused());
        }
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| refused())?;
        header.set_sensitive(true);
        Ok(Self { header, origin: Origin::default() })
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bearer(hidden)")
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let bearer = Self::from_headers(&parts.headers)?;
        Ok(Self { origin: parts.extensions.get::<Origin>().cloned().unwrap_or_default(), ..bearer })
    }
}

/// 401: there is no token.
fn missing() -> Problem {
    Problem::bare(Code::MissingToken).challenge("Bearer realm=\"jiyun\"")
}

/// 401: a token, but not one anybody accepts.
pub fn refused() -> Problem {
    Problem::bare(Code::InvalidToken).challenge("Bearer realm=\"jiyun\", error=\"invalid_token\"")
}

/// 400: RFC 6750, section 3.1, `invalid_request`.
fn several() -> Problem {
    Problem::bare(Code::SeveralTokens).challenge("Bearer realm=\"jiyun\", error=\"invalid_request\"")
}

fn is_token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !body.is_empty() && token.len() <= MAX_TOKEN && body.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> http::HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_passed_on_as_it_came_and_never_printed() {
        let bearer = Bearer::from_headers(&headers(&["bearer abc.DEF-_~+/="])).unwrap();
        assert_eq!(bearer.header(), "Bearer abc.DEF-_~+/=");
        assert!(bearer.header().is_sensitive());
        assert!(!format!("{bearer:?} {:?}", bearer.header()).contains("abc"));
    }

    #[test]
    fn what_is_no_single_bearer_token_is_refused() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN + 1));
        let cases: [(&[&str], Code); 7] = [
            (&[], Code::MissingToken),
            (&["Basic YTpi"], Code::MissingToken),
            (&["Bearer"], Code::MissingToken),
            (&["Bearer a b"], Code::InvalidToken),
            (&["Bearer a,Bearer b"], Code::InvalidToken),
            (&[&long], Code::InvalidToken),
            (&["Bearer a", "Bearer a"], Code::SeveralTokens),
        ];
        for (values, code) in cases {
            let problem = Bearer::from_headers(&headers(values)).unwrap_err();
            assert_eq!(problem.fault.code, <&str>::from(code), "{values:?}");
            assert_eq!(problem.headers[0].0, header::WWW_AUTHENTICATE);
        }
    }
}
