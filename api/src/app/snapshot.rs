//! Cloud snapshots (云快照): ordering them, and what fits where something is made from one. What was decided is read as
//! that of hosts is.

use jiyun_crds::v1alpha1::{
    self as crds, CloudHost, CloudHostSpec, CloudSnapshot, CloudVolume, CloudVolumeSpec, InformationSystem, Quantity,
    SnapshotSourceKind,
    misfit::{Kept, Misfit, host_from_snapshot_misfits, volume_from_snapshot_misfits},
};
use kube::ResourceExt;

use super::{
    App,
    create::create,
    host::{Wish, contradiction, system_there, there},
    once::{self, Asked, Created},
};
use crate::{
    extract::DepartmentName,
    model::SnapshotOrder,
    problem::{Code, Problem},
    store::{Caller, KubernetesError},
};

impl App {
    /// Creates the snapshot called `name` that `order` asks for, or finds the one an earlier request with the same key
    /// has created. Gives what a new one asks of the ledger, too.
    pub async fn order_snapshot(
        &self,
        caller: &Caller,
        department: &DepartmentName,
        name: &str,
        order: SnapshotOrder,
        asked: &Asked,
    ) -> Result<(Created<CloudSnapshot>, Option<Wish>), Problem> {
        order.validate(name)?;
        match place(caller, department, name, order, asked).await {
            Ok((object, wish)) => Ok((Created { object, replayed: false }, wish)),
            Err(problem) => Ok((once::again(caller, department, name, asked, problem).await?, None)),
        }
    }
}

/// Everything it names first, with the caller's rights, so that a wrong order leaves nothing behind.
async fn place(
    caller: &Caller,
    department: &DepartmentName,
    name: &str,
    order: SnapshotOrder,
    asked: &Asked,
) -> Result<(CloudSnapshot, Option<Wish>), Problem> {
    let namespace = department.namespace();
    let named = crds::SnapshotSource::from(order.source.clone());
    let (system, source) = tokio::join!(
        caller.find::<InformationSystem>(Some(&namespace), &order.system),
        Source::find(caller, &namespace, &named),
    );
    let mut faults = Vec::new();
    let system = system_there(caller, department, "system", &order.system, system, &mut faults).await?;
    let source = there("source.name", named.kind.as_str(), &named.name, source, &mut faults)?;
    let (system, source) = match (Problem::of_body(faults), system.zip(source)) {
        (None, Some(both)) => both,
        (Some(problem), _) => return Err(problem),
        (None, None) => return Err(Problem::bare(Code::Internal)),
    };
    let mut object = order.into_object(department, name);
    let faults = source.of_other_system(&object).map(contradiction).into_iter().collect();
    if let Some(problem) = Problem::of_body(faults) {
        return Err(problem);
    }
    let wish = Wish::of_snapshot(&object, &system, &source.disk());
    once::mark(&mut object, asked);
    Ok((create(caller, department, name, &object, asked.run).await?, wish))
}

/// What a snapshot is taken of.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A host, of which the system disk is taken.
    Host(Box<CloudHost>),
    /// A volume.
    Volume(Box<CloudVolume>),
}

impl Source {
    /// The object that is `named`, as the caller may see it.
    pub async fn find(caller: &Caller, namespace: &str, named: &crds::SnapshotSource) -> Result<Self, KubernetesError> {
        let (namespace, name) = (Some(namespace), named.name.as_str());
        match named.kind {
            SnapshotSourceKind::CloudHost => Ok(Self::Host(Box::new(caller.find(namespace, name).await?))),
            SnapshotSourceKind::CloudVolume => Ok(Self::Volume(Box::new(caller.find(namespace, name).await?))),
        }
    }

    /// Its disk: as it was granted, or as it is asked for where it was not.
    pub fn disk(&self) -> Disk {
        let (tier, asked, granted, pool) = match self {
            Self::Host(host) => {
                let (disk, status) = (&host.spec.system_disk, host.status.as_ref());
                let granted = status.and_then(|status| Some(&status.granted.as_ref()?.system_disk_size));
                (&disk.tier, &disk.size, granted, status.and_then(|status| status.storage_pool_ref.as_ref()))
            }
            Self::Volume(volume) => {
                let (spec, status) = (&volume.spec, volume.status.as_ref());
                let granted = status.and_then(|status| status.granted_size.as_ref());
                (&spec.tier, &spec.size, granted, status.and_then(|status| status.storage_pool_ref.as_ref()))
            }
        };
        Disk {
            tier: Some(tier.clone()),
            size: Some(granted.unwrap_or(asked).clone()),
            pool: pool.map(|pool| pool.name.clone()),
        }
    }

