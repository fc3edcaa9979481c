//! Which approvals name which order: looked up, since there are as many of them as were ever given.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt};
use jiyun_crds::v1alpha1::Approval;
use kube::{
    ResourceExt,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher,
    },
};

use crate::watch::Guarded;

/// Namespace and name of an order.
type Key = (String, String);

/// Approvals by the order they name. Cheap to clone.
#[derive(Clone)]
pub struct Ballots {
    store: Store<Guarded<Approval>>,
    named: Arc<Mutex<HashMap<Key, BTreeSet<String>>>>,
}

impl Ballots {
    /// Of what is in `store`.
    pub fn of(store: Store<Guarded<Approval>>) -> Self {
        Self { store, named: Arc::default() }
    }

    /// Notes what passes. An approval never names another order later, and one that goes is not in the store any more.
    pub fn watching<S>(&self, stream: S) -> impl Stream<Item = S::Item> + Send + use<S>
    where
        S: Stream<Item = Result<Guarded<Approval>, watcher::Error>> + Send,
    {
        let named = Arc::clone(&self.named);
        stream.inspect(move |seen| {
            let Ok(approval) = seen else { return };
            let Some(order) = order_of(approval) else { return };
            let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
            named.entry(order).or_default().insert(approval.name_any());
        })
    }

    /// Those that name the order called `name`, as far as they can be read.
    pub fn about(&self, namespace: &str, name: &str) -> Vec<Arc<Guarded<Approval>>> {
        let order = (namespace.to_owned(), name.to_owned());
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner).get(&order).cloned();
        let stored = |approval: String| self.store.get(&ObjectRef::new(&approval).within(namespace));
        let is_about = |approval: &Arc<Guarded<Approval>>| order_of(approval).as_ref() == Some(&order);
        named.into_iter().flatten().filter_map(stored).filter(is_about).collect()
    }
}

/// The order that `approval` names, as far as it can be read.
fn order_of(approval: &Guarded<Approval>) -> Option<Key> {
    let named = approval.0.as_ref().ok()?;
    Some((named.metadata.namespace.clone()?, named.spec.order_ref.name.clone()))
}

#[cfg(test)]
mod tests {
    use futures::{TryStreamExt, stream};
    use kube::{core::DeserializeGuard, runtime::reflector};
    use serde_json::json;

    use super::*;

    fn approval(namespace: &str, name: &str, order: &str) -> Guarded<Approval> {
        let whole = json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "Approval",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"orderRef": {"name": order}, "orderUid": "u", "digest": "d", "level": "l", "decision": "Approve"},
        });
        DeserializeGuard(Ok(serde_json::from_value(whole).unwrap()))
    }

    #[tokio::test]
    async fn those_of_one_order_are_found_and_none_that_went_or_is_of_a_namesake() {
        let (store, mut writer) = reflector::store();
        let ballots = Ballots::of(store);
        let all = [
            approval("dept-tax", "a-1", "o-1"),
            approval("dept-tax", "a-2", "o-1"),
            approval("dept-tax", "a-3", "o-2"),
            approval("dept-law", "a-1", "o-1"),
        ];
        for approval in &all {
            writer.apply_watcher_event(&watcher::Event::Apply(approval.clone()));
        }
        let passing = ballots.watching(stream::iter(all.clone().map(Ok)));
        assert_eq!(passing.try_collect::<Vec<_>>().await.unwrap().len(), 4);
        let names =
            || -> Vec<String> { ballots.about("dept-tax", "o-1").iter().map(|found| found.name_any()).collect() };
        assert_eq!(names(), ["a-1", "a-2"]);
        writer.apply_watcher_event(&watcher::Event::Delete(all[0].clone()));
        assert_eq!(names(), ["a-2"]);
        assert!(ballots.about("dept-tax", "o-3").is_empty());
    }
}
