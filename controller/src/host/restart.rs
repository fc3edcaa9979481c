//! Restarting a machine (重启) because its host asks for it: what was started before the moment that is asked for is deleted, and
//! its engine starts another from what is declared now.

use std::time::Duration;

use jiff::Timestamp;
use jiyun_crds::{date_time::DateTime, v1alpha1::CloudHost};
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use crate::{
    context::Context,
    engines::kubevirt::{self, InstanceView, MachineState, MachineView},
    error::{ReconcileError, chain},
    site::SiteEngines,
};

/// What comes of a wish to be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarted {
    /// Nothing is to be done, or not now.
    No,
    /// What ran goes.
    Yes,
    /// Kubernetes does not let us, with this status.
    Refused(u16),
}

/// Restarts the `machine` of a host that is to run, where that is due. Not in quarantine: the book may know less than is true,
/// and the machine would come back as that says.
///
/// # Errors
/// When the host cannot be read, or Kubernetes cannot be reached.
pub async fn settle(
    host: &CloudHost,
    machine: Option<&MachineView>,
    instance: Option<&InstanceView>,
    site: &SiteEngines,
    context: &Context,
) -> Result<Restarted, ReconcileError> {
    let (Some(asked), Some(instance)) = (asked(host), instance) else { return Ok(Restarted::No) };
    if !may_begin(host, machine, Some(instance)) || context.quarantined() || !is_still_asked(host, context).await? {
        return Ok(Restarted::No);
    }
    let api = Api::<InstanceView>::namespaced(site.client.clone(), &instance.namespace().unwrap_or_default());
    let recorded = context.writer.trail().restarting(host, instance).await;
    let (namespace, name) = (host.namespace(), host.name_any());
    match context.writer.delete_recorded(&api, instance, recorded).await {
        Ok(()) => {
            let uid = &instance.metadata.uid;
            info!(host.namespace = namespace, host.name = name, %asked, instance = uid, "restarted as its host asks");
            Ok(Restarted::Yes)
        }
        // It has changed since it was read, which is on its way to us.
        Err(error) if error.status() == Some(409) => Ok(Restarted::No),
        Err(error) => match error.status() {
            Some(status @ (400 | 403 | 422)) => {
                warn!(host.namespace = namespace, host.name = name, error = chain(&error), "not restarted");
                Ok(Restarted::Refused(status))
            }
            _ => Err(error.into()),
        },
    }
}

/// Whether a restart is due, as far as is in memory.
pub fn may_begin(host: &CloudHost, machine: Option<&MachineView>, instance: Option<&InstanceView>) -> bool {
    let (Some(asked), Some(machine), Some(instance)) = (asked(host), machine, instance) else { return false };
    !is_done(host) && is_due(asked, machine, instance, Timestamp::now())
}

/// Whether the host still wishes it, by the API server's own word: a watch may be late with a wish that was taken back.
async fn is_still_asked(host: &CloudHost, context: &Context) -> Result<bool, ReconcileError> {
    let (namespace, name) = (host.namespace().unwrap_or_default(), host.name_any());
    let found = Api::<CloudHost>::namespaced(context.client.clone(), &namespace).get_opt(&name).await;
    let found = found.map_err(|source| ReconcileError::read(format!("CloudHost {name}"), source))?;
    let wish = |host: &CloudHost| (host.uid(), host.spec.power, host.spec.restart_requested_at.clone());
    Ok(found.is_some_and(|found| wish(&found) == wish(host) && found.metadata.deletion_timestamp.is_none()))
}

/// What a machine is seen to do. Its engine tells of a new instance later than that is there, and of one that goes as well.
pub fn seen(state: MachineState, instance: Option<&InstanceView>, restarted: bool) -> MachineState {
    let is_going = instance.is_some_and(|instance| instance.metadata.deletion_timestamp.is_some());
    let is_up = instance.and_then(|instance| instance.status.phase.as_deref()).is_none_or(|phase| phase == "Running");
    match state {
        MachineState::Running if restarted || is_going => MachineState::Changing("Stopping".to_owned()),
        MachineState::Running if !is_up => MachineState::Changing("Starting".to_owned()),
        state => state,
    }
}

/// How long until a restart that is asked for later has to be looked at.
pub fn next_look(host: &CloudHost, now: Timestamp) -> Option<Duration> {
    until(asked(host)?, now)
}

/// How long until a moment that is still to come; none once it has.
pub fn until(moment: Timestamp, now: Timestamp) -> Option<Duration> {
    Duration::try_from(moment.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

fn asked(host: &CloudHost) -> Option<Timestamp> {
    moment(host.spec.restart_requested_at.as_ref())
}

/// The moment that is asked for in a field. What can be none is refused at the door.
pub fn moment(field: Option<&DateTime>) -> Option<Timestamp> {
    field.map(DateTime::timestamp)?.ok()
}

/// Whether the moment that is asked for was acted upon already. What was started since is not older than it anyway, by clocks
/// that agree: Kubernetes's may be behind ours.
fn is_done(host: &CloudHost) -> bool {
    let of_status = host.status.as_ref().and_then(|status| status.restarted_for.as_ref()?.timestamp().ok());
    asked(host).is_some_and(|asked| of_status >= Some(asked))
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

    fn host() -> CloudHost {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost", "metadata": {"name": "web"},
            "spec": {"systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                     "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": "40Gi"},
                     "restartRequestedAt": ASKED},
        }))
        .unwrap()
    }

    #[test]
    fn a_moment_that_was_acted_upon_is_not_acted_upon_again_and_a_later_one_is() {
        let mut host = host();
        assert!(!is_done(&host));
        for (acted, expected) in [(ASKED, true), ("2026-03-01T16:00:00+08:00", true), ("2026-03-01T07:00:00Z", false)] {
            host.status.get_or_insert_default().restarted_for = Some(acted.into());
            assert_eq!(is_done(&host), expected, "{acted}");
        }
        host.spec.restart_requested_at = None;
        assert!(!is_done(&host));
    }

    #[test]
    fn a_machine_is_not_seen_to_run_while_what_ran_goes_or_what_comes_is_not_up() {
        let of = |going: Option<&str>, phase: &str| {
            let mut instance = instance("m", ASKED, going);
            instance.status.phase = Some(phase.to_owned());
            seen(MachineState::Running, Some(&instance), false)
        };
        assert_eq!(of(None, "Running"), MachineState::Running);
        assert_eq!(of(Some(ASKED), "Running"), MachineState::Changing("Stopping".into()));
        assert_eq!(of(None, "Scheduling"), MachineState::Changing("Starting".into()));
        assert_eq!(seen(MachineState::Running, None, false), MachineState::Running);
        assert_eq!(seen(MachineState::Running, None, true), MachineState::Changing("Stopping".into()));
        assert_eq!(seen(MachineState::Stopped, None, true), MachineState::Stopped);
    }

    #[test]
    fn a_moment_to_come_is_looked_at_when_it_comes() {
        let mut host = host();
        assert_eq!(next_look(&host, at("2026-03-01T07:59:00Z")), Some(Duration::from_mins(1)));
        for now in [ASKED, "2026-03-01T08:00:01Z"] {
            assert_eq!(next_look(&host, at(now)), None, "{now}");
        }
        host.spec.restart_requested_at = None;
        assert_eq!(next_look(&host, at("2026-03-01T07:59:00Z")), None);
    }
}
