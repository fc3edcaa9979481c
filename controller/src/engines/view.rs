//! Thin views of engine objects: the few status fields we read, whatever else the engine adds.
//!
//! Engines' kinds change between releases and hold `null` where a schema says otherwise, so nothing of theirs is read
//! through a full typed struct, and nothing is ever written back through one (writing is server-side apply).

use std::{borrow::Cow, fmt::Debug};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, core::NamespaceResourceScope};
use serde::{Deserialize, de::DeserializeOwned};

/// Names an engine's kind and the part of it that is read.
pub trait EngineKind: Clone + Debug + Send + Sync + 'static {
    /// API group.
    const GROUP: &'static str;
    /// Version.
    const VERSION: &'static str;
    /// Kind.
    const KIND: &'static str;
    /// Plural resource name.
    const PLURAL: &'static str;
    /// What is read of `spec`.
    type Spec: Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static;
    /// What is read of `status`.
    type Status: Clone + Debug + Default + DeserializeOwned + Send + Sync + 'static;
}

/// For a part of which nothing is read.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Unread {}

/// An engine object reduced to metadata and the fields of [`EngineKind`].
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "")]
pub struct View<E: EngineKind> {
    /// The object's metadata.
    pub metadata: ObjectMeta,
    /// What is read of its wish.
    #[serde(default)]
    pub spec: E::Spec,
    /// What is read of its state; the default where the engine wrote none yet.
    #[serde(default)]
    pub status: E::Status,
}

impl<E: EngineKind> Resource for View<E> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        E::KIND.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        E::GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        E::VERSION.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        E::PLURAL.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
