//! What the kinds have in common that departments order, change and end.

use std::fmt::Debug;

use jiyun_crds::v1alpha1::CloudHost;
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

/// How problems name an object.
pub(super) fn called<K: Noun>(department: &DepartmentName, name: &str) -> String {
    format!("{} {department}/{name}", K::kind(&()))
}
