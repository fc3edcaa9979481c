//! Ordering a host: first everything it names is looked up, so that a wrong order leaves nothing behind; then the
//! object is created, which is the request.

use std::fmt::Debug;

use jiyun_crds::v1alpha1::{CloudHost, HostClass, HostImage, InformationSystem, NetworkZone};
use kube::Resource;
use serde::de::DeserializeOwned;

use super::{called, is_missing, named};
use crate::{
    app::App,
    extract::DepartmentName,
    model::HostOrder,
    problem::{Code, Fault, Problem},
    store::{Caller, KubernetesError},
};

impl App {
    /// Creates the host that `order` asks for.
    pub async fn order_host(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        order: HostOrder,
    ) -> Result<CloudHost, Problem> {
        order.validate()?;
        check_references(caller, department, &order).await?;
        let what = called(department, &order.name);
        let object = order.into_object(department);
        let created = caller.create(object.metadata.namespace.as_deref(), &object).await;
        created.map_err(|error| match error {
            // The system was seen a moment ago, so the department is no secret; ordering is what is not allowed.
            KubernetesError::Forbidden(_) => {
                Problem::new(Code::Forbidden, [("what", named(department))]).because(error)
            }
            KubernetesError::NotFound(_) => Problem::from_kubernetes(error, named(department)),
            // The server answered a moment ago. A call cut off now may have arrived.
            KubernetesError::TimedOut { .. } | KubernetesError::Unreachable { .. } | KubernetesError::Decode { .. } => {
                Problem::new(Code::OutcomeUnknown, [("what", what)]).because(error)
            }
            error => Problem::from_kubernetes(error, what),
        })
    }
}

/// Looks up what the order names, in parallel and with the caller's own rights.
async fn check_references(caller: &Caller, department: &DepartmentName, order: &HostOrder) -> Result<(), Problem> {
    let namespace = department.namespace();
    let (system, class, image, zone) = tokio::join!(
        look_up::<InformationSystem>(caller, Some(&namespace), &order.system),
        look_up::<HostClass>(caller, None, &order.class),
        look_up::<HostImage>(caller, None, &order.image),
        look_up::<NetworkZone>(caller, None, &order.zone),
    );
    if let Err(error @ KubernetesError::Forbidden(_)) = system {
        return Err(Problem::from_kubernetes(error, named(department)));
    }
    let system_is_missing = matches!(system, Err(KubernetesError::NotFound(_)));
    let looked_up = [
        ("system", "InformationSystem", &order.system, system),
        ("class", "HostClass", &order.class, class),
        ("image", "HostImage", &order.image, image),
        ("zone", "NetworkZone", &order.zone, zone),
    ];
    let mut faults = Vec::new();
    for (field, kind, name, found) in looked_up {
        match found {
            Ok(()) => {}
            Err(error) if error.is_invisible() => faults.push(unknown(field, kind, name)),
            Err(error) => return Err(Problem::from_kubernetes(error, format!("{kind} {name}"))),
        }
    }
    // Whoever may look everywhere finds no system in a department that does not exist either.
    if system_is_missing && is_missing(caller, department).await {
        return Err(Problem::not_found(named(department)));
    }
    Problem::of_body(faults).map_or(Ok(()), Err)
}

async fn look_up<K>(caller: &Caller, namespace: Option<&str>, name: &str) -> Result<(), KubernetesError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned + Debug,
{
    caller.find::<K>(namespace, name).await.map(drop)
}

fn unknown(field: &str, kind: &str, name: &str) -> Fault {
    Fault::new(Code::UnknownReference, field, [("kind", kind), ("name", name)])
}
