//! The running SHA-256 over all entries.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::core::event::Entry;

/// The chain after some entry: SHA-256 of the chain before it and the entry's JSON. Before the first entry it is zeros.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Chain([u8; 32]);

/// A text that is no chain.
#[derive(Clone, Debug, thiserror::Error)]
#[error("chain {text:?} is not 64 hex digits")]
pub struct ChainError {
    text: String,
}

impl Chain {
    /// The chain after one more entry.
    pub fn after(self, entry: &Entry) -> Result<Self, serde_json::Error> {
        let mut hash = Sha256::new();
        hash.update(self.0);
        serde_json::to_writer(&mut hash, entry)?;
        Ok(Self(hash.finalize().into()))
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chain({self})")
    }
}

impl TryFrom<String> for Chain {
    type Error = ChainError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut chain = [0; 32];
        match hex::decode_to_slice(&text, &mut chain) {
            Ok(()) => Ok(Self(chain)),
            Err(_) => Err(ChainError { text }),
        }
    }
}

impl From<Chain> for String {
    fn from(chain: Chain) -> Self {
        chain.to_string()
    }
}
