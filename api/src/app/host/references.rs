//! What orders of hosts name: looked up once for a request, however many of its hosts name it, in parallel and with the
//! caller's own rights. Whoever means it may have been shown it a moment ago; a preview looks at everything anew.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join_all, try_join_all};
use jiyun_crds::v1alpha1::{CloudHost, CloudSnapshot, HostClass, HostImage, InformationSystem, NetworkZone};
use k8s_openapi::api::core::v1::Secret;
use kube::Resource;
use serde::de::DeserializeOwned;

use super::{is_missing, named};
use crate::{
    extract::DepartmentName,
    model::HostOrder,
    problem::{Code, Fault, Problem},
    store::{Caller, KubernetesError, Run},
};

/// Objects by name; none where there is nothing to be seen.
type Seen<K> = BTreeMap<String, Option<K>>;

/// What some orders name.
pub(in crate::app) struct References {
    systems: Seen<InformationSystem>,
    classes: Seen<HostClass>,
    images: Seen<HostImage>,
    zones: Seen<NetworkZone>,
    snapshots: Seen<CloudSnapshot>,
    secrets: Seen<Secret>,
}

/// What an order names and has to fit.
pub(super) struct Named<'a> {
    pub system: &'a InformationSystem,
    pub class: &'a HostClass,
    pub image: &'a HostImage,
    /// The snapshot the system disk is made from.
    pub snapshot: Option<&'a CloudSnapshot>,
    /// The Secret its user data is in.
    pub user_data: Option<&'a Secret>,
}

impl References {
    /// Looks up what `orders` name.
    ///
    /// # Errors
    /// When something cannot be looked up, or the caller may not look at the department.
    pub async fn of(
        caller: &Caller,
        department: &DepartmentName,
        orders: impl IntoIterator<Item = &HostOrder> + Clone,
        run: Run,
    ) -> Result<Self, Problem> {
        let names =
            |field: fn(&HostOrder) -> &str| -> BTreeSet<&str> { orders.clone().into_iter().map(field).collect() };
        let snapshots = orders.clone().into_iter().filter_map(|order| order.snapshot.as_deref()).collect();
        let secrets = orders.clone().into_iter().filter_map(|order| order.user_data_secret.as_deref()).collect();
        let home = department.namespace();
        let (systems, classes, images, zones, snapshots, secrets) = tokio::join!(
            systems(caller, department, names(|order| &order.system), run),
            seen(caller, None, "HostClass", names(|order| &order.class), run),
            seen(caller, None, "HostImage", names(|order| &order.image), run),
            seen(caller, None, "NetworkZone", names(|order| &order.zone), run),
            kept(caller, department, snapshots),
            // Made just before they are named, as snapshots are.
            seen(caller, Some(&home), "Secret", secrets, Run::Dry),
        );
        let (zones, snapshots, secrets) = (zones?, snapshots?, secrets?);
        Ok(Self { systems: systems?, classes: classes?, images: images?, zones, snapshots, secrets })
    }

    /// Looks up what a host that is there names, but for its zone, in which it lies, its user data, which a change does not
    /// touch, and the snapshot its disk began with, once it was granted.
    ///
    /// # Errors
    /// As [`References::of`].
    pub async fn of_host(caller: &Caller, department: &DepartmentName, host: &CloudHost) -> Result<Self, Problem> {
        let spec = &host.spec;
        // What a change asks for was edited by people a moment ago at the most: nothing of it is remembered.
        let run = Run::Dry;
        let is_granted = host.status.as_ref().is_some_and(|status| status.claim_id.is_some());
        let snapshot =
            spec.snapshot_ref.iter().filter(|_| !is_granted).map(|snapshot| snapshot.name.as_str()).collect();
        let (systems, classes, images, snapshots) = tokio::join!(
            systems(caller, department, [spec.system_ref.name.as_str()].into(), run),
            seen(caller, None, "HostClass", [spec.class_ref.name.as_str()].into(), run),
            seen(caller, None, "HostImage", [spec.image_ref.name.as_str()].into(), run),
            kept(caller, department, snapshot),
        );
        let (zones, secrets) = (Seen::new(), Seen::new());
        Ok(Self { systems: systems?, classes: classes?, images: images?, zones, snapshots: snapshots?, secrets })
    }

    /// That the system called `name`, which `field` names, is among them.
    ///
    /// # Errors
    /// A fault of `field` where it is not.
    pub fn has_system(&self, field: &str, name: &str) -> Result<(), Problem> {
        let mut faults = Vec::new();
        pick(&self.systems, field, "InformationSystem", name, &mut faults);
        Problem::of_body(faults).map_or(Ok(()), Err)
    }

