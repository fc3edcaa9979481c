//! Files an order (申请单) for an object that was applied without one, where people have to agree to it.

use jiyun_crds::{
    names::{ANNOTATION_APPLICANT, LABEL_MANAGED_BY, MANAGED_BY},
    v1alpha1::{LocalRef, Order, OrderAction, OrderItem, OrderSpec, OrderState, Reason},
};
use kube::{Api, ResourceExt};
use tracing::info;

use super::{answer::Ordered, subject::Orderable};
use crate::{context::Context, error::ReconcileError};

/// Files the order called `name` for `object`. One that is there already was filed for the same wish: the name says so.
///
/// # Errors
/// When Kubernetes does not take it.
pub async fn file(
    object: &impl Orderable,
    name: String,
    action: OrderAction,
    context: &Context,
) -> Result<Ordered, ReconcileError> {
    let namespace = object.namespace().unwrap_or_default();
    let api = Api::<Order>::namespaced(context.client.clone(), &namespace);
    match context.writer.create(&api, &build(object, &name, action)).await {
        Ok(order) => {
            info!(object.namespace = namespace, object.name = object.name_any(), order = name, "filed an order");
            context.orders.unseen.wrote(order);
        }
        Err(error) if error.status() == Some(409) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Ordered { order: name, reason: Reason::AwaitingApproval, refusal: None })
}

fn build<T: Orderable>(object: &T, name: &str, action: OrderAction) -> Order {
    let item = OrderItem { kind: T::ORDERED, name: object.name_any(), action };
    let spec = OrderSpec {
        system_ref: LocalRef::new(object.system()),
        items: vec![item],
        justification: object.justification().map(str::to_owned),
        // As long as the field takes it.
        applicant: object
            .annotations()
            .get(ANNOTATION_APPLICANT)
            .map(|name| name.chars().take(253).collect())
            .unwrap_or_default(),
        project_number: None,
        filing_number: None,
        state: OrderState::Filed,
    };
    let mut order = Order::new(name, spec);
    order.metadata.namespace.clone_from(&object.meta().namespace);
    order.labels_mut().insert(LABEL_MANAGED_BY.to_owned(), MANAGED_BY.to_owned());
    order
}
