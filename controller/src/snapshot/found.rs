//! Dereference: everything a cloud snapshot names, and what was granted of it already, fetched from memory; no judgement here.

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, department_of_namespace, system_disk_name},
    v1alpha1::{
        CloudHost, CloudSnapshot, CloudVolume, Department, InformationSystem, SnapshotSource, SnapshotSourceKind,
        StoragePool,
    },
};
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Meter, PoolId};
use kube::Resource;

use super::request::is_established;
use crate::{
    catalogue::lookup,
    claims::open_claim,
    content::Restoration,
    context::Context,
    host::{
        self,
        request::{engine_name, engine_namespace},
    },
    stored::approved::Approved,
    volume::request::disk_name,
};

/// What a snapshot names, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The department its namespace belongs to.
    pub department: Option<Department>,
    /// The information system it is for.
    pub system: Option<InformationSystem>,
    /// What was granted: then its source matters no more.
    pub granted: Option<Granted>,
    /// What it is to be taken of, where that is there and stays.
    pub source: Option<Named>,
}

/// What was granted of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// In resolved terms.
    pub approved: Approved,
    /// The network zone it was granted in.
    pub zone: String,
    /// The pool it lies in.
    pub pool: PoolId,
}

/// The object that a snapshot names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its system.
    pub system: String,
    /// Whether it is on its way to another department.
    pub is_leaving: bool,
    /// Where its disk is, once that was granted.
    pub place: Option<Place>,
}

/// Where a disk is, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its claim.
    pub claim: ClaimId,
    /// Its network zone.
    pub zone: String,
    /// The pool it lies in.
    pub pool: PoolId,
    /// Whether that pool takes snapshots.
    pub is_offered: bool,
    /// The namespace it lies in.
    pub namespace: String,
    /// Whether it was handed over once: only then there is something on it.
    pub is_used: bool,
    /// The disk.
    pub disk: Disk,
}

/// A disk as it was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Its name.
    pub name: String,
    /// Its tier.
    pub tier: String,
    /// Its size in MiB.
    pub mebibytes: u64,
    /// Of a host: the image it was made from.
    pub image: Option<String>,
    /// Whether it is being made anew from a snapshot.
    pub is_restored: bool,
}

impl Disk {
    /// The disk of a claim of this kind; none where the book's text is none of ours.
    pub fn of(kind: SnapshotSourceKind, claim: &Claim) -> Option<Self> {
        let is_under_way = |restored: Option<&Restoration>| restored.is_some_and(Restoration::is_under_way);
        Some(match kind {
            SnapshotSourceKind::CloudHost => {
                let approved = host::approved::Approved::of(claim).ok()?;
                Self {
                    name: system_disk_name(engine_name(claim)),
                    is_restored: is_under_way(approved.restored.as_ref()),
                    tier: approved.disk_tier,
                    mebibytes: approved.disk_mebibytes,
                    image: Some(approved.image),
                }
            }
            SnapshotSourceKind::CloudVolume => {
                let approved = Approved::of(claim).ok()?;
                Self {
                    name: disk_name(claim),
                    is_restored: is_under_way(approved.restored.as_ref()),
                    tier: approved.tier,
                    mebibytes: approved.mebibytes,
                    image: None,
                }
            }
        })
    }
}

/// What is being deleted takes nothing new, and nothing is taken of it.
fn stays(object: &impl Resource) -> bool {
    object.meta().deletion_timestamp.is_none()
}

/// Looks up what `snapshot` names.
pub fn dereference(snapshot: &CloudSnapshot, context: &Context) -> Found {
    let catalogue = &context.catalogue;
    let namespace = snapshot.metadata.namespace.as_deref();
    let spec = &snapshot.spec;
    Found {
        department: namespace
            .and_then(department_of_namespace)
            .and_then(|department| lookup(&catalogue.departments, None, department))
            .filter(stays),
        system: lookup(&catalogue.systems, namespace, &spec.system_ref.name).filter(stays),
        granted: granted(snapshot, context),
        source: named(&spec.source, namespace, context),
    }
}

fn granted(snapshot: &CloudSnapshot, context: &Context) -> Option<Granted> {
    let claim = open_claim(snapshot, context)?;
    if matches!(claim.stage(), ClaimStage::Held | ClaimStage::Ending) {
        return None;
    }
    Some(Granted {
        approved: Approved::of(&claim).ok()?,
        zone: zone_of(&claim),
        pool: claim.pool_of(Meter::BlockStorage)?.clone(),
    })
}

