//! What a caller was shown a moment ago: whoever orders twenty hosts one after the other names the same class, image and
//! zone twenty times.

use std::{sync::Arc, time::Duration};

use kube::{Resource, api::GetParams, core::request::Request as Verb};
use serde::de::DeserializeOwned;

use super::{Caller, KubernetesError, decode};
use crate::bounds::Asker;

/// How long an object goes on being taken as it was shown. It opens nothing: what is created is created with the caller's own
/// token, and is checked again against what is there before it is granted.
const REMEMBERED: Duration = Duration::from_secs(5);

/// The most bytes of objects remembered, of all callers: some 10,000 objects.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

/// Objects as they were shown, by whoever was shown them and by their address. That something is not there is never
/// remembered: it may be made the next moment.
pub(super) type Sights = moka::sync::Cache<(Asker, String), Arc<str>>;

/// Nothing yet.
pub(super) fn sights() -> Sights {
    let bytes = |(_, address): &(Asker, String), text: &Arc<str>| {
        u32::try_from(size_of::<Asker>() + address.len() + text.len()).unwrap_or(u32::MAX)
    };
    moka::sync::Cache::builder().max_capacity(MOST_BYTES).weigher(bytes).time_to_live(REMEMBERED).build()
}

impl Caller {
    /// One object as [`Self::find`] finds it, or as it was shown to this caller within the last five seconds. For what an
    /// order names, not for what it is about.
    pub async fn recall<K>(&self, namespace: Option<&str>, name: &str) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        let request = verb.get(name, &GetParams::any())?;
        let key = (self.asker(), request.uri().path().to_owned());
        if let Some(text) = self.sights.get(&key) {
            return decode(&text);
        }
        match self.text(request).await {
            Ok(text) => {
                let found = decode(&text)?;
                self.sights.insert(key, text.into());
                Ok(found)
            }
            Err(KubernetesError::NotFound(_)) => self.get(namespace, name).await,
            Err(error) => Err(error),
        }
    }

    /// One object as the API server remembers it, and nothing beyond: one that was made a moment ago may be missed.
    pub async fn glimpse<K>(&self, namespace: Option<&str>, name: &str) -> Result<K, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let verb = Verb::new(K::url_path(&(), namespace));
        self.ask(verb.get(name, &GetParams::any())?).await
    }
}
