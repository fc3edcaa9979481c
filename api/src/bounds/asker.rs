//! Whose request it is, as far as counting goes: a digest, from which neither token nor address can be read back.

use std::net::{IpAddr, Ipv6Addr};

use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::extract::Bearer;

/// The SHA-256 digest of a token or of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Asker([u8; 32]);

impl Asker {
    /// Whoever sent a token, as the API server would be sent it; none without one that could be any. Whether somebody
    /// accepts it is not known here.
    pub fn with_token(headers: &HeaderMap) -> Option<Self> {
        let bearer = Bearer::from_headers(headers).ok()?;
        Some(Self::sending(&bearer.header()))
    }

    /// Whoever sends this as `Authorization`.
    pub fn sending(authorization: &HeaderValue) -> Self {
        Self::of(b"token", authorization.as_bytes())
    }

    /// Whoever is at `address`. Of an IPv6 address the network counts (64 bits): the rest is each machine's own choice,
    /// and it may choose anew for every request.
    pub fn at(address: IpAddr) -> Self {
        let place = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        };
        Self::of(b"address", place.as_bytes())
    }

    /// Whoever the API server says is called `name`: the same under all of their tokens.
    pub fn called(name: &str) -> Self {
        Self::of(b"name", name.as_bytes())
    }

    /// One of 4,096, which strangers share where each of them for himself would take too much memory.
    pub const fn folded(self) -> Self {
        let Self(digest) = self;
        let mut few = [0; 32];
        (few[0], few[1]) = (digest[0], digest[1] & 0x0f);
        Self(few)
    }

    fn of(kind: &[u8], what: &[u8]) -> Self {
        Self(Sha256::new().chain_update(kind).chain_update([0]).chain_update(what).finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    fn with(value: &str) -> Option<Asker> {
        Asker::with_token(&[(AUTHORIZATION, value.parse().unwrap())].into_iter().collect())
    }

    #[test]
    fn one_token_is_one_caller_however_it_is_written() {
        assert_eq!(with("Bearer a"), with("bearer  a "));
        assert_ne!(with("Bearer a"), with("Bearer b"));
        assert_eq!(with("Basic a"), None);
    }

    #[test]
    fn an_address_counts_as_one_and_a_network_of_ipv6_too() {
        let at = |text: &str| Asker::at(text.parse().unwrap());
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
        assert_eq!(at("10.0.0.1"), at("::ffff:10.0.0.1"));
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
    }

    #[test]
    fn the_token_cannot_be_read_off() {
        assert!(!format!("{:?}", with("Bearer secret")).contains("secret"));
    }
}
