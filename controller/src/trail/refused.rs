//! Refusals: the account book keeps none, so they are recorded where they are answered.

use jiff::Timestamp;
use jiyun_crds::{
    names::{ANNOTATION_REQUESTED_BY, department_of_namespace},
    v1alpha1::{HostRefusal, NetworkFlow},
};
use jiyun_ledger::{Refusal, RefusalCode};
use jiyun_trail::core::{action::Action, content::Content, object::Object, outcome::Outcome, record::Record};
use kube::{Resource, ResourceExt};
use serde_json::json;

use super::recorder::{Recorder, controller};
use crate::claimed::Claimed;

impl Recorder {
    /// Records a refusal of what an object asked for, once for each wish.
    pub fn refused<K: Claimed>(&self, asker: &K, what: &str, refusal: &Refusal) {
        let told = asker.told().map(|told| (told.generation, told.refusal));
        if is_news(asker, told, refusal) {
            self.note(record(asker, what, refusal, Timestamp::now()));
        }
    }

    /// The same of a flow: all that can be said against one is a decision.
    pub fn flow_refused(&self, flow: &NetworkFlow, what: &str, refusal: &Refusal) {
        if !matches!(refusal.code, RefusalCode::Quarantined | RefusalCode::UnknownAccount) {
            self.note(record(flow, what, refusal, Timestamp::now()));
        }
    }
}

/// A place in line and a book that is being checked are no decisions. `NoMatchingPool` is asked again every 20 s: it is
/// recorded when the status (`told`: of which generation, and what) does not say it of this generation yet.
fn is_news(asker: &impl Resource, told: Option<(Option<i64>, Option<&HostRefusal>)>, refusal: &Refusal) -> bool {
    match refusal.code {
        RefusalCode::WaitingForCapacity | RefusalCode::Quarantined | RefusalCode::UnknownAccount => false,
        RefusalCode::NoMatchingPool => {
            let code: &'static str = refusal.code.into();
            let of_this = |generation: Option<i64>| generation == asker.meta().generation;
            !told.is_some_and(|(generation, told)| of_this(generation) && told.is_some_and(|told| told.code == code))
        }
        RefusalCode::ExceedsLimit | RefusalCode::PoolExhausted | RefusalCode::AccountClosed => true,
    }
}

fn record<K: Resource<DynamicType = ()>>(asker: &K, what: &str, refusal: &Refusal, at: Timestamp) -> Record {
    let namespace = asker.namespace().unwrap_or_default();
    let object =
        Object::new(K::kind(&()), asker.name_any()).within(&namespace).with_uid(asker.uid().unwrap_or_default());
    let mut actor = controller();
    actor.on_behalf_of = asker.annotations().get(ANNOTATION_REQUESTED_BY).cloned();
    let code: &'static str = refusal.code.into();
    let mut record = Record::new(at, actor, Action::Refuse, object, Outcome::refused(code));
    record.department = department_of_namespace(&namespace).map(str::to_owned);
    record.zone = refusal.parameters.get("zone").cloned();
    // The numbers of whoever asked; which pool was left out by which filter is for operations, and stays in the log.
    record.after = Some(Content::of(json!({"what": what, "parameters": refusal.parameters})));
    record
}
