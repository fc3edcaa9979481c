//! What both stores hold now: read, nothing written.

use jiyun_crds::{
    names,
    v1alpha1::{
        CloudBucket, CloudDatabase, CloudHost, CloudSnapshot, CloudVolume, Department, HostClass, HostImage,
        InformationSystem, NetworkZone,
    },
};
use jiyun_ledger::{
    Follower, State,
    store::etcd::{DEFAULT_PREFIX, EtcdStore},
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
};
use serde::de::DeserializeOwned;
use std::{fmt::Debug, sync::Arc, time::Duration};

use super::{
    AdoptError,
    apply::lost_claim,
    facts::{Facts, by_name},
    plan::{self, Plan},
    rebound,
};
use crate::{
    args::Adopt,
    engines::{
        cdi::DataVolume,
        kubevirt::VirtualMachine,
        view::{EngineKind, View},
    },
    error::ReconcileError,
    host, serve,
};

/// How long the ledger may take to be read.
const PATIENCE: Duration = Duration::from_mins(2);

/// Objects a page.
const PAGE: u32 = 500;

/// The objects that a plan is made from and that its steps are resolved with.
pub struct Objects {
    /// Hosts of all departments.
    pub hosts: Vec<CloudHost>,
    /// Databases of all departments.
    pub databases: Vec<CloudDatabase>,
    /// Volumes of all departments.
    pub volumes: Vec<CloudVolume>,
    /// Buckets of all departments.
    pub buckets: Vec<CloudBucket>,
    /// Snapshots of all departments.
    pub snapshots: Vec<CloudSnapshot>,
    /// Departments.
    pub departments: Vec<Department>,
    /// Information systems.
    pub systems: Vec<InformationSystem>,
    /// Classes.
    pub classes: Vec<HostClass>,
    /// Images.
    pub images: Vec<HostImage>,
    /// Zones.
    pub zones: Vec<NetworkZone>,
    /// Engine objects and namespaces.
    pub facts: Facts,
}

/// Reads both and plans.
///
/// # Errors
/// When either cannot be read.
pub async fn plan_with(state: &State, client: &Client) -> Result<(Plan, Objects), AdoptError> {
    let objects = Objects {
        hosts: all(client).await?,
        databases: all(client).await?,
        volumes: all(client).await?,
        buckets: all(client).await?,
        snapshots: all(client).await?,
        departments: all(client).await?,
        systems: all(client).await?,
        classes: all(client).await?,
        images: all(client).await?,
        zones: all(client).await?,
        facts: Facts {
            machines: by_name(engine_objects::<VirtualMachine>(client).await?),
            disks: by_name(engine_objects::<DataVolume>(client).await?),
            namespaces: all::<Namespace>(client).await?.iter().map(ResourceExt::name_any).collect(),
        },
    };
    let label = |claim| host::label_of(claim, state);
    let lost = |host: &CloudHost| lost_claim(host, state, &objects);
    let mut plan = plan::plan(state, &objects.hosts, &objects.facts, label, lost);
    rebound::plan(state, &objects.databases, &mut plan);
    rebound::plan(state, &objects.volumes, &mut plan);
    rebound::plan(state, &objects.buckets, &mut plan);
    rebound::plan(state, &objects.snapshots, &mut plan);
    Ok((plan, objects))
}

/// Our objects of an engine's kind, whole: what of them is read is more than the views keep.
async fn engine_objects<E: EngineKind>(client: &Client) -> Result<Vec<DynamicObject>, AdoptError> {
    let resource = ApiResource::erase::<View<E>>(&());
    let api = Api::<DynamicObject>::all_with(client.clone(), &resource);
    let ours = format!("{}={}", names::LABEL_MANAGED_BY, names::MANAGED_BY);
    pages(&api, E::PLURAL, ListParams::default().labels(&ours)).await
}

/// Follows the ledger until it was read, and plans.
///
/// # Errors
/// When either cannot be read.
pub async fn plan(arguments: &Adopt) -> Result<(Plan, Arc<State>), AdoptError> {
    let client = serve::kubernetes(arguments.kubeconfig.as_deref()).await?;
    let etcd = serve::ledger_config(&arguments.ledger)?.connect().await?;
    let follower = Follower::start(EtcdStore::new(etcd, DEFAULT_PREFIX), Arc::new(jiff::Timestamp::now));
    follower.caught_up(PATIENCE).await.map_err(|_| serve::ServeError::Silent)?;
    let state = follower.snapshot();
    Ok((plan_with(&state, &client).await?.0, state))
}

/// All objects of a kind. One that cannot be decoded fails the whole: a plan must not overlook anything.
async fn all<K>(client: &Client) -> Result<Vec<K>, AdoptError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    pages(&Api::<K>::all(client.clone()), &K::plural(&()), ListParams::default()).await
}

async fn pages<K>(api: &Api<K>, kind: &str, selection: ListParams) -> Result<Vec<K>, AdoptError>
where
    K: Clone + Debug + DeserializeOwned,
{
    let (mut objects, mut page) = (Vec::new(), selection.limit(PAGE));
    loop {
        let list = api.list(&page).await.map_err(|source| ReconcileError::read(kind, source))?;
        objects.extend(list.items);
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(objects),
        }
    }
}
