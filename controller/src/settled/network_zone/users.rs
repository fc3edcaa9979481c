//! Who needs a network in a zone: departments that may use it, and those whose machines lie in it whatever they may.

use std::collections::BTreeSet;

use jiyun_crds::names::department_of_engine_namespace;
use kube::ResourceExt;

use crate::{
    catalogue::readable,
    context::Context,
    engines::kube_ovn,
    host::{approved, request::engine_namespace},
};

/// Departments that need a network in `zone`.
pub fn of_zone(zone: &str, context: &Context) -> BTreeSet<String> {
    let mut users = machines_in(zone, context);
    let departments = readable(&context.catalogue.departments).into_iter();
    let may = departments.filter(|department| {
        department.metadata.deletion_timestamp.is_none() && department.spec.zones.iter().any(|named| named == zone)
    });
    users.extend(may.map(|department| department.name_any()));
    users
}

/// Departments in whose network in `zone` machines lie or may come to lie: by the claims of hosts, wherever these have been
/// handed over to since.
pub fn machines_in(zone: &str, context: &Context) -> BTreeSet<String> {
    context.ledger.read(|state| {
        let open = state.claims().filter(|claim| claim.is_open());
        let theirs = open.filter_map(|claim| {
            let subnet = approved::subnet_of(claim)?;
            let namespace = engine_namespace(claim);
            let department = department_of_engine_namespace(&namespace)?;
            (kube_ovn::subnet_name(department, zone) == subnet).then(|| department.to_owned())
        });
        theirs.collect()
    })
}
