//! Machines and databases that are switched on or off, or restarted: whoever wished it, and whether they did or somebody had
//! switched it past us.

use jiff::Timestamp;
use jiyun_crds::names::{ANNOTATION_REQUESTED_BY, department_of_namespace};
use jiyun_trail::{
    Unwritable,
    core::{action::Action, content::Content, object::Object, outcome::Outcome, record::Record},
};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::recorder::{Begun, Recorder, controller};
use crate::engines::order::Power;

impl Recorder {
    /// Records that `engine`, a machine or a database, is about to be switched to `power` for whom `asker` names: a word and
    /// the object. `why` is the plan's reason.
    ///
    /// # Errors
    /// When it could not be recorded: then it may not be switched.
    pub async fn switching<E: Resource<DynamicType = ()>>(
        &self,
        asker: (&str, &impl Resource),
        engine: &E,
        power: Power,
        why: &str,
    ) -> Result<Begun, Unwritable> {
        let action = match power {
            Power::On => Action::MachineStarted,
            Power::Off => Action::MachineStopped,
        };
        self.begin(|| record(asker, engine, action, why, Timestamp::now())).await
    }

    /// Records that `instance`, what runs of a machine, is about to be restarted as `host` asks.
    ///
    /// # Errors
    /// When it could not be recorded: then it may not be restarted.
    pub async fn restarting<E: Resource<DynamicType = ()>>(
        &self,
        host: &impl Resource,
        instance: &E,
    ) -> Result<Begun, Unwritable> {
        self.begin(|| record(("host", host), instance, Action::MachineRestarted, ASKED, Timestamp::now())).await
    }
}

/// Why something is restarted.
const ASKED: &str = "RestartRequested";

fn record<E: Resource<DynamicType = ()>>(
    (word, asker): (&str, &impl Resource),
    engine: &E,
    action: Action,
    why: &str,
    at: Timestamp,
) -> Record {
    let mut actor = controller();
    actor.on_behalf_of = asker.annotations().get(ANNOTATION_REQUESTED_BY).cloned();
    let object = Object::new(E::kind(&()), engine.name_any()).within(engine.namespace().unwrap_or_default());
    let object = object.with_uid(engine.uid().unwrap_or_default());
    let mut record = Record::new(at, actor, action, object, Outcome::Begun);
    record.department = asker.namespace().as_deref().and_then(department_of_namespace).map(str::to_owned);
    record.after = Some(Content::of(json!({(word): asker.name_any(), "why": why})));
    record
}

#[cfg(test)]
mod tests {
    use jiyun_crds::v1alpha1::CloudHost;

    use super::*;
    use crate::engines::kubevirt::MachineView;

    #[test]
    fn it_says_which_machine_for_whom_and_why() {
        let host: CloudHost = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
            "metadata": {"name": "web", "namespace": "dept-tax", "annotations": {ANNOTATION_REQUESTED_BY: "li"}},
            "spec": {"systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                     "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"}},
        }))
        .unwrap();
        let machine: MachineView = serde_json::from_value(json!({
            "apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine",
            // Made for another department, which has handed it over since.
            "metadata": {
                "name": "web", "namespace": "engine-tax", "uid": "u-1", "labels": {"jiyun.io/department": "finance"},
            },
        }))
        .unwrap();
        for action in [Action::MachineStarted, Action::MachineStopped, Action::MachineRestarted] {
            let record = record(("host", &host), &machine, action, "PowerDrifted", Timestamp::UNIX_EPOCH);
            assert_eq!((record.action, record.result), (action, Outcome::Begun));
            assert_eq!(record.department.as_deref(), Some("tax"));
            assert_eq!(record.actor.on_behalf_of.as_deref(), Some("li"));
            assert_eq!(record.object.uid.as_deref(), Some("u-1"));
        }
    }
}
