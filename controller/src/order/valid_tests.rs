//! What an order has to be before anybody decides about it.

use std::sync::Arc;

use jiyun_approvals::{Calendar, Case, Requirement, digest, weigh};
use jiyun_crds::v1alpha1::{ApprovalMode, CloudHost, ConditionType, RequiredLevel, condition};
use jiyun_ledger::{Claim, ClaimId};
use serde_json::{Value, json};

use super::*;
use crate::{
    host::valid::Valid,
    order::{
        report::{Standing, status},
        subject::Wish,
    },
};

fn now() -> Timestamp {
    "2026-11-26T02:00:00.5Z".parse().unwrap()
}

fn order(items: &Value) -> Order {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Order",
        "metadata": {"name": "o", "namespace": "dept-tax", "uid": "order-uid",
                     "annotations": {"jiyun.io/requested-by": "sender"}},
        "spec": {"systemRef": {"name": "portal"}, "items": items, "applicant": "declared"},
    }))
    .unwrap()
}

fn create() -> Order {
    order(&json!([{"kind": "CloudHost", "name": "web", "action": "Create"}]))
}

fn host(size: &str) -> CloudHost {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {"name": "web", "namespace": "dept-tax", "uid": "host-uid",
                     "annotations": {"jiyun.io/requested-by": "maker"}},
        "spec": {"systemRef": {"name": "portal"}, "classRef": {"name": "c"}, "imageRef": {"name": "i"},
                 "zoneRef": {"name": "z"}, "architecture": "amd64", "systemDisk": {"tier": "standard", "size": size}},
    }))
    .unwrap()
}

fn wish(host: &CloudHost) -> Wish {
    let approved = json!({
        "class": "c", "image": "i", "imageSource": {"http": "https://x/i"}, "vcpu": 2, "memoryMebibytes": 4096,
        "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 40960, "sshAuthorizedKeys": [],
    });
    Wish::Host(Box::new(Valid {
        department: "tax".into(),
        system: "portal".into(),
        zone: "z".into(),
        protection_level: 2,
        approved: serde_json::from_value(approved).unwrap(),
        digest: crate::host::digest::of(&host.spec),
    }))
}

fn claim(held_by: Option<&str>, digest: &str) -> Claim {
    let approved = json!({
        "class": "c", "image": "i", "imageSource": {"http": "https://x/i"}, "vcpu": 2, "memoryMebibytes": 4096,
        "architecture": "amd64", "diskTier": "standard", "diskMebibytes": 40960, "sshAuthorizedKeys": [],
        "order": held_by.map(|uid| json!({"name": "other", "uid": uid})),
    });
    let line = json!([{"meter": "Vcpu", "pool": "compute/p", "dimensions": {}, "quantity": 2}]);
    let hold = json!({"until": "2027-01-01T00:00:00Z", "item": "c", "lines": [], "specDigest": digest, "approvedSpec": approved});
    serde_json::from_value(json!({
        "id": ClaimId(1), "account": "tax", "system": "portal",
        "subject": jiyun_ledger::Subject { kind: "CloudHost".into(), namespace: "dept-tax".into(), name: "web".into(), uid: "host-uid".into() },
        "item": "c", "lines": if held_by.is_some() { json!([]) } else { line },
        "hold": held_by.map(|_| hold), "specDigest": digest, "approvedSpec": approved, "reservedAt": "2026-11-26T00:00:00Z",
    }))
    .unwrap()
}

fn found(order: &Order, host: Option<CloudHost>) -> Found {
    let item = FoundItem {
        item: order.spec.items[0].clone(),
        wish: host.as_ref().map(|host| Ok(wish(host))),
        subject: host.map(|host| Subject::Host(Box::new(host))),
        claim: None,
    };
    let system = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "InformationSystem", "metadata": {"name": "portal"},
        "spec": {"displayName": "门户", "protectionLevel": 2, "zoneRef": {"name": "z"}, "owner": {"name": "张三"}},
    });
    Found {
        items: vec![item],
        system: serde_json::from_value(system).ok(),
        requirement: Requirement {
            policies: vec!["p".into()],
            levels: vec![level(&["g"])],
            evidence: BTreeSet::new(),
            only_within_guaranteed: false,
        },
        units: Vec::new(),
        votes: Vec::new(),
    }
}

fn level(groups: &[&str]) -> RequiredLevel {
    RequiredLevel {
        name: "leader".into(),
        groups: groups.iter().map(ToString::to_string).collect(),
        mode: ApprovalMode::Any,
        working_days: 5,
        remind_after: None,
        escalate_to: Vec::new(),
    }
}

/// The order after it was accepted with this host.
fn accepted(host: &CloudHost) -> Order {
    let mut order = create();
    let found = found(&order, Some(host.clone()));
    let accepted = validate(&order, &found, now()).unwrap();
    order.status = Some(jiyun_crds::v1alpha1::OrderStatus {
        digest: Some(accepted.digest),
        accepted_at: Some(accepted.at.into()),
        applicants: accepted.applicants,
        items: accepted.items,
        levels: accepted.requirement.levels,
        policies: accepted.requirement.policies,
        ..Default::default()
    });
    order
}

