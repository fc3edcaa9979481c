//! Whether the instances of a database are what was approved: looked at while a changed cluster is not marked as followed.

use std::time::Instant;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt, api::ListParams};

use super::{approved::Approved, report::Engine};
use crate::{
    context::Context,
    engines::{
        cnpg::{
            self, ClusterView,
            instances::{FOLLOWED, Lag, PodView, lag},
        },
        order::{DatabaseOrder, Power},
    },
    error::ReconcileError,
    site::SiteEngines,
};

/// The generation of a cluster whose wish was not changed since it was made.
const FIRST: i64 = 1;

/// What is asked of a cluster.
pub struct Declared<'a> {
    /// The order it is made of.
    pub order: &'a DatabaseOrder,
    /// The claim it is for, as engine objects are labelled with it.
    pub label: &'a str,
    /// Whether it is all that was approved: not where storage cannot grow.
    pub is_whole: bool,
}

/// Finds out whether the instances of a database have followed what was `approved`, and tells it in `engine`.
///
/// # Errors
/// When Kubernetes cannot be asked.
pub async fn look(
    engine: &mut Engine,
    cluster: &ClusterView,
    declared: &Declared<'_>,
    approved: &Approved,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    of_instances(engine, cluster, declared, approved, site, context).await?;
    if !declared.is_whole && declared.order.power == Power::On {
        engine.lag = engine.lag.or(Some(Lag::Storage));
    }
    Ok(())
}

async fn of_instances(
    engine: &mut Engine,
    cluster: &ClusterView,
    declared: &Declared<'_>,
    approved: &Approved,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    let does = engine.does_what_was_asked();
    // What was carried out is told by the generation, which neither power nor the mark itself changes: the same sizes may be
    // declared again after others. A cluster that was made anew counts from the first again.
    let (generation, uid) = (cluster.metadata.generation.unwrap_or_default(), cluster.uid().unwrap_or_default());
    let mark = format!("{uid}/{generation}");
    let was_changed = generation > FIRST || approved.under_way.is_some();
    if !was_changed || cluster.annotations().get(FOLLOWED) == Some(&mark) {
        engine.followed = does;
        return Ok(());
    }
    let power = declared.order.power;
    if power == Power::Off && !(does && approved.under_way.is_some()) {
        // The rest is done when it starts again.
        return Ok(());
    }
    let is_heard = context.declared_clusters.is_heard(&uid, generation, Instant::now());
    match (power, behind(declared, site).await?) {
        (Power::On, Some(lag)) => engine.lag = Some(lag),
        (Power::Off, Some(_)) => {}
        (Power::On, None) if !is_heard => engine.lag = Some(Lag::Unheard),
        (Power::Off, None) if !is_heard => engine.unheard = true,
        (_, None) => {
            engine.followed = does;
            if does && note(cluster, &mark, declared, site, context).await? {
                context.declared_clusters.forget(&uid);
            }
        }
    }
    Ok(())
}

/// By the API server's own word.
async fn behind(declared: &Declared<'_>, site: &SiteEngines) -> Result<Option<Lag>, ReconcileError> {
    let DatabaseOrder { namespace, name, .. } = declared.order;
    let of_cluster = ListParams::default().labels(&format!("{}={name}", cnpg::CLUSTER));
    let pods = Api::<PodView>::namespaced(site.client.clone(), namespace).list(&of_cluster).await;
    let pods = pods.map_err(|source| ReconcileError::read("Pod", source))?;
    let volumes = Api::<PersistentVolumeClaim>::namespaced(site.client.clone(), namespace).list(&of_cluster).await;
    let volumes = volumes.map_err(|source| ReconcileError::read("PersistentVolumeClaim", source))?;
    Ok(lag(declared.order, declared.label, &pods.items, &volumes.items))
}

/// Marks the cluster, so that nothing is read while it stays as it is; whether that was taken.
async fn note(
    cluster: &ClusterView,
    mark: &str,
    declared: &Declared<'_>,
    site: &SiteEngines,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let api = Api::<ClusterView>::namespaced(site.client.clone(), &declared.order.namespace);
    match context.writer.annotate(&api, cluster, FOLLOWED, Some(mark)).await {
        Ok(written) => {
            site.unseen_clusters.wrote(written);
            Ok(true)
        }
        // Its engine wrote on it meanwhile: at the next look.
        Err(error) if error.status() == Some(409) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
