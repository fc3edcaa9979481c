//! What was sent or answered in an audit event: its value, or that it cannot be read.

use jiyun_trail::core::content::Content;
use serde_json::{Value, json, value::RawValue};
use sha2::{Digest, Sha256};

/// See the module.
#[derive(Debug)]
pub enum Body<'a> {
    /// Nothing.
    None,
    /// This.
    Value(Value),
    /// Something the API server reads and this program does not.
    Unreadable(&'a str),
}

impl<'a> Body<'a> {
    /// Reads it.
    pub fn of(text: Option<&'a RawValue>) -> Self {
        let Some(text) = text.map(RawValue::get) else { return Self::None };
        serde_json::from_str(text).map_or(Self::Unreadable(text), Self::Value)
    }

    /// Its value.
    pub fn value(&self) -> Option<&Value> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// What stands for it where it cannot be read: hash and size. Its text might hold secrets, which cannot be found in it.
    pub fn unreadable(&self) -> Option<Content> {
        if let Self::Unreadable(text) = self { Some(digest(text)) } else { None }
    }

    /// What is recorded of it.
    pub fn content(self) -> Option<Content> {
        match self {
            Self::None => None,
            Self::Value(value) => Some(Content::of(value)),
            Self::Unreadable(text) => Some(digest(text)),
        }
    }
}

fn digest(text: &str) -> Content {
    let hash = hex::encode(Sha256::digest(text));
    Content::of(json!({"unreadable": {"algorithm": "SHA-256", "hash": hash, "bytes": text.len()}}))
}