    /// What `order`, one of those these are of, names.
    ///
    /// # Errors
    /// A fault of each field whose object is not to be seen.
    pub(super) fn named_by(&self, order: &HostOrder) -> Result<Named<'_>, Problem> {
        let mut faults = Vec::new();
        pick(&self.zones, "zone", "NetworkZone", &order.zone, &mut faults);
        let snapshot = order.snapshot.as_deref();
        let snapshot = snapshot.and_then(|name| pick(&self.snapshots, "snapshot", "CloudSnapshot", name, &mut faults));
        let user_data = order.user_data_secret.as_deref();
        let user_data = user_data.and_then(|name| pick(&self.secrets, "userDataSecret", "Secret", name, &mut faults));
        let named = self.named(&order.system, &order.class, &order.image, faults)?;
        Ok(Named { snapshot, user_data, ..named })
    }

    /// What a host, the one these are of, names. Its snapshot may be gone, which is told elsewhere.
    ///
    /// # Errors
    /// A fault of each other field whose object is not to be seen.
    pub(super) fn named_by_host(&self, host: &CloudHost) -> Result<Named<'_>, Problem> {
        let spec = &host.spec;
        let named = self.named(&spec.system_ref.name, &spec.class_ref.name, &spec.image_ref.name, Vec::new())?;
        let snapshot = spec.snapshot_ref.as_ref().and_then(|snapshot| self.snapshots.get(&snapshot.name)?.as_ref());
        Ok(Named { snapshot, ..named })
    }

    fn named(&self, system: &str, class: &str, image: &str, others: Vec<Fault>) -> Result<Named<'_>, Problem> {
        let mut faults = Vec::new();
        let system = pick(&self.systems, "system", "InformationSystem", system, &mut faults);
        let class = pick(&self.classes, "class", "HostClass", class, &mut faults);
        let image = pick(&self.images, "image", "HostImage", image, &mut faults);
        faults.extend(others);
        match (Problem::of_body(faults), system, class, image) {
            (None, Some(system), Some(class), Some(image)) => {
                Ok(Named { system, class, image, snapshot: None, user_data: None })
            }
            (Some(problem), ..) => Err(problem),
            (None, ..) => Err(Problem::bare(Code::Internal)),
        }
    }
}

fn pick<'a, K>(seen: &'a Seen<K>, field: &str, kind: &str, name: &str, faults: &mut Vec<Fault>) -> Option<&'a K> {
    let found = seen.get(name).and_then(Option::as_ref);
    if found.is_none() {
        faults.push(unknown(field, kind, name));
    }
    found
}

/// One object that is named.
async fn look<K>(caller: &Caller, namespace: Option<&str>, name: &str, run: Run) -> Result<K, KubernetesError>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    if run.is_dry() { caller.find(namespace, name).await } else { caller.recall(namespace, name).await }
}

/// Objects of a namespace, or of the whole platform.
async fn seen<K>(
    caller: &Caller,
    namespace: Option<&str>,
    kind: &str,
    names: BTreeSet<&str>,
    run: Run,
) -> Result<Seen<K>, Problem>
where
    K: Resource<DynamicType = ()> + DeserializeOwned,
{
    let one = |name: String| async move {
        let found = visible(kind, &name, look::<K>(caller, namespace, &name, run).await)?;
        Ok((name, found))
    };
    Ok(try_join_all(names.into_iter().map(str::to_owned).map(one)).await?.into_iter().collect())
}

/// Snapshots of the department. They are taken just before they are named: nothing of them is remembered.
async fn kept(
    caller: &Caller,
    department: &DepartmentName,
    names: BTreeSet<&str>,
) -> Result<Seen<CloudSnapshot>, Problem> {
    seen(caller, Some(&department.namespace()), "CloudSnapshot", names, Run::Dry).await
}

async fn systems(
    caller: &Caller,
    department: &DepartmentName,
    names: BTreeSet<&str>,
    run: Run,
) -> Result<Seen<InformationSystem>, Problem> {
    let namespace = department.namespace();
    let one = |name: &str| {
        let (name, namespace) = (name.to_owned(), namespace.as_str());
        async move {
            let found = look::<InformationSystem>(caller, Some(namespace), &name, run).await;
            (name, found)
        }
    };
    let mut seen = Seen::new();
    for (name, found) in join_all(names.into_iter().map(one)).await {
        let found = system_seen(caller, department, &name, found).await?;
        seen.insert(name, found);
    }
    Ok(seen)
}

/// The department's own system that was looked up. Whoever may not look at the department is told what they would be told if
/// it were not there.
async fn system_seen(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    found: Result<InformationSystem, KubernetesError>,
) -> Result<Option<InformationSystem>, Problem> {
    if let Err(error @ KubernetesError::Forbidden(_)) = found {
        return Err(Problem::from_kubernetes(error, named(department)));
    }
    let system = visible("InformationSystem", name, found)?;
    // Whoever may look everywhere finds no system in a department that does not exist either.
    if system.is_none() && is_missing(caller, department).await {
        return Err(Problem::not_found(named(department)));
    }
    Ok(system)
}

/// The department's own system that was looked up; a fault of `field` if there is none of this name.
///
/// # Errors
/// As where the department were not there, for whoever may not look at it.
pub(in crate::app) async fn system_there(
    caller: &Caller,
    department: &DepartmentName,
    field: &str,
    name: &str,
    found: Result<InformationSystem, KubernetesError>,
    faults: &mut Vec<Fault>,
) -> Result<Option<InformationSystem>, Problem> {
    let system = system_seen(caller, department, name, found).await?;
    if system.is_none() {
        faults.push(unknown(field, "InformationSystem", name));
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
    let found = visible(kind, name, found)?;
    if found.is_none() {
        faults.push(unknown(field, kind, name));
    }
    Ok(found)
}

/// What was found; nothing where the caller is not to know whether it is there.
fn visible<K>(kind: &str, name: &str, found: Result<K, KubernetesError>) -> Result<Option<K>, Problem> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_invisible() => Ok(None),
        Err(error) => Err(Problem::from_kubernetes(error, format!("{kind} {name}"))),
    }
}

fn unknown(field: &str, kind: &str, name: &str) -> Fault {
    Fault::new(Code::UnknownReference, field, [("kind", kind), ("name", name)])
}