    /// That it is of another system than `snapshot`.
    fn of_other_system(&self, snapshot: &CloudSnapshot) -> Option<Misfit> {
        let (name, system) = match self {
            Self::Host(host) => (host.name_any(), &host.spec.system_ref.name),
            Self::Volume(volume) => (volume.name_any(), &volume.spec.system_ref.name),
        };
        let expected = &snapshot.spec.system_ref.name;
        (expected != system).then(|| Misfit {
            field: "spec.source.name",
            code: "SnapshotSourceInOtherSystem",
            parameters: vec![
                ("kind", snapshot.spec.source.kind.as_str().to_owned()),
                ("name", name),
                ("system", system.clone()),
                ("expected", expected.clone()),
            ],
        })
    }
}

/// The disk that a snapshot takes as much as.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Its storage tier, where that is known.
    pub tier: Option<String>,
    /// Its size, where that is known.
    pub size: Option<Quantity>,
    /// Name of the storage pool it lies in; none before it was granted.
    pub pool: Option<String>,
}

impl Disk {
    /// What a granted snapshot says of the disk it was taken of, which may be gone.
    pub fn kept_by(snapshot: &CloudSnapshot) -> Self {
        let status = snapshot.status.as_ref();
        let pool = status.and_then(|status| status.storage_pool_ref.as_ref());
        Self {
            tier: None,
            size: status.and_then(|status| status.granted_size.clone()),
            pool: pool.map(|pool| pool.name.clone()),
        }
    }
}

/// What does not fit where the host is made from `snapshot`. What the platform has not found out yet fits: it looks
/// again before it grants anything.
pub(super) fn host_misfits(host: &CloudHostSpec, snapshot: &CloudSnapshot) -> Vec<Misfit> {
    let is_of_host = snapshot.spec.source.kind == SnapshotSourceKind::CloudHost;
    let found = snapshot.status.as_ref().and_then(|status| status.image.as_deref());
    let image = is_of_host.then(|| found.unwrap_or(&host.image_ref.name));
    let size = least_size(snapshot);
    host_from_snapshot_misfits(host, kept(snapshot, &size, image)).collect()
}

/// The same of a volume.
pub(super) fn volume_misfits(volume: &CloudVolumeSpec, snapshot: &CloudSnapshot) -> Vec<Misfit> {
    let size = least_size(snapshot);
    volume_from_snapshot_misfits(volume, kept(snapshot, &size, None)).collect()
}

fn kept<'a>(snapshot: &'a CloudSnapshot, size: &'a Quantity, image: Option<&'a str>) -> Kept<'a> {
    let name = snapshot.metadata.name.as_deref().unwrap_or_default();
    Kept { name, system: &snapshot.spec.system_ref.name, size, image }
}

/// The least a disk made from it has; nothing before that is known.
fn least_size(snapshot: &CloudSnapshot) -> Quantity {
    let granted = snapshot.status.as_ref().and_then(|status| status.granted_size.clone());
    granted.unwrap_or_else(|| Quantity::from("0"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn snapshot(kind: &str, status: &Value) -> CloudSnapshot {
        serde_json::from_value(json!({
            "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot", "metadata": {"name": "daily"},
            "spec": {"systemRef": {"name": "portal"}, "source": {"kind": kind, "name": "x"}}, "status": status,
        }))
        .unwrap()
    }

    fn host(system: &str, image: &str, size: &str) -> CloudHostSpec {
        serde_json::from_value(json!({
            "systemRef": {"name": system}, "classRef": {"name": "c"}, "imageRef": {"name": image}, "zoneRef": {"name": "z"},
            "architecture": "amd64", "systemDisk": {"tier": "standard", "size": size},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_not_known_of_a_snapshot_yet_fits_and_what_it_is_of_does_not_wait() {
        let codes = |host: &CloudHostSpec, snapshot: &CloudSnapshot| -> Vec<&'static str> {
            host_misfits(host, snapshot).into_iter().map(|misfit| misfit.code).collect()
        };
        let fresh = snapshot("CloudHost", &json!({}));
        assert_eq!(codes(&host("portal", "euler", "20Gi"), &fresh), Vec::<&str>::new());
        assert_eq!(codes(&host("other", "euler", "20Gi"), &fresh), ["SnapshotInOtherSystem"]);
        let fresh = snapshot("CloudVolume", &json!({}));
        assert_eq!(codes(&host("portal", "euler", "20Gi"), &fresh), ["SnapshotOfVolume"]);
        let taken = snapshot("CloudHost", &json!({"grantedSize": "40Gi", "image": "kylin"}));
        let both = ["SnapshotOfOtherImage", "DiskSmallerThanSnapshot"];
        assert_eq!(codes(&host("portal", "euler", "20Gi"), &taken), both);
        assert_eq!(codes(&host("portal", "kylin", "40Gi"), &taken), Vec::<&str>::new());
    }
}
