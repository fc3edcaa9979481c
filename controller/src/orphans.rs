//! Claims whose object is gone although nobody ended them: released one by one, or, if there are many, an alarm.
//!
//! An object can only vanish like this when somebody forced its finalizer off. Many at once mean that a store was
//! restored, a namespace lost or a list answered empty: then nothing is touched.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Debug,
    time::Duration,
};

use jiyun_crds::v1alpha1::{CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume};
use jiyun_ledger::{Claim, ClaimId, ClaimStage, Command, State};
use kube::{
    Api, Resource,
    core::{NamespaceResourceScope, ObjectMeta, Status},
    runtime::reflector::Store,
};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    bucket,
    claimed::disputed,
    context::{Context, Gate},
    database,
    error::{ReconcileError, chain},
    host, snapshot, volume,
    watch::{Guarded, Watched},
};

/// The kind of hosts, as the ledger names it.
const HOST: &str = "CloudHost";

/// What to do about claims without an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Release these.
    Release(Vec<ClaimId>),
    /// Too many at once: touch nothing and call somebody.
    Quarantine {
        /// Claims without an object.
        missing: usize,
        /// Open claims.
        open: usize,
    },
}

/// Judges `missing` among `open` claims, with `others` that disagree in another way: more than max(5, 1 %) at once are no
/// accident of single objects.
pub fn judge(missing: Vec<ClaimId>, others: usize, open: usize) -> Verdict {
    let bearable = (open / 100).max(5);
    if missing.len() + others > bearable {
        Verdict::Quarantine { missing: missing.len() + others, open }
    } else {
        Verdict::Release(missing)
    }
}

/// How it is looked.
pub struct Looks {
    /// How often.
    pub every: Duration,
    /// Disagreements that an operator has looked at and left as they are.
    pub acknowledged: BTreeSet<String>,
}

/// Objects with claims on capacity.
pub struct Objects {
    /// Hosts of all departments.
    pub hosts: Store<Guarded<CloudHost>>,
    /// Databases of all departments.
    pub databases: Store<Guarded<CloudDatabase>>,
    /// Volumes of all departments.
    pub volumes: Store<Guarded<CloudVolume>>,
    /// Buckets of all departments.
    pub buckets: Store<Guarded<CloudBucket>>,
    /// Snapshots of all departments.
    pub snapshots: Store<Guarded<CloudSnapshot>>,
}

/// Looks for orphans until `stop`. A claim is called an orphan only after two looks, so a watch that lags
/// does no harm.
pub async fn sweep(objects: Objects, listed: Gate, looks: Looks, context: Context, stop: CancellationToken) {
    // A store that was not listed yet is not an empty one.
    if stop.run_until_cancelled(listed.open()).await.is_none() {
        return;
    }
    let (mut suspected, mut absent) = (HashSet::new(), HashSet::new());
    let (mut disputed, mut vanished) = (HashSet::new(), HashSet::new());
    while stop.run_until_cancelled(tokio::time::sleep(looks.every)).await.is_some() {
        if context.quarantined() || context.writer.trail().check().is_err() {
            continue;
        }
        leave_lines(&objects, &context, &mut absent).await;
        let look = look(&objects, &looks.acknowledged, &context);
        context.metrics.set_broken("I4", look.missing.len() + look.disputed.len());
        let confirmed: Vec<_> = look.missing.iter().copied().filter(|claim| suspected.contains(claim)).collect();
        let disagreements =
            look.disputed.intersection(&disputed).count() + look.vanished.intersection(&vanished).count();
        (suspected, disputed, vanished) = (look.missing.into_iter().collect(), look.disputed, look.vanished);
        // What was ended already is finished, however much of it there is; only sudden losses are counted.
        let (ending, lost): (Vec<_>, Vec<_>) = confirmed.into_iter().partition(|claim| is_ending(*claim, &context));
        for claim in ending {
            finish(claim, &context).await;
        }
        match judge(lost, disagreements, look.open) {
            Verdict::Release(claims) => {
                for claim in claims {
                    finish(claim, &context).await;
                }
            }
            Verdict::Quarantine { missing, open } => {
                let reason = format!(
                    "{missing} disagreements between {open} open claims and what is there (objects, machines or disks \
                     missing, objects whose claim is unknown): a store, a namespace or a site was lost or restored"
                );
                error!(reason, "quarantine");
                if let Err(problem) = context.ledger.quarantine(reason).await {
                    warn!(error = chain(&problem), "the quarantine was not recorded yet");
                }
            }
        }
    }
}

/// Takes out of the line whoever has no object any more, after two looks: what is kept for it is kept from others.
async fn leave_lines(objects: &Objects, context: &Context, absent: &mut HashSet<String>) {
    let present = objects.uids();
    let gone: HashSet<String> = context.ledger.read(|state| {
        let uids = state.waiting().map(|waiting| waiting.request.subject.uid.clone());
        uids.filter(|uid| !present.contains(uid)).collect()
    });
    for uid in gone.intersection(absent) {
        if let Err(problem) = context.ledger.record(Command::Unqueue(uid.clone())).await {
            warn!(uid, error = chain(&problem), "a request without an object still stands in line");
        }
    }
    *absent = gone;
}

