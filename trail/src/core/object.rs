//! What it was done to.

use serde::{Deserialize, Serialize};

use super::text::{bounded, bounded_option};

/// What it was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its kind, such as `CloudHost`, `VirtualMachine`, `Order`.
    pub kind: String,
    /// Its namespace, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Its UID: a name can be used again, a UID cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

impl Object {
    /// The object of this kind and name, without a namespace.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into(), ..Self::default() }
    }

    /// The same in a namespace.
    #[must_use]
    pub fn within(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// The same with its UID.
    #[must_use]
    pub fn with_uid(mut self, uid: impl Into<String>) -> Self {
        self.uid = Some(uid.into());
        self
    }

    /// Cuts every text to its bound.
    pub(crate) fn bound(&mut self) {
        bounded(&mut self.kind);
        bounded(&mut self.name);
        bounded_option(&mut self.namespace);
        bounded_option(&mut self.uid);
    }
}
