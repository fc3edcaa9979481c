//! Dereference: both departments from memory; their systems and hosts from the API server itself, since what is deleted
//! or given away must not follow from a cache.

use std::fmt::Debug;

use jiyun_crds::{
    names::department_namespace,
    v1alpha1::{
        CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, Department, Handover, InformationSystem,
    },
};
use jiyun_ledger::AccountId;
use kube::{Api, Resource, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use crate::{catalogue::lookup, context::Context, error::ReconcileError};

/// Objects a page.
const PAGE: u32 = 500;

/// What a handover is about, as far as it exists.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Who hands over.
    pub from: Option<Department>,
    /// Who takes over.
    pub to: Option<Department>,
    /// The account that keeps the taker from being given anything: its own or one above, closed.
    pub closed: Option<String>,
    /// Systems of the giver.
    pub systems: Vec<InformationSystem>,
    /// Hosts of the giver.
    pub hosts: Vec<CloudHost>,
    /// Databases of the giver.
    pub databases: Vec<CloudDatabase>,
    /// Volumes of the giver.
    pub volumes: Vec<CloudVolume>,
    /// Buckets of the giver.
    pub buckets: Vec<CloudBucket>,
    /// Snapshots of the giver.
    pub snapshots: Vec<CloudSnapshot>,
    /// Systems of the taker.
    pub taker_systems: Vec<InformationSystem>,
    /// Hosts of the taker.
    pub taker_hosts: Vec<CloudHost>,
}

/// Fetches what `handover` names.
///
/// # Errors
/// When a list cannot be read. An answer that cannot be had is never taken for "nothing there".
pub async fn dereference(handover: &Handover, context: &Context) -> Result<Found, ReconcileError> {
    let (from, to) = (&handover.spec.from.department_ref.name, &handover.spec.to.department_ref.name);
    let closed = context.ledger.read(|state| state.closed_on_path(&AccountId::new(to)).map(ToString::to_string));
    Ok(Found {
        from: lookup(&context.catalogue.departments, None, from),
        to: lookup(&context.catalogue.departments, None, to),
        closed,
        systems: all(from, context).await?,
        hosts: all(from, context).await?,
        databases: all(from, context).await?,
        volumes: all(from, context).await?,
        buckets: all(from, context).await?,
        snapshots: all(from, context).await?,
        taker_systems: all(to, context).await?,
        taker_hosts: all(to, context).await?,
    })
}

/// All objects of a kind in a department's namespace.
///
/// # Errors
/// When they cannot be read.
pub async fn all<K>(department: &str, context: &Context) -> Result<Vec<K>, ReconcileError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::namespaced(context.client.clone(), &department_namespace(department));
    let (mut objects, mut page) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let list = api.list(&page).await.map_err(|source| ReconcileError::read(K::plural(&()), source))?;
        objects.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(objects),
        }
    }
}
