//! What is left to do on the engines: a function from what should be and what is there to steps with their reason.

use kube::core::ObjectMeta;
use serde_json::Value;

use crate::engines::{
    applied,
    cdi::{self, DiskState, DiskView},
    kubevirt::{MachineView, run_strategy},
    order::Power,
};

/// What should be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The claim it is for, as engine objects are labelled with it.
    pub claim: String,
    /// The system disk.
    pub disk: Value,
    /// Size of the system disk in MiB.
    pub disk_mebibytes: u64,
    /// The machine.
    pub machine: Value,
    /// The machine as it is made first, where it has volumes: switched off and without them. A request to make it that
    /// arrives late must not attach what another host has by then; what attaches says which machine it means.
    pub bare: Option<Value>,
    /// Whether the machine is to run.
    pub power: Power,
    /// Whether it was handed over once: its disk has contents that cannot be made again.
    pub established: bool,
    /// Whether its disk is being made anew: what becomes of it is decided elsewhere.
    pub restoring: bool,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The system disk, if it exists.
    pub disk: Option<DiskView>,
    /// The machine, if it exists.
    pub machine: Option<MachineView>,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Apply the system disk.
    ApplyDisk(Why),
    /// Write on the disk whose it is now; nothing else of it changes.
    RelabelDisk,
    /// Have the volume behind the disk grow, or see whether it has.
    GrowDisk,
    /// Apply the machine.
    ApplyMachine(Why),
}

/// The kind that is applied, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApplyDisk(_) | Self::RelabelDisk => "DataVolume",
            Self::GrowDisk => "PersistentVolumeClaim",
            Self::ApplyMachine(_) => "VirtualMachine",
        })
    }
}

/// Why a step is taken; logged, and recorded where it switches a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Why {
    /// It does not exist.
    Missing,
    /// What is wished differs from what was applied last.
    Changed,
    /// Somebody started or stopped the machine past us.
    PowerDrifted,
}

