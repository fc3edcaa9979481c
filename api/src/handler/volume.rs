//! Cloud volumes over HTTP.

pub mod list;
pub mod one;
pub mod order;
pub mod restore;

use http::HeaderValue;
use jiyun_crds::v1alpha1::CloudVolume;
use jiyun_messages::Language;

use crate::{app::state, extract::DepartmentName, model::Volume};

fn shown(department: &DepartmentName, volume: CloudVolume, language: Language) -> Volume {
    let state = state(&volume);
    Volume::new(department.as_str(), volume, state, language)
}

/// The address of a volume; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, volume: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/volumes/{volume}")).ok()
}
