//! Cloud volumes (云硬盘): ordering and changing them. What was decided is read as that of hosts is.

use futures::future::OptionFuture;
use jiyun_crds::v1alpha1::{
    CloudHost, CloudSnapshot, CloudVolume, InformationSystem, NetworkZone,
    misfit::{Misfit, volume_misfits},
};
use kube::ResourceExt;
use serde_json::{Map, Value};

use super::{
    App,
    create::create,
    host::{Wish, contradiction, system_there, there},
    once::{self, Asked, Created},
    snapshot,
    storage::wished,
};
use crate::{
    extract::{DepartmentName, ObjectPath, Version},
    model::VolumeOrder,
    problem::{Code, Problem},
    store::{Caller, Run},
};

impl App {
    /// Creates the volume called `name` that `order` asks for, or finds the one an earlier request with the same key has
    /// created. Gives what a new one asks of the ledger, too.
    pub async fn order_volume(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: VolumeOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudVolume>, Option<Wish>), Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }

    /// Merges `spec` into what a volume asks for, as [`App::change`]. Where that names a host, the volume as it would be is
    /// looked at first, so that a host it cannot be attached to leaves nothing behind. Gives what another size asks of the
    /// ledger, where nothing is meant.
    ///
    /// # Errors
    /// What the API server refuses, and a fault of the host.
    pub async fn change_volume(
        &self,
        caller: &Caller,
        path: &ObjectPath,
        spec: Map<String, Value>,
        version: Option<&Version>,
        run: Run,
    ) -> Result<(CloudVolume, Option<Wish>), Problem> {
        let is_resized = spec.contains_key("size");
        let changed = if spec.get("hostRef").is_some_and(|host| !host.is_null()) {
            let tried = self.change::<CloudVolume>(caller, path, spec.clone(), version, Run::Dry).await?;
            fits_its_host(caller, &path.department, &tried).await?;
            if run.is_dry() { tried } else { self.change::<CloudVolume>(caller, path, spec, version, run).await? }
        } else {
            self.change::<CloudVolume>(caller, path, spec, version, run).await?
        };
        let wish = if is_resized && run.is_dry() { wished(caller, &path.department, &changed).await? } else { None };
        Ok((changed, wish))
    }
}

/// Everything it names first, with the caller's rights, so that a wrong order leaves nothing behind.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: VolumeOrder,
    asked: &Asked,
) -> Result<(CloudVolume, Option<Wish>), Problem> {
    let namespace = department.namespace();
    let host = order.host.as_deref().map(|host| caller.find::<CloudHost>(Some(&namespace), host));
    let kept = order.snapshot.as_deref().map(|snapshot| caller.find::<CloudSnapshot>(Some(&namespace), snapshot));
    let (system, zone, kept, host) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), &order.system),
        caller.find::<NetworkZone>(None, &order.zone),
        OptionFuture::from(kept),
        OptionFuture::from(host),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", &order.system, system, &mut faults).await?;
    there("zone", "NetworkZone", &order.zone, zone, &mut faults)?;
    let kept = match order.snapshot.as_deref().zip(kept) {
        Some((name, found)) => there("snapshot", "CloudSnapshot", name, found, &mut faults)?,
        None => None,
    };
    let host = match order.host.as_deref().zip(host) {
        Some((name, found)) => there("host", "CloudHost", name, found, &mut faults)?,
        None => None,
    };
    let system = match (Problem::of_body(faults), system) {
        (None, Some(system)) => system,
        (Some(problem), _) => return Err(problem),
        (None, None) => return Err(Problem::bare(Code::Internal)),
    };
    let mut object = order.into_object(department, name);
    let apart = host.as_ref().and_then(|host| of_other_system(&object, host));
    let from = kept.map(|kept| snapshot::volume_misfits(&object.spec, &kept)).unwrap_or_default();
    let faults = volume_misfits(&object.spec, &system).chain(from).chain(apart).map(contradiction).collect();
    if let Some(problem) = Problem::of_body(faults) {
        return Err(problem);
    }
    let wish = Wish::of_volume(&object, &system);
    once::mark(&mut object, asked);
    Ok((create(caller, department, name, &object, asked.run).await?, wish))
}

/// Looks up the host that `volume` names.
///
/// # Errors
/// A fault of the host where it is not to be seen, or of another system.
async fn fits_its_host(caller: &Caller, department: &DepartmentName, volume: &CloudVolume) -> Result<(), Problem> {
    let Some(named) = &volume.spec.host_ref else { return Ok(()) };
    let found = caller.find::<CloudHost>(Some(&department.namespace()), &named.name).await;
    let mut faults = Vec::new();
    let host = there("host", "CloudHost", &named.name, found, &mut faults)?;
    faults.extend(host.and_then(|host| of_other_system(volume, &host)).map(contradiction));
    Problem::of_body(faults).map_or(Ok(()), Err)
}

/// That `host` is of another system than `volume`, which is to be attached to it.
fn of_other_system(volume: &CloudVolume, host: &CloudHost) -> Option<Misfit> {
    let (expected, system) = (&volume.spec.system_ref.name, &host.spec.system_ref.name);
    (expected != system).then(|| Misfit {
        field: "spec.hostRef.name",
        code: "HostInOtherSystem",
        parameters: vec![("host", host.name_any()), ("system", system.clone()), ("expected", expected.clone())],
    })
}
