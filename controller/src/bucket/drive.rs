//! Drives the engine of a granted bucket: takes the steps of its plan, and says what came of it.

use jiff::Timestamp;
use jiyun_crds::{
    names::bucket_secret_name,
    v1alpha1::{BucketConnection, CloudBucket, LocalRef},
};
use jiyun_ledger::{Claim, Meter};
use k8s_openapi::api::{core::v1::Secret, storage::v1::StorageClass};
use kube::{Api, ResourceExt};
use tracing::warn;

use super::{
    credentials, engine, keys,
    plan::{self, Awaited, Desired, Observed, Step, Why},
    report::{Engine, Pair, Trouble},
    request,
};
use crate::{
    context::Context,
    engines::{
        network::name_of,
        rook::{self, BucketView, ClaimView, Store, Unusable, UserView},
    },
    error::{ReconcileError, chain},
    host::{
        claim_label, ending::remove, plan::Obstacle, request::engine_namespace, restart, steps::there, whereabouts_of,
    },
    site::SiteEngines,
    stored::approved::Approved,
};

/// Steps taken in one look at most: a plan has fewer, unless many key pairs were asked for in a row.
const MOST_STEPS: usize = 16;

/// Makes what was approved of `claim`, and hands over the key pair that is wanted `now`.
///
/// # Errors
/// When the engine or Kubernetes cannot be asked.
pub async fn drive(
    bucket: &CloudBucket,
    claim: &Claim,
    approved: &Approved,
    now: Timestamp,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    if engine::is_missing(context) {
        return Ok(Engine::troubled(Trouble::Missing));
    }
    let Some((site, class)) = whereabouts_of(claim, Meter::ObjectStorage, context) else {
        return Ok(Engine::troubled(Trouble::Unreachable));
    };
    let label = claim_label(claim, context);
    let (namespace, name) = (engine_namespace(claim), request::claim_name(claim));
    let owner = rook::user_name(&label);
    let mut observed = Observed {
        keys: keys::made_for((&namespace, &name), &label, site).await?,
        user: site.bucket_user(&namespace, &owner),
        claim: site.bucket_claim(&namespace, &name),
        bucket: None,
        held: credentials::held(claim, &label, context).await?,
    };
    if observed.claim.as_ref().is_some_and(rook::is_bound) {
        observed.bucket = read_bucket(&rook::bucket_name(&namespace, &name), site).await?;
    }
    let moment = wanted(bucket, &name, &observed, now, context).await?;
    let secret = keys::secret_name(&name, moment);
    // A bucket does not move: a pool's new class is for new ones.
    let lies_in = observed.claim.as_ref().and_then(|claim| claim.spec.storage_class_name.clone());
    let mut order = request::order(claim, &label, approved, &lies_in.unwrap_or(class));
    if context.quarantined() {
        // The book may be older than a growth, and a bucket that is made smaller takes nothing more from its department.
        let there = observed.claim.as_ref().and_then(rook::mebibytes).unwrap_or_default();
        order.mebibytes = order.mebibytes.max(there);
    }
    let is_bound = observed.claim.as_ref().is_some_and(rook::is_bound);
    let is_lost = request::is_established(claim) && observed.claim.is_none();
    let mut engine = Engine { moment, ..Engine::default() };
    let built = rook::claim(&order, &owner);
    let of_class = store_of(&order.storage_class, site).await?;
    // What is there keeps its store, and a key pair is replaced without a class.
    let of_user =
        observed.user.as_ref().filter(|_| of_class.is_ok() || observed.claim.is_some()).map(rook::store_of_user);
    let is_free = match of_user.or_else(|| of_class.as_ref().ok().cloned()) {
        None => {
            engine.trouble = is_lost.then_some(Trouble::Lost);
            !is_lost
        }
        Some(store) => {
            let desired = Desired {
                claim: label,
                keys: secret.clone(),
                user: rook::user(&order, &store, &owner, &secret, is_bound),
                bucket: built.clone(),
                established: request::is_established(claim),
                paused: context.quarantined(),
            };
            let at = At { bucket, claim, namespace: &namespace, desired: &desired, site, context };
            at.settle(&mut observed, &mut engine).await?
        }
    };
    engine.trouble = engine.trouble.or(of_class.err());
    let keys = observed.keys(&secret);
    let pair = keys.and_then(|keys| keys.pair.as_ref());
    let has_pair = pair.zip(observed.held.as_ref()).is_some_and(|(pair, held)| held.has(pair));
    engine.handed_over = has_pair && is_free;
    engine.grows = observed.bucket.as_ref().is_some_and(|bucket| rook::has_other_size(bucket, &built));
    if engine.handed_over {
        let made = keys.and_then(|keys| Some(keys.metadata.creation_timestamp.as_ref()?.0));
        engine.pair = Some(Pair { moment, made });
        engine.connection = observed.bucket.as_ref().and_then(|bucket| connection(bucket, claim));
    }
    let is_due = !engine.handed_over || engine.awaited == Some(Awaited::User);
    if is_due
        && engine.trouble.is_none()
        && let Some(fault) = observed.user.as_ref().and_then(rook::fault)
    {
        engine.trouble = Some(Trouble::Fault(format!("CephObjectStoreUser {fault}")));
    }
    Ok(engine)
}

