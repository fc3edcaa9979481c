//! What is known of a snapshot decides what can be made from it, and what was granted decides for good.

use serde_json::json;

use super::*;

/// A snapshot called `web-1` of an object of this system, of a host if it has an image.
pub fn taken(system: &str, image: Option<&str>, mebibytes: u64) -> Taken {
    let (kind, name) = if image.is_some() {
        (SnapshotSourceKind::CloudHost, "web")
    } else {
        (SnapshotSourceKind::CloudVolume, "files")
    };
    Taken {
        content: content(),
        source: Source {
            kind,
            name: name.into(),
            claim: ClaimId(7),
            namespace: "engine-finance".into(),
            disk: format!("{name}-disk"),
            image: image.map(str::to_owned),
        },
        system: system.into(),
        mebibytes,
    }
}

pub fn content() -> Content {
    Content {
        snapshot: "web-1".into(),
        claim: ClaimId(8),
        site: "hub".into(),
        namespace: "engine-finance".into(),
        object: "web-1-snapshot".into(),
    }
}

/// A restore to `web-1` that was asked for with this moment; done a second after it, or under way.
pub fn restoration(requested_at: Timestamp, is_done: bool) -> Restoration {
    let completed_at = is_done.then(|| requested_at + jiff::SignedDuration::from_secs(1));
    Restoration { content: content(), requested_at, completed_at, before: None }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The claim of a snapshot.
fn claim(more: &serde_json::Value) -> Claim {
    let source = json!({
        "kind": "CloudHost", "name": "web", "claim": 7, "namespace": "engine-finance", "disk": "web-system",
        "image": "openeuler",
    });
    let mut claim = json!({
        "id": 8, "account": "finance", "system": "budget", "item": "standard", "specDigest": "d",
        "subject": {"kind": "CloudSnapshot", "namespace": "dept-finance", "name": "web-1", "uid": "u"},
        "lines": [{"meter": "BlockStorage", "pool": "Storage/standard", "dimensions": {}, "quantity": 40_960}],
        "approvedSpec": {"tier": "standard", "mebibytes": 40_960, "source": source},
        "reservedAt": "2026-01-01T00:00:00Z", "billableFrom": "2026-01-01T00:01:00Z",
    });
    for (name, value) in more.as_object().unwrap() {
        claim[name] = value.clone();
    }
    serde_json::from_value(claim).unwrap()
}

#[test]
fn a_snapshot_can_be_made_from_once_it_is_paid_for_and_until_its_end_is_recorded() {
    let of = |more: serde_json::Value| of_claim(&claim(&more), |pool| Some(format!("site of {pool}")));
    let Named::Taken(taken) = of(json!({})) else { panic!("it was taken") };
    assert_eq!((taken.system.as_str(), taken.mebibytes, taken.source.claim), ("budget", 40_960, ClaimId(7)));
    let Content { object, namespace, site, claim: of_snapshot, .. } = taken.content;
    assert_eq!((object.as_str(), namespace.as_str()), ("web-1-snapshot", "engine-finance"));
    assert_eq!((site.as_str(), of_snapshot), ("site of standard", ClaimId(8)));
    for (what, more, expected) in [
        ("being taken", json!({"billableFrom": null}), Named::NotTaken),
        ("its end is recorded", json!({"billableUntil": "2026-02-01T00:00:00Z"}), Named::Missing),
        ("of nothing", json!({"approvedSpec": {"tier": "standard", "mebibytes": 1}}), Named::Missing),
        ("not to be read", json!({"approvedSpec": {}}), Named::Missing),
    ] {
        assert_eq!(of(more), expected, "{what}");
    }
    assert_eq!(of_claim(&claim(&json!({})), |_| None), Named::NotTaken, "its pool may be read again");
}

#[test]
fn a_disk_is_brought_back_only_to_what_was_taken_of_itself() {
    let of =
        |named: Named| named.restored_from("web-1", ClaimId(7)).map_err(|rejection| (rejection.reason, rejection.code));
    let named = |claim| {
        let taken = taken("budget", Some("openeuler"), 1024);
        let source = Source { claim, ..taken.source.clone() };
        Named::Taken(Box::new(Taken { source, ..taken }))
    };
    assert_eq!(of(named(ClaimId(7))), Ok(content()));
    assert_eq!(of(named(ClaimId(6))), Err((Reason::Misconfigured, "SnapshotOfOther")), "a namesake made before it");
    assert_eq!(of(Named::NotTaken), Err((Reason::AwaitingSource, "SnapshotNotTaken")));
    assert_eq!(of(Named::Missing), Err((Reason::UnknownReference, "UnknownReference")));
    let told = named(ClaimId(6)).restored_from("web-1", ClaimId(7)).unwrap_err();
    let message = jiyun_messages::bilingual(told.code, &told.parameters);
    assert!(message.contains("云主机 web") && message.contains("spec.restore"), "{message}");
}

#[test]
fn a_restore_is_told_with_the_moment_as_it_is_written_as_long_as_it_is_that_one() {
    let begun = restoration(at("2026-03-01T00:00:00Z"), false);
    let asked = |moment: &str| -> Restore {
        serde_json::from_value(json!({"snapshotRef": {"name": "web-1"}, "requestedAt": moment})).unwrap()
    };
    let written = |asked: Option<&Restore>| begun.told(asked).requested_at.to_string();
    assert_eq!(written(Some(&asked("2026-03-01T08:00:00+08:00"))), "2026-03-01T08:00:00+08:00");
    assert_eq!(written(Some(&asked("2026-04-01T08:00:00+08:00"))), "2026-03-01T00:00:00Z");
    assert_eq!(written(None), "2026-03-01T00:00:00Z");
    assert_eq!((begun.told(None).snapshot.as_str(), begun.told(None).completed_at), ("web-1", None));
    let done = restoration(at("2026-03-01T00:00:00Z"), true).told(None);
    assert_eq!(done.completed_at, Some("2026-03-01T00:00:01Z".into()));
}

#[test]
fn each_state_of_a_restore_has_its_own_mark_and_none_is_taken_for_a_part_of_a_wish() {
    let marks = [(100, false), (100, true), (200, false), (200, true)]
        .map(|(second, done)| restoration(Timestamp::from_second(second).unwrap(), done).mark());
    let distinct: std::collections::BTreeSet<_> = marks.iter().collect();
    assert_eq!(distinct.len(), marks.len(), "{marks:?}");
    assert!(marks.iter().all(|mark| !mark.contains(['+', '~'])), "{marks:?}");
}

#[test]
fn a_disk_has_what_it_was_brought_back_to_last_rather_than_what_it_was_made_from() {
    let made_from = Content { object: "first".into(), ..content() };
    let restored = restoration(at("2026-03-01T00:00:00Z"), true);
    let from = |content, restored| filled_from(content, restored).map(|from| (from.name, from.restored_at));
    assert_eq!(from(None, None), None);
    assert_eq!(from(Some(&made_from), None), Some(("first".to_owned(), None)));
    let moment = Some(restored.requested_at);
    assert_eq!(from(Some(&made_from), Some(&restored)), Some(("web-1-snapshot".to_owned(), moment)));
}

#[test]
fn what_was_before_a_restore_is_kept_until_that_is_done_and_put_back_where_nothing_is_made_of_it() {
    let second = |second| Timestamp::from_second(second).unwrap();
    let first = Restoration::begun(content(), second(100), None);
    assert_eq!(first.given_up(), None, "there was none");
    let done = first.done(second(101));
    assert!(!done.is_under_way() && done.before.is_none());
    let next = Restoration::begun(content(), second(200), Some(&done));
    assert!(next.is_under_way());
    assert_eq!(next.given_up(), Some(done.clone()));
    let recorded = serde_json::to_value(&next).unwrap();
    assert_eq!(serde_json::from_value::<Restoration>(recorded).unwrap(), next);
    let finished = next.done(second(201));
    assert_eq!((finished.before.clone(), serde_json::to_value(&finished).unwrap().get("before")), (None, None));
}

#[test]
fn one_that_takes_the_place_of_another_gives_that_back_and_keeps_no_more_than_that_and_the_last_that_was_done() {
    let second = |second| Timestamp::from_second(second).unwrap();
    let done = restoration(second(100), true);
    let stuck = Restoration::begun(content(), second(200), Some(&done));
    let instead = Restoration::begun(content(), second(300), Some(&stuck));
    assert_eq!(instead.given_up(), Some(stuck), "with what was before it");
    let mut last = instead;
    for moment in [400, 500, 600] {
        let next = Restoration::begun(content(), second(moment), Some(&last));
        let replaced = next.given_up().unwrap();
        assert_eq!((replaced.requested_at, replaced.given_up()), (last.requested_at, Some(done.clone())), "{moment}");
        last = next;
    }
    let first = Restoration::begun(content(), second(200), None);
    let instead = Restoration::begun(content(), second(300), Some(&first));
    assert_eq!(instead.given_up().unwrap().given_up(), None, "none was ever done");
}

#[test]
fn a_restore_is_asked_for_still_as_long_as_its_moment_and_its_snapshot_are() {
    let begun = restoration(at("2026-03-01T00:00:00Z"), false);
    let asked = |snapshot: &str, moment: &str| -> Restore {
        serde_json::from_value(json!({"snapshotRef": {"name": snapshot}, "requestedAt": moment})).unwrap()
    };
    for (what, wish, expected) in [
        ("as it was", Some(asked("web-1", "2026-03-01T00:00:00Z")), true),
        ("the same moment, written otherwise", Some(asked("web-1", "2026-03-01T08:00:00+08:00")), true),
        ("taken back", None, false),
        ("asked for later", Some(asked("web-1", "2026-03-01T00:00:01Z")), false),
        ("to another snapshot", Some(asked("web-2", "2026-03-01T00:00:00Z")), false),
    ] {
        assert_eq!(begun.is_asked(wish.as_ref()), expected, "{what}");
    }
}
