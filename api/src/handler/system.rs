//! Information systems over HTTP.

pub mod list;
pub mod one;
pub mod order;

use http::HeaderValue;
use jiyun_crds::v1alpha1::InformationSystem;

use crate::{app::system_state, extract::DepartmentName, model::System};

fn shown(department: &DepartmentName, system: InformationSystem) -> System {
    let state = system_state(&system);
    System::new(department.as_str(), system, state)
}

/// The address of a system; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, system: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/systems/{system}")).ok()
}