/// The moment of the key pair that the bucket, whose claim at the engine is called `name`, is to have `now`. In quarantine none
/// is replaced: the book may know less than is true.
async fn wanted(
    bucket: &CloudBucket,
    name: &str,
    observed: &Observed,
    now: Timestamp,
    context: &Context,
) -> Result<u64, ReconcileError> {
    let asked = restart::moment(bucket.spec.credentials_requested_at.as_ref());
    let asked = asked.filter(|asked| *asked <= now && !context.quarantined());
    let asked = asked.and_then(|asked| u64::try_from(asked.as_second()).ok());
    let of_user = observed.user.iter().flat_map(rook::secrets_of);
    let named = of_user.filter_map(|secret| keys::moment_of(secret, name)).max();
    let there: Vec<u64> = observed.keys.iter().filter_map(|keys| keys::moment_of(keys.name(), name)).collect();
    let (usual, moment) = (plan::wanted(None, named, &there), plan::wanted(asked, named, &there));
    if named.is_some() && moment != usual && !is_still_asked(bucket, context).await? {
        return Ok(usual);
    }
    Ok(moment)
}

/// Whether the bucket still wishes its new key pair, by the API server's own word: a watch may be late with a wish that was
/// taken back, and the pair in use is worth nothing once it is replaced.
async fn is_still_asked(bucket: &CloudBucket, context: &Context) -> Result<bool, ReconcileError> {
    let (namespace, name) = (bucket.namespace().unwrap_or_default(), bucket.name_any());
    let found = Api::<CloudBucket>::namespaced(context.client.clone(), &namespace).get_opt(&name).await;
    let found = found.map_err(|source| ReconcileError::read(format!("CloudBucket {name}"), source))?;
    let wish = |bucket: &CloudBucket| (bucket.uid(), bucket.spec.credentials_requested_at.clone());
    Ok(found.is_some_and(|found| wish(&found) == wish(bucket) && found.metadata.deletion_timestamp.is_none()))
}

async fn read_bucket(name: &str, site: &SiteEngines) -> Result<Option<BucketView>, ReconcileError> {
    let found = Api::<BucketView>::all(site.client.clone()).get_opt(name).await;
    found.map_err(|source| ReconcileError::read(format!("ObjectBucket {name}"), source))
}

/// The object store whose buckets are of this class, or why there is none.
async fn store_of(class: &str, site: &SiteEngines) -> Result<Result<Store, Trouble>, ReconcileError> {
    let found = Api::<StorageClass>::all(site.client.clone()).get_opt(class).await;
    let found = found.map_err(|source| ReconcileError::read(format!("StorageClass {class}"), source))?;
    let code = match found.as_ref().map(rook::store_of) {
        Some(Ok(store)) => return Ok(Ok(store)),
        None => "StorageClassUnknown",
        Some(Err(Unusable::NotForBuckets)) => "StorageClassNotForBuckets",
        Some(Err(Unusable::KeepsBuckets)) => "StorageClassKeepsBuckets",
    };
    Ok(Err(Trouble::Class { code, class: class.to_owned() }))
}

/// Where clients find the bucket of a claim.
fn connection(bucket: &BucketView, claim: &Claim) -> Option<BucketConnection> {
    let endpoint = bucket.spec.endpoint.as_ref()?;
    Some(BucketConnection {
        host: endpoint.bucket_host.clone(),
        port: endpoint.bucket_port,
        bucket: endpoint.bucket_name.clone(),
        credentials_secret_ref: LocalRef::new(bucket_secret_name(&claim.subject.name)),
    })
}