fn code(order: &Order, found: &Found) -> &'static str {
    match validate(order, found, now()) {
        Err(Unfit::Rejected(rejection)) => rejection.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_accepted_says_what_is_decided_about_and_who_asks() {
    let (order, host) = (create(), host("40Gi"));
    let accepted = validate(&order, &found(&order, Some(host.clone())), now()).unwrap();
    assert_eq!(accepted.applicants, ["sender", "maker", "declared"]);
    assert_eq!(accepted.digest, digest::of(&order.spec.items, &accepted.items));
    assert_eq!(accepted.items[0].spec_digest, crate::host::digest::of(&host.spec));
    assert_eq!(accepted.at, "2026-11-26T02:00:00Z".parse().unwrap(), "in whole seconds, as it is written");
}

#[test]
fn whoever_made_an_order_or_an_item_goes_on_asking_for_it_when_somebody_else_wrote_into_it() {
    let (mut order, mut host) = (create(), host("40Gi"));
    for (meta, name) in [(&mut order.metadata, "filer"), (&mut host.metadata, "builder")] {
        meta.annotations.get_or_insert_default().insert("jiyun.io/created-by".to_owned(), name.to_owned());
    }
    let accepted = validate(&order, &found(&order, Some(host)), now()).unwrap();
    assert_eq!(accepted.applicants, ["filer", "builder", "sender", "maker", "declared"]);
}

#[test]
fn an_accepted_order_keeps_its_levels_and_its_applicants_whatever_policies_and_people_do_meanwhile() {
    let order = accepted(&host("40Gi"));
    let mut later = host("40Gi");
    later.metadata.annotations = Some([("jiyun.io/requested-by".to_owned(), "painter".to_owned())].into());
    let mut found = found(&order, Some(later));
    found.requirement.levels.clear();
    let again = validate(&order, &found, "2026-11-28T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(again.requirement.levels, [level(&["g"])]);
    assert_eq!(again.applicants, ["sender", "maker", "declared", "painter"]);
    assert_eq!(again.at, "2026-11-26T02:00:00Z".parse().unwrap());
}

#[test]
fn what_is_being_handed_over_is_not_decided_about() {
    let (order, mut host) = (create(), host("40Gi"));
    host.metadata.annotations.get_or_insert_default().insert("jiyun.io/handover".to_owned(), "levy/web".to_owned());
    let Err(Unfit::Rejected(rejection)) = validate(&order, &found(&order, Some(host)), now()) else { panic!() };
    assert_eq!((rejection.reason, rejection.code), (Reason::HandingOver, "HandingOver"));
}

#[test]
fn an_item_that_changes_goes_or_is_made_anew_makes_the_order_worthless() {
    let order = accepted(&host("40Gi"));
    assert_eq!(validate(&order, &found(&order, Some(host("80Gi"))), now()), Err(Unfit::Changed));
    assert_eq!(validate(&order, &found(&order, None), now()), Err(Unfit::Gone));
    let mut namesake = host("40Gi");
    namesake.metadata.uid = Some("another".into());
    assert_eq!(validate(&order, &found(&order, Some(namesake)), now()), Err(Unfit::Gone));
}

#[test]
fn an_order_for_what_is_not_there_of_another_system_or_granted_already_is_not_accepted() {
    let order = create();
    assert_eq!(code(&order, &found(&order, None)), "UnknownReference");
    let mut elsewhere = found(&order, Some(host("40Gi")));
    let mut other = host("40Gi");
    other.spec.system_ref.name = "other".into();
    elsewhere.items[0].subject = Some(Subject::Host(Box::new(other)));
    assert_eq!(code(&order, &elsewhere), "ItemOfOtherSystem");
    let mut granted = found(&order, Some(host("40Gi")));
    granted.items[0].claim = Some(Arc::new(claim(None, "d")));
    assert_eq!(code(&order, &granted), "ItemGranted");
    let mut homeless = found(&order, Some(host("40Gi")));
    homeless.system = None;
    assert_eq!(code(&order, &homeless), "UnknownReference");
}

#[test]
fn what_another_order_holds_is_not_ordered_twice() {
    let order = create();
    let mut taken = found(&order, Some(host("40Gi")));
    let digest = crate::host::digest::of(&host("40Gi").spec);
    taken.items[0].claim = Some(Arc::new(claim(Some("another-order"), &digest)));
    assert_eq!(code(&order, &taken), "ItemInOtherOrder");
    taken.items[0].claim = Some(Arc::new(claim(Some("order-uid"), &digest)));
    validate(&order, &taken, now()).unwrap();
}

#[test]
fn only_what_was_granted_can_be_ordered_to_end() {
    let order = order(&json!([{"kind": "CloudHost", "name": "web", "action": "End"}]));
    let mut found = found(&order, Some(host("40Gi")));
    assert_eq!(code(&order, &found), "ItemNotGranted");
    found.items[0].claim = Some(Arc::new(claim(None, "d+without:Vcpu")));
    assert_eq!(validate(&order, &found, now()).unwrap().items[0].spec_digest, "d");
}

#[test]
fn numbers_that_have_to_be_there_may_be_the_systems_own() {
    let mut order = create();
    let mut found = found(&order, Some(host("40Gi")));
    found.requirement.evidence = BTreeSet::from([Evidence::ProjectNumber, Evidence::FilingNumber]);
    assert_eq!(code(&order, &found), "EvidenceMissing");
    found.system.as_mut().unwrap().spec.project_number = Some("2026-1".into());
    order.spec.filing_number = Some("43042300001".into());
    validate(&order, &found, now()).unwrap();
}

#[test]
fn a_level_that_stands_for_nobody_is_told_instead_of_waited_for() {
    let order = create();
    let mut found = found(&order, Some(host("40Gi")));
    found.requirement.levels = vec![level(&[])];
    assert_eq!(code(&order, &found), "NobodyToApprove");
}

#[test]
fn a_year_nobody_announced_is_named_in_both_languages_and_nothing_is_accepted_until_it_is() {
    let order = create();
    let mut crossing = found(&order, Some(host("40Gi")));
    crossing.requirement.levels[0].working_days = 60;
    let accepted = validate(&order, &crossing, now()).unwrap();
    let applicants = BTreeSet::new();
    let case = Case {
        order_uid: "order-uid",
        digest: &accepted.digest,
        levels: &accepted.requirement.levels,
        applicants: &applicants,
        since: accepted.at,
    };
    let mut calendar = Calendar::default();
    calendar.add("{year: 2026, holidays: [], workdays: []}").unwrap();
    let rejection = no_calendar(&weigh(&case, &[], &calendar, now()).unwrap_err());
    assert_eq!((rejection.reason, rejection.code), (Reason::CalendarMissing, "CalendarMissing"));

    let told = status(&order, &Standing::Rejected(&rejection), now());
    let condition = condition::find(&told.conditions, ConditionType::Accepted).unwrap();
    assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", "CalendarMissing"));
    assert!(condition.message.contains("没有 2027 年的工作日历"), "{}", condition.message);
    assert!(condition.message.contains("the working days of 2027 are not known"), "{}", condition.message);
    assert_eq!(told.refusal.unwrap().code, "CalendarMissing");
    assert!(told.items.is_empty() && told.digest.is_none(), "who has to agree is asked anew once the year is there");

    calendar.add("{year: 2027, holidays: [], workdays: []}").unwrap();
    weigh(&case, &[], &calendar, now()).unwrap();
}

#[test]
fn nobody_drops_out_of_the_applicants_however_many_names_are_declared_afterwards() {
    let order = accepted(&host("40Gi"));
    let mut flooded = host("40Gi");
    let names: Vec<String> = (0..MAX_APPLICANTS).map(|number| format!("!{number:02}")).collect();
    flooded.metadata.annotations = Some(
        [("jiyun.io/requested-by".to_owned(), "maker".to_owned()), ("jiyun.io/applicant".to_owned(), names.join(" "))]
            .into(),
    );
    let again = validate(&order, &found(&order, Some(flooded)), now()).unwrap();
    assert_eq!(again.applicants, order.status.as_ref().unwrap().applicants);
    // Somebody who changed it since counts beside all of them, written down or not.
    let mut full = order.clone();
    full.status.as_mut().unwrap().applicants = names;
    let with_maker = validate(&full, &found(&full, Some(host("40Gi"))), now()).unwrap();
    assert!(with_maker.applicants.contains(&"maker".to_owned()) && with_maker.applicants.len() > MAX_APPLICANTS);
}

#[test]
fn more_than_an_order_can_show_is_told_instead_of_held_for_ever() {
    let order = create();
    let mut crowded = found(&order, Some(host("40Gi")));
    crowded.requirement.levels = vec![level(&["g"; 1]); MAX_LEVELS + 1];
    assert_eq!(code(&order, &crowded), "TooManyApprovers");
    let groups: Vec<String> = (0..=MAX_GROUPS).map(|number| format!("g{number}")).collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    crowded.requirement.levels = vec![level(&groups)];
    assert_eq!(code(&order, &crowded), "TooManyApprovers");
}

#[test]
fn a_change_that_cannot_be_done_is_not_put_to_people() {
    let order = order(&json!([{"kind": "CloudHost", "name": "web", "action": "Change"}]));
    let mut found = found(&order, Some(host("40Gi")));
    found.items[0].claim = Some(Arc::new(claim(None, "d")));
    validate(&order, &found, now()).unwrap();
    if let Some(Ok(Wish::Host(wish))) = &mut found.items[0].wish {
        wish.approved.class = "larger".into();
        wish.approved.disk_mebibytes += 1024;
    }
    validate(&order, &found, now()).unwrap();
    if let Some(Ok(Wish::Host(wish))) = &mut found.items[0].wish {
        wish.approved.disk_mebibytes -= 2048;
    }
    assert_eq!(code(&order, &found), "DiskCannotShrink");
}
