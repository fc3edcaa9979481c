//! What a token says: the claims Jiyun's configuration reads (OIDC Core 1.0, section 2).

use jiff::Timestamp;
use serde::Serialize;

/// For whom tokens are meant.
pub const AUDIENCE: &str = "jiyun";

/// How long a token is valid unless said otherwise, in seconds.
const LIFETIME: i64 = 3600;

/// The claims of one token. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who says so.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// To whom.
    #[serde(rename = "aud")]
    pub audience: String,
    /// Number of the person, which stays when the name changes.
    #[serde(rename = "sub")]
    pub subject: String,
    /// Name of the person.
    pub preferred_username: String,
    /// Groups of the person.
    pub groups: Vec<String>,
    /// When the token was made.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// From when it is valid.
    #[serde(rename = "nbf")]
    pub not_before: i64,
    /// Until when.
    #[serde(rename = "exp")]
    pub expires: i64,
}

impl Claims {
    /// What `issuer` says of a person in these groups, for an hour from now on.
    pub(super) fn of(issuer: &str, person: &str, groups: Vec<String>) -> Self {
        let now = Timestamp::now().as_second();
        Self {
            issuer: issuer.to_owned(),
            audience: AUDIENCE.into(),
            subject: format!("number-of-{person}"),
            preferred_username: person.to_owned(),
            groups,
            issued_at: now,
            not_before: now,
            expires: now + LIFETIME,
        }
    }

    /// The same, moved by so many seconds: into the past, where they are negative.
    #[must_use]
    pub fn shifted(self, seconds: i64) -> Self {
        let Self { issued_at, not_before, expires, .. } = self;
        Self { issued_at: issued_at + seconds, not_before: not_before + seconds, expires: expires + seconds, ..self }
    }
}
