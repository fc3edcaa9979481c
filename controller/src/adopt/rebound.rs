//! Claims of databases, volumes, buckets and snapshots after a restore: they go to the object of their name that was made
//! anew. Without one nothing is lifted before a person has looked: the claim would be released, and what it is for taken down
//! with all that is in it.

use std::collections::BTreeMap;

use jiyun_ledger::{ClaimStage, State};
use kube::Resource;

use super::{
    object,
    plan::{Plan, Step, Unresolved},
};

/// Adds to `plan` what is to be done about claims of the kind of these objects.
pub fn plan<K: Resource<DynamicType = ()>>(state: &State, objects: &[K], plan: &mut Plan) {
    let kind = K::kind(&());
    let named = |object: &K| {
        let meta = object.meta();
        Some(((meta.namespace.clone()?, meta.name.clone()?), meta.uid.clone()?))
    };
    let by_name: BTreeMap<(String, String), String> = objects.iter().filter_map(named).collect();
    let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == kind);
    for claim in open.filter(|claim| claim.stage() != ClaimStage::Ending) {
        let subject = &claim.subject;
        match by_name.get(&(subject.namespace.clone(), subject.name.clone())) {
            Some(uid) if *uid == subject.uid => {}
            Some(uid) => plan.steps.push(Step::Rebind {
                claim: claim.id.to_string(),
                object: object::named(claim),
                from: subject.uid.clone(),
                to: uid.clone(),
            }),
            None => plan.unresolved.push(Unresolved {
                object: object::named(claim),
                uid: None,
                why: format!("{} is of a {kind} that is not there", claim.id),
                what_to_do: "apply the object from your own records, then plan anew".to_owned(),
            }),
        }
    }
}
