//! Orders (申请单) over HTTP.

pub mod approval;
pub mod file;
pub mod inbox;
pub mod list;
pub mod one;

use http::HeaderValue;
use jiyun_crds::v1alpha1 as crds;
use jiyun_messages::Language;

use crate::{app::order_state, extract::DepartmentName, model::Order};

pub(super) fn shown(department: &DepartmentName, order: crds::Order, language: Language) -> Order {
    let state = order_state(&order);
    Order::new(department.as_str(), order, state, language)
}

/// The address of an order; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, order: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/orders/{order}")).ok()
}
