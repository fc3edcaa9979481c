//! What an order can be about: one variant a kind, with all that orders ask of it. A further kind begins here.

use jiyun_approvals::{About, Size};
use jiyun_crds::{
    names::ANNOTATION_HANDOVER,
    v1alpha1::{
        CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, ConditionType, NetworkFlow, OrderItem,
        OrderedKind, RefusalParameter, condition,
    },
};
use jiyun_ledger::{Claim, ClaimRequest};
use kube::{
    Api, Resource,
    core::{NamespaceResourceScope, ObjectMeta},
};

use super::{mark::OrderMark, route};
use crate::{
    bucket,
    catalogue::lookup,
    context::Context,
    database,
    error::ReconcileError,
    flow,
    host::{self, rejection::Rejection},
    snapshot,
    stored::{self, Stored, approved::Approved},
    volume,
};

/// An object that an order can be filed for.
pub trait Orderable: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Sync {
    /// Its kind, as items of orders name it.
    const ORDERED: OrderedKind;
    /// The system it belongs to.
    fn system(&self) -> &str;
    /// Digest of what it asks for.
    fn digest(&self) -> String;
    /// Why it is asked for, where the object says so itself.
    fn justification(&self) -> Option<&str> {
        None
    }
}

macro_rules! orderable {
    ($kind:ident, $module:ident) => {
        const ORDERED: OrderedKind = OrderedKind::$kind;

        fn system(&self) -> &str {
            &self.spec.system_ref.name
        }

        fn digest(&self) -> String {
            $module::digest::of(&self.spec)
        }
    };
}

impl Orderable for CloudHost {
    orderable!(CloudHost, host);
}

impl Orderable for NetworkFlow {
    orderable!(NetworkFlow, flow);

    fn justification(&self) -> Option<&str> {
        self.spec.justification.as_deref()
    }
}

impl Orderable for CloudDatabase {
    orderable!(CloudDatabase, database);
}

impl Orderable for CloudVolume {
    orderable!(CloudVolume, volume);
}

impl Orderable for CloudBucket {
    orderable!(CloudBucket, bucket);
}

impl Orderable for CloudSnapshot {
    orderable!(CloudSnapshot, snapshot);
}

/// The object of one item.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A cloud host.
    Host(Box<CloudHost>),
    /// A network flow.
    Flow(Box<NetworkFlow>),
    /// A cloud database.
    Database(Box<CloudDatabase>),
    /// A cloud volume.
    Volume(Box<CloudVolume>),
    /// A cloud bucket.
    Bucket(Box<CloudBucket>),
    /// A cloud snapshot.
    Snapshot(Box<CloudSnapshot>),
}

/// What an object asks for, in resolved terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A cloud host.
    Host(Box<host::valid::Valid>),
    /// A network flow.
    Flow(Box<flow::valid::Valid>),
    /// A cloud database.
    Database(Box<database::valid::Valid>),
    /// A cloud volume.
    Volume(Box<volume::valid::Valid>),
    /// A cloud bucket.
    Bucket(Box<bucket::valid::Valid>),
    /// A cloud snapshot.
    Snapshot(Box<snapshot::valid::Valid>),
}

impl Subject {
    /// The object that `item` names.
    pub fn find(item: &OrderItem, namespace: Option<&str>, context: &Context) -> Option<Self> {
        Some(match item.kind {
            OrderedKind::CloudHost => Self::Host(Box::new(lookup(&context.orders.hosts, namespace, &item.name)?)),
            OrderedKind::NetworkFlow => Self::Flow(Box::new(lookup(&context.orders.flows, namespace, &item.name)?)),
            OrderedKind::CloudDatabase => {
                Self::Database(Box::new(lookup(&context.orders.databases, namespace, &item.name)?))
            }
            OrderedKind::CloudVolume => Self::Volume(Box::new(lookup(&context.orders.volumes, namespace, &item.name)?)),
            OrderedKind::CloudBucket => Self::Bucket(Box::new(lookup(&context.orders.buckets, namespace, &item.name)?)),
            OrderedKind::CloudSnapshot => {
                Self::Snapshot(Box::new(lookup(&context.orders.snapshots, namespace, &item.name)?))
            }
        })
    }