/// Whose steps are taken, and where.
struct At<'a> {
    bucket: &'a CloudBucket,
    claim: &'a Claim,
    namespace: &'a str,
    desired: &'a Desired,
    site: &'a SiteEngines,
    context: &'a Context,
}

impl At<'_> {
    /// Takes steps until there is none, something has to be waited for, or something is in the way. Whether what is there is
    /// this bucket's: somebody else's, or ours on its way out, is not.
    async fn settle(&self, observed: &mut Observed, engine: &mut Engine) -> Result<bool, ReconcileError> {
        let mut before = Step::Nothing;
        for _ in 0..MOST_STEPS {
            let step = match plan::plan(self.desired, observed) {
                Ok(step) => step,
                Err(obstacle) => {
                    self.obstructed(&obstacle, engine);
                    return Ok(false);
                }
            };
            if let Step::Await(awaited) = step {
                engine.awaited = Some(awaited);
                break;
            }
            if step == Step::Nothing {
                break;
            }
            if step == before {
                // It was taken, and what came of it does not keep what was said: asking again and again is no use.
                engine.trouble = Some(Trouble::Fault(format!("{step} not kept")));
                break;
            }
            match self.take(&step, observed).await {
                Ok(()) => before = step,
                Err(ReconcileError::Obstacle(obstacle)) => {
                    self.obstructed(&obstacle, engine);
                    break;
                }
                // The engine's own admission said no: its owner should read why, and asking again at once is no use.
                Err(ReconcileError::Write(error)) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
                    warn!(
                        bucket.namespace = self.bucket.namespace(),
                        bucket.name = self.bucket.name_any(),
                        error = chain(&error),
                        "the engine refused what was approved"
                    );
                    // Its own words may name other tenants' things and are for operators; the owner gets the code.
                    let problem = format!("{step} {}", error.status().unwrap_or_default());
                    engine.trouble = Some(Trouble::Fault(problem));
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn obstructed(&self, obstacle: &Obstacle, engine: &mut Engine) {
        warn!(
            bucket.namespace = self.bucket.namespace(),
            bucket.name = self.bucket.name_any(),
            %obstacle,
            "the engine is not free"
        );
        engine.trouble = Some(match obstacle {
            Obstacle::Lost { .. } => Trouble::Lost,
            Obstacle::Foreign { .. } => Trouble::Fault(obstacle.to_string()),
        });
    }

    async fn take(&self, step: &Step, observed: &mut Observed) -> Result<(), ReconcileError> {
        let Self { desired, site, context, namespace, .. } = *self;
        match step {
            Step::Nothing | Step::Await(_) => {}
            Step::MakeKeys => {
                let made = keys::make(self.claim, &desired.claim, &desired.keys, site, context).await?;
                observed.keys.push(made);
            }
            Step::ApplyUser(why) => {
                let api = Api::<UserView>::namespaced(site.client.clone(), namespace);
                let written = match there(&api, &desired.user, *why == Why::Missing, &desired.claim).await? {
                    Some(user) => user,
                    None => context.writer.apply(&api, name_of(&desired.user), &desired.user).await?,
                };
                site.unseen_bucket_users.wrote(written.clone());
                observed.user = Some(written);
            }
            Step::ApplyClaim(why) => {
                let api = Api::<ClaimView>::namespaced(site.client.clone(), namespace);
                let written = match there(&api, &desired.bucket, *why == Why::Missing, &desired.claim).await? {
                    Some(claim) => claim,
                    None => context.writer.apply(&api, name_of(&desired.bucket), &desired.bucket).await?,
                };
                site.unseen_bucket_claims.wrote(written.clone());
                observed.claim = Some(written);
            }
            Step::HandOver => {
                if let Some(contents) = observed.untold(desired) {
                    credentials::hand_over(self.claim, &desired.claim, &contents, context).await?;
                    observed.held = Some(contents);
                }
            }
            Step::DeleteKeys(name) => {
                remove::<Secret>(&site.client, namespace, name, &desired.claim, context).await?;
                observed.keys.retain(|keys| keys.name() != name);
            }
        }
        Ok(())
    }
}

/// Whether what the bucket of a claim in use was asked for with is not where it was. An engine that is not installed, or a
/// site that cannot be reached, says nothing.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts_of(claim, Meter::ObjectStorage, context) else { return false };
    let is_gone = site.bucket_claim(&engine_namespace(claim), &request::claim_name(claim)).is_none();
    context.buckets_listed.is_open() && is_gone
}
