//! Entity tags (RFC 9110, section 8.8.3): the resource version of an object, in quotes.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};

use crate::problem::{Code, Problem};

/// The longest resource version: a 64-bit number.
const MAX_DIGITS: usize = 20;

/// What stands between the quotes of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    /// The resource version it is; none if no object can have it: one is some digits.
    pub fn as_resource_version(&self) -> Option<&str> {
        let fits = (1..=MAX_DIGITS).contains(&self.0.len()) && self.0.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(&self.0)
    }
}

/// The tag of an object of resource version `version`.
pub fn etag(version: Option<&str>) -> Option<HeaderValue> {
    version.and_then(|version| HeaderValue::try_from(format!("\"{version}\"")).ok())
}

/// `If-Match`: the version that a change or an end is meant for; none where the caller means whatever is there.
#[derive(Clone, Debug)]
pub struct IfMatch(pub Option<Version>);

impl IfMatch {
    /// Reads it off headers. A list of tags is refused, since the API server takes one condition, and so is a weak tag,
    /// which never matches here (RFC 9110, section 13.1.1).
    fn from_headers(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::IF_MATCH).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let text = value.to_str().map_err(|_| invalid())?.trim();
        if values.next().is_some() {
            return Err(invalid());
        }
        if text == "*" {
            return Ok(Self(None));
        }
        let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or_else(invalid)?;
        if tag.contains(['"', ',']) {
            return Err(invalid());
        }
        Ok(Self(Some(Version(tag.to_owned()))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::from_headers(&parts.headers)
    }
}

/// `If-None-Match`: the versions the caller has already.
#[derive(Clone, Debug)]
pub struct IfNoneMatch(Vec<String>);

impl IfNoneMatch {
    /// Whether the caller has nothing yet.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the caller has what carries `tag`. Weak tags do (RFC 9110, section 13.1.2).
    pub fn has(&self, tag: &HeaderValue) -> bool {
        let strong = |known: &str| known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes();
        self.0.iter().any(|known| known == "*" || strong(known))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(listed(&parts.headers, &header::IF_NONE_MATCH)))
    }
}

fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|tag| tag.trim().to_owned()).collect()
}

fn invalid() -> Problem {
    let facts = [
        ("name", "If-Match"),
        (
            "problem",
            "须为查询时得到的一个 ETag，带引号，且不能是弱标签 (must be one ETag as GET has answered it, in quotes and not weak)",
        ),
    ];
    Problem::new(Code::InvalidHeader, facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, String> {
        let headers = values.iter().map(|value| (header::IF_MATCH, value.parse().unwrap()));
        let read = IfMatch::from_headers(&headers.collect());
        read.map(|IfMatch(version)| version.map(|Version(tag)| tag)).map_err(|problem| problem.fault.code.into_owned())
    }

    #[test]
    fn one_strong_tag_is_a_condition_and_a_star_is_none() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["*"]), Ok(None));
        assert_eq!(read(&["\"7\""]), Ok(Some("7".to_owned())));
        for bad in [&["7"][..], &["W/\"7\""], &["\"7\", \"8\""], &["\"7\"", "\"8\""], &["\"7"]] {
            assert_eq!(read(bad), Err("InvalidHeader".to_owned()), "{bad:?}");
        }
    }

    #[test]
    fn only_digits_are_a_version_an_object_can_have() {
        for foreign in ["", "abc", "-7", "123456789012345678901"] {
            assert_eq!(Version(foreign.to_owned()).as_resource_version(), None, "{foreign}");
        }
        assert_eq!(Version("42".to_owned()).as_resource_version(), Some("42"));
    }

    #[test]
    fn who_has_it_already_may_say_so_with_a_weak_tag_too() {
        let tag = etag(Some("7")).unwrap();
        for (line, has) in [("\"7\"", true), ("\"6\", W/\"7\"", true), ("*", true), ("\"77\"", false), ("7", false)] {
            let headers = [(header::IF_NONE_MATCH, line.parse().unwrap())].into_iter().collect();
            assert_eq!(IfNoneMatch(listed(&headers, &header::IF_NONE_MATCH)).has(&tag), has, "{line}");
        }
    }
}
