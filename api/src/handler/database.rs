//! Cloud databases over HTTP.

pub mod list;
pub mod one;
pub mod order;

use http::HeaderValue;
use jiyun_crds::v1alpha1::CloudDatabase;
use jiyun_messages::Language;

use crate::{app::state, extract::DepartmentName, model::Database};

fn shown(department: &DepartmentName, database: CloudDatabase, language: Language) -> Database {
    let state = state(&database);
    Database::new(department.as_str(), database, state, language)
}

/// The address of a database; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, database: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/databases/{database}")).ok()
}
