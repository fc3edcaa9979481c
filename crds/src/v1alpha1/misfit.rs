//! Whether a host and what it names fit together: the same answer at the API, before anything is created, and at the
//! controller, which sees what came by kubectl.

use super::{CloudHostSpec, HostClass, HostImage, InformationSystem};

/// Two things that each exist and do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field of the host to mend, e.g. `spec.imageRef.name`.
    pub field: &'static str,
    /// Code of its sentence: `SystemInOtherZone`, `ArchitectureNotOffered`, `ImageArchitectureDiffers` or
    /// `DiskSmallerThanImage`.
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
    let all = [zone(host, system), offered(host, class), same_architecture(host, image), large_enough(host, image)];
    all.into_iter().flatten()
}

fn zone(host: &CloudHostSpec, system: &InformationSystem) -> Option<Misfit> {
    let (expected, zone) = (&system.spec.zone_ref.name, &host.zone_ref.name);
    (expected != zone).then(|| Misfit {
        field: "spec.zoneRef.name",
        code: "SystemInOtherZone",
        parameters: vec![
            ("system", host.system_ref.name.clone()),
            ("expected", expected.clone()),
            ("zone", zone.clone()),
        ],
    })
}

fn offered(host: &CloudHostSpec, class: &HostClass) -> Option<Misfit> {
    let (wanted, offered) = (host.architecture, &class.spec.architectures);
    (!offered.contains(&wanted)).then(|| Misfit {
        field: "spec.architecture",
        code: "ArchitectureNotOffered",
        parameters: vec![
            ("class", host.class_ref.name.clone()),
            ("architecture", wanted.as_str().to_owned()),
            ("offered", offered.iter().map(|offered| offered.as_str()).collect::<Vec<_>>().join(", ")),
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
