//! Wherever a handover was broken off, the step that is due follows from what is there.

use jiyun_ledger::{ClaimId, ClaimStage};
use serde_json::json;

use super::*;

const MARK: &str = "reform/web-1";

fn host(department: &str, mark: Option<&str>) -> CloudHost {
    serde_json::from_value(json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "CloudHost",
        "metadata": {
            "name": "web-1", "namespace": format!("dept-{department}"), "uid": format!("{department}-1"),
            "annotations": mark.map(|mark| json!({"jiyun.io/handover": mark})),
        },
        "spec": {
            "systemRef": {"name": "portal"}, "classRef": {"name": "c4m8"}, "imageRef": {"name": "openeuler"},
            "zoneRef": {"name": "extranet"}, "architecture": "amd64",
            "systemDisk": {"tier": "standard", "size": "100Gi"},
        },
        "status": {"claimId": "claim-7"},
    }))
    .unwrap()
}

fn leaving(mut host: CloudHost) -> CloudHost {
    host.metadata.deletion_timestamp = serde_json::from_value(json!("2026-11-01T00:00:00Z")).unwrap();
    host
}

fn claim(stage: ClaimStage) -> Claim {
    let mut claim: Claim = serde_json::from_value(json!({
        "id": 7, "account": "tax", "system": "portal", "item": "c4m8",
        "subject": {"kind": "CloudHost", "namespace": "dept-tax", "name": "web-1", "uid": "tax-1"},
        "lines": [{"meter": "Vcpu", "pool": "compute/c1", "dimensions": {}, "quantity": 4}],
        "specDigest": "d", "approvedSpec": {}, "reservedAt": "2026-11-01T00:00:00Z",
        "billableFrom": "2026-11-01T00:01:00Z",
    }))
    .unwrap();
    match stage {
        ClaimStage::Ending => claim.billable_until = claim.billable_from,
        ClaimStage::Held => {
            (claim.lines, claim.billable_from) = (Vec::new(), None);
            let hold = json!({"until": "2026-12-01T00:00:00Z", "item": "c4m8", "lines": [], "specDigest": "d", "approvedSpec": {}});
            claim.hold = serde_json::from_value(hold).unwrap();
        }
        _ => {}
    }
    assert_eq!(claim.stage(), stage);
    claim
}

fn route() -> Route {
    Route { handover: "reform".into(), from: "tax".into(), to: "finance".into(), ..Route::default() }
}

fn due(host: &CloudHost, claim: Option<&Claim>, gone: Option<&Claim>, made: Option<&CloudHost>) -> Next {
    next(Facts { host, claim, gone, made }, &route(), |_| false)
}

#[test]
fn a_host_goes_from_one_end_to_the_other_step_by_step() {
    let claim = claim(ClaimStage::Billable);
    let (plain, marked) = (host("tax", None), host("tax", Some(MARK)));
    let (made, freed) = (host("finance", Some(MARK)), host("finance", None));
    assert_eq!(due(&plain, Some(&claim), None, None), Next::Do(Step::Mark));
    assert_eq!(due(&marked, Some(&claim), None, None), Next::Do(Step::Make("web-1".into())));
    assert_eq!(due(&marked, Some(&claim), None, Some(&made)), Next::Do(Step::Transfer));
    assert_eq!(due(&marked, None, Some(&claim), Some(&made)), Next::Do(Step::FreeMade));
    assert_eq!(due(&marked, None, Some(&claim), Some(&freed)), Next::Do(Step::Remove));
    assert_eq!(due(&leaving(marked), None, Some(&claim), Some(&freed)), Next::Wait);
}

#[test]
fn the_old_object_leaves_even_if_the_new_owner_has_ended_the_host_meanwhile() {
    let claim = claim(ClaimStage::Ending);
    assert_eq!(due(&host("tax", Some(MARK)), None, Some(&claim), None), Next::Do(Step::Remove));
}

#[test]
fn a_host_that_is_not_granted_or_ends_does_not_go() {
    let (plain, made) = (host("tax", None), host("finance", Some(MARK)));
    assert!(matches!(due(&plain, None, None, None), Next::Fail("HostNotGranted", _)));
    let held = claim(ClaimStage::Held);
    assert!(matches!(due(&plain, Some(&held), None, None), Next::Fail("HostNotGranted", _)));
    let ending = claim(ClaimStage::Ending);
    assert_eq!(due(&plain, Some(&ending), None, None), Next::Wait);
    // What was made for it meanwhile is taken away: nobody else would.
    assert_eq!(due(&plain, Some(&ending), None, Some(&made)), Next::Do(Step::RemoveMade));
    assert_eq!(due(&leaving(plain), None, None, Some(&made)), Next::Do(Step::RemoveMade));
}

#[test]
fn a_host_whose_status_does_not_name_its_claim_yet_is_waited_for() {
    let mut young = host("tax", None);
    young.status = None;
    assert_eq!(due(&young, Some(&claim(ClaimStage::Billable)), None, None), Next::Wait);
    assert_eq!(claim(ClaimStage::Billable).id, ClaimId(7));
}

#[test]
fn a_host_in_other_hands_is_left_to_them_by_name() {
    let theirs = host("tax", Some("merger/web-1"));
    let Next::Fail(code, about) = due(&theirs, Some(&claim(ClaimStage::Billable)), None, None) else { panic!() };
    assert_eq!((code, about.get("handover").map(String::as_str)), ("HostInOtherHandover", Some("merger")));
}

#[test]
fn a_name_that_is_taken_twice_is_told() {
    let (host, claim) = (host("tax", Some(MARK)), claim(ClaimStage::Billable));
    let facts = Facts { host: &host, claim: Some(&claim), gone: None, made: None };
    assert_eq!(next(facts, &route(), |name| name == "web-1"), Next::Do(Step::Make("web-1-tax".into())));
    assert!(matches!(next(facts, &route(), |_| true), Next::Fail("HostNameTaken", _)));
}

#[test]
fn a_handover_that_is_withdrawn_finishes_what_has_gone_and_takes_back_what_has_not() {
    let withdrawn = Route { withdrawn: true, ..route() };
    let due = |host: &CloudHost, claim: Option<&Claim>, gone: Option<&Claim>, made: Option<&CloudHost>| {
        next(Facts { host, claim, gone, made }, &withdrawn, |_| false)
    };
    let claim = claim(ClaimStage::Billable);
    let (plain, marked, made) = (host("tax", None), host("tax", Some(MARK)), host("finance", Some(MARK)));
    assert_eq!(due(&marked, Some(&claim), None, Some(&made)), Next::Do(Step::RemoveMade));
    assert_eq!(due(&marked, Some(&claim), None, None), Next::Do(Step::Free));
    assert_eq!(due(&plain, Some(&claim), None, None), Next::Stay);
    assert_eq!(due(&marked, None, Some(&claim), Some(&made)), Next::Do(Step::FreeMade));
    assert_eq!(without_giver(&made, true), Next::Do(Step::FreeMade));
    assert_eq!(without_giver(&made, false), Next::Do(Step::RemoveMade));
}
