//! Creating an object in the caller's name: the object is the request.

use super::{
    department::{is_missing, named},
    noun::{Noun, called},
};
use crate::{
    extract::DepartmentName,
    problem::{Code, Problem},
    store::{Caller, KubernetesError, Run},
};

/// The admission policy that says who may decide (`charts/jiyun/templates/admission-approvals.yaml`).
const APPROVALS: &str = "'jiyun-approvals'";

/// Creates `object`, whose department and name are `department` and `name`.
pub(super) async fn create<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    object: &K,
    run: Run,
) -> Result<K, Problem> {
    let what = called::<K>(department, name);
    let error = match caller.create(Some(&department.namespace()), object, run).await {
        Ok(created) => return Ok(created),
        Err(error) => error,
    };
    Err(match error {
        KubernetesError::Invalid(ref status) if status.message.contains(APPROVALS) => {
            Problem::from_kubernetes(error, what).recoded(Code::MayNotApprove)
        }
        KubernetesError::Forbidden(_) => forbidden::<K>(caller, department, name, error).await,
        KubernetesError::NotFound(_) => Problem::from_kubernetes(error, named(department)),
        // A call that was cut off may have arrived.
        KubernetesError::TimedOut { .. } | KubernetesError::Unreachable { .. } | KubernetesError::Decode { .. }
            if !run.is_dry() =>
        {
            Problem::new(Code::OutcomeUnknown, [("what", what)]).because(error)
        }
        error => Problem::from_kubernetes(error, what),
    })
}

/// Whoever may look but not order is told so; to everybody else there is no such department.
async fn forbidden<K: Noun>(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    error: KubernetesError,
) -> Problem {
    let seen = caller.find::<K>(Some(&department.namespace()), name).await;
    if matches!(seen, Err(KubernetesError::Forbidden(_))) || is_missing(caller, department).await {
        return Problem::not_found(named(department)).because(error);
    }
    Problem::new(Code::Forbidden, [("what", named(department))]).because(error)
}
