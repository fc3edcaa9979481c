//! Status: what a flow's conditions say, computed from decisions and observations; written only where it differs.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    ConditionStatus, ConditionType, FlowReach, LocalRef, NetworkFlow, NetworkFlowStatus, Reason, condition::Finding,
};
use jiyun_ledger::{Claim, Refusal};
use jiyun_messages::{Parameters, parameters};

use super::{change::Objection, digest, networks::Gap};
use crate::{
    conditions::{finding, merged, plain},
    host::{
        rejection::Rejection,
        report::{in_parts, reason, recorded},
    },
    order::answer::Ordered,
};

/// How a flow stands.
#[derive(Clone, Debug)]
pub enum Standing {
    /// The wish is not valid, and nothing was ever granted.
    Rejected(Rejection),
    /// The ledger said no.
    Refused(Refusal),
    /// Nobody has said anything yet.
    Undecided(Reason),
    /// People have to agree, or did not.
    Ordered(Ordered),
    /// The ledger holds a claim.
    Admitted {
        /// The claim.
        claim: Arc<Claim>,
        /// How far what was approved reaches.
        reach: FlowReach,
        /// The order it was granted for.
        order: Option<String>,
        /// What is wrong with the wish as it is now; what was approved stays open.
        objection: Option<Objection>,
        /// The walls.
        engine: Engine,
    },
    /// The flow is being deleted.
    Ending {
        /// The claim, until it is released.
        claim: Arc<Claim>,
        /// What still has to disappear; nothing is deleted at the moment where that is `None`.
        waiting_for: Option<String>,
    },
}

/// How the walls stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Open for what was approved.
    Open,
    /// Open, and nothing leads from one end to the other.
    Apart(Gap),
    /// Open; whether anything leads from one end to the other is not known yet. Nothing is reported before it is.
    Unseen,
    /// Closed, for what was approved is not what it would let through.
    Closed,
    /// Something is still open that should not be: nothing is deleted while the book is being checked.
    Paused,
    /// Kubernetes did not take a policy; its status code.
    Failed(u16),
}

impl Standing {
    /// The order that waits to hear of it.
    pub fn order(&self) -> Option<String> {
        match self {
            Self::Ordered(ordered) | Self::Admitted { objection: Some(Objection::Ordered(ordered)), .. } => {
                Some(ordered.order.clone())
            }
            Self::Admitted { order, .. } => order.clone(),
            _ => None,
        }
    }

    /// Whether nothing can be said yet.
    pub fn is_unseen(&self) -> bool {
        matches!(self, Self::Admitted { engine: Engine::Unseen, .. })
    }

    /// Whether there is nothing to wait for but what calls by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            Self::Admitted { objection: Some(Objection::Invalid(_)), .. } => false,
            Self::Admitted { engine: Engine::Open, .. } | Self::Refused(_) => true,
            Self::Ordered(ordered) => ordered.refusal.is_some(),
            Self::Admitted { .. } | Self::Rejected(_) | Self::Undecided(_) | Self::Ending { .. } => false,
        }
    }
}

/// The status of `flow` given its standing; `reach` is that of what it asks for now.
pub fn status(flow: &NetworkFlow, reach: Option<FlowReach>, standing: &Standing, now: Timestamp) -> NetworkFlowStatus {
    let before = flow.status.clone().unwrap_or_default();
    let generation = flow.metadata.generation;
    let mut status = NetworkFlowStatus {
        observed_generation: generation,
        claim_id: before.claim_id,
        reach: reach.or(before.reach),
        spec_digest: Some(digest::of(&flow.spec)),
        ..Default::default()
    };
    let (accepted, admitted, ready) = (ConditionType::Accepted, ConditionType::Admitted, ConditionType::Ready);
    let no = ConditionStatus::False;
    let not_admitted = || plain(ready, no, Reason::NotAdmitted);
    let valid = || plain(accepted, ConditionStatus::True, Reason::Valid);
    let findings = match standing {
        Standing::Rejected(rejection) => {
            status.refusal = Some(in_parts(rejection.code.to_owned(), &rejection.parameters));
            vec![rejected(rejection), plain(admitted, no, Reason::Undecided), not_admitted()]
        }
        Standing::Refused(refusal) => {
            status.refusal = Some(recorded(refusal));
            let code = refusal.code.to_string();
            let sentence = jiyun_messages::refusal_code(&code, &refusal.parameters);
            vec![valid(), finding(admitted, no, reason(refusal.code), sentence, &refusal.parameters), not_admitted()]
        }
        Standing::Undecided(reason) => {
            vec![valid(), plain(admitted, ConditionStatus::Unknown, *reason), not_admitted()]
        }
        Standing::Ordered(ordered) => {
            status.order_ref = Some(LocalRef::new(&ordered.order));
            status.refusal.clone_from(&ordered.refusal);
            vec![valid(), ordered.admitted(), not_admitted()]
        }
        Standing::Admitted { claim, reach, objection, engine, .. } => {
            status.claim_id = Some(claim.id.to_string());
            let told = match objection {
                None => valid(),
                Some(Objection::Invalid(rejection)) => rejected(rejection),
                Some(Objection::Ordered(ordered)) => {
                    status.order_ref = Some(LocalRef::new(&ordered.order));
                    status.refusal.clone_from(&ordered.refusal);
                    rejected(&ordered.objection())
                }
            };
            vec![told, granted(claim), walls(*reach, *engine)]
        }
        Standing::Ending { claim, waiting_for } => {
            let told = match waiting_for {
                Some(what) => finding(ready, no, Reason::Deleting, "Deleting", &parameters([("what", what.as_str())])),
                None => finding(ready, no, Reason::Quarantined, "ClosingPaused", &Parameters::new()),
            };
            vec![granted(claim), told]
        }
    };
    status.conditions = merged(&before.conditions, findings, generation, now);
    status
}

fn rejected(Rejection { reason, code, parameters }: &Rejection) -> Finding {
    finding(ConditionType::Accepted, ConditionStatus::False, *reason, code, parameters)
}

fn granted(claim: &Claim) -> Finding {
    let about = parameters([("claim", claim.id.to_string())]);
    finding(ConditionType::Admitted, ConditionStatus::True, Reason::Granted, "Granted", &about)
}

/// What another department has opened at its end is not looked at: the same is said whatever is there.
fn walls(reach: FlowReach, engine: Engine) -> Finding {
    let kind = ConditionType::Ready;
    match engine {
        Engine::Open if reach == FlowReach::CrossDepartment => {
            plain(kind, ConditionStatus::True, Reason::OpenAtThisEnd)
        }
        Engine::Open => plain(kind, ConditionStatus::True, Reason::Open),
        Engine::Unseen => plain(kind, ConditionStatus::Unknown, Reason::Undecided),
        Engine::Apart(gap) => {
            finding(kind, ConditionStatus::False, Reason::NotConnected, gap.code(), &Parameters::new())
        }
        Engine::Closed => plain(kind, ConditionStatus::False, Reason::Misconfigured),
        Engine::Paused => {
            finding(kind, ConditionStatus::False, Reason::Quarantined, "ClosingPaused", &Parameters::new())
        }
        Engine::Failed(code) => {
            let about = parameters([("problem", format!("NetworkPolicy {code}"))]);
            finding(kind, ConditionStatus::False, Reason::EngineError, "EngineError", &about)
        }
    }
}
