//! Hashes a chain can be made of, behind a small trait: SHA-256, and SM3 of the national standard (国密).

use serde::{Deserialize, Serialize};

/// A hash of 256 bits. The name is written into each segment's header and so bound into every hash after it.
pub trait Hash: std::fmt::Debug + Send + Sync + 'static {
    /// What the header calls it.
    fn name(&self) -> &'static str;

    /// The hash of `bytes`.
    fn of(&self, bytes: &[u8]) -> Digest;
}

/// SHA-256 (FIPS 180-4).
#[derive(Clone, Copy, Debug)]
pub struct Sha256;

impl Hash for Sha256 {
    fn name(&self) -> &'static str {
        "SHA-256"
    }

    fn of(&self, bytes: &[u8]) -> Digest {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

/// SM3 (GB/T 32905-2016).
#[derive(Clone, Copy, Debug)]
pub struct Sm3;

impl Hash for Sm3 {
    fn name(&self) -> &'static str {
        "SM3"
    }

    fn of(&self, bytes: &[u8]) -> Digest {
        use sm3::Digest as _;
        Digest(sm3::Sm3::digest(bytes).into())
    }
}

/// Every hash a chain may be made of; the first is used unless another is asked for.
pub const ALL: [&dyn Hash; 2] = [&Sha256, &Sm3];

/// The hash of this name.
pub fn named(name: &str) -> Option<&'static dyn Hash> {
    ALL.into_iter().find(|hash| hash.name() == name)
}

/// A hash value, written as 64 lower-case hex digits. Before the first line of a chain it is zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// How many characters a [`Digest`] is written as.
pub const DIGITS: usize = 64;

/// A text that is no hash.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text:?} is no hash: 64 lower-case hex digits are expected")]
pub struct DigestError {
    text: String,
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl std::str::FromStr for Digest {
    type Err = DigestError;

    /// Upper-case digits are refused: a hash has one spelling, so that no byte of a file can change unnoticed.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digest = [0; 32];
        match hex::decode_to_slice(text, &mut digest) {
            Ok(()) if !text.bytes().any(|byte| byte.is_ascii_uppercase()) => Ok(Self(digest)),
            _ => Err(DigestError { text: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_standards() {
        let sha = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        // GB/T 32905-2016, annex A.1.
        let sm3 = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        assert_eq!(named("SHA-256").unwrap().of(b"abc").to_string(), sha);
        assert_eq!(named("SM3").unwrap().of(b"abc").to_string(), sm3);
        assert!(named("MD5").is_none());
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let text = "ab".repeat(32);
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        assert!(text.to_uppercase().parse::<Digest>().is_err());
        assert!("ab".parse::<Digest>().is_err());
    }
}
