//! Information systems (信息系统): setting one up, and how it stands.

use jiyun_crds::v1alpha1::{ConditionStatus, ConditionType, InformationSystem, NetworkZone, condition::find};

use super::{
    App,
    create::create,
    department::{is_missing, named},
    noun::Noun,
    once::{self, Asked, Created},
};
use crate::{
    extract::DepartmentName,
    model::{SystemOrder, system::SystemState},
    problem::{Code, Fault, Problem},
    store::Caller,
};

impl Noun for InformationSystem {
    const LETTER: char = 's';

    fn state_word(&self) -> &'static str {
        system_state(self).into()
    }
}

/// How far the platform has come with `system`, in one word. A condition about an older generation says nothing.
pub fn system_state(system: &InformationSystem) -> SystemState {
    if system.metadata.deletion_timestamp.is_some() {
        return SystemState::Deleting;
    }
    let conditions = system.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = find(conditions, ConditionType::Ready)
        .filter(|condition| condition.observed_generation == system.metadata.generation);
    match ready {
        Some(condition) if condition.status == ConditionStatus::True.as_str() => SystemState::Ready,
        Some(condition) if condition.status == ConditionStatus::False.as_str() => SystemState::NotReady,
        _ => SystemState::Pending,
    }
}

impl App {
    /// Creates the system called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created.
    pub async fn order_system(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: SystemOrder,
        asked: &Asked,
    ) -> Result<Created<InformationSystem>, Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok(object) => Ok(Created { object, replayed: false }),
            Err(problem) => once::again(caller, department, name, asked, problem).await,
        }
    }
}

/// The zone first, with the caller's rights: a system in a zone that does not exist could never be used, and could never
/// be moved.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: SystemOrder,
    asked: &Asked,
) -> Result<InformationSystem, Problem> {
    match caller.find::<NetworkZone>(None, &order.zone).await {
        Ok(_) => {}
        Err(error) if error.is_invisible() => {
            if is_missing(caller, department).await {
                return Err(Problem::not_found(named(department)));
            }
            let about = [("kind", "NetworkZone"), ("name", &*order.zone)];
            let fault = Fault::new(Code::UnknownReference, "zone", about);
            return Err(Problem::of_body(vec![fault]).unwrap_or_else(|| Problem::bare(Code::Internal)));
        }
        Err(error) => return Err(Problem::from_kubernetes(error, format!("NetworkZone {}", order.zone))),
    }
    let mut object = order.into_object(department, name);
    once::mark(&mut object, asked);
    create(caller, department, name, &object, asked.run).await
}
