//! From entries of the account book to records: what was granted, given back, changed in quotas, pools and prices.

use std::collections::BTreeMap;

use jiyun_ledger::{Account, Claim, ClaimId, Entry, Event, Line, Pool, PoolKind, State, Subject};
use jiyun_trail::core::{
    action::Action, actor::Actor, content::Content, object::Object, outcome::Outcome, record::Record,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::recorder::controller;

/// What accounts and pools were when they were last read of: the `before` of the next change.
#[derive(Debug, Default)]
pub struct Before {
    accounts: BTreeMap<String, Account>,
    pools: BTreeMap<String, Value>,
}

impl Before {
    /// As it is in `state`.
    pub fn of(state: &State) -> Self {
        let accounts = state.accounts().map(|account| (account.id.to_string(), account.as_ref().clone())).collect();
        let pools = state.pools().filter_map(|record| state.pool(&record.pool.id));
        Self { accounts, pools: pools.map(|pool| (pool.id.to_string(), value(pool))).collect() }
    }
}

/// A record, and the object whose owner asked for it, where that is worth looking for.
#[derive(Debug)]
pub struct Booked {
    /// The record.
    pub record: Record,
    /// Whose annotation names who asked.
    pub asked_by: Option<Subject>,
}

/// The records of an entry. `claim` finds a claim by its number.
///
/// Places in line, the start of billing and marks of the peer are no decisions and no changes that anybody made.
pub fn records<'a>(entry: &Entry, before: &mut Before, claim: impl Fn(ClaimId) -> Option<&'a Claim>) -> Vec<Booked> {
    let mut booked = Vec::new();
    for (index, event) in (1..).zip(&entry.events) {
        if let Some(mut one) = of(event, entry, before, &claim) {
            one.record.request = Some(format!("entry-{}.{index}", entry.seq));
            booked.push(one);
        }
    }
    booked
}

