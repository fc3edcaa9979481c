//! What a host or a database asks of the ledger, as the controller will ask for it (`controller/src/host/request.rs`,
//! `controller/src/database/request.rs`): for previews.

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{CloudDatabase, CloudHost, DatabaseClass, HostClass, InformationSystem};
use jiyun_ledger::{AccountId, ClaimRequest, Placement, Subject};
use kube::{Resource, ResourceExt};

/// A host or a database in the ledger's terms.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its name.
    pub name: String,
    subject: Subject,
    system: String,
    class: String,
    zone: String,
    protection_level: u8,
    placements: [Placement; 2],
}

impl Wish {
    /// What `host` asks for; none if an amount cannot be read, which the API server's rules exclude.
    pub fn new(host: &CloudHost, system: &InformationSystem, class: &HostClass) -> Option<Self> {
        let spec = &host.spec;
        let placements = Placement::host(
            spec.architecture.as_str().to_owned(),
            u64::from(class.spec.vcpu),
            class.spec.memory.mebibytes().ok()?,
            spec.system_disk.tier.clone(),
            spec.system_disk.size.mebibytes().ok()?,
        );
        Some(Self {
            subject: subject(host),
            name: host.name_any(),
            system: spec.system_ref.name.clone(),
            class: spec.class_ref.name.clone(),
            zone: spec.zone_ref.name.clone(),
            protection_level: system.spec.protection_level,
            placements,
        })
    }

    /// What `database` asks for; none if an amount cannot be read.
    pub fn of_database(database: &CloudDatabase, system: &InformationSystem, class: &DatabaseClass) -> Option<Self> {
        let spec = &database.spec;
        let instances = u64::from(spec.topology.instances());
        let placements = Placement::database(
            spec.architecture.as_str().to_owned(),
            (instances * u64::from(class.spec.vcpu), instances * class.spec.memory.mebibytes().ok()?),
            spec.storage.tier.clone(),
            instances * spec.storage.size.mebibytes().ok()?,
        );
        Some(Self {
            subject: subject(database),
            name: database.name_any(),
            system: spec.system_ref.name.clone(),
            class: spec.class_ref.name.clone(),
            zone: spec.zone_ref.name.clone(),
            protection_level: system.spec.protection_level,
            placements,
        })
    }

    /// The claim it asks for; with `hold_until` only to be set aside until then, and without a place in line.
    pub fn request(&self, account: &AccountId, hold_until: Option<Timestamp>) -> ClaimRequest {
        ClaimRequest {
            account: account.clone(),
            system: self.system.clone(),
            subject: self.subject.clone(),
            item: self.class.clone(),
            zone: self.zone.clone(),
            protection_level: self.protection_level,
            placements: self.placements.to_vec(),
            spec_digest: "preview".to_owned(),
            approved_spec: serde_json::Value::Null.into(),
            wait: hold_until.is_none(),
            hold_until,
        }
    }

    /// The zone it lies in.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The protection level (等保级别) of its system, 1..=4.
    pub fn protection_level(&self) -> u8 {
        self.protection_level
    }

    /// Where its quantities come from.
    pub fn placements(&self) -> &[Placement] {
        &self.placements
    }
}

/// How the ledger would name `object`.
fn subject<K: Resource<DynamicType = ()>>(object: &K) -> Subject {
    let name = object.name_any();
    Subject {
        kind: K::kind(&()).into_owned(),
        namespace: object.namespace().unwrap_or_default(),
        // One that is yet to be created has no UID, and must not be taken for another one.
        uid: object.uid().unwrap_or_else(|| format!("preview of {name}")),
        name,
    }
}
