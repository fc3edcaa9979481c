//! Watching one object in the caller's name.

use std::{fmt::Debug, future::ready, time::Duration};

use futures::{Stream, StreamExt};
use kube::{
    Resource,
    api::{WatchEvent, WatchParams},
    core::request::Request as Verb,
};
use serde::de::DeserializeOwned;

use super::{Caller, KubernetesError};

/// What a watch reports.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// It is like this now.
    Now(Box<K>),
    /// It is gone.
    Gone,
}

impl Caller {
    /// The changes of one object after `version`, for at most `time`; then the stream ends. It also ends where the
    /// connection does: look again and go on from there.
    pub async fn watch<K>(
        &self,
        namespace: Option<&str>,
        name: &str,
        version: &str,
        time: Duration,
    ) -> Result<impl Stream<Item = Result<Change<K>, KubernetesError>> + use<K>, KubernetesError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug + Send + 'static,
    {
        let seconds = u32::try_from(time.as_secs().max(1)).unwrap_or(u32::MAX);
        let parameters = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(seconds);
        let request = Verb::new(K::url_path(&(), namespace)).watch(&parameters, version)?;
        let events = self.client.request_events::<K>(self.signed(request)).await?;
        Ok(events.filter_map(|event| {
            ready(match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => Some(Ok(Change::Now(Box::new(object)))),
                Ok(WatchEvent::Deleted(_)) => Some(Ok(Change::Gone)),
                Ok(WatchEvent::Bookmark(_)) => None,
                Ok(WatchEvent::Error(status)) => Some(Err(KubernetesError::from_status(status))),
                Err(error) => Some(Err(error.into())),
            })
        }))
    }
}
