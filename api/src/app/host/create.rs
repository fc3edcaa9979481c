//! Ordering a host: first everything it names is looked up, so that a wrong order leaves nothing behind; then the
//! object is created, which is the request.

use jiyun_crds::v1alpha1::{
    CloudHost, HostClass, HostImage, InformationSystem, NetworkZone,
    misfit::{Misfit, misfits},
};

use super::{Wish, is_missing, named};
use crate::{
    app::{
        App,
        create::create,
        once::{self, Asked, Created},
    },
    extract::DepartmentName,
    model::HostOrder,
    problem::{Code, Fault, Problem, our_field},
    store::{Caller, KubernetesError},
};

impl App {
    /// Creates the host called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created. Gives what a new one asks of the ledger, too.
    pub async fn order_host(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: HostOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudHost>, Option<Wish>), Problem> {
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }
}

async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: HostOrder,
    asked: &Asked,
) -> Result<(CloudHost, Option<Wish>), Problem> {
    let Draft { mut host, wish } = drafted(caller, department, name, order).await?;
    once::mark(&mut host, asked);
    Ok((create(caller, department, name, &host, asked.run).await?, wish))
}

/// A host that is to be created.
pub(in crate::app) struct Draft {
    /// As it is to be.
    pub host: CloudHost,
    /// What it asks of the ledger.
    pub wish: Option<Wish>,
}

/// The host called `name` that `order` asks for, checked against all it names; nothing is written.
pub(in crate::app) async fn drafted(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: HostOrder,
) -> Result<Draft, Problem> {
    order.validate(name)?;
    let NamedByIt { system, class, image } = check_references(caller, department, &order).await?;
    let host = order.into_object(department, name);
    let faults = misfits(&host.spec, &system, &class, &image).map(contradiction).collect();
    let wish = Wish::new(&host, &system, &class);
    Problem::of_body(faults).map_or(Ok(Draft { host, wish }), Err)
}

/// What an order names and has to fit.
struct NamedByIt {
    system: InformationSystem,
    class: HostClass,
    image: HostImage,
}

fn contradiction(misfit: Misfit) -> Fault {
    let field = our_field(misfit.field).unwrap_or_default();
    let about = misfit.parameters.into_iter().chain([("field", field.clone())]);
    Fault { field: Some(field), code: misfit.code.into(), parameters: jiyun_messages::parameters(about) }
}

/// Looks up what the order names, in parallel and with the caller's own rights.
async fn check_references(
    caller: &Caller,
    department: &DepartmentName,
    order: &HostOrder,
) -> Result<NamedByIt, Problem> {
    let namespace = department.namespace();
    let (system, class, image, zone) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), &order.system),
        caller.find::<HostClass>(None, &order.class),
        caller.find::<HostImage>(None, &order.image),
        caller.find::<NetworkZone>(None, &order.zone),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", &order.system, system, &mut faults).await?;
    let class = there("class", "HostClass", &order.class, class, &mut faults)?;
    let image = there("image", "HostImage", &order.image, image, &mut faults)?;
    there("zone", "NetworkZone", &order.zone, zone, &mut faults)?;
    match (Problem::of_body(faults), system, class, image) {
        (None, Some(system), Some(class), Some(image)) => Ok(NamedByIt { system, class, image }),
        (Some(problem), ..) => Err(problem),
        (None, ..) => Err(Problem::bare(Code::Internal)),
    }
}

/// The department's own system that was looked up; a fault of `field` if there is none of this name. Whoever may not look at
/// the department is told what they would be told if it were not there.
pub(in crate::app) async fn system_there(
    caller: &Caller,
    department: &DepartmentName,
    field: &str,
    name: &str,
    found: Result<InformationSystem, KubernetesError>,
    faults: &mut Vec<Fault>,
) -> Result<Option<InformationSystem>, Problem> {
    if let Err(error @ KubernetesError::Forbidden(_)) = found {
        return Err(Problem::from_kubernetes(error, named(department)));
    }
    let system = there(field, "InformationSystem", name, found, faults)?;
    // Whoever may look everywhere finds no system in a department that does not exist either.
    if system.is_none() && is_missing(caller, department).await {
        return Err(Problem::not_found(named(department)));
    }
    Ok(system)
}

/// What was found; a fault of `field` if there is nothing to be seen.
pub(in crate::app) fn there<K>(
    field: &str,
    kind: &str,
    name: &str,
    found: Result<K, KubernetesError>,
    faults: &mut Vec<Fault>,
) -> Result<Option<K>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_invisible() => {
            faults.push(unknown(field, kind, name));
            Ok(None)
        }
        Err(error) => Err(Problem::from_kubernetes(error, format!("{kind} {name}"))),
    }
}

fn unknown(field: &str, kind: &str, name: &str) -> Fault {
    Fault::new(Code::UnknownReference, field, [("kind", kind), ("name", name)])
}