fn of<'a>(
    event: &Event,
    entry: &Entry,
    before: &mut Before,
    claim: &impl Fn(ClaimId) -> Option<&'a Claim>,
) -> Option<Booked> {
    let new = |action, object| Record::new(entry.at, controller(), action, object, Outcome::Succeeded);
    let of_claim = |action, id: ClaimId, after: Option<Value>| {
        let mut record = match claim(id) {
            Some(claim) => about(new(action, Object::default()), claim),
            None => new(action, Object::new("Claim", id.to_string())),
        };
        record.after = after.map(Content::of);
        Some(Booked { record, asked_by: None })
    };
    let plain = |record| Some(Booked { record, asked_by: None });
    match event {
        Event::AccountSet { account } => {
            let was = before.accounts.insert(account.id.to_string(), account.clone());
            let action = match &was {
                Some(was) if was.limits != account.limits => Action::QuotaChanged,
                Some(was) if was.preference != account.preference => Action::PolicyChanged,
                Some(_) => Action::Change,
                None => Action::QuotaChanged,
            };
            let mut record = new(action, Object::new("Department", account.id.as_str()));
            record.department = Some(account.id.to_string());
            (record.before, record.after) =
                (was.map(|was| Content::of(value(&was))), Some(Content::of(value(account))));
            plain(record)
        }
        Event::PoolSet { pool } => {
            let after = value(pool);
            let mut record = new(Action::PolicyChanged, pool_object(pool));
            record.before = before.pools.insert(pool.id.to_string(), after.clone()).map(Content::of);
            record.after = Some(Content::of(after));
            plain(record)
        }
        Event::PricesSet { book } => {
            let mut record = new(Action::PriceChanged, Object::new("PriceList", &book.id));
            record.after = Some(Content::of(value(book)));
            plain(record)
        }
        Event::ClaimGranted { claim } | Event::ClaimAdopted { claim } => {
            let mut record = about(new(Action::Grant, Object::default()), claim);
            let adopted = matches!(event, Event::ClaimAdopted { .. });
            let mut after = json!({"claim": claim.id.to_string(), "system": claim.system, "lines": claim.lines, "adopted": adopted});
            if claim.is_permission() {
                after["allows"] = Value::clone(&claim.approved_spec);
            }
            record.after = Some(Content::of(after));
            Some(Booked { record, asked_by: Some(claim.subject.clone()) })
        }
        Event::ClaimAmended { claim, item, lines, approved_spec, .. } => {
            let mut after = json!({"item": item, "lines": lines});
            // A permission has no amounts: what it allows is what changed.
            if lines.is_empty() {
                after["allows"] = Value::clone(approved_spec);
            }
            of_claim(Action::Change, *claim, Some(after))
        }
        Event::HoldPlaced { claim, held, .. } => of_claim(Action::Change, *claim, Some(json!({"held": held}))),
        Event::HoldConfirmed { claim } => of_claim(Action::Grant, *claim, Some(json!({"hold": "confirmed"}))),
        Event::HoldEnded { claim, why } => {
            of_claim(Action::Release, *claim, Some(json!({"hold": "ended", "why": why.to_string()})))
        }
        Event::ClaimTransferred { claim, account, system, subject, .. } => {
            let after =
                json!({"department": account, "system": system, "namespace": subject.namespace, "name": subject.name});
            of_claim(Action::HandOver, *claim, Some(after))
        }
        Event::ClaimEnding { claim } => of_claim(Action::Delete, *claim, None),
        Event::ClaimReleased { claim } => of_claim(Action::Release, *claim, None),
        Event::ClaimRebound { claim, uid } => of_claim(Action::Change, *claim, Some(json!({"uid": uid}))),
        Event::Quarantined { reason } => {
            let mut record = new(Action::Quarantined, Object::new("Ledger", "ledger"));
            record.after = Some(Content::of(json!({"reason": reason})));
            plain(record)
        }
        Event::QuarantineLifted { by, note } => {
            let mut record = new(Action::QuarantineLifted, Object::new("Ledger", "ledger"));
            record.actor = Actor::new(by);
            record.after = Some(Content::of(json!({"note": note})));
            plain(record)
        }
        Event::Opened { .. }
        | Event::RequestQueued { .. }
        | Event::RequestsOvertaken { .. }
        | Event::RequestUnqueued { .. }
        | Event::ClaimBillable { .. }
        | Event::PeerMarked { .. } => None,
    }
}

/// The record, of this claim's object and department.
fn about(mut record: Record, claim: &Claim) -> Record {
    let Subject { kind, namespace, name, uid } = &claim.subject;
    record.object = Object::new(kind, name).within(namespace).with_uid(uid);
    record.department = Some(claim.account.to_string());
    record.zone = claim.lines.iter().find_map(|line: &Line| line.dimensions.zone.clone());
    record
}

/// The pool as the object it was read of.
fn pool_object(pool: &Pool) -> Object {
    let kind = match pool.kind {
        PoolKind::Compute => "ComputePool",
        PoolKind::Storage => "StoragePool",
        PoolKind::Recovery => "RecoveryPool",
        PoolKind::Network => "NetworkPool",
    };
    let id = pool.id.to_string();
    Object::new(kind, id.split_once('/').map_or(id.as_str(), |(_, name)| name))
}

