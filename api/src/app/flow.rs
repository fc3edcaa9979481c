//! Network flows (网络互访): declaring one, and how it stands.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, InformationSystem, NetworkFlow, Reason, condition::find};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{
    App,
    create::create,
    host::system_there,
    noun::Noun,
    once::{self, Asked, Created},
};
use crate::{
    extract::DepartmentName,
    model::{FlowOrder, flow::FlowState},
    problem::Problem,
    store::Caller,
};

impl Noun for NetworkFlow {
    const LETTER: char = 'f';

    fn state_word(&self) -> &'static str {
        flow_state(self).into()
    }
}

/// How far the platform has come with `flow`, in one word. A condition about an older generation says nothing.
pub fn flow_state(flow: &NetworkFlow) -> FlowState {
    if flow.metadata.deletion_timestamp.is_some() {
        return FlowState::Deleting;
    }
    let conditions = flow.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let current =
        |kind| find(conditions, kind).filter(|condition| condition.observed_generation == flow.metadata.generation);
    let is = |condition: &Condition, status: ConditionStatus| condition.status == status.as_str();
    let yes = |kind| current(kind).is_some_and(|condition| is(condition, ConditionStatus::True));
    let no = |kind| current(kind).filter(|condition| is(condition, ConditionStatus::False));
    // What was granted before stays open after an edit nobody agrees to.
    if yes(ConditionType::Admitted) {
        return if yes(ConditionType::Ready) { FlowState::Open } else { FlowState::Granted };
    }
    let undecided = [Reason::Undecided, Reason::Quarantined].map(Reason::as_str);
    let decided_against = no(ConditionType::Admitted).is_some_and(|it| !undecided.contains(&it.reason.as_str()));
    if no(ConditionType::Accepted).is_some() || decided_against { FlowState::Refused } else { FlowState::Pending }
}

impl App {
    /// Creates the flow called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created.
    pub async fn order_flow(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: FlowOrder,
        asked: &Asked,
    ) -> Result<Created<NetworkFlow>, Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok(object) => Ok(Created { object, replayed: false }),
            Err(problem) => once::again(caller, department, name, asked, problem).await,
        }
    }
}

/// The systems of its own department first, with the caller's rights, so that a wrong wish leaves nothing behind. What is
/// another department's is not looked up.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: FlowOrder,
    asked: &Asked,
) -> Result<NetworkFlow, Problem> {
    let other = order.peer.system.as_ref().map(|peer| ("peer.system.name", peer.name.as_str()));
    let other = other.filter(|(_, name)| *name != order.system);
    let mut faults = Vec::new();
    for (field, system) in [("system", order.system.as_str())].into_iter().chain(other) {
        let found = caller.find::<InformationSystem>(Some(&department.namespace()), system).await;
        system_there(caller, department, field, system, found, &mut faults).await?;
    }
    if let Some(problem) = Problem::of_body(faults) {
        return Err(problem);
    }
    let mut object = order.into_object(department, name);
    once::mark(&mut object, asked);
    create(caller, department, name, &object, asked.run).await
}