fn is_ending(claim: ClaimId, context: &Context) -> bool {
    context.ledger.read(|state| state.claim(claim).is_some_and(|claim| claim.stage() == ClaimStage::Ending))
}

async fn finish(claim: ClaimId, context: &Context) {
    if let Err(problem) = release(claim, context).await {
        warn!(%claim, error = chain(&problem), "a claim without an object was not released yet");
    }
}

/// What the two stores disagree about.
struct Look {
    /// Open claims whose object is gone.
    missing: Vec<ClaimId>,
    /// Objects and claims that may belong together and do not say so: same name and another UID, or a claim that the book
    /// does not know. Nothing is done about single ones; their object says so.
    disputed: HashSet<String>,
    /// Claims in use whose machine, disk, cluster, bucket or snapshot is gone.
    vanished: HashSet<ClaimId>,
    /// Open claims of hosts, databases, volumes, buckets and snapshots.
    open: usize,
}

/// Kind, namespace and name.
type Named = (&'static str, String, String);

impl Objects {
    fn uids(&self) -> HashSet<String> {
        let of =
            [uids(&self.hosts), uids(&self.databases), uids(&self.volumes), uids(&self.buckets), uids(&self.snapshots)];
        of.into_iter().flatten().collect()
    }

    fn names(&self) -> HashSet<Named> {
        let of = [
            names(HOST, &self.hosts),
            names(database::KIND, &self.databases),
            names(volume::KIND, &self.volumes),
            names(bucket::KIND, &self.buckets),
            names(snapshot::KIND, &self.snapshots),
        ];
        of.into_iter().flatten().collect()
    }

    /// Objects without a claim of their own that say they have one, or whose name has one.
    fn disputed(&self, acknowledged: &BTreeSet<String>, state: &State, context: &Context) -> HashSet<String> {
        let hosts = unclaimed(&self.hosts, state, |host| disputed(host, context).is_some());
        let databases = unclaimed(&self.databases, state, |it| disputed(it, context).is_some());
        let volumes = unclaimed(&self.volumes, state, |it| disputed(it, context).is_some());
        let buckets = unclaimed(&self.buckets, state, |it| disputed(it, context).is_some());
        let snapshots = unclaimed(&self.snapshots, state, |it| disputed(it, context).is_some());
        let all = [hosts, databases, volumes, buckets, snapshots].into_iter().flatten();
        all.filter(|uid| !acknowledged.contains(uid)).collect()
    }
}

/// UIDs of objects that stay, have no claim, and are `disputed`.
fn unclaimed<K: Watched>(store: &Store<Guarded<K>>, state: &State, disputed: impl Fn(&K) -> bool) -> Vec<String> {
    let objects = store.state();
    let readable = objects.iter().filter_map(|object| object.0.as_ref().ok());
    let stays = readable.filter(|object| object.meta().deletion_timestamp.is_none());
    let holds = |object: &&K| object.meta().uid.as_deref().is_some_and(|uid| state.claim_of_subject(uid).is_some());
    let without = stays.filter(|object| !holds(object) && disputed(object));
    without.filter_map(|object| object.meta().uid.clone()).collect()
}

fn look(objects: &Objects, acknowledged: &BTreeSet<String>, context: &Context) -> Look {
    let (present, names) = (objects.uids(), objects.names());
    let engines_known = context.engines_listed.is_open();
    context.ledger.read(|state| {
        let disputed = objects.disputed(acknowledged, state, context);
        let mut look = Look { missing: Vec::new(), disputed, vanished: HashSet::new(), open: 0 };
        for claim in state.claims().filter(|claim| claim.is_open()) {
            let Some(kind) = kind_of(claim) else { continue };
            look.open += 1;
            let subject = &claim.subject;
            let namesake = names.contains(&(kind, subject.namespace.clone(), subject.name.clone()));
            if present.contains(&subject.uid) {
                let in_use = claim.stage() == ClaimStage::Billable || claim.adopted;
                let known = acknowledged.contains(&claim.id.to_string());
                if engines_known && in_use && !known && has_vanished(claim, context) {
                    look.vanished.insert(claim.id);
                }
            // What is ended already is finished, whoever has its name now.
            } else if !namesake || claim.stage() == ClaimStage::Ending {
                look.missing.push(claim.id);
            }
        }
        look
    })
}

/// The kind of a claim's object, where it is one that is looked after here.
fn kind_of(claim: &Claim) -> Option<&'static str> {
    let kinds = [HOST, database::KIND, volume::KIND, bucket::KIND, snapshot::KIND];
    kinds.into_iter().find(|kind| claim.subject.kind == *kind)
}