    /// Its metadata.
    pub fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Host(host) => &host.metadata,
            Self::Flow(flow) => &flow.metadata,
            Self::Database(database) => &database.metadata,
            Self::Volume(volume) => &volume.metadata,
            Self::Bucket(bucket) => &bucket.metadata,
            Self::Snapshot(snapshot) => &snapshot.metadata,
        }
    }

    /// What is written on it under `name`.
    pub fn annotation(&self, name: &str) -> Option<&String> {
        self.meta().annotations.as_ref()?.get(name)
    }

    /// Whether it is not on its way out.
    pub fn stays(&self) -> bool {
        self.meta().deletion_timestamp.is_none()
    }

    /// Whether it is on its way to another department: until it is there nobody changes or ends it.
    pub fn is_being_handed_over(&self) -> bool {
        self.annotation(ANNOTATION_HANDOVER).is_some()
    }

    /// The system it belongs to.
    pub fn system(&self) -> &str {
        match self {
            Self::Host(host) => host.system(),
            Self::Flow(flow) => flow.system(),
            Self::Database(database) => database.system(),
            Self::Volume(volume) => volume.system(),
            Self::Bucket(bucket) => bucket.system(),
            Self::Snapshot(snapshot) => snapshot.system(),
        }
    }

    /// Digest of what it asks for.
    pub fn digest(&self) -> String {
        match self {
            Self::Host(host) => host.digest(),
            Self::Flow(flow) => flow.digest(),
            Self::Database(database) => database.digest(),
            Self::Volume(volume) => volume.digest(),
            Self::Bucket(bucket) => bucket.digest(),
            Self::Snapshot(snapshot) => snapshot.digest(),
        }
    }

    /// What it asks for, or what is wrong with it.
    ///
    /// # Errors
    /// What to mend.
    pub fn wish(&self, context: &Context) -> Result<Wish, Rejection> {
        Ok(match self {
            Self::Host(host) => {
                let found = host::found::dereference(host, context);
                Wish::Host(Box::new(host::valid::validate(host, &found)?))
            }
            Self::Flow(flow) => {
                let found = flow::found::dereference(flow, context);
                Wish::Flow(Box::new(flow::valid::validate(flow, &found)?))
            }
            Self::Database(object) => {
                let found = database::found::dereference(object, &context.catalogue);
                Wish::Database(Box::new(database::valid::validate(object, &found)?))
            }
            Self::Volume(volume) => {
                let found = volume::found::dereference(volume, context);
                Wish::Volume(Box::new(volume::valid::validate(volume, &found)?))
            }
            Self::Bucket(object) => {
                let found = bucket::found::dereference(object, &context.catalogue);
                Wish::Bucket(Box::new(bucket::valid::validate(object, &found)?))
            }
            Self::Snapshot(object) => {
                let found = snapshot::found::dereference(object, context);
                Wish::Snapshot(Box::new(snapshot::valid::validate(object, &found)?))
            }
        })
    }

    /// Whether it does what it asks for.
    pub fn is_ready(&self) -> bool {
        let conditions = match self {
            Self::Host(host) => host.status.as_ref().map(|status| &status.conditions),
            Self::Flow(flow) => flow.status.as_ref().map(|status| &status.conditions),
            Self::Database(database) => database.status.as_ref().map(|status| &status.conditions),
            Self::Volume(volume) => volume.status.as_ref().map(|status| &status.conditions),
            Self::Bucket(bucket) => bucket.status.as_ref().map(|status| &status.conditions),
            Self::Snapshot(snapshot) => snapshot.status.as_ref().map(|status| &status.conditions),
        };
        conditions.is_some_and(|conditions| condition::is_true(conditions, ConditionType::Ready))
    }

    /// Has it deleted; its own controller takes down what was made of it, intent first.
    ///
    /// # Errors
    /// When Kubernetes does not take it.
    pub async fn delete(&self, context: &Context) -> Result<(), ReconcileError> {
        let namespace = self.meta().namespace.clone().unwrap_or_default();
        let client = context.client.clone();
        match self {
            Self::Host(host) => context.writer.delete(&Api::namespaced(client, &namespace), &**host).await?,
            Self::Flow(flow) => context.writer.delete(&Api::namespaced(client, &namespace), &**flow).await?,
            Self::Database(database) => {
                context.writer.delete(&Api::namespaced(client, &namespace), &**database).await?;
            }
            Self::Volume(volume) => context.writer.delete(&Api::namespaced(client, &namespace), &**volume).await?,
            Self::Bucket(bucket) => context.writer.delete(&Api::namespaced(client, &namespace), &**bucket).await?,
            Self::Snapshot(snapshot) => {
                context.writer.delete(&Api::namespaced(client, &namespace), &**snapshot).await?;
            }
        }
        Ok(())
    }
}

