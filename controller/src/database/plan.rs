//! What is left to do on the engine: a function from what should be and what is there to steps with their reason.

use serde_json::Value;

use crate::{
    engines::{
        applied,
        cnpg::{self, ClusterView},
        network::{self, PolicyView},
        order::Power,
    },
    host::plan::{Obstacle, ours},
};

/// What should be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The claim it is for, as engine objects are labelled with it.
    pub claim: String,
    /// What the department's wall lets through for it.
    pub gate: Value,
    /// The cluster.
    pub cluster: Value,
    /// Whether it is to run.
    pub power: Power,
    /// Whether it was handed over once: what is in it cannot be made again.
    pub established: bool,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What the wall lets through, if anything.
    pub gate: Option<PolicyView>,
    /// The cluster, if it exists.
    pub cluster: Option<ClusterView>,
}

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Apply what the wall lets through.
    ApplyGate(Why),
    /// Apply the cluster.
    ApplyCluster(Why),
}

/// The kind that is applied, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApplyGate(_) => "NetworkPolicy",
            Self::ApplyCluster(_) => "Cluster",
        })
    }
}

/// Why a step is taken; logged, and recorded where it stops or starts a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum Why {
    /// It does not exist.
    Missing,
    /// What is wished differs from what was applied last.
    Changed,
    /// Somebody changed it past us.
    Drifted,
    /// Somebody stopped or started it past us.
    PowerDrifted,
}

/// Steps from `observed` to `desired`, in order; none when they agree.
///
/// # Errors
/// [`Obstacle`] when an object of the name belongs to something else, or the cluster of a database in use is gone.
pub fn plan(desired: &Desired, observed: &Observed) -> Result<Vec<Step>, Obstacle> {
    let mut steps = Vec::new();
    // Without it no instance is ever seen to answer.
    match &observed.gate {
        None => steps.push(Step::ApplyGate(Why::Missing)),
        Some(gate) if !applied::is_applied(&gate.metadata, &desired.gate) => steps.push(Step::ApplyGate(Why::Changed)),
        Some(gate) if !network::stands(gate, &desired.gate) => steps.push(Step::ApplyGate(Why::Drifted)),
        Some(_) => {}
    }
    match &observed.cluster {
        // Its volumes go with it. A new one would be empty, and look as if nothing had happened.
        None if desired.established => {
            let name = network::name_of(&desired.cluster).to_owned();
            return Err(Obstacle::Lost { kind: "Cluster", name });
        }
        None => steps.push(Step::ApplyCluster(Why::Missing)),
        Some(cluster) => {
            ours(&cluster.metadata, &desired.claim, "Cluster")?;
            if !applied::is_applied(&cluster.metadata, &desired.cluster) {
                steps.push(Step::ApplyCluster(Why::Changed));
            } else if declared(cluster) != Some(cnpg::hibernation(desired.power)) {
                steps.push(Step::ApplyCluster(Why::PowerDrifted));
            }
        }
    }
    Ok(steps)
}

/// What a cluster is told about its power.
pub fn declared(cluster: &ClusterView) -> Option<&str> {
    cluster.metadata.annotations.as_ref()?.get(cnpg::HIBERNATION).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired(power: Power) -> Desired {
        let labels = json!({"jiyun.io/claim": "claim-1.book"});
        let annotations = json!({(cnpg::HIBERNATION): cnpg::hibernation(power)});
        Desired {
            claim: "claim-1.book".into(),
            gate: applied::stamped(json!({
                "metadata": {"name": "database-pg", "labels": labels},
                "spec": {"podSelector": {}, "ingress": [{"ports": [{"protocol": "TCP", "port": 5432}]}]},
            })),
            cluster: applied::stamped(json!({
                "metadata": {"name": "pg", "labels": labels, "annotations": annotations}, "spec": {"instances": 1},
            })),
            power,
            established: false,
        }
    }

    fn observed(of: &Desired) -> Observed {
        Observed {
            gate: Some(serde_json::from_value(of.gate.clone()).unwrap()),
            cluster: Some(serde_json::from_value(of.cluster.clone()).unwrap()),
        }
    }

    #[test]
    fn the_wall_is_opened_before_the_cluster_is_made() {
        let steps = plan(&desired(Power::On), &Observed::default()).unwrap();
        assert_eq!(steps, [Step::ApplyGate(Why::Missing), Step::ApplyCluster(Why::Missing)]);
    }

    #[test]
    fn nothing_is_sent_where_nothing_changed_and_power_alone_touches_the_cluster_alone() {
        let running = desired(Power::On);
        assert_eq!(plan(&running, &observed(&running)).unwrap(), []);
        assert_eq!(plan(&desired(Power::Off), &observed(&running)).unwrap(), [Step::ApplyCluster(Why::Changed)]);
    }

    #[test]
    fn what_somebody_changed_past_us_is_put_right() {
        let desired = desired(Power::On);
        let mut there = observed(&desired);
        let annotations = there.cluster.as_mut().unwrap().metadata.annotations.as_mut().unwrap();
        annotations.insert(cnpg::HIBERNATION.into(), "on".into());
        there.gate.as_mut().unwrap().spec["ingress"] = json!([{}]);
        let steps = plan(&desired, &there).unwrap();
        assert_eq!(steps, [Step::ApplyGate(Why::Drifted), Step::ApplyCluster(Why::PowerDrifted)]);
    }

    #[test]
    fn a_lost_cluster_is_told_and_not_replaced_by_an_empty_one() {
        let desired = Desired { established: true, ..desired(Power::On) };
        let there = Observed { cluster: None, ..observed(&desired) };
        assert_eq!(plan(&desired, &there).unwrap_err(), Obstacle::Lost { kind: "Cluster", name: "pg".into() });
    }

    #[test]
    fn the_cluster_of_a_namesake_is_not_taken_over() {
        let desired = desired(Power::On);
        let mut there = observed(&desired);
        let labels = there.cluster.as_mut().unwrap().metadata.labels.as_mut().unwrap();
        labels.insert("jiyun.io/claim".into(), "claim-2.book".into());
        assert_eq!(plan(&desired, &there).unwrap_err(), Obstacle::Foreign { kind: "Cluster", name: "pg".into() });
    }
}
