//! Restarting a machine (重启) because its host asks for it: what was started before the moment that is asked for is deleted, and
//! its engine starts another from what is declared now.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_crds::{date_time::DateTime, v1alpha1::CloudHost};
use kube::{Api, ResourceExt};
use tracing::info;

use crate::{
    context::Context,
    engines::kubevirt::{self, InstanceView, MachineView},
    error::ReconcileError,
    site::SiteEngines,
};

/// Restarts the machine of a host that is to run, where that is due; whether it was.
///
/// # Errors
/// When its engine does not take it; the instance may have changed since it was read (status 409).
pub async fn restart(
    host: &CloudHost,
    machine: Option<&MachineView>,
    (site, namespace): (&SiteEngines, &str),
    context: &Context,
) -> Result<bool, ReconcileError> {
    let (Some(asked), Some(machine)) = (asked(host), machine) else { return Ok(false) };
    let Some(instance) = site.instance(namespace, &machine.name_any()) else { return Ok(false) };
    if !is_due(asked, machine, &instance, Timestamp::now()) {
        return Ok(false);
    }
    info!(
        host.namespace = host.namespace(),
        host.name = host.name_any(),
        %asked,
        instance = instance.metadata.uid,
        "restarted as its host asks"
    );
    context.writer.delete(&Api::<InstanceView>::namespaced(site.client.clone(), namespace), &instance).await?;
    Ok(true)
}

/// How long until a restart that is asked for later has to be looked at.
pub fn next_look(host: &CloudHost, now: Timestamp) -> Option<Duration> {
    Duration::try_from(asked(host)?.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

/// The moment that is asked for. What can be none is refused at the door.
fn asked(host: &CloudHost) -> Option<Timestamp> {
    host.spec.restart_requested_at.as_ref().map(DateTime::timestamp)?.ok()
}

/// Whether what runs was started before the moment that is `asked` for, and that has come.
///
/// Only of a machine whose engine has seen what is declared: it would start another of what was declared before.
fn is_due(asked: Timestamp, machine: &MachineView, instance: &InstanceView, now: Timestamp) -> bool {
    let (of_machine, of_instance) = (&machine.metadata, &instance.metadata);
    // An instance of a namesake that is gone is on its way out.
    let is_its = instance.owner_references().iter().any(|owner| Some(&owner.uid) == of_machine.uid.as_ref());
    let is_older = of_instance.creation_timestamp.as_ref().is_some_and(|started| started.0 < asked);
    let is_going = of_instance.deletion_timestamp.is_some();
    is_its && is_older && !is_going && asked <= now && kubevirt::is_looked_at(machine, Some(instance))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ASKED: &str = "2026-03-01T08:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn machine(seen: i64) -> MachineView {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "uid": "m", "generation": 2}, "spec": {"runStrategy": "Always"},
            "status": {"created": true, "desiredGeneration": seen},
        }))
        .unwrap()
    }

    fn instance(owner: &str, started: &str, going: Option<&str>) -> InstanceView {
        serde_json::from_value(json!({
            "metadata": {
                "name": "web", "uid": "i", "creationTimestamp": started, "deletionTimestamp": going,
                "ownerReferences": [{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "name": "web", "uid": owner}],
            },
        }))
        .unwrap()
    }

    #[test]
    fn only_what_was_started_before_the_moment_is_restarted_and_only_once_it_has_come() {
        let (early, late, soon) = ("2026-03-01T07:59:59Z", "2026-03-01T08:00:03Z", "2026-03-01T07:59:59Z");
        for (what, seen, owner, started, going, now, expected) in [
            ("older", 2, "m", early, None, ASKED, true),
            ("much later", 2, "m", early, None, "2026-04-01T08:00:00Z", true),
            ("not yet", 2, "m", early, None, soon, false),
            ("started in the same second", 2, "m", ASKED, None, late, false),
            ("started since", 2, "m", late, None, late, false),
            ("going already", 2, "m", early, Some(late), late, false),
            ("a namesake's", 2, "n", early, None, late, false),
            ("what is declared was not seen", 1, "m", early, None, late, false),
        ] {
            let is_due = is_due(at(ASKED), &machine(seen), &instance(owner, started, going), at(now));
            assert_eq!(is_due, expected, "{what}");
        }
    }

    #[test]
    fn a_moment_to_come_is_looked_at_when_it_comes() {
        let mut host: CloudHost = serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost", "metadata": {"name": "web"},
            "spec": {"systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                     "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"},
                     "restartRequestedAt": ASKED},
        }))
        .unwrap();
        assert_eq!(next_look(&host, at("2026-03-01T07:59:00Z")), Some(Duration::from_mins(1)));
        for now in [ASKED, "2026-03-01T08:00:01Z"] {
            assert_eq!(next_look(&host, at(now)), None, "{now}");
        }
        host.spec.restart_requested_at = None;
        assert_eq!(next_look(&host, at("2026-03-01T07:59:00Z")), None);
    }
}