fn has_vanished(claim: &Claim, context: &Context) -> bool {
    match kind_of(claim) {
        Some(database::KIND) => database::has_vanished(claim, context),
        Some(volume::KIND) => volume::has_vanished(claim, context),
        Some(bucket::KIND) => bucket::has_vanished(claim, context),
        Some(snapshot::KIND) => snapshot::has_vanished(claim, context),
        _ => host::has_vanished(claim, context),
    }
}

fn names<K: Watched>(kind: &'static str, store: &Store<Guarded<K>>) -> Vec<Named> {
    let named = |meta: &ObjectMeta| Some((kind, meta.namespace.clone()?, meta.name.clone()?));
    store.state().iter().filter_map(|object| named(object.meta())).collect()
}

fn uids<K: Watched>(store: &Store<Guarded<K>>) -> Vec<String> {
    store.state().iter().filter_map(|object| uid(object)).collect()
}

fn uid<K: Resource>(object: &Guarded<K>) -> Option<String> {
    object.meta().uid.clone()
}

/// Ends a claim whose object the API server itself says is gone.
async fn release(id: ClaimId, context: &Context) -> Result<(), ReconcileError> {
    let claim = context.ledger.read(|state| state.claim(id).map(|claim| Claim::clone(claim)));
    let Some(claim) = claim.filter(Claim::is_open) else { return Ok(()) };
    let is_gone = match kind_of(&claim) {
        Some(database::KIND) => is_gone::<CloudDatabase>(&claim, context).await?,
        Some(volume::KIND) => is_gone::<CloudVolume>(&claim, context).await?,
        Some(bucket::KIND) => is_gone::<CloudBucket>(&claim, context).await?,
        Some(snapshot::KIND) => is_gone::<CloudSnapshot>(&claim, context).await?,
        _ => is_gone::<CloudHost>(&claim, context).await?,
    };
    if !is_gone {
        return Ok(());
    }
    // A claim handed over in this moment has another object.
    context.ledger.end_for(id, claim.subject.uid.as_str()).await?;
    let left = match kind_of(&claim) {
        Some(database::KIND) => database::dismantle(&claim, context).await?,
        Some(volume::KIND) => volume::dismantle(&claim, context).await?,
        Some(bucket::KIND) => bucket::dismantle(&claim, context).await?,
        Some(snapshot::KIND) => snapshot::dismantle(&claim, context).await?,
        _ => host::dismantle(&claim, context).await?,
    };
    if left.is_none() {
        context.ledger.release(id).await?;
        let (namespace, name) = (&claim.subject.namespace, &claim.subject.name);
        warn!(claim = %id, object.namespace = namespace, object.name = name, "released: its object had vanished");
    }
    Ok(())
}

/// Whether the API server says that the object of a claim is gone for good.
async fn is_gone<K>(claim: &Claim, context: &Context) -> Result<bool, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let (namespace, name) = (&claim.subject.namespace, &claim.subject.name);
    let api = Api::<Guarded<K>>::namespaced(context.client.clone(), namespace);
    match api.get(name).await {
        Ok(object) if uid(&object).is_some_and(|uid| uid == claim.subject.uid) => Ok(false),
        // Another object of the name is no proof that this one is gone for good: it may have been restored.
        Ok(_) => Ok(claim.stage() == ClaimStage::Ending),
        // The API server's own word that there is none of this kind and name. A missing definition answers 404 as well,
        // but says nothing about the object.
        Err(kube::Error::Api(status)) if names_object(&status, name) => Ok(true),
        Err(source) => Err(ReconcileError::read(format!("{} {name}", K::kind(&())), source)),
    }
}

/// Whether an answer says that exactly this object does not exist.
pub fn names_object(status: &Status, name: &str) -> bool {
    status.reason == "NotFound" && status.details.as_ref().is_some_and(|details| details.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(count: u64) -> Vec<ClaimId> {
        (0..count).map(ClaimId).collect()
    }

    #[test]
    fn a_few_orphans_are_released() {
        assert_eq!(judge(claims(5), 0, 10), Verdict::Release(claims(5)));
        assert_eq!(judge(claims(500), 0, 50_000), Verdict::Release(claims(500)));
    }

    #[test]
    fn many_at_once_are_an_alarm_and_nothing_is_released() {
        assert_eq!(judge(claims(6), 0, 10), Verdict::Quarantine { missing: 6, open: 10 });
        assert_eq!(judge(claims(501), 0, 50_000), Verdict::Quarantine { missing: 501, open: 50_000 });
    }

    #[test]
    fn whatever_disagrees_counts_together() {
        assert_eq!(judge(claims(0), 6, 10), Verdict::Quarantine { missing: 6, open: 10 });
        assert_eq!(judge(claims(3), 3, 10), Verdict::Quarantine { missing: 6, open: 10 });
        assert_eq!(judge(claims(2), 3, 10), Verdict::Release(claims(2)));
    }
}
