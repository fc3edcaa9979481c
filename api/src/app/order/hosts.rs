//! Hosts that are created together with their order: all of them, or none.

use jiyun_crds::{
    names::{ANNOTATION_ORDER, ANNOTATION_REQUEST_DIGEST},
    v1alpha1::CloudHost,
};
use kube::ResourceExt;

use crate::{
    app::{
        create::create,
        host::{self, References, Wish},
        noun::called,
        once::{self, Asked},
    },
    extract::DepartmentName,
    model::{HostOrder, OrderFiling, order_filing::place},
    problem::{Code, Problem},
    store::{Caller, KubernetesError, Run},
};

/// A host that is to be created.
pub(super) struct Draft {
    /// Where it is in the body.
    place: String,
    host: CloudHost,
    /// What it asks of the ledger.
    pub wish: Option<Wish>,
}

/// A host that was created by this very request.
pub(super) struct Made {
    namespace: String,
    name: String,
    uid: String,
}

/// The hosts of `filing` as they are to be created for the order called `order`: checked against all they name, with
/// nothing written.
pub(super) async fn drafted(
    caller: &Caller,
    department: &DepartmentName,
    order: &str,
    filing: &OrderFiling,
    names: &[String],
    asked: &Asked,
) -> Result<Vec<Draft>, Problem> {
    let hosts = || {
        let items = filing.items.iter().zip(names).enumerate();
        items.filter_map(|(index, (item, name))| Some((format!("{}.host", place(index)), item.host.as_deref()?, name)))
    };
    for (place, body, name) in hosts() {
        body.validate(name).map_err(|problem| within(&place, problem))?;
    }
    let bodies: Vec<&HostOrder> = hosts().map(|(_, body, _)| body).collect();
    let references = References::of(caller, department, bodies, asked.run).await?;
    references.has_system("system", &filing.system)?;
    let mut drafts = Vec::new();
    for (place, body, name) in hosts() {
        let drafted = host::drafted(department, name, body.clone(), &references);
        let host::Draft { mut host, wish } = drafted.map_err(|problem| within(&place, problem))?;
        once::mark_always(&mut host, asked);
        host.annotations_mut().insert(ANNOTATION_ORDER.to_owned(), order.to_owned());
        drafts.push(Draft { place, host, wish });
    }
    Ok(drafts)
}

/// Creates the hosts, one after the other, and notes in `made` which of them are new. Where one cannot be, those stay for the
/// caller to take back; where nobody knows whether one was, they stay for good: the same request completes them, and without
/// their order they do nothing.
pub(super) async fn create_all(
    caller: &Caller,
    department: &DepartmentName,
    drafts: Vec<Draft>,
    asked: &Asked,
    made: &mut Vec<Made>,
) -> Result<(), Problem> {
    for Draft { place, host, .. } in drafts {
        let name = host.name_any();
        let problem = match create(caller, department, &name, &host, asked.run).await {
            Ok(created) => {
                if asked.run == Run::Real {
                    let uid = created.uid().unwrap_or_default();
                    made.push(Made { namespace: department.namespace(), name, uid });
                }
                continue;
            }
            Err(problem) if problem.is(Code::AlreadyExists) => {
                match of_this_request(caller, department, &host, problem).await {
                    Ok(()) => continue,
                    Err(problem) => problem,
                }
            }
            Err(problem) => problem,
        };
        return Err(if problem.is(Code::OutcomeUnknown) { problem } else { within(&place, problem) });
    }
    Ok(())
}

/// Whether an earlier try of the same request has created `wanted`; the problem if not.
async fn of_this_request(
    caller: &Caller,
    department: &DepartmentName,
    wanted: &CloudHost,
    problem: Problem,
) -> Result<(), Problem> {
    let name = wanted.name_any();
    let Ok(found) = caller.get::<CloudHost>(Some(&department.namespace()), &name).await else { return Err(problem) };
    let same = |key: &str| found.annotations().get(key) == wanted.annotations().get(key);
    if !same(ANNOTATION_REQUEST_DIGEST) || !same(ANNOTATION_ORDER) {
        return Err(problem);
    }
    if found.metadata.deletion_timestamp.is_some() {
        return Err(Problem::new(Code::BeingDeleted, [("what", called::<CloudHost>(department, &name))]));
    }
    Ok(())
}

/// Deletes what this request has made, each by its UID; gives the problem that led here. What cannot be deleted is named
/// in it.
pub(super) async fn take_back(caller: &Caller, made: Vec<Made>, mut problem: Problem) -> Problem {
    let mut left = Vec::new();
    for Made { namespace, name, uid } in made {
        match caller.delete_this::<CloudHost>(Some(&namespace), &name, &uid).await {
            Ok(()) | Err(KubernetesError::NotFound(_) | KubernetesError::Conflict(_)) => {}
            Err(error) => {
                tracing::warn!(namespace, name, %error, "a host of an order that was not filed stays behind");
                left.push(name);
            }
        }
    }
    if !left.is_empty() {
        problem.fault.parameters.insert("left".to_owned(), left.join(", "));
    }
    problem
}

/// A problem of one host, told of its place in the body, where it is about the host.
fn within(place: &str, problem: Problem) -> Problem {
    let is_about_it = matches!(problem.status, http::StatusCode::CONFLICT | http::StatusCode::UNPROCESSABLE_ENTITY);
    if is_about_it { problem.within(place) } else { problem }
}
