//! A request the platform decided against, as a problem document.

use http::StatusCode;
use jiyun_crds::v1alpha1::{HostRefusal, condition::Reason};
use jiyun_messages::Parameters;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::{Problem, invalid::our_field};

impl Problem {
    /// 409: the controller decided against a request. `refusal` has code and figures; a condition without one says it in
    /// its own words. `storage` is the field that asks for storage.
    pub fn refused(refusal: Option<&HostRefusal>, condition: &Condition, storage: &str) -> Self {
        match refusal {
            Some(refusal) => {
                let figures = figures(refusal);
                let field = field_of(&refusal.code, &figures, storage);
                let problem = Self::coded(StatusCode::CONFLICT, refusal.code.clone(), figures);
                field.into_iter().fold(problem, Self::about)
            }
            None => Self {
                words: Some(condition.message.clone()),
                ..Self::coded(StatusCode::CONFLICT, condition.reason.clone(), Parameters::new())
            },
        }
    }
}

/// The figures of a refusal, fields in the words of this API.
pub fn figures(refusal: &HostRefusal) -> Parameters {
    let pairs = refusal.parameters.iter().map(|parameter| {
        let value = match parameter.name.as_str() {
            "field" => our_field(&parameter.value).unwrap_or_else(|| parameter.value.clone()),
            _ => parameter.value.clone(),
        };
        (parameter.name.clone(), value)
    });
    pairs.collect()
}

/// The field to change: the one the refusal names, or the one that asks for the meter that ran short.
fn field_of(code: &str, figures: &Parameters, storage: &str) -> Option<String> {
    if let Some(field) = figures.get("field") {
        return Some(field.clone());
    }
    match figures.get("meter").map(String::as_str) {
        Some("Vcpu" | "Memory" | "Hosts" | "Gpus") => Some("class".to_owned()),
        Some("BlockStorage" | "ObjectStorage") => Some(storage.to_owned()),
        _ if code == Reason::NoMatchingPool.as_str() => Some("zone".to_owned()),
        _ => None,
    }
}
