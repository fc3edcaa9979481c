//! Claims of databases after a restore: they go to the object of their name that was made anew. Without one nothing is lifted
//! before a person has looked: the claim would be released, and its database taken down with all that is in it.

use std::collections::BTreeMap;

use jiyun_crds::v1alpha1::CloudDatabase;
use jiyun_ledger::{ClaimStage, State};

use super::{
    object,
    plan::{Plan, Step, Unresolved},
};
use crate::database::KIND;

/// Adds to `plan` what is to be done about claims of databases.
pub fn plan(state: &State, databases: &[CloudDatabase], plan: &mut Plan) {
    let named = |database: &CloudDatabase| {
        let meta = &database.metadata;
        Some(((meta.namespace.clone()?, meta.name.clone()?), meta.uid.clone()?))
    };
    let by_name: BTreeMap<(String, String), String> = databases.iter().filter_map(named).collect();
    let open = state.claims().filter(|claim| claim.is_open() && claim.subject.kind == KIND);
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
                why: format!("{} is of a CloudDatabase that is not there", claim.id),
                what_to_do: "apply the object from your own records, then plan anew".to_owned(),
            }),
        }
    }
}
