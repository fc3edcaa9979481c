//! References by name from one object to another.

use std::fmt;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// An object named in the place where it is looked for: cluster-wide for cluster-scoped kinds, in the namespace of the
/// referring object for namespaced ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Name of the object.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub name: String,
}

/// A Secret, named with its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Namespace of the Secret.
    #[schemars(length(max = 63))]
    #[x_kube(validation = rules::reference())]
    pub namespace: String,
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = rules::reference())]
    pub name: String,
}

impl LocalRef {
    /// A reference to the object of this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl fmt::Display for LocalRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
