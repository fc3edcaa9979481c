//! One figure: what came out, against what, and whether it is as good as it should be.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Name {
    /// Hosts per second from order to ready, against a replay of the same writes without us.
    BringupVsRoofline,
    /// Writes to the API server per host brought up.
    WritesPerHost,
    /// Writes to the API server while nothing happens.
    IdleWrites,
    /// Memory of the controller per host.
    MemoryPerHost,
    /// Bytes written for a grant in a full book, against an almost empty one.
    BytesPerGrantGrowth,
    /// Decisions of one core, against what etcd could write of them.
    DecisionsPerSecond,
    /// Units given above any ceiling or capacity while departments push and leaders fall.
    OvercommitUnits,
    /// Refusals of what would have fitted.
    FalseRefusals,
    /// Entries a second through the writer, against bare transactions.
    LedgerVsEtcd,
    /// Memory of the book for an open claim.
    BytesPerClaim,
    /// How long the book stands still when the leader is killed.
    FailoverFirstWrite,
    /// Orders granted a second, from the REST API to the book, against a replay of the same writes without us.
    AdmissionsPerSecond,
    /// Fault points explored without a trace in the end, of all there are.
    FaultPoints,
    /// Orders of several hosts over REST, against the same objects written without us.
    RestVsEqualWrites,
    /// Orders of a host over REST, against creating it without us.
    RestVsRawCreate,
    /// The slowest of a hundred such orders, against the slowest of a hundred creates.
    RestP99VsRaw,
    /// Processor time of the API for such an order, against the API server's for a create.
    RestCpuMs,
    /// Writes to the API server for an order that people agree to.
    WritesPerOrder,
    /// How slow the API becomes for others while one caller asks without a pause.
    AbuseP99,
    /// From `helm install` to everything available, on a node.
    InstallToReadyS,
    /// From the order of a host to its web page, against the same machine created without us, on a node.
    OrderToHttpS,
    /// Memory of the API's pod with the example county.
    ApiPodRssMb,
    /// Memory of the controller's pod with the example county.
    ControllerPodRssMb,
}

impl Name {
    /// All of them, in the order they are measured.
    pub const ALL: [Self; 23] = [
        Self::BringupVsRoofline,
        Self::WritesPerHost,
        Self::IdleWrites,
        Self::MemoryPerHost,
        Self::BytesPerGrantGrowth,
        Self::DecisionsPerSecond,
        Self::OvercommitUnits,
        Self::FalseRefusals,
        Self::LedgerVsEtcd,
        Self::BytesPerClaim,
        Self::FailoverFirstWrite,
        Self::AdmissionsPerSecond,
        Self::FaultPoints,
        Self::RestVsEqualWrites,
        Self::RestVsRawCreate,
        Self::RestP99VsRaw,
        Self::RestCpuMs,
        Self::WritesPerOrder,
        Self::AbuseP99,
        Self::InstallToReadyS,
        Self::OrderToHttpS,
        Self::ApiPodRssMb,
        Self::ControllerPodRssMb,
    ];
}

impl Name {
    /// Whether it takes a node where machines boot.
    pub fn needs_node(self) -> bool {
        matches!(self, Self::InstallToReadyS | Self::OrderToHttpS | Self::ApiPodRssMb | Self::ControllerPodRssMb)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BringupVsRoofline => "bringup_vs_roofline",
            Self::WritesPerHost => "writes_per_host",
            Self::IdleWrites => "idle_writes",
            Self::MemoryPerHost => "memory_per_host",
            Self::BytesPerGrantGrowth => "bytes_per_grant_growth",
            Self::DecisionsPerSecond => "decisions_per_second",
            Self::OvercommitUnits => "overcommit_units",
            Self::FalseRefusals => "false_refusals",
            Self::LedgerVsEtcd => "ledger_vs_etcd",
            Self::BytesPerClaim => "bytes_per_claim",
            Self::FailoverFirstWrite => "failover_first_write",
            Self::AdmissionsPerSecond => "admissions_per_second",
            Self::FaultPoints => "fault_points",
            Self::RestVsEqualWrites => "rest_vs_equal_writes",
            Self::RestVsRawCreate => "rest_vs_raw_create",
            Self::RestP99VsRaw => "rest_p99_vs_raw",
            Self::RestCpuMs => "rest_cpu_ms",
            Self::WritesPerOrder => "writes_per_order",
            Self::AbuseP99 => "abuse_p99",
            Self::InstallToReadyS => "install_to_ready_s",
            Self::OrderToHttpS => "order_to_http_s",
            Self::ApiPodRssMb => "api_pod_rss_mb",
            Self::ControllerPodRssMb => "controller_pod_rss_mb",
        })
    }
}