/// A value of the book that is no JSON does not exist; it would be recorded as missing.
fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records of one entry after another, with every claim that was granted known.
    fn all(events: &[Value]) -> Vec<Record> {
        let (mut before, mut claims) = (Before::default(), BTreeMap::<ClaimId, Claim>::new());
        let mut found = Vec::new();
        for (seq, event) in (1_u64..).zip(events) {
            let text = json!({"seq": seq, "at": "2026-11-01T00:00:00Z", "epoch": 1, "events": [event]});
            let entry: Entry = serde_json::from_value(text).unwrap();
            if let [Event::ClaimGranted { claim }] = entry.events.as_slice() {
                claims.insert(claim.id, claim.as_ref().clone());
            }
            found.extend(records(&entry, &mut before, |id| claims.get(&id)).into_iter().map(|booked| booked.record));
        }
        found
    }

    fn account(limit: u64) -> Value {
        json!({"type": "AccountSet", "account": {"id": "tax", "displayName": "tax", "billingAccount": "", "limits": [{"meter": "Vcpu",
            "limit": limit, "guaranteed": 0}], "preference": {"domesticFirst": false, "spread": "Pack"}, "state": "Open"}})
    }

    fn granted() -> Value {
        json!({"type": "ClaimGranted", "claim": {"id": 1, "account": "tax", "system": "s", "subject": {"kind": "CloudHost",
            "namespace": "dept-tax", "name": "web", "uid": "u"}, "item": "i", "lines": [{"meter": "Vcpu",
            "pool": "Compute/c1", "dimensions": {"zone": "gov"}, "quantity": 4}], "specDigest": "d", "approvedSpec": {},
            "reservedAt": "2026-11-01T00:00:00Z"}})
    }

    #[test]
    fn a_quota_that_changes_is_recorded_with_what_it_was_before() {
        let records = all(&[account(4), account(8)]);
        assert!(records.iter().all(|record| record.action == Action::QuotaChanged));
        assert_eq!(records[0].before, None);
        let limit =
            |content: &Option<Content>| content.as_ref().unwrap().value().unwrap()["limits"][0]["limit"].clone();
        assert_eq!((limit(&records[1].before), limit(&records[1].after)), (json!(4), json!(8)));
        assert_eq!(records[1].request.as_deref(), Some("entry-2.1"));
        assert_eq!(records[1].department.as_deref(), Some("tax"));
    }

    #[test]
    fn a_grant_and_its_end_are_recorded_for_the_department_and_its_object() {
        let records = all(&[
            granted(),
            json!({"type": "ClaimBillable", "claim": 1}),
            json!({"type": "ClaimEnding", "claim": 1}),
            json!({"type": "ClaimReleased", "claim": 1}),
        ]);
        let actions: Vec<_> = records.iter().map(|record| record.action).collect();
        assert_eq!(actions, [Action::Grant, Action::Delete, Action::Release]);
        for record in &records {
            assert_eq!(record.object, Object::new("CloudHost", "web").within("dept-tax").with_uid("u"));
            assert_eq!((record.department.as_deref(), record.zone.as_deref()), (Some("tax"), Some("gov")));
        }
    }

    #[test]
    fn what_a_permission_allows_is_recorded_and_so_is_every_change_of_it() {
        let flow = json!({"type": "ClaimGranted", "claim": {"id": 1, "account": "tax", "system": "s", "subject":
            {"kind": "NetworkFlow", "namespace": "dept-tax", "name": "out", "uid": "u"}, "item": "Outside", "lines": [],
            "specDigest": "d", "approvedSpec": {"ports": [443]}, "reservedAt": "2026-11-01T00:00:00Z"}});
        let records = all(&[
            flow,
            json!({"type": "ClaimAmended", "claim": 1, "item": "Outside", "lines": [], "specDigest": "e",
                "approvedSpec": {"ports": [443, 80]}}),
        ]);
        let allowed =
            |number: usize| records[number].after.as_ref().unwrap().value().unwrap()["allows"]["ports"].clone();
        assert_eq!((allowed(0), allowed(1)), (json!([443]), json!([443, 80])));
    }

    #[test]
    fn who_lifted_a_quarantine_is_the_one_who_did_it() {
        let records = all(&[
            json!({"type": "Quarantined", "reason": "restored"}),
            json!({"type": "QuarantineLifted", "by": "li", "note": "looked"}),
        ]);
        assert_eq!(records[0].action, Action::Quarantined);
        assert_eq!((records[1].action, records[1].actor.name.as_str()), (Action::QuarantineLifted, "li"));
    }
}
