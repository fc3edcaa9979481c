//! Drives the engine of a granted bucket: takes the steps of its plan, and says what came of it.

use jiff::Timestamp;
use jiyun_crds::{
    names::bucket_secret_name,
    v1alpha1::{BucketConnection, CloudBucket, LocalRef},
};
use jiyun_ledger::{Claim, Meter};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};
use tracing::warn;

use super::{
    credentials::{self, Look},
    engine,
    plan::{self, Desired, Observed, Step, Why},
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
    let mut observed = Observed {
        users: site.bucket_users_of(&label),
        claim: site.bucket_claim(&namespace, &name),
        ..Observed::default()
    };
    if observed.claim.as_ref().is_some_and(rook::is_bound) {
        observed.bucket = read_bucket(&rook::bucket_name(&namespace, &name), site).await?;
    }
    let moment = wanted(bucket, &label, &observed, now, context).await?;
    let owner = rook::user_name(&label, moment);
    let user = observed.users.iter().find(|user| user.name_any() == owner);
    let mut look = credentials::look(claim, &label, (user, observed.bucket.as_ref()), site, context).await?;
    (observed.issued, observed.copied) = (look.issued, look.copied);
    // A bucket does not move: a pool's new class is for new ones.
    let lies_in = observed.claim.as_ref().and_then(|claim| claim.spec.storage_class_name.clone());
    let order = request::order(claim, &label, approved, &lies_in.unwrap_or(class));
    let mut engine = Engine { moment, ..Engine::default() };
    let built = rook::claim(&order, &owner);
    let mut is_free = true;
    match store_of(&order.storage_class, site).await? {
        Err(trouble) => engine.trouble = Some(trouble),
        Ok(store) => {
            let desired = Desired {
                claim: label,
                user: rook::user(&order, &store, &owner),
                bucket: built.clone(),
                established: request::is_established(claim),
                paused: context.quarantined(),
            };
            let at = At { bucket, claim, namespace: &namespace, desired: &desired, site, context };
            is_free = at.settle(&mut observed, &mut look, &mut engine).await?;
        }
    }
    let user = observed.users.iter().find(|user| user.name_any() == owner);
    engine.handed_over = look.held && is_free;
    engine.grows = observed.bucket.as_ref().is_some_and(|bucket| rook::has_other_size(bucket, &built));
    if engine.handed_over {
        let made = user.and_then(|user| Some(user.metadata.creation_timestamp.as_ref()?.0));
        engine.pair = Some(Pair { moment, made });
        engine.connection = observed.bucket.as_ref().and_then(|bucket| connection(bucket, claim));
    } else if engine.trouble.is_none()
        && let Some(fault) = user.and_then(rook::fault)
    {
        engine.trouble = Some(Trouble::Fault(format!("CephObjectStoreUser {fault}")));
    }
    Ok(engine)
}

/// The moment of the key pair that the bucket is to have `now`. In quarantine none is replaced: the book may know less than is
/// true.
async fn wanted(
    bucket: &CloudBucket,
    label: &str,
    observed: &Observed,
    now: Timestamp,
    context: &Context,
) -> Result<u64, ReconcileError> {
    let asked = restart::moment(bucket.spec.credentials_requested_at.as_ref());
    let asked = asked.filter(|asked| *asked <= now && !context.quarantined());
    let asked = asked.and_then(|asked| u64::try_from(asked.as_second()).ok());
    let owner = observed.claim.as_ref().and_then(|claim| rook::moment_of(rook::owner(claim)?, label));
    let there: Vec<u64> = observed.users.iter().filter_map(rook::moment_of_user).collect();
    let moment = plan::wanted(asked, owner, there.iter().copied());
    if owner.is_some_and(|owner| owner != moment) && !is_still_asked(bucket, context).await? {
        return Ok(plan::wanted(None, owner, there.into_iter()));
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
    async fn settle(
        &self,
        observed: &mut Observed,
        look: &mut Look,
        engine: &mut Engine,
    ) -> Result<bool, ReconcileError> {
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
            match self.take(&step, observed, look).await {
                Ok(()) => {}
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

    async fn take(&self, step: &Step, observed: &mut Observed, look: &mut Look) -> Result<(), ReconcileError> {
        let Self { desired, site, context, namespace, .. } = *self;
        match step {
            Step::Nothing | Step::Await(_) => {}
            Step::ApplyUser(why) => {
                let api = Api::<UserView>::namespaced(site.client.clone(), namespace);
                let written = match there(&api, &desired.user, *why == Why::Missing, &desired.claim).await? {
                    Some(user) => user,
                    None => context.writer.apply(&api, name_of(&desired.user), &desired.user).await?,
                };
                site.unseen_bucket_users.wrote(written.clone());
                observed.users.retain(|user| user.name_any() != written.name_any());
                observed.users.push(written);
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
                credentials::hand_over(self.claim, &desired.claim, look, context).await?;
                observed.copied = look.copied;
            }
            Step::DeleteUser(name) => {
                remove::<UserView>(&site.client, namespace, name, &desired.claim, context).await?;
                observed.users.retain(|user| user.name_any() != *name);
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
