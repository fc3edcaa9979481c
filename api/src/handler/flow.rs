//! Network flows over HTTP.

pub mod list;
pub mod one;
pub mod order;

use http::HeaderValue;
use jiyun_crds::v1alpha1::NetworkFlow;
use jiyun_messages::Language;

use crate::{app::flow_state, extract::DepartmentName, model::Flow};

fn shown(department: &DepartmentName, flow: NetworkFlow, language: Language) -> Flow {
    let state = flow_state(&flow);
    Flow::new(department.as_str(), flow, state, language)
}

/// The address of a flow; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, flow: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/flows/{flow}")).ok()
}
