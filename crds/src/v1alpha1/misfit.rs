//! Whether a host, a database, a volume, a bucket or a snapshot and what it names fit together: the same answer at the API, before anything is
//! created, and at the controller, which sees what came by kubectl.

use super::{
    Architecture, CloudBucketSpec, CloudDatabaseSpec, CloudHostSpec, CloudVolumeSpec, DatabaseClass, HostClass,
    HostImage, ImageLifecycle, InformationSystem, LocalRef, Quantity,
};

/// Two things that each exist and do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field to mend, e.g. `spec.imageRef.name`.
    pub field: &'static str,
    /// Code of its sentence: `SystemInOtherZone`, `ArchitectureNotOffered`, `ImageArchitectureDiffers`,
    /// `DiskSmallerThanImage`, of [`retired`] `ImageRetired` and `ImageReplaced`, `EngineNotOffered`, `VersionNotOffered`; where something is made from a snapshot,
    /// `SnapshotInOtherSystem`, `SnapshotOfVolume`, `SnapshotOfOtherImage`, `DiskSmallerThanSnapshot`; those of [`super::user_data`]; or, where a volume's host
    /// is looked at, `HostInOtherSystem`.
    pub code: &'static str,
    /// What the sentence is about, the field left out.
    pub parameters: Vec<(&'static str, String)>,
}

/// Everything that does not fit, in the order a form is filled in. Sizes that cannot be read fit: they are told elsewhere.
pub fn misfits(
    host: &CloudHostSpec,
    system: &InformationSystem,
    class: &HostClass,
    image: &HostImage,
) -> impl Iterator<Item = Misfit> {
    let all = [
        zone(&host.zone_ref, &host.system_ref, system),
        offered(host.architecture, &host.class_ref, &class.spec.architectures),
        same_architecture(host, image),
        large_enough(host, image),
    ];
    all.into_iter().flatten()
}

/// Whether a new host may be made from `image`: not from one that was retired, unless its disk is made from a snapshot. Asked of
/// hosts that were not granted alone.
pub fn retired(host: &CloudHostSpec, image: &HostImage) -> Option<Misfit> {
    let is_retired = image.spec.lifecycle == ImageLifecycle::Retired && host.snapshot_ref.is_none();
    let replacement = image.spec.replaced_by.as_ref().map(|other| ("replacement", other.name.clone()));
    is_retired.then(|| Misfit {
        field: "spec.imageRef.name",
        code: if replacement.is_some() { "ImageReplaced" } else { "ImageRetired" },
        parameters: [("image", host.image_ref.name.clone())].into_iter().chain(replacement).collect(),
    })
}

/// The same of a database.
pub fn database_misfits(
    database: &CloudDatabaseSpec,
    system: &InformationSystem,
    class: &DatabaseClass,
) -> impl Iterator<Item = Misfit> {
    let all = [
        zone(&database.zone_ref, &database.system_ref, system),
        offered(database.architecture, &database.class_ref, &class.spec.architectures),
        same_engine(database, class),
        offered_version(database, class),
    ];
    all.into_iter().flatten()
}

/// The same of a volume.
pub fn volume_misfits(volume: &CloudVolumeSpec, system: &InformationSystem) -> impl Iterator<Item = Misfit> {
    zone(&volume.zone_ref, &volume.system_ref, system).into_iter()
}

/// The same of a bucket.
pub fn bucket_misfits(bucket: &CloudBucketSpec, system: &InformationSystem) -> impl Iterator<Item = Misfit> {
    zone(&bucket.zone_ref, &bucket.system_ref, system).into_iter()
}

/// A snapshot, as far as it matters to what is made from it.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// Its name.
    pub name: &'a str,
    /// The information system it is of.
    pub system: &'a str,
    /// The least a disk made from it has.
    pub size: &'a Quantity,
    /// Of a host: the image that one was made from.
    pub image: Option<&'a str>,
}

/// What does not fit where a host is made from a snapshot.
pub fn host_from_snapshot_misfits(host: &CloudHostSpec, kept: Kept<'_>) -> impl Iterator<Item = Misfit> {
    let named = || vec![("snapshot", kept.name.to_owned())];
    let of_host = kept.image.is_none().then(|| Misfit {
        field: "spec.snapshotRef.name",
        code: "SnapshotOfVolume",
        parameters: named(),
    });
    let image = kept.image.filter(|image| *image != host.image_ref.name).map(|image| Misfit {
        field: "spec.imageRef.name",
        code: "SnapshotOfOtherImage",
        parameters: [named(), vec![("image", host.image_ref.name.clone()), ("expected", image.to_owned())]].concat(),
    });
    let size = &host.system_disk.size;
    let all = [of_host, in_same_system(&host.system_ref, kept), image, as_large_as(kept, size, "spec.systemDisk.size")];
    all.into_iter().flatten()
}

