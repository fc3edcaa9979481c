//! Makes the subnets of a zone what they should be, one step at each look: routers before subnets, and the other way round
//! at their end. What is there is asked of the API server, never of a cache.

use std::collections::BTreeSet;

use jiyun_crds::names::{FINALIZER_NETWORK, LABEL_DEPARTMENT, LABEL_MANAGED_BY, LABEL_ZONE, MANAGED_BY};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::Value;
use tracing::{error, info, warn};

use super::{allot::Network, book::AddressBook, router};
use crate::{
    context::Context,
    engines::{
        kube_ovn::{self, NetworkOrder, SubnetView, VpcView},
        view::{EngineKind, View},
    },
    error::{ReconcileError, chain},
};

/// What the engine has, ours and others'.
#[derive(Clone, Debug, Default)]
pub struct Present {
    /// Routers.
    pub routers: Vec<VpcView>,
    /// Subnets.
    pub subnets: Vec<SubnetView>,
}

/// What is left to be done for a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Something is made and not ready yet.
    pub on_its_way: bool,
    /// Something is still there that nobody needs any more.
    pub going: bool,
    /// What the engine did not take; no names, for everybody may read it.
    pub problem: Option<String>,
}

/// How an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// As it should be, or was asked to be so.
    Stands,
    /// It is on its way out against our will.
    Leaving,
    /// The engine did not take it.
    Refused(String),
}

impl Present {
    /// Reads it; `None` where the engine's kinds are not installed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(context: &Context) -> Result<Option<Self>, ReconcileError> {
        let (Some(routers), Some(subnets)) = (list(&context.client).await?, list(&context.client).await?) else {
            return Ok(None);
        };
        Ok(Some(Self { routers, subnets }))
    }

    /// The addresses in use in the cluster.
    pub fn networks(&self) -> Vec<Network> {
        let network = |subnet: &SubnetView| {
            // Both families may be said in one text.
            let blocks = subnet.spec.get("cidrBlock").and_then(Value::as_str).unwrap_or_default().split(',');
            let made_for = made_for(subnet).map(|(department, zone)| (department.to_owned(), zone.to_owned()));
            blocks
                .filter_map(move |block| Some(Network { cidr: block.trim().parse().ok()?, made_for: made_for.clone() }))
                .collect::<Vec<_>>()
        };
        self.subnets.iter().flat_map(network).collect()
    }
}

/// Whom one of our subnets was made for.
fn made_for(subnet: &SubnetView) -> Option<(&str, &str)> {
    let label = |name: &str| subnet.labels().get(name).map(String::as_str);
    let (department, zone) = (label(LABEL_DEPARTMENT)?, label(LABEL_ZONE)?);
    let ours =
        label(LABEL_MANAGED_BY) == Some(MANAGED_BY) && subnet.name_any() == kube_ovn::subnet_name(department, zone);
    ours.then_some((department, zone))
}

