//! Build: the objects that are made in the department that takes over, and the mark on what is in a handover's hands.

use std::collections::BTreeMap;

use jiyun_crds::{
    names::{ANNOTATION_HANDOVER, MAX_NAME_LENGTH, department_namespace},
    v1alpha1::{CloudHost, CloudHostSpec, InformationSystem, LocalRef},
};
use kube::{ResourceExt, core::ObjectMeta};

use super::valid::Route;

/// The mark on what is in the hands of `handover`, for the giver's object called `name`.
pub fn mark(handover: &str, name: &str) -> String {
    format!("{handover}/{name}")
}

/// The taker's system in place of the giver's. Its text is the giver's, its people's remarks are not taken along.
pub fn system(system: &InformationSystem, there: &str, route: &Route) -> InformationSystem {
    InformationSystem { metadata: meta(there, &system.name_any(), route), spec: system.spec.clone(), status: None }
}

/// The taker's host called `name` in place of the giver's: everything as it was, but for the name of its system.
pub fn host(host: &CloudHost, name: &str, system: &str, route: &Route) -> CloudHost {
    CloudHost {
        metadata: meta(name, &host.name_any(), route),
        spec: CloudHostSpec { system_ref: LocalRef::new(system), ..host.spec.clone() },
        status: None,
    }
}

fn meta(name: &str, from: &str, route: &Route) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(department_namespace(&route.to)),
        annotations: Some(BTreeMap::from([(ANNOTATION_HANDOVER.to_owned(), mark(&route.handover, from))])),
        ..ObjectMeta::default()
    }
}

/// What the taker calls a host: as before, or with the giver's name behind it where it has one of that name already. None
/// if that is taken too, or too long.
pub fn free_name(name: &str, from: &str, is_taken: impl Fn(&str) -> bool) -> Option<String> {
    let candidates = [name.to_owned(), format!("{name}-{from}")];
    candidates.into_iter().find(|name| name.len() <= MAX_NAME_LENGTH && !is_taken(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_keeps_its_name_unless_the_taker_has_one_of_that_name() {
        let taken = ["web-1", "db-1", "db-1-tax"];
        let name = |name: &str, from: &str| free_name(name, from, |name| taken.contains(&name));
        assert_eq!(name("app-1", "tax").as_deref(), Some("app-1"));
        assert_eq!(name("web-1", "tax").as_deref(), Some("web-1-tax"));
        assert_eq!(name("db-1", "tax"), None);
        assert_eq!(name("web-1", &"long-".repeat(8)), None, "names have an end");
    }
}