/// What does not fit where a volume is made from a snapshot.
pub fn volume_from_snapshot_misfits(volume: &CloudVolumeSpec, kept: Kept<'_>) -> impl Iterator<Item = Misfit> {
    let all = [in_same_system(&volume.system_ref, kept), as_large_as(kept, &volume.size, "spec.size")];
    all.into_iter().flatten()
}

/// What one system holds does not come to another, which may be protected less.
fn in_same_system(system: &LocalRef, kept: Kept<'_>) -> Option<Misfit> {
    (system.name != kept.system).then(|| Misfit {
        field: "spec.snapshotRef.name",
        code: "SnapshotInOtherSystem",
        parameters: vec![
            ("snapshot", kept.name.to_owned()),
            ("system", kept.system.to_owned()),
            ("expected", system.name.clone()),
        ],
    })
}

fn as_large_as(kept: Kept<'_>, size: &Quantity, field: &'static str) -> Option<Misfit> {
    let is_small = kept.size.mebibytes().ok()? > size.mebibytes().ok()?;
    is_small.then(|| Misfit {
        field,
        code: "DiskSmallerThanSnapshot",
        parameters: vec![
            ("size", size.as_str().to_owned()),
            ("snapshot", kept.name.to_owned()),
            ("minimum", kept.size.as_str().to_owned()),
        ],
    })
}

fn zone(zone: &LocalRef, named: &LocalRef, system: &InformationSystem) -> Option<Misfit> {
    let (expected, zone) = (&system.spec.zone_ref.name, &zone.name);
    (expected != zone).then(|| Misfit {
        field: "spec.zoneRef.name",
        code: "SystemInOtherZone",
        parameters: vec![("system", named.name.clone()), ("expected", expected.clone()), ("zone", zone.clone())],
    })
}

fn offered(wanted: Architecture, class: &LocalRef, offered: &[Architecture]) -> Option<Misfit> {
    (!offered.contains(&wanted)).then(|| Misfit {
        field: "spec.architecture",
        code: "ArchitectureNotOffered",
        parameters: vec![
            ("class", class.name.clone()),
            ("architecture", wanted.as_str().to_owned()),
            ("offered", offered.iter().map(|offered| offered.as_str()).collect::<Vec<_>>().join(", ")),
        ],
    })
}

fn same_engine(database: &CloudDatabaseSpec, class: &DatabaseClass) -> Option<Misfit> {
    let (wanted, is) = (database.engine.kind, class.spec.engine);
    (wanted != is).then(|| Misfit {
        field: "spec.engine.kind",
        code: "EngineNotOffered",
        parameters: vec![
            ("class", database.class_ref.name.clone()),
            ("engine", wanted.as_str().to_owned()),
            ("offered", is.as_str().to_owned()),
        ],
    })
}

fn offered_version(database: &CloudDatabaseSpec, class: &DatabaseClass) -> Option<Misfit> {
    let (wanted, offered) = (&database.engine.version, &class.spec.versions);
    let is_offered = offered.iter().any(|offered| offered.version == *wanted);
    (!is_offered).then(|| Misfit {
        field: "spec.engine.version",
        code: "VersionNotOffered",
        parameters: vec![
            ("class", database.class_ref.name.clone()),
            ("version", wanted.clone()),
            ("offered", offered.iter().map(|offered| offered.version.as_str()).collect::<Vec<_>>().join(", ")),
        ],
    })
}

fn same_architecture(host: &CloudHostSpec, image: &HostImage) -> Option<Misfit> {
    let (wanted, is) = (host.architecture, image.spec.architecture);
    (wanted != is).then(|| Misfit {
        field: "spec.imageRef.name",
        code: "ImageArchitectureDiffers",
        parameters: vec![
            ("image", host.image_ref.name.clone()),
            ("offered", is.as_str().to_owned()),
            ("architecture", wanted.as_str().to_owned()),
        ],
    })
}

fn large_enough(host: &CloudHostSpec, image: &HostImage) -> Option<Misfit> {
    let (size, minimum) = (&host.system_disk.size, &image.spec.min_disk);
    let is_small = minimum.mebibytes().ok()? > size.mebibytes().ok()?;
    is_small.then(|| Misfit {
        field: "spec.systemDisk.size",
        code: "DiskSmallerThanImage",
        parameters: vec![
            ("size", size.as_str().to_owned()),
            ("image", host.image_ref.name.clone()),
            ("minimum", minimum.as_str().to_owned()),
        ],
    })
}
