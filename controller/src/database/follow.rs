//! Whether the instances of a database are what was approved: looked at while a changed cluster is not marked as followed.

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

/// The generation of a cluster whose wish was never changed.
const FIRST: i64 = 1;

/// What is asked of a cluster.
pub struct Declared<'a> {
    /// The order it is made of.
    pub order: &'a DatabaseOrder,
    /// The claim it is for, as engine objects are labelled with it.
    pub label: &'a str,
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
    let does = engine.does_what_was_asked();
    // What was carried out is told by the generation, which neither power nor the mark itself changes: the same sizes may be
    // declared again after others.
    let generation = cluster.metadata.generation.unwrap_or_default();
    let mark = generation.to_string();
    if generation <= FIRST || cluster.annotations().get(FOLLOWED) == Some(&mark) {
        engine.followed = does;
        return Ok(());
    }
    if declared.order.power == Power::Off && !(does && approved.under_way.is_some()) {
        // The rest is done when it starts again.
        return Ok(());
    }
    let behind = behind(declared, site).await?;
    match (declared.order.power, behind) {
        (Power::On, Some(lag)) => engine.lag = Some(lag),
        (Power::Off, Some(_)) => {}
        (_, None) => {
            engine.followed = does;
            if does {
                note(cluster, &mark, declared, site, context).await?;
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

/// Marks the cluster, so that nothing is read while it stays as it is.
async fn note(
    cluster: &ClusterView,
    mark: &str,
    declared: &Declared<'_>,
    site: &SiteEngines,
    context: &Context,
) -> Result<(), ReconcileError> {
    let api = Api::<ClusterView>::namespaced(site.client.clone(), &declared.order.namespace);
    match context.writer.annotate(&api, cluster, FOLLOWED, Some(mark)).await {
        Ok(written) => {
            site.unseen_clusters.wrote(written);
            Ok(())
        }
        // Its engine wrote on it meanwhile: at the next look.
        Err(error) if error.status() == Some(409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