fn named(source: &SnapshotSource, namespace: Option<&str>, context: &Context) -> Option<Named> {
    let (kind, name) = (source.kind, &source.name);
    match kind {
        SnapshotSourceKind::CloudHost => {
            let host: CloudHost = lookup(&context.orders.hosts, namespace, name).filter(stays)?;
            Some(of(&host, kind, &host.spec.system_ref.name, context))
        }
        SnapshotSourceKind::CloudVolume => {
            let volume: CloudVolume = lookup(&context.orders.volumes, namespace, name).filter(stays)?;
            Some(of(&volume, kind, &volume.spec.system_ref.name, context))
        }
    }
}

fn of(object: &impl Resource, kind: SnapshotSourceKind, system: &str, context: &Context) -> Named {
    let annotations = object.meta().annotations.as_ref();
    Named {
        system: system.to_owned(),
        is_leaving: annotations.is_some_and(|all| all.contains_key(ANNOTATION_HANDOVER)),
        place: place(object, kind, context),
    }
}

/// Where the claim of `object` has its disk.
fn place(object: &impl Resource, kind: SnapshotSourceKind, context: &Context) -> Option<Place> {
    let claim = open_claim(object, context)?;
    if matches!(claim.stage(), ClaimStage::Held | ClaimStage::Ending) {
        return None;
    }
    Some(Place {
        claim: claim.id,
        zone: zone_of(&claim),
        pool: claim.pool_of(Meter::BlockStorage)?.clone(),
        is_offered: pool_of(&claim, context)?.spec.snapshot_class_name.is_some(),
        namespace: engine_namespace(&claim),
        is_used: is_established(&claim),
        disk: Disk::of(kind, &claim)?,
    })
}

fn zone_of(claim: &Claim) -> String {
    claim.taken().find_map(|line| line.dimensions.zone.clone()).unwrap_or_default()
}

/// The pool that the disk, or the snapshot, of a claim lies in.
pub fn pool_of(claim: &Claim, context: &Context) -> Option<StoragePool> {
    lookup(&context.catalogue.storage_pools, None, claim.pool_of(Meter::BlockStorage)?.name())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(kind: &str, name: &str, approved: &Value) -> Claim {
        serde_json::from_value(json!({
            "id": 7, "account": "finance", "system": "budget",
            "subject": {"kind": kind, "namespace": "dept-finance", "name": name, "uid": "u-1"},
            "item": "standard", "specDigest": "d", "approvedSpec": approved, "reservedAt": "2026-02-01T00:00:00Z",
            "lines": [{
                "meter": "BlockStorage", "pool": "Storage/ceph", "dimensions": {"zone": "extranet"}, "quantity": 102_400,
            }],
        }))
        .unwrap()
    }

    fn restored(completed: &Value) -> Value {
        let content = json!({
            "snapshot": "files-1", "claim": 9, "site": "main", "namespace": "engine-finance", "object": "files-1-snapshot",
        });
        let mut restored = json!({"content": content, "requestedAt": "2026-03-01T08:00:00Z"});
        if !completed.is_null() {
            restored["completedAt"] = completed.clone();
        }
        restored
    }

    #[test]
    fn the_disk_of_a_volume_is_all_of_it_and_of_a_host_its_system_disk() {
        let volume = claim("CloudVolume", "files", &json!({"tier": "standard", "mebibytes": 102_400}));
        let expected = Disk {
            name: "files-volume".into(),
            tier: "standard".into(),
            mebibytes: 102_400,
            image: None,
            is_restored: false,
        };
        assert_eq!(Disk::of(SnapshotSourceKind::CloudVolume, &volume), Some(expected));
        assert_eq!(zone_of(&volume), "extranet");
        let approved = json!({
            "class": "basic", "image": "kylin", "imageSource": {"http": "http://images/kylin.qcow2"}, "vcpu": 2,
            "memoryMebibytes": 4096, "architecture": "amd64", "diskTier": "performance", "diskMebibytes": 40_960,
            "sshAuthorizedKeys": [],
        });
        let expected = Disk {
            name: "web-system".into(),
            tier: "performance".into(),
            mebibytes: 40_960,
            image: Some("kylin".into()),
            is_restored: false,
        };
        let host = claim("CloudHost", "web", &approved);
        assert_eq!(Disk::of(SnapshotSourceKind::CloudHost, &host), Some(expected));
        assert_eq!(Disk::of(SnapshotSourceKind::CloudVolume, &host), None, "what cannot be read is no disk");
    }

    #[test]
    fn a_disk_is_being_restored_until_that_is_done() {
        for (completed, expected) in [(json!(null), true), (json!("2026-03-01T08:05:00Z"), false)] {
            let approved = json!({"tier": "standard", "mebibytes": 102_400, "restored": restored(&completed)});
            let disk = Disk::of(SnapshotSourceKind::CloudVolume, &claim("CloudVolume", "files", &approved));
            assert_eq!(disk.map(|disk| disk.is_restored), Some(expected), "{completed}");
        }
    }
}
