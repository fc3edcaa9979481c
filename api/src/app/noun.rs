//! What the kinds have in common that departments order, change and end.

use std::fmt::Debug;

use jiyun_crds::v1alpha1::{CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, HostRefusal};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, core::NamespaceResourceScope};
use serde::{Serialize, de::DeserializeOwned};

use super::verdict::state;
use crate::extract::DepartmentName;

/// A kind whose objects live in a department's namespace.
pub trait Noun:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The letter that begins a name made from an idempotency key.
    const LETTER: char;

    /// How far the platform has come with it, in one word.
    fn state_word(&self) -> &'static str;
}

impl Noun for CloudHost {
    const LETTER: char = 'h';

    fn state_word(&self) -> &'static str {
        state(self).into()
    }
}

impl Noun for CloudDatabase {
    const LETTER: char = 'd';

    fn state_word(&self) -> &'static str {
        state(self).into()
    }
}

impl Noun for CloudVolume {
    const LETTER: char = 'v';

    fn state_word(&self) -> &'static str {
        state(self).into()
    }
}

impl Noun for CloudBucket {
    const LETTER: char = 'b';

    fn state_word(&self) -> &'static str {
        state(self).into()
    }
}

impl Noun for CloudSnapshot {
    const LETTER: char = 'p';

    fn state_word(&self) -> &'static str {
        state(self).into()
    }
}

/// A kind that takes something and is decided about: hosts, databases, volumes, buckets and snapshots.
pub trait Decidable: Noun {
    /// The field of a request that says how much storage it takes.
    const STORAGE: &'static str;

    /// What the platform found out about it.
    fn conditions(&self) -> &[Condition];

    /// Why it was not granted.
    fn refusal(&self) -> Option<&HostRefusal>;
}

macro_rules! decidable {
    ($($kind:ty => $storage:literal),+) => {$(
        impl Decidable for $kind {
            const STORAGE: &'static str = $storage;

            fn conditions(&self) -> &[Condition] {
                self.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default()
            }

            fn refusal(&self) -> Option<&HostRefusal> {
                self.status.as_ref()?.refusal.as_ref()
            }
        }
    )+};
}

decidable!(
    CloudHost => "systemDisk.size",
    CloudDatabase => "storage.size",
    CloudVolume => "size",
    CloudBucket => "size",
    CloudSnapshot => "source.name"
);

/// How problems name an object.
pub(super) fn called<K: Noun>(department: &DepartmentName, name: &str) -> String {
    format!("{} {department}/{name}", K::kind(&()))
}
