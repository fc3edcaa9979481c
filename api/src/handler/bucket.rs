//! Cloud buckets over HTTP.

pub mod list;
pub mod one;
pub mod order;
pub mod rotation;

use http::HeaderValue;
use jiyun_crds::v1alpha1::CloudBucket;
use jiyun_messages::Language;

use crate::{app::state, extract::DepartmentName, model::Bucket};

fn shown(department: &DepartmentName, bucket: CloudBucket, language: Language) -> Bucket {
    let state = state(&bucket);
    Bucket::new(department.as_str(), bucket, state, language)
}

/// The address of a bucket; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, bucket: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/buckets/{bucket}")).ok()
}
