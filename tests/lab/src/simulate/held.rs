//! What simulators share that keep objects from going: finalizers put on and taken off, and how long a step still takes.

use std::fmt::Debug;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::follow::unless_overtaken;
use super::{Fault, Simulation};

/// How long until what an object asks for is there, which an engine usually takes `natural` for; nothing once it is.
pub(super) fn time_left(simulation: &Simulation, object: &impl Resource, natural: Duration) -> Option<Duration> {
    time_left_since(simulation, object, object.meta().creation_timestamp.as_ref(), natural)
}

/// As [`time_left`], of what was begun at another time; of what was not begun, nothing.
pub(super) fn time_left_since(
    simulation: &Simulation,
    object: &impl Resource,
    begun: Option<&Time>,
    natural: Duration,
) -> Option<Duration> {
    let slow = simulation.faults.befalls(Fault::Slow, &object.name_any());
    let takes = if slow { simulation.pace.slow(natural) } else { simulation.pace.of(natural) };
    let elapsed = jiff::Timestamp::now().duration_since(begun?.0).unsigned_abs();
    takes.checked_sub(elapsed).filter(|left| !left.is_zero())
}

/// Takes a finalizer off an object as it was read.
pub(super) async fn release<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), kube::Error>
where
    K: Resource + Clone + Debug + DeserializeOwned,
{
    let Some(patch) = without(object, finalizer) else { return Ok(()) };
    unless_overtaken(api.patch(&object.name_any(), &PatchParams::default(), &patch).await)
}

/// What takes a finalizer off an object as it was read; nothing where it has none.
pub(super) fn without(object: &impl Resource, finalizer: &str) -> Option<Patch<Value>> {
    let (held, version) = (object.finalizers(), object.resource_version());
    let left: Vec<&String> = held.iter().filter(|name| *name != finalizer).collect();
    let is_held = left.len() < held.len();
    is_held.then(|| Patch::Merge(json!({"metadata": {"finalizers": left, "resourceVersion": version}})))
}

/// The finalizers of an object and one more.
pub(super) fn held_by(object: &impl Resource, finalizer: &str) -> Vec<String> {
    let others = object.finalizers().iter().filter(|name| *name != finalizer);
    others.cloned().chain([finalizer.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn a_finalizer_is_taken_off_the_object_that_was_read_and_off_no_other() {
        let object = json!({"metadata": {"name": "a", "resourceVersion": "7", "finalizers": ["x/a", "x/b"]}});
        let object: ConfigMap = serde_json::from_value(object).expect("an object");
        let Some(Patch::Merge(patch)) = without(&object, "x/a") else { panic!("it is held") };
        assert_eq!(patch, json!({"metadata": {"finalizers": ["x/b"], "resourceVersion": "7"}}));
        assert!(without(&object, "x/c").is_none());
        assert_eq!(held_by(&object, "x/c"), ["x/a", "x/b", "x/c"]);
        assert_eq!(held_by(&object, "x/b"), ["x/a", "x/b"]);
    }
}
