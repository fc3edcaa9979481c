//! Cloud hosts over HTTP.

pub mod console;
pub mod list;
pub mod one;
pub mod order;
pub mod restart;
pub mod restore;

use http::HeaderValue;
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_messages::Language;

use crate::{app::state, extract::DepartmentName, model::Host};

fn shown(department: &DepartmentName, host: CloudHost, language: Language) -> Host {
    let state = state(&host);
    Host::new(department.as_str(), host, state, language)
}

/// The address of a host; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, host: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/hosts/{host}")).ok()
}
