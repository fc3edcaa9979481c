//! Cloud snapshots over HTTP.

pub mod list;
pub mod one;
pub mod order;

use http::HeaderValue;
use jiyun_crds::v1alpha1::CloudSnapshot;
use jiyun_messages::Language;

use crate::{app::state, extract::DepartmentName, model::Snapshot};

fn shown(department: &DepartmentName, snapshot: CloudSnapshot, language: Language) -> Snapshot {
    let state = state(&snapshot);
    Snapshot::new(department.as_str(), snapshot, state, language)
}

/// The address of a snapshot; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, snapshot: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/snapshots/{snapshot}")).ok()
}