impl Wish {
    /// Digest of the wish.
    pub fn digest(&self) -> &str {
        match self {
            Self::Host(valid) => &valid.digest,
            Self::Flow(valid) => &valid.digest,
            Self::Database(valid) => &valid.digest,
            Self::Volume(valid) => &valid.digest,
            Self::Bucket(valid) => &valid.digest,
            Self::Snapshot(valid) => &valid.digest,
        }
    }

    /// Whether it is made where its host is, and that has no place yet.
    pub fn awaits_host(&self) -> bool {
        matches!(self, Self::Volume(valid) if valid.awaits_host)
    }

    /// How much it asks for.
    pub fn size(&self) -> Size {
        match self {
            Self::Host(valid) => route::size_of(&valid.approved),
            Self::Flow(_) => Size::default(),
            Self::Database(valid) => database::valid::size_of(&valid.approved),
            Self::Volume(valid) => volume::valid::size_of(&valid.approved),
            Self::Bucket(valid) => bucket::valid::size_of(&valid.approved),
            Self::Snapshot(valid) => snapshot::valid::size_of(&valid.approved),
        }
    }

    /// How much it asks for, as a change of `claim`: of a database all there may be until its engine has followed.
    pub fn size_instead_of(&self, claim: &Claim) -> Size {
        let Self::Database(valid) = self else { return self.size() };
        let approved = database::approved::Approved::of(claim).ok();
        let after = approved.and_then(|approved| database::resize::after(claim, &approved, &valid.approved));
        after.map_or_else(|| self.size(), |after| database::valid::size_of(&after))
    }

    /// What it is about.
    pub fn about(&self) -> About {
        match self {
            Self::Host(_) | Self::Database(_) | Self::Volume(_) | Self::Bucket(_) | Self::Snapshot(_) => {
                About::Resources
            }
            Self::Flow(valid) => About::Flow(valid.approved.reach),
        }
    }

    /// The network zones it touches.
    pub fn zones(&self) -> Vec<String> {
        match self {
            Self::Host(valid) => vec![valid.zone.clone()],
            Self::Flow(valid) => valid.zones.iter().cloned().collect(),
            Self::Database(valid) => vec![valid.zone.clone()],
            Self::Volume(valid) => vec![valid.zone.clone()],
            Self::Bucket(valid) => vec![valid.zone.clone()],
            Self::Snapshot(valid) => vec![valid.zone.clone()],
        }
    }

    /// The highest protection level (等保级别) of the systems it touches.
    pub fn protection_level(&self) -> u8 {
        match self {
            Self::Host(valid) => valid.protection_level,
            Self::Flow(valid) => valid.highest_level,
            Self::Database(valid) => valid.protection_level,
            Self::Volume(valid) => valid.protection_level,
            Self::Bucket(valid) => valid.protection_level,
            Self::Snapshot(valid) => valid.protection_level,
        }
    }

    /// What it asks for, for people.
    pub fn summary(&self) -> Vec<RefusalParameter> {
        match self {
            Self::Host(valid) => valid.approved.summary(),
            Self::Flow(valid) => valid.approved.summary(),
            Self::Database(valid) => valid.approved.summary(),
            Self::Volume(valid) => valid.approved.summary(volume::STORAGE),
            Self::Bucket(valid) => valid.approved.summary(bucket::STORAGE),
            Self::Snapshot(valid) => valid.approved.summary(snapshot::STORAGE),
        }
    }

    /// What the object of this wish asks of the ledger for an order that creates it; `None` if the object is of another kind.
    ///
    /// # Errors
    /// When the approved spec cannot be written as JSON, which its types exclude.
    pub fn request(&self, subject: &Subject, mark: OrderMark) -> Result<Option<ClaimRequest>, serde_json::Error> {
        match (self, subject) {
            (Self::Host(valid), Subject::Host(host)) => {
                let approved = host::approved::Approved { order: Some(mark), ..valid.approved.clone() };
                host::request::claim_request(host, &host::valid::Valid { approved, ..(**valid).clone() }).map(Some)
            }
            (Self::Flow(valid), Subject::Flow(flow)) => {
                let approved = flow::approved::Approved { order: Some(mark), ..valid.approved.clone() };
                flow::request::claim_request(flow, &flow::valid::Valid { approved, ..(**valid).clone() }).map(Some)
            }
            (Self::Database(valid), Subject::Database(object)) => {
                let approved = database::approved::Approved { order: Some(mark), ..valid.approved.clone() };
                let valid = database::valid::Valid { approved, ..(**valid).clone() };
                database::request::claim_request(object, &valid).map(Some)
            }
            (Self::Volume(valid), Subject::Volume(object)) => {
                let approved = Approved { order: Some(mark), ..valid.approved.clone() };
                volume::request::claim_request(object, &volume::valid::Valid { approved, ..(**valid).clone() })
                    .map(Some)
            }
            (Self::Bucket(valid), Subject::Bucket(object)) => {
                let approved = Approved { order: Some(mark), ..valid.approved.clone() };
                bucket::request::claim_request(object, &bucket::valid::Valid { approved, ..(**valid).clone() })
                    .map(Some)
            }
            (Self::Snapshot(valid), Subject::Snapshot(object)) => {
                let approved = Approved { order: Some(mark), ..valid.approved.clone() };
                snapshot::request::claim_request(object, &snapshot::valid::Valid { approved, ..(**valid).clone() })
                    .map(Some)
            }
            (
                Self::Host(_)
                | Self::Flow(_)
                | Self::Database(_)
                | Self::Volume(_)
                | Self::Bucket(_)
                | Self::Snapshot(_),
                _,
            ) => Ok(None),
        }
    }

