//! Drives the engine of a granted database: takes the steps of its plan, and says what came of it.

use jiyun_crds::{
    names::credentials_name,
    v1alpha1::{CloudDatabase, DatabaseConnection, LocalRef, Power as WishedPower},
};
use jiyun_ledger::Claim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};
use tracing::warn;

use super::{
    approved::Approved,
    credentials, engine,
    follow::{self, Declared},
    plan::{self, Desired, Observed, Step, Why},
    report::Engine,
    request,
};
use crate::{
    context::Context,
    engines::{
        cnpg::{self, ClusterView, DatabaseState},
        network::{self, PolicyView},
        order::{DatabaseOrder, Power},
    },
    error::ReconcileError,
    host::{
        claim_label,
        request::{engine_name, engine_namespace},
        steps::{outcome, there},
        whereabouts,
    },
    site::SiteEngines,
};

/// Makes what was approved of `claim`, and hands its credentials over.
///
/// # Errors
/// When the engine or Kubernetes cannot be asked.
pub async fn drive(
    database: &CloudDatabase,
    claim: &Claim,
    approved: &Approved,
    context: &Context,
) -> Result<Engine, ReconcileError> {
    let power = match database.spec.power {
        WishedPower::Running => Power::On,
        WishedPower::Stopped => Power::Off,
    };
    if engine::is_missing(context) {
        return Ok(Engine { missing: true, ..Engine::new(power) });
    }
    let Some((site, storage_class)) = whereabouts(claim, context) else {
        let problem = Some(jiyun_crds::v1alpha1::Reason::SiteUnreachable.as_str().to_owned());
        return Ok(Engine { problem, ..Engine::new(power) });
    };
    let label = claim_label(claim, context);
    let mut observed = Observed {
        gate: site.policies_of(&label).into_iter().next(),
        cluster: site.cluster(&engine_namespace(claim), engine_name(claim)),
    };
    // Storage does not move: a pool's new class is for new databases.
    let lies_in = observed.cluster.as_ref().and_then(|cluster| cluster.spec.storage.as_ref()?.storage_class.clone());
    let mut order = request::order(claim, &label, approved, &lies_in.unwrap_or(storage_class), power);
    let stuck = stuck_at(&order, observed.cluster.as_ref(), site).await?;
    // All else is done without.
    order.storage_mebibytes = stuck.unwrap_or(order.storage_mebibytes);
    let desired = Desired {
        claim: label.clone(),
        gate: cnpg::gate(&order),
        cluster: cnpg::build(&order),
        power,
        established: claim.billable_from.is_some() || claim.adopted,
    };
    let mut problem = None;
    let steps = plan::plan(&desired, &observed).unwrap_or_else(|obstacle| {
        warn!(
            database.namespace = database.namespace(),
            database.name = database.name_any(),
            %obstacle,
            "the engine is not free"
        );
        problem = Some(obstacle.to_string());
        // Somebody else's, or ours on its way out, is not this database's.
        observed = Observed::default();
        Vec::new()
    });
    for step in steps {
        match take(step, &desired, database, (&order, &mut observed), site, context).await {
            Ok(()) => {}
            Err(ReconcileError::Obstacle(obstacle)) => {
                problem = Some(obstacle.to_string());
                break;
            }
            // The engine's own admission said no: its owner should read why, and asking again at once is no use.
            Err(ReconcileError::Write(error)) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
                warn!(
                    database.namespace = database.namespace(),
                    database.name = database.name_any(),
                    error = crate::error::chain(&error),
                    "the engine refused what was approved"
                );
                // Its own words may name other tenants' things and are for operators; the owner gets the code.
                problem = Some(format!("{step} {}", error.status().unwrap_or_default()));
                break;
            }
            Err(error) => return Err(error),
        }
    }
    let mut told = Engine { problem, ..Engine::new(power) };
    if let Some(cluster) = &observed.cluster {
        told.state = Some(cnpg::state(&cluster.status, approved.instances));
        told.ready_instances = cluster.status.ready_instances;
        if told.problem.is_none() {
            let declared = Declared { order: &order, label: &label, is_whole: stuck.is_none() };
            follow::look(&mut told, cluster, &declared, approved, site, context).await?;
        }
        match credentials::hand_over(claim, &label, site, context).await {
            Ok(true) => told.connection = Some(connection(claim, approved)),
            Ok(false) => {}
            Err(ReconcileError::Obstacle(obstacle)) => told.problem = Some(obstacle.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(told)
}

/// The storage each instance of `cluster` keeps although more was approved, where its class does not let volumes grow: told to
/// grow all the same, the engine would mend nothing any more (`pkg/reconciler/persistentvolumeclaim/existing.go`).
async fn stuck_at(
    order: &DatabaseOrder,
    cluster: Option<&ClusterView>,
    site: &SiteEngines,
) -> Result<Option<u64>, ReconcileError> {
    let storage = cluster.and_then(|cluster| cluster.spec.storage.as_ref());
    let has = storage.and_then(|storage| storage.size.as_ref()?.mebibytes_down().ok());
    let Some(has) = has.filter(|has| *has < order.storage_mebibytes) else { return Ok(None) };
    let class = &order.storage_class;
    let found = Api::<StorageClass>::all(site.client.clone()).get_opt(class).await;
    let found = found.map_err(|source| ReconcileError::read(format!("StorageClass {class}"), source))?;
    let can = found.is_some_and(|found| found.allow_volume_expansion == Some(true));
    Ok((!can).then_some(has))
}

async fn take(
    step: Step,
    desired: &Desired,
    database: &CloudDatabase,
    (order, observed): (&DatabaseOrder, &mut Observed),
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    match step {
        Step::ApplyGate(_) => {
            let api = Api::<PolicyView>::namespaced(site.client.clone(), &order.namespace);
            let written = context.writer.apply(&api, network::name_of(&desired.gate), &desired.gate).await?;
            site.unseen_policies.wrote(written.clone());
            observed.gate = Some(written);
        }
        Step::ApplyCluster(why) => {
            let api = Api::<ClusterView>::namespaced(site.client.clone(), &order.namespace);
            let is_missing = why == Why::Missing;
            let written = if let Some(cluster) = there(&api, &desired.cluster, is_missing, &desired.claim).await? {
                cluster
            } else {
                apply(database, &api, desired, (observed.cluster.as_ref(), why), context).await?
            };
            site.unseen_clusters.wrote(written.clone());
            observed.cluster = Some(written);
        }
    }
    Ok(())
}

/// Applies the cluster; where that stops or starts it, the trail has it before and after.
async fn apply(
    database: &CloudDatabase,
    api: &Api<ClusterView>,
    desired: &Desired,
    (observed, why): (Option<&ClusterView>, Why),
    context: &Context,
) -> Result<ClusterView, ReconcileError> {
    let power = desired.power;
    let is_switched = |cluster: &&ClusterView| plan::declared(cluster) != Some(cnpg::hibernation(power));
    let begun = match observed.filter(is_switched) {
        Some(cluster) => {
            let trail = context.writer.trail();
            Some(trail.switching(("database", database), cluster, power, why.into()).await?)
        }
        None => None,
    };
    let applied = context.writer.apply(api, network::name_of(&desired.cluster), &desired.cluster).await;
    if let Some(begun) = begun {
        begun.ended(outcome(&applied)).await;
    }
    Ok(applied?)
}

/// Where clients find the database of a claim.
fn connection(claim: &Claim, approved: &Approved) -> DatabaseConnection {
    let (namespace, name) = (engine_namespace(claim), engine_name(claim));
    DatabaseConnection {
        host: cnpg::host(name, &namespace),
        read_only_host: cnpg::read_only_host(name, &namespace, approved.instances),
        port: cnpg::PORT.into(),
        database: cnpg::DATABASE.to_owned(),
        credentials_secret_ref: LocalRef::new(credentials_name(&claim.subject.name)),
    }
}

/// Whether the cluster of a claim in use is not where it was. An engine that is not installed, or a site that cannot be
/// reached, says nothing.
pub fn has_vanished(claim: &Claim, context: &Context) -> bool {
    let Some((site, _)) = whereabouts(claim, context) else { return false };
    let is_gone = site.cluster(&engine_namespace(claim), engine_name(claim)).is_none();
    context.clusters_listed.is_open() && is_gone
}

impl Engine {
    /// Nothing is known yet.
    fn new(power: Power) -> Self {
        Self {
            state: None::<DatabaseState>,
            ready_instances: None,
            power,
            connection: None,
            problem: None,
            missing: false,
            lag: None,
            unheard: false,
            followed: false,
        }
    }
}