/// Why nothing may be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// An object of this name belongs to something else, e.g. a namesake that is still being deleted.
    #[error("{kind} {name} still belongs to something else; it must go first")]
    Foreign {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// What holds the data of something in use is gone. A new one would be empty, and look as if nothing had happened.
    #[error("{kind} {name} is gone with what was on it; nothing is put in its place until operators have looked")]
    Lost {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
}

/// Steps from `observed` to `desired`, in order; none when they agree.
///
/// # Errors
/// [`Obstacle`] when an object of the name belongs to another host, or the disk of a host in use is gone.
pub fn plan(desired: &Desired, observed: &Observed) -> Result<Vec<Step>, Obstacle> {
    let mut steps = Vec::new();
    let mut disk_grows = false;
    match &observed.disk {
        _ if desired.restoring => {}
        None if desired.established => {
            let name = desired.disk.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
            return Err(Obstacle::Lost { kind: "DataVolume", name });
        }
        None => steps.push(Step::ApplyDisk(Why::Missing)),
        // A disk that exists is not touched again: its engine refuses changes, and a pool's new storage class is for new
        // disks. It grows by its volume, once there is something on it.
        Some(disk) => {
            ours(&disk.metadata, &desired.claim, "DataVolume")?;
            if !is_labelled(&disk.metadata, &desired.disk) {
                steps.push(Step::RelabelDisk);
            }
            disk_grows = cdi::mebibytes(disk) < desired.disk_mebibytes && cdi::state(disk) == DiskState::Filled;
        }
    }
    match &observed.machine {
        None => steps.push(Step::ApplyMachine(Why::Missing)),
        Some(machine) => {
            ours(&machine.metadata, &desired.claim, "VirtualMachine")?;
            if !applied::is_applied(&machine.metadata, &desired.machine) {
                steps.push(Step::ApplyMachine(Why::Changed));
            } else if machine.spec.run_strategy.as_deref() != Some(run_strategy(desired.power)) {
                steps.push(Step::ApplyMachine(Why::PowerDrifted));
            }
        }
    }
    if disk_grows {
        // Last: a volume that cannot grow keeps no machine from being started, stopped or resized.
        steps.push(Step::GrowDisk);
    }
    Ok(steps)
}

/// Whether the object carries the labels of what is desired; it may carry more.
fn is_labelled(meta: &ObjectMeta, desired: &Value) -> bool {
    let wanted = desired.pointer("/metadata/labels").and_then(Value::as_object);
    let carries =
        |name: &str, value: &Value| meta.labels.as_ref()?.get(name).filter(|is| Some(is.as_str()) == value.as_str());
    wanted.into_iter().flatten().all(|(name, value)| carries(name, value).is_some())
}

/// Whether the object was made for this claim and is not on its way out.
///
/// # Errors
/// [`Obstacle`] when it is not.
pub fn ours(meta: &ObjectMeta, claim: &str, kind: &'static str) -> Result<(), Obstacle> {
    let labelled = meta.labels.as_ref().and_then(|labels| labels.get(jiyun_crds::names::LABEL_CLAIM));
    if labelled.is_some_and(|labelled| labelled == claim) && meta.deletion_timestamp.is_none() {
        return Ok(());
    }
    Err(Obstacle::Foreign { kind, name: meta.name.clone().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired(power: Power) -> Desired {
        let meta = json!({"name": "web", "labels": {"jiyun.io/claim": "claim-1.book"}});
        Desired {
            claim: "claim-1.book".into(),
            disk: applied::stamped(json!({
                "metadata": meta, "status": {"phase": "Succeeded"},
                "spec": {"storage": {"resources": {"requests": {"storage": "40960Mi"}}}},
            })),
            disk_mebibytes: 40_960,
            machine: applied::stamped(json!({"metadata": meta, "spec": {"runStrategy": run_strategy(power)}})),
            bare: None,
            power,
            established: false,
            restoring: false,
        }
    }

    fn observed(of: &Desired) -> Observed {
        Observed {
            disk: Some(serde_json::from_value(of.disk.clone()).unwrap()),
            machine: Some(serde_json::from_value(of.machine.clone()).unwrap()),
        }
    }

    #[test]
    fn disk_and_machine_are_made_in_that_order() {
        let steps = plan(&desired(Power::On), &Observed::default()).unwrap();
        assert_eq!(steps, [Step::ApplyDisk(Why::Missing), Step::ApplyMachine(Why::Missing)]);
    }

    #[test]
    fn nothing_is_sent_where_nothing_changed() {
        let desired = desired(Power::On);
        assert_eq!(plan(&desired, &observed(&desired)).unwrap(), []);
    }

    #[test]
    fn switching_off_touches_the_machine_alone() {
        let running = desired(Power::On);
        assert_eq!(plan(&desired(Power::Off), &observed(&running)).unwrap(), [Step::ApplyMachine(Why::Changed)]);
    }

    #[test]
    fn a_machine_stopped_past_us_is_started_again() {
        let desired = desired(Power::On);
        let mut observed = observed(&desired);
        observed.machine.as_mut().unwrap().spec.run_strategy = Some("Halted".into());
        assert_eq!(plan(&desired, &observed).unwrap(), [Step::ApplyMachine(Why::PowerDrifted)]);
    }

    #[test]
    fn a_disk_that_exists_is_left_alone_whatever_its_pool_says_now() {
        let before = desired(Power::On);
        let after = Desired {
            disk: applied::stamped(json!({"metadata": {"name": "web"}, "spec": {"size": 9}})),
            ..before.clone()
        };
        assert_eq!(plan(&after, &observed(&before)).unwrap(), []);
    }

    #[test]
    fn a_disk_is_grown_until_it_was_seen_to_have_what_was_granted() {
        let before = desired(Power::On);
        let after = Desired { disk_mebibytes: 81_920, ..before.clone() };
        let mut observed = observed(&before);
        assert_eq!(plan(&after, &observed).unwrap(), [Step::GrowDisk]);
        let stopped = Desired { machine: desired(Power::Off).machine, power: Power::Off, ..after.clone() };
        let both = [Step::ApplyMachine(Why::Changed), Step::GrowDisk];
        assert_eq!(plan(&stopped, &observed).unwrap(), both, "a volume that cannot grow keeps no machine on");
        observed.disk.as_mut().unwrap().status.phase = Some("ImportInProgress".into());
        assert_eq!(plan(&after, &observed).unwrap(), [], "what is being filled is not grown meanwhile");
        let disk = observed.disk.as_mut().unwrap();
        disk.status.phase = Some("Succeeded".into());
        disk.metadata.annotations.get_or_insert_default().insert(cdi::GROWN_TO.into(), "80Gi".into());
        assert_eq!(plan(&after, &observed).unwrap(), []);
        assert_eq!(plan(&before, &observed).unwrap(), [], "it never shrinks");
    }

    #[test]
    fn a_disk_that_was_handed_over_gets_its_new_labels_and_nothing_else() {
        let before = desired(Power::On);
        let mut after = before.clone();
        after.disk["metadata"]["labels"]["jiyun.io/department"] = json!("human-resources");
        assert_eq!(plan(&after, &observed(&before)).unwrap(), [Step::RelabelDisk]);
    }

    #[test]
    fn the_lost_disk_of_a_host_in_use_is_told_and_not_replaced_by_an_empty_one() {
        let desired = Desired { established: true, ..desired(Power::On) };
        let observed = Observed { disk: None, ..observed(&desired) };
        assert!(matches!(plan(&desired, &observed), Err(Obstacle::Lost { .. })));
        let machine_alone = Observed { machine: None, ..self::observed(&desired) };
        assert_eq!(plan(&desired, &machine_alone).unwrap(), [Step::ApplyMachine(Why::Missing)]);
    }

    #[test]
    fn a_disk_that_is_made_anew_is_neither_lost_nor_grown_nor_anybody_elses() {
        let desired = Desired { established: true, restoring: true, disk_mebibytes: 81_920, ..desired(Power::Off) };
        let there = observed(&desired);
        let mut goes = there.clone();
        let meta = &mut goes.disk.as_mut().unwrap().metadata;
        meta.deletion_timestamp = serde_json::from_value(json!("2026-03-01T08:00:00Z")).unwrap();
        for observed in [there.clone(), goes, Observed { disk: None, ..there.clone() }] {
            assert_eq!(plan(&desired, &observed).unwrap(), []);
        }
        let running = Observed { machine: observed(&self::desired(Power::On)).machine, ..there };
        assert_eq!(
            plan(&desired, &running).unwrap(),
            [Step::ApplyMachine(Why::Changed)],
            "its machine is switched off"
        );
    }

    #[test]
    fn the_machine_of_a_namesake_is_not_taken_over() {
        let desired = desired(Power::On);
        let mut observed = observed(&desired);
        let labels = observed.machine.as_mut().unwrap().metadata.labels.as_mut().unwrap();
        labels.insert("jiyun.io/claim".into(), "claim-2.book".into());
        let obstacle = plan(&desired, &observed).unwrap_err();
        assert_eq!(obstacle, Obstacle::Foreign { kind: "VirtualMachine", name: "web".into() });
    }
}