    /// What of a change of `claim` to this wish is not done whoever agrees.
    pub fn impossible_change(&self, claim: &Claim) -> Option<Rejection> {
        match self {
            Self::Host(valid) => {
                let approved = host::approved::Approved::of(claim).ok()?;
                host::resize::change(claim, &approved, &valid.approved).err()
            }
            Self::Flow(valid) => valid.impossible_change(&flow::approved::Approved::of(claim).ok()?),
            Self::Database(valid) => {
                let approved = database::approved::Approved::of(claim).ok()?;
                database::resize::change(claim, &approved, &valid.approved).err()
            }
            Self::Volume(valid) => {
                stored::change::change::<CloudVolume>(&Approved::of(claim).ok()?, &valid.approved).err()
            }
            Self::Bucket(valid) => {
                stored::change::change::<CloudBucket>(&Approved::of(claim).ok()?, &valid.approved).err()
            }
            Self::Snapshot(valid) => {
                stored::change::change::<CloudSnapshot>(&Approved::of(claim).ok()?, &valid.approved).err()
            }
        }
    }

    /// What has to be set aside until an order that changes `claim` to this wish is decided: nothing, where it takes nothing
    /// more.
    ///
    /// # Errors
    /// When the approved spec cannot be written as JSON, which its types exclude, or the book's is none of ours.
    pub fn growth(
        &self,
        claim: &Claim,
        mark: OrderMark,
        context: &Context,
    ) -> Result<Option<ClaimRequest>, serde_json::Error> {
        let level = host::protection_level(claim, context);
        let valid = match self {
            Self::Host(valid) => valid,
            Self::Volume(valid) => return growth::<CloudVolume>(claim, &valid.approved, &valid.digest, mark, level),
            Self::Bucket(valid) => return growth::<CloudBucket>(claim, &valid.approved, &valid.digest, mark, level),
            Self::Database(valid) => {
                let approved = database::approved::Approved::of(claim)?;
                let after = database::resize::ordered(claim, &approved, &valid.approved, mark);
                let grown = after.filter(|after| database::resize::grows(claim, &approved, after));
                return grown.map(|after| database::resize::request(claim, &after, &valid.digest, level)).transpose();
            }
            Self::Flow(_) | Self::Snapshot(_) => return Ok(None),
        };
        let approved = host::approved::Approved::of(claim)?;
        let Some(after) = changed(claim, &approved, valid, mark) else { return Ok(None) };
        if !host::resize::grows(claim, &approved, &after) {
            return Ok(None);
        }
        host::resize::request(claim, &after, &valid.digest, level).map(Some)
    }

    /// Records that `claim` is changed to this wish, as an order says, where nothing was set aside for it.
    ///
    /// # Errors
    /// When the ledger cannot be asked.
    pub async fn change(
        &self,
        claim: &std::sync::Arc<Claim>,
        mark: OrderMark,
        context: &Context,
    ) -> Result<(), ReconcileError> {
        match self {
            Self::Host(valid) => {
                let approved = host::approved::Approved::of(claim)?;
                if let Some(after) = changed(claim, &approved, valid, mark)
                    && !host::resize::grows(claim, &approved, &after)
                {
                    host::change::apply(claim, &after, &valid.digest, context).await?;
                }
            }
            Self::Flow(valid) => {
                let approved = flow::approved::Approved { order: Some(mark), ..valid.approved.clone() };
                flow::change::apply(claim, &flow::valid::Valid { approved, ..(**valid).clone() }, context).await?;
            }
            Self::Database(valid) => {
                let approved = database::approved::Approved::of(claim)?;
                if let Some(after) = database::resize::ordered(claim, &approved, &valid.approved, mark)
                    && !database::resize::grows(claim, &approved, &after)
                {
                    database::change::apply(claim, &after, &valid.digest, context).await?;
                }
            }
            Self::Volume(valid) => {
                recorded::<CloudVolume>(claim, &valid.approved, &valid.digest, mark, context).await?;
            }
            Self::Bucket(valid) => {
                recorded::<CloudBucket>(claim, &valid.approved, &valid.digest, mark, context).await?;
            }
            Self::Snapshot(valid) => {
                recorded::<CloudSnapshot>(claim, &valid.approved, &valid.digest, mark, context).await?;
            }
        }
        Ok(())
    }
}

