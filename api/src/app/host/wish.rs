//! What a host, a database, a volume, a bucket or a snapshot asks of the ledger, as the controller will ask for it
//! (`request.rs` of each in `controller/src/`): for previews.

use std::sync::Arc;

use jiff::Timestamp;
use jiyun_crds::v1alpha1::{
    CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, DatabaseClass, HostClass, InformationSystem,
    LocalRef,
};
use jiyun_ledger::{AccountId, Claim, ClaimRequest, ClaimStage, Meter, Placement, PoolId, PoolKind, State, Subject};
use kube::{Resource, ResourceExt};

use super::guards::{database_guarded, guarded, snapshot_guarded, storage_guarded};
use crate::app::{database::Extent, snapshot::Disk, storage::Storage};

/// A host, a database, a volume, a bucket or a snapshot in the ledger's terms.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its name.
    pub name: String,
    subject: Subject,
    system: String,
    class: String,
    zone: String,
    protection_level: u8,
    placements: Vec<Placement>,
    /// The storage it takes: its meter, the field that asks for it, and what the approved spec calls it.
    storage: (Meter, &'static str, &'static str),
    /// How large the instances of a database are; none of any other kind.
    extent: Option<Extent>,
    /// Kind and name of what it is to be made beside, at the same site: the snapshot it is made from, or a volume's host.
    beside: Option<(&'static str, String)>,
    /// The guarded fields that ask for more than was granted.
    guarded: Vec<&'static str>,
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
            placements: placements.into(),
            storage: (Meter::BlockStorage, "systemDisk.size", "diskMebibytes"),
            extent: None,
            beside: from_snapshot(spec.snapshot_ref.as_ref()),
            guarded: guarded(host),
        })
    }

    /// What `database` asks for; none if an amount cannot be read.
    pub fn of_database(database: &CloudDatabase, system: &InformationSystem, class: &DatabaseClass) -> Option<Self> {
        let spec = &database.spec;
        let extent = Extent::of(database, class)?;
        let [(_, vcpu), (_, memory), (_, storage)] = extent.quantities();
        let (architecture, tier) = (spec.architecture.as_str().to_owned(), spec.storage.tier.clone());
        let placements = Placement::database(architecture, (vcpu, memory), tier, storage);
        Some(Self {
            subject: subject(database),
            name: database.name_any(),
            system: spec.system_ref.name.clone(),
            class: spec.class_ref.name.clone(),
            zone: spec.zone_ref.name.clone(),
            protection_level: system.spec.protection_level,
            placements: placements.into(),
            storage: (Meter::BlockStorage, "storage.size", "storageMebibytes"),
            extent: Some(extent),
            beside: None,
            guarded: database_guarded(database),
        })
    }

    /// What `volume` asks for; none if its size cannot be read.
    pub fn of_volume(volume: &CloudVolume, system: &InformationSystem) -> Option<Self> {
        let spec = &volume.spec;
        // Its site is known once the ledger is read.
        let placements = Placement::volume(spec.tier.clone(), spec.size.mebibytes().ok()?, None);
        let host = spec.host_ref.as_ref().map(|host| ("CloudHost", host.name.clone()));
        let beside = from_snapshot(spec.snapshot_ref.as_ref()).or(host);
        Some(Self { beside, ..Self::of_storage(volume, system, Meter::BlockStorage, placements) })
    }

    /// What `bucket` asks for; none if its size cannot be read.
    pub fn of_bucket(bucket: &CloudBucket, system: &InformationSystem) -> Option<Self> {
        let placements = Placement::bucket(bucket.spec.tier.clone(), bucket.spec.size.mebibytes().ok()?);
        Some(Self::of_storage(bucket, system, Meter::ObjectStorage, placements))
    }

    /// What `snapshot` of `disk` asks for: as much as that has, out of the same pool; none where that cannot be told.
    pub fn of_snapshot(snapshot: &CloudSnapshot, system: &InformationSystem, disk: &Disk) -> Option<Self> {
        let placement = Placement {
            pool_kind: PoolKind::Storage,
            architecture: None,
            tier: disk.tier.clone(),
            site: None,
            pool: disk.pool.as_deref().map(|pool| PoolId::of(PoolKind::Storage, pool)),
            quantities: [(Meter::BlockStorage, disk.size.as_ref()?.mebibytes().ok()?)].into(),
        };
        Some(Self {
            subject: subject(snapshot),
            name: snapshot.name_any(),
            system: snapshot.spec.system_ref.name.clone(),
            class: disk.tier.clone().unwrap_or_default(),
            zone: system.spec.zone_ref.name.clone(),
            protection_level: system.spec.protection_level,
            placements: vec![placement],
            storage: (Meter::BlockStorage, "source.name", "mebibytes"),
            extent: None,
            beside: None,
            guarded: snapshot_guarded(snapshot),
        })
    }

    /// What `storage`, which lies by itself, asks for: so much of `meter` as `placements` say.
    fn of_storage(
        storage: &impl Storage,
        system: &InformationSystem,
        meter: Meter,
        placements: [Placement; 1],
    ) -> Self {
        Self {
            subject: subject(storage),
            name: storage.name_any(),
            system: storage.system().to_owned(),
            class: storage.tier().to_owned(),
            zone: storage.zone().to_owned(),
            protection_level: system.spec.protection_level,
            placements: placements.into(),
            storage: (meter, "size", "mebibytes"),
            extent: None,
            beside: None,
            guarded: storage_guarded(storage),
        }
    }

    /// What it was granted, if it is a change of that.
    pub fn granted<'a>(&self, state: &'a State) -> Option<&'a Arc<Claim>> {
        let is_granted = |claim: &&Arc<Claim>| matches!(claim.stage(), ClaimStage::Reserved | ClaimStage::Billable);
        state.claim_of_subject(&self.subject.uid).filter(is_granted)
    }

    /// The fields that somebody has to decide about, as a change of `claim` (`controller/src/host/resize.rs`): those that take
    /// more than that was granted or holds, let it go on for longer, or protect it no more.
    pub fn decided(&self, claim: &Claim) -> Vec<&'static str> {
        if let Some((held, may_be)) = Extent::held(claim).zip(self.under_way(claim)) {
            return self.guarded.iter().copied().chain(may_be.larger_than(held)).collect();
        }
        let approved =
            |field: &str| claim.approved_spec.get(field).and_then(serde_json::Value::as_u64).unwrap_or_default();
        let placements = self.taken(Some(claim));
        let grows = |meter: Meter, field: &str| {
            let asked = placements.iter().filter_map(|placement| placement.quantities.get(&meter)).sum::<u64>();
            asked > claim.has_of(meter).max(approved(field))
        };
        let class = grows(Meter::Vcpu, "vcpu") || grows(Meter::Memory, "memoryMebibytes");
        let (meter, storage, approved_storage) = self.storage;
        let fields = [("class", class), (storage, grows(meter, approved_storage))];
        let sized = fields.into_iter().filter(|(_, more)| *more).map(|(field, _)| field);
        self.guarded.iter().copied().chain(sized).collect()
    }

    /// What it takes once its engine has followed, as a change of `claim`. A class that was made anew under its old
    /// name is not the one that was granted.
    pub fn settled(&self, claim: Option<&Claim>) -> Vec<Placement> {
        let Some(claim) = claim.filter(|claim| claim.approved_spec["class"] == *self.class) else {
            return self.placements.clone();
        };
        if let Some(extent) = self.extent {
            return self.with(extent.of_the_class_of(claim).quantities());
        }
        let granted = |(meter, field): (Meter, &str)| Some((meter, claim.approved_spec.get(field)?.as_u64()?));
        self.with([(Meter::Vcpu, "vcpu"), (Meter::Memory, "memoryMebibytes")].into_iter().filter_map(granted))
    }

    /// What it takes of the ledger, as a change of `claim`: of a database as much as its instances may come to before
    /// its engine has followed.
    pub fn taken(&self, claim: Option<&Claim>) -> Vec<Placement> {
        match claim.and_then(|claim| self.under_way(claim)) {
            Some(may_be) => self.with(may_be.quantities()),
            None => self.settled(claim),
        }
    }

    /// Whether it may take more before its engine has followed than after.
    pub fn settles(&self) -> bool {
        self.extent.is_some()
    }

    /// The largest the instances of a database may be while `claim` is changed to this.
    fn under_way(&self, claim: &Claim) -> Option<Extent> {
        let is_same_class = claim.approved_spec["class"] == *self.class;
        let after = self.extent.map(|extent| if is_same_class { extent.of_the_class_of(claim) } else { extent })?;
        Some(Extent::held(claim)?.around(after))
    }

    /// Where its quantities come from, with these amounts of what it takes.
    fn with(&self, amounts: impl IntoIterator<Item = (Meter, u64)>) -> Vec<Placement> {
        let mut placements = self.placements.clone();
        for (meter, amount) in amounts {
            let quantities = placements.iter_mut().filter_map(|placement| placement.quantities.get_mut(&meter));
            quantities.for_each(|quantity| *quantity = amount);
        }
        placements
    }

    /// The site of what it is to be made beside; none where there is no such object, or that holds nothing yet.
    fn site(&self, state: &State) -> Option<String> {
        let (kind, name) = self.beside.as_ref()?;
        let beside = state.claim_of_object(kind, &self.subject.namespace, name)?;
        let line = beside.taken().next()?;
        Some(state.pool(&line.pool)?.site.clone())
    }

    /// The claim it asks for, or the change of `claim`; with `hold_until` only to be set aside until then, and without a
    /// place in line.
    pub fn request(
        &self,
        state: &State,
        account: &AccountId,
        hold_until: Option<Timestamp>,
        claim: Option<&Claim>,
    ) -> ClaimRequest {
        let mut placements = self.taken(claim);
        // What was granted stays where it is.
        if claim.is_none() {
            let site = self.site(state);
            for placement in &mut placements {
                placement.site.clone_from(&site);
            }
        }
        let has_all = |claim: &Claim| {
            let mut meters = placements.iter().flat_map(|placement| placement.quantities.keys());
            meters.all(|meter| claim.has_of(*meter) > 0)
        };
        // A stopped host has one place in line, that of its start.
        let gave_nothing_back = claim.is_none_or(has_all);
        if let Some(claim) = claim {
            // A stopped host does without what it has given back, and asks for it when it is started.
            for placement in &mut placements {
                placement.quantities.retain(|meter, _| claim.has_of(*meter) > 0);
            }
        }
        ClaimRequest {
            account: account.clone(),
            system: self.system.clone(),
            subject: self.subject.clone(),
            item: self.class.clone(),
            zone: self.zone.clone(),
            protection_level: self.protection_level,
            placements,
            spec_digest: "preview".to_owned(),
            approved_spec: serde_json::Value::Null.into(),
            wait: hold_until.is_none() && gave_nothing_back,
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

/// What is made from a snapshot is made where that lies.
fn from_snapshot(snapshot: Option<&LocalRef>) -> Option<(&'static str, String)> {
    Some(("CloudSnapshot", snapshot?.name.clone()))
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
