//! Volume claims (`PersistentVolumeClaim`): growing the disk behind a `DataVolume`, whose own size cannot be changed.
//!
//! Contract: Kubernetes `v1`. A bound claim of a class that allows it (`allowVolumeExpansion`) may ask for more, never for
//! less; `status.capacity` says what it has. A volume with a file system is grown to its end only while it is in use.

use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::Quantity};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use serde_json::{Value, json};

/// What a disk is to grow to.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Name of the disk and of the claim behind it.
    pub name: &'a str,
    /// The claim in the account book, as engine objects are labelled with it.
    pub claim: &'a str,
    /// Size in MiB.
    pub mebibytes: u64,
}

/// How far a claim is with a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It has that much.
    Done,
    /// It has asked for that much.
    UnderWay,
    /// It has to ask for it.
    Due,
    /// It cannot ask yet: it has no volume, or is on its way out, or is somebody else's.
    NotYet,
}

/// How far `volume`, made for the disk labelled with `claim`, is with `mebibytes`.
pub fn growth(volume: &PersistentVolumeClaim, claim: &str, mebibytes: u64) -> Growth {
    let status = volume.status.as_ref();
    let is_theirs = volume.labels().get(LABEL_CLAIM).is_none_or(|label| label == claim);
    let is_bound = status.is_some_and(|status| status.phase.as_deref() == Some("Bound"));
    if !is_theirs || !is_bound || volume.metadata.deletion_timestamp.is_some() {
        return Growth::NotYet;
    }
    let reaches = |quantity: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
        let text = quantity.map(|quantity| Value::String(quantity.0.clone())).unwrap_or_default();
        let read = serde_json::from_value::<Quantity>(text).ok().and_then(|quantity| quantity.mebibytes_down().ok());
        read.is_some_and(|has| has >= mebibytes)
    };
    let requested = volume.spec.as_ref().and_then(|spec| spec.resources.as_ref()?.requests.as_ref()?.get("storage"));
    if reaches(status.and_then(|status| status.capacity.as_ref()?.get("storage"))) {
        Growth::Done
    } else if reaches(requested) {
        Growth::UnderWay
    } else {
        Growth::Due
    }
}

/// That `volume`, and no other of its name, is to have `mebibytes`, for server-side apply.
pub fn grown(volume: &PersistentVolumeClaim, mebibytes: u64) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": volume.name_any(), "namespace": volume.namespace(), "uid": volume.uid()},
        "spec": {"resources": {"requests": {"storage": format!("{mebibytes}Mi")}}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(phase: &str, requested: &str, capacity: &str) -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": {"name": "web-system", "namespace": "engine-tax", "uid": "u", "labels": {(LABEL_CLAIM): "claim-1.b"}},
            "spec": {"resources": {"requests": {"storage": requested}}},
            "status": {"phase": phase, "capacity": {"storage": capacity}},
        }))
        .unwrap()
    }

    #[test]
    fn a_volume_asks_once_and_is_done_when_it_has_what_was_granted() {
        for (phase, requested, capacity, expected) in [
            ("Bound", "40Gi", "40Gi", Growth::Due),
            ("Bound", "80Gi", "40Gi", Growth::UnderWay),
            ("Bound", "80Gi", "80Gi", Growth::Done),
            // Drivers round up, and say so in bytes.
            ("Bound", "80Gi", "85899345921", Growth::Done),
            ("Bound", "100Gi", "100Gi", Growth::Done),
            ("Pending", "40Gi", "0", Growth::NotYet),
            ("Lost", "40Gi", "40Gi", Growth::NotYet),
        ] {
            let found = growth(&volume(phase, requested, capacity), "claim-1.b", 80 * 1024);
            assert_eq!(found, expected, "{phase} {requested} {capacity}");
        }
        assert_eq!(growth(&volume("Bound", "40Gi", "40Gi"), "claim-2.b", 80 * 1024), Growth::NotYet, "somebody else's");
    }

    #[test]
    fn only_the_very_claim_that_was_read_is_grown() {
        let asked = grown(&volume("Bound", "40Gi", "40Gi"), 81_920);
        assert_eq!(asked.pointer("/metadata/uid"), Some(&json!("u")));
        assert_eq!(asked.pointer("/spec/resources/requests/storage"), Some(&json!("81920Mi")));
    }
}
