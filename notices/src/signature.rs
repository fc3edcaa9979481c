//! The signature of a webhook, as the Standard Webhooks specification has it: HMAC-SHA256 over id, time and body.

use data_encoding::BASE64;
use ring::hmac;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Bytes of a key: what the specification asks for.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// A key that a webhook is signed with. Never shown.
#[derive(Clone)]
pub struct Secret(hmac::Key);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Text that is no secret; it is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It does not begin as secrets do.
    #[error("it does not begin with whsec_; make one with: echo whsec_$(openssl rand -base64 32)")]
    Prefix,
    /// What follows is not base 64.
    #[error("what follows whsec_ is not base 64")]
    Encoding,
    /// Too few bytes, or too many.
    #[error("it holds {0} bytes; it must hold 24 to 64")]
    Length(usize),
}

impl Secret {
    /// Reads `whsec_<base 64>`; white space around it is passed over.
    ///
    /// # Errors
    /// When it is no such text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(InvalidSecret::Prefix)?;
        let key = BASE64.decode(encoded.as_bytes()).map_err(|_| InvalidSecret::Encoding)?;
        if !LENGTHS.contains(&key.len()) {
            return Err(InvalidSecret::Length(key.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

/// The header `webhook-signature`: one signature for each of `secrets`, so that a receiver that knows one of them, the old
/// or the new, can tell. `timestamp` is in seconds since 1970.
pub fn sign(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    let signature = |Secret(key): &Secret| format!("v1,{}", BASE64.encode(hmac::sign(key, &signed).as_ref()));
    secrets.iter().map(signature).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The vector of the specification's own libraries (`libraries/go/webhook_test.go`).
    #[test]
    fn the_published_vector_is_signed_as_published() {
        let secret = Secret::parse(SECRET).unwrap();
        let signed = sign(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_give_two_signatures_of_the_same() {
        let old = Secret::parse(SECRET).unwrap();
        let new = Secret::parse("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
        let each = |secret: &Secret| sign(std::slice::from_ref(secret), "a", 1, b"x");
        assert_eq!(sign(&[new.clone(), old.clone()], "a", 1, b"x"), format!("{} {}", each(&new), each(&old)));
        assert_ne!(each(&new), each(&old));
    }

    #[test]
    fn what_is_no_secret_is_refused_and_never_repeated() {
        for (text, expected) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", InvalidSecret::Prefix),
            ("whsec_???", InvalidSecret::Encoding),
            ("whsec_c2hvcnQ=", InvalidSecret::Length(5)),
        ] {
            assert_eq!(Secret::parse(text).unwrap_err(), expected);
        }
        assert_eq!(format!("{:?}", Secret::parse(SECRET).unwrap()), "Secret(..)");
    }
}
