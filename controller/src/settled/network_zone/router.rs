//! A department's router, shared by its subnets in all zones: there before the first of them, gone after the last.

use jiyun_crds::names::LABEL_DEPARTMENT;
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::{
    book::AddressBook,
    subnets::{self, Made, Present, take_down},
};
use crate::{
    context::Context,
    engines::kube_ovn::{self, VpcView},
    error::ReconcileError,
};

/// Makes the router of a department.
///
/// # Errors
/// When a request fails.
pub async fn ensure(department: &str, present: &Present, context: &Context) -> Result<Made, ReconcileError> {
    let (name, desired) = (kube_ovn::vpc_name(department), kube_ovn::vpc(department));
    let found = present.routers.iter().find(|router| router.name_any() == name);
    subnets::ensure(found, None, &name, &desired, context).await
}

/// Takes down routers of departments that have nothing in any zone, once nothing lies behind them: not even a subnet that
/// somebody else has put there, for a subnet without a router breaks every new namespace of the cluster. Whether any is left.
///
/// # Errors
/// When a request fails.
pub async fn take_down_unused(
    book: &AddressBook,
    present: &Present,
    context: &Context,
) -> Result<bool, ReconcileError> {
    let mut left = false;
    for router in &present.routers {
        let Some(department) = department_of(router).filter(|department| !book.names(department)) else { continue };
        left = true;
        let name = kube_ovn::vpc_name(department);
        let lies_behind = |subnet: &kube_ovn::SubnetView| subnet.spec.get("vpc").and_then(Value::as_str) == Some(&name);
        if !context.quarantined() && !present.subnets.iter().any(lies_behind) {
            take_down(router, context).await?;
        }
    }
    Ok(left)
}

/// Whether a department still has its router.
///
/// # Errors
/// When that cannot be read.
pub async fn is_there(department: &str, context: &Context) -> Result<bool, ReconcileError> {
    let name = kube_ovn::vpc_name(department);
    let api = Api::<VpcView>::all(context.client.clone());
    match api.get(&name).await {
        Ok(found) => Ok(department_of(&found) == Some(department)),
        // Where the kind is not installed there is none either.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(source) => Err(ReconcileError::read(name, source)),
    }
}

/// The department of one of our routers.
fn department_of(router: &VpcView) -> Option<&str> {
    let department = router.labels().get(LABEL_DEPARTMENT)?;
    kube_ovn::is_ours(&router.metadata, &kube_ovn::vpc(department)).then_some(department.as_str())
}