/// Which direction is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// More is better: the goal is a least.
    Higher,
    /// Less is better: the goal is a most.
    Lower,
}

/// Which number the goal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// `ratio`.
    Ratio,
    /// `ours`.
    Ours,
}

/// The goal of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The bound.
    pub value: f64,
    /// On which side of it we want to be.
    pub better: Better,
    /// What it bounds.
    pub judged: Judged,
}

/// Two numbers measured side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Our number.
    pub ours: f64,
    /// What it is compared with.
    pub reference: f64,
    /// Where `reference` comes from.
    pub what_reference_is: String,
    /// Unit of both.
    pub unit: String,
    /// How often it was measured; the numbers are medians.
    pub runs: usize,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// A measured figure, as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Which.
    pub name: Name,
    /// Our number.
    pub ours: f64,
    /// What it is compared with.
    pub reference: f64,
    /// Where `reference` comes from.
    pub what_reference_is: String,
    /// `ours` / `reference`; nothing where the reference is zero.
    pub ratio: Option<f64>,
    /// The bound.
    pub goal: f64,
    /// On which side of the bound we want to be.
    pub better: Better,
    /// Which number the bound is about.
    pub judged: Judged,
    /// Unit of `ours` and `reference`.
    pub unit: String,
    /// How often it was measured; the numbers are medians.
    pub runs: usize,
    /// Whether the goal was reached.
    pub met: bool,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

impl Figure {
    /// Judges a comparison.
    pub fn new(name: Name, comparison: Comparison, goal: Goal) -> Self {
        let Comparison { ours, reference, what_reference_is, unit, runs, notes } = comparison;
        let ratio = (reference != 0.0).then(|| ours / reference);
        let judged = match goal.judged {
            Judged::Ratio => ratio,
            Judged::Ours => Some(ours),
        };
        let met = judged.is_some_and(|value| match goal.better {
            Better::Higher => value >= goal.value,
            Better::Lower => value <= goal.value,
        });
        let Goal { value: goal, better, judged } = goal;
        Self { name, ours, reference, what_reference_is, ratio, goal, better, judged, unit, runs, met, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(ours: f64, reference: f64) -> Comparison {
        let what_reference_is = "a replay".to_owned();
        Comparison { ours, reference, what_reference_is, unit: "hosts/s".into(), runs: 3, notes: Vec::new() }
    }

    fn goal(value: f64, better: Better, judged: Judged) -> Goal {
        Goal { value, better, judged }
    }

    #[test]
    fn a_ratio_on_the_bound_meets_the_goal_and_one_below_misses_it() {
        let at_least = goal(0.85, Better::Higher, Judged::Ratio);
        assert!(Figure::new(Name::BringupVsRoofline, comparison(85.0, 100.0), at_least).met);
        assert!(!Figure::new(Name::BringupVsRoofline, comparison(84.0, 100.0), at_least).met);
    }

    #[test]
    fn a_count_is_judged_by_itself_and_not_by_its_ratio() {
        let at_most = goal(4.0, Better::Lower, Judged::Ours);
        assert!(Figure::new(Name::WritesPerHost, comparison(4.0, 0.5), at_most).met);
        assert!(!Figure::new(Name::WritesPerHost, comparison(4.01, 100.0), at_most).met);
    }

    #[test]
    fn without_a_reference_there_is_no_ratio_and_a_goal_on_it_is_missed() {
        let figure =
            Figure::new(Name::BringupVsRoofline, comparison(1.0, 0.0), goal(0.85, Better::Higher, Judged::Ratio));
        assert_eq!((figure.ratio, figure.met), (None, false));
    }

    #[test]
    fn a_figure_is_recorded_under_its_exact_name_with_every_field() {
        let figure =
            Figure::new(Name::BringupVsRoofline, comparison(50.0, 100.0), goal(0.85, Better::Higher, Judged::Ratio));
        let json = serde_json::to_value(&figure).unwrap();
        assert_eq!(json["name"], "bringup_vs_roofline");
        assert_eq!(
            (&json["better"], &json["judged"], &json["met"]),
            (&"higher".into(), &"ratio".into(), &false.into())
        );
        for field in ["ours", "reference", "what_reference_is", "ratio", "goal", "unit", "runs", "notes"] {
            assert!(json.get(field).is_some(), "{field}");
        }
        for name in Name::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.to_string());
        }
    }
}
