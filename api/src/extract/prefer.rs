//! `Prefer: wait=N` (RFC 7240, section 4.3): how long the caller would like to wait for the decision.

use std::{convert::Infallible, time::Duration};

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderValue, request::Parts};

/// The longest wait, in seconds. A decision takes well below one; a caller who wants to know more asks again.
pub const MAX_WAIT: u64 = 60;

/// How long to wait; none if the caller did not ask to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Option<Duration>);

impl Wait {
    /// Reads the first `wait` of all `Prefer` headers; a preference that makes no sense is ignored, as the RFC says
    /// (section 2), and one above [`MAX_WAIT`] is cut to it.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let lines = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        let wait = lines.flat_map(|line| line.split(',')).find_map(|preference| {
            let essence = preference.split(';').next().unwrap_or_default();
            let (name, value) = essence.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| seconds(value))
        });
        Self(wait.flatten())
    }

    /// What to answer in `Preference-Applied` once it was followed.
    pub fn applied(self) -> Option<HeaderValue> {
        self.0.and_then(|wait| HeaderValue::try_from(format!("wait={}", wait.as_secs())).ok())
    }
}

fn seconds(value: &str) -> Option<Duration> {
    let value = value.trim();
    let digits = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value);
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    // More digits than a number holds is still "longer than we wait".
    all_digits.then(|| Duration::from_secs(digits.parse::<u64>().unwrap_or(MAX_WAIT).min(MAX_WAIT)))
}

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lines: &[&str]) -> Option<u64> {
        let headers = lines.iter().map(|line| (http::HeaderName::from_static("prefer"), line.parse().unwrap()));
        Wait::from_headers(&headers.collect()).0.map(|wait| wait.as_secs())
    }

    #[test]
    fn the_first_wait_counts_and_is_cut_at_the_longest() {
        assert_eq!(wait(&["wait=5"]), Some(5));
        assert_eq!(wait(&["respond-async, WAIT = \"7\"; foo=bar"]), Some(7));
        assert_eq!(wait(&["return=minimal", "wait=3, wait=9"]), Some(3));
        assert_eq!(wait(&["wait=3600"]), Some(MAX_WAIT));
        assert_eq!(wait(&["wait=99999999999999999999999"]), Some(MAX_WAIT));
    }

    #[test]
    fn a_preference_that_makes_no_sense_is_ignored() {
        for lines in [&[][..], &["wait"], &["wait="], &["wait=-1"], &["wait=1.5"], &["waiting=4"], &["wait=soon"]] {
            assert_eq!(wait(lines), None, "{lines:?}");
        }
    }
}