/// What a host's claim becomes by an order; nothing where it cannot be done.
fn changed(
    claim: &Claim,
    approved: &host::approved::Approved,
    valid: &host::valid::Valid,
    mark: OrderMark,
) -> Option<host::approved::Approved> {
    let after = host::resize::change(claim, approved, &valid.approved).ok()?.after();
    let after = after.unwrap_or_else(|| approved.clone());
    Some(host::approved::Approved { order: Some(mark), policies: Vec::new(), ..after })
}

/// See [`Wish::growth`], of what takes an amount of storage.
fn growth<T: Stored>(
    claim: &Claim,
    asked: &Approved,
    digest: &str,
    mark: OrderMark,
    protection_level: u8,
) -> Result<Option<ClaimRequest>, serde_json::Error> {
    let approved = Approved::of(claim)?;
    let Some(after) = stored::change::ordered::<T>(&approved, asked, mark) else { return Ok(None) };
    if after.mebibytes <= approved.mebibytes {
        return Ok(None);
    }
    stored::changed::<T>(claim, &after, digest, protection_level).map(Some)
}

/// See [`Wish::change`], of what takes an amount of storage.
async fn recorded<T: Stored>(
    claim: &std::sync::Arc<Claim>,
    asked: &Approved,
    digest: &str,
    mark: OrderMark,
    context: &Context,
) -> Result<(), ReconcileError> {
    let approved = Approved::of(claim)?;
    if let Some(after) = stored::change::ordered::<T>(&approved, asked, mark)
        && after.mebibytes <= approved.mebibytes
    {
        stored::change::apply::<T>(claim, &after, digest, context).await?;
    }
    Ok(())
}

/// What is known of a claim as orders see it: what it is about, how large it is, and what it is in words.
pub struct Granted {
    /// What it is about.
    pub about: About,
    /// How large it is: as it was approved, whatever a stopped host has given back.
    pub size: Size,
    /// For people.
    pub summary: Vec<RefusalParameter>,
}

impl Granted {
    /// Reads `claim`.
    pub fn of(claim: &Claim) -> Self {
        if claim.subject.kind == flow::KIND {
            let approved = flow::approved::Approved::of(claim).ok();
            // What cannot be read is taken for what reaches furthest.
            let reach = approved.as_ref().map_or(jiyun_crds::v1alpha1::FlowReach::Outside, |approved| approved.reach);
            let summary = approved.map(|approved| approved.summary()).unwrap_or_default();
            return Self { about: About::Flow(reach), size: Size::default(), summary };
        }
        if claim.subject.kind == database::KIND {
            let approved = database::approved::Approved::of(claim).ok();
            let size = approved.as_ref().map(database::valid::size_of);
            let summary = approved.map(|approved| approved.summary()).unwrap_or_default();
            let size = size.unwrap_or_else(|| route::size_of_claim(claim));
            return Self { about: About::Resources, size, summary };
        }
        let of_stored = |size_of: fn(&Approved) -> Size, storage: &str| {
            let approved = Approved::of(claim).ok();
            let size = approved.as_ref().map(size_of);
            let summary = approved.map(|approved| approved.summary(storage)).unwrap_or_default();
            let size = size.unwrap_or_else(|| route::size_of_taken(claim));
            Self { about: About::Resources, size, summary }
        };
        if claim.subject.kind == volume::KIND {
            return of_stored(volume::valid::size_of, volume::STORAGE);
        }
        if claim.subject.kind == bucket::KIND {
            return of_stored(bucket::valid::size_of, bucket::STORAGE);
        }
        if claim.subject.kind == snapshot::KIND {
            return of_stored(snapshot::valid::size_of, snapshot::STORAGE);
        }
        let summary = host::approved::Approved::of(claim).map(|approved| approved.summary()).unwrap_or_default();
        Self { about: About::Resources, size: route::size_of_claim(claim), summary }
    }
}