async fn list<E: EngineKind>(client: &Client) -> Result<Option<Vec<View<E>>>, ReconcileError> {
    match Api::<View<E>>::all(client.clone()).list(&ListParams::default()).await {
        Ok(list) => Ok(Some(list.items)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(source) => Err(ReconcileError::read(E::PLURAL, source)),
    }
}

/// Gives every user of `zone` a router and a subnet, and takes down those of others.
///
/// # Errors
/// When a request fails. What the engine refuses is told instead.
pub async fn put_right(
    zone: &str,
    users: &BTreeSet<String>,
    present: &Present,
    mut book: AddressBook,
    context: &Context,
) -> Result<Work, ReconcileError> {
    let mut work = Work::default();
    for department in users {
        let Some(cidr) = book.of(department, zone) else { continue };
        let order = NetworkOrder { department: department.clone(), zone: zone.to_owned(), cidr };
        // Behind a router that goes, nothing new is put.
        match router::ensure(department, present, context).await? {
            Made::Stands => match ensure_subnet(&order, present, context).await? {
                (Made::Refused(problem), _) => work.problem = Some(problem),
                (made, ready) => work.on_its_way |= made != Made::Stands || !ready,
            },
            Made::Leaving => work.on_its_way = true,
            Made::Refused(problem) => work.problem = Some(problem),
        }
    }
    let here = |subnet: &&SubnetView| made_for(subnet).is_some_and(|(who, of)| of == zone && !users.contains(who));
    for subnet in present.subnets.iter().filter(here) {
        work.going = true;
        // The last machine is gone; the engine may still be taking its port away.
        if kube_ovn::is_in_use(&subnet.status) || context.quarantined() {
            continue;
        }
        take_down(subnet, context).await?;
    }
    let before = book.clone();
    for department in book.departments_in(zone) {
        let is_theirs = |subnet: &SubnetView| made_for(subnet) == Some((department.as_str(), zone));
        if !users.contains(&department) && !present.subnets.iter().any(is_theirs) {
            book.strike(&department, zone);
        }
    }
    if book != before && !context.quarantined() {
        book.write(context).await?;
    }
    work.going |= router::take_down_unused(&book, present, context).await?;
    Ok(work)
}

async fn ensure_subnet(
    order: &NetworkOrder,
    present: &Present,
    context: &Context,
) -> Result<(Made, bool), ReconcileError> {
    let desired = kube_ovn::subnet(order);
    let name = kube_ovn::subnet_name(&order.department, &order.zone);
    let found = present.subnets.iter().find(|subnet| subnet.name_any() == name);
    let made = ensure(found, found.map(|subnet| &subnet.spec), &name, &desired, context).await?;
    Ok((made, found.is_some_and(kube_ovn::is_ready)))
}

/// Makes one object what it should be. One that somebody deletes past us is let go as soon as the engine has done with it,
/// and made anew.
///
/// # Errors
/// When a request fails.
pub async fn ensure<E: EngineKind>(
    found: Option<&View<E>>,
    spec: Option<&Value>,
    name: &str,
    desired: &Value,
    context: &Context,
) -> Result<Made, ReconcileError> {
    if let Some(found) = found {
        if !kube_ovn::is_ours(&found.metadata, desired) {
            error!(kind = E::KIND, name, "somebody else's; it is not taken over");
            return Ok(Made::Refused(format!("{} 409", E::KIND)));
        }
        if found.metadata.deletion_timestamp.is_some() {
            warn!(kind = E::KIND, name, "deleted by hand; it is made anew once the engine has let go of it");
            let_go(found, context).await?;
            return Ok(Made::Leaving);
        }
        if kube_ovn::stands(&found.metadata, spec, desired) {
            return Ok(Made::Stands);
        }
    }
    let api = Api::<View<E>>::all(context.client.clone());
    match context.writer.apply(&api, name, desired).await {
        Ok(_) => {
            info!(kind = E::KIND, name, missing = found.is_none(), "applied");
            Ok(Made::Stands)
        }
        Err(error) if matches!(error.status(), Some(400 | 403 | 404 | 422)) => {
            warn!(kind = E::KIND, name, error = chain(&error), "the engine did not take it");
            Ok(Made::Refused(format!("{} {}", E::KIND, error.status().unwrap_or_default())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Deletes an object of ours, and lets it go where nobody else holds it.
///
/// # Errors
/// When a request fails.
pub async fn take_down<E: EngineKind>(object: &View<E>, context: &Context) -> Result<(), ReconcileError> {
    if object.metadata.deletion_timestamp.is_some() {
        return let_go(object, context).await;
    }
    let api = Api::<View<E>>::all(context.client.clone());
    context.writer.delete(&api, object).await?;
    let name = object.name_any();
    let left = api.get_opt(&name).await.map_err(|source| ReconcileError::read(&name, source))?;
    info!(kind = E::KIND, name, "deleted");
    match left {
        Some(left) => let_go(&left, context).await,
        None => Ok(()),
    }
}

/// Takes our finalizer off an object that is being deleted, where it is the last one: the engine has done with it.
async fn let_go<E: EngineKind>(object: &View<E>, context: &Context) -> Result<(), ReconcileError> {
    if context.quarantined() {
        return Ok(());
    }
    let ours_alone = object.finalizers().iter().all(|finalizer| finalizer == FINALIZER_NETWORK);
    if ours_alone && object.metadata.deletion_timestamp.is_some() {
        let api = Api::<View<E>>::all(context.client.clone());
        context.writer.remove_finalizer(&api, object, FINALIZER_NETWORK).await?;
    }
    Ok(())
}
