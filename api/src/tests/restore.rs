//! Restoring in place: one wish is written, with a moment, and nothing where the disk is in use or the snapshot is
//! another's.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Answer, Api, request,
    stub::{ApiServer, finance, host, status},
};

const HOST: &str = "/v1/departments/finance/hosts/web-1";
const VOLUME: &str = "/v1/departments/finance/volumes/data-1";

/// As people write it, in Beijing.
const ASKED: &str = "2026-11-20T10:00:00+08:00";

/// One kind that can be restored.
struct Case {
    /// Its address here.
    address: &'static str,
    /// Its address at the API server.
    place: &'static str,
    /// What it is called in previews.
    noun: &'static str,
    /// The code of one whose disk is in use.
    in_use: &'static str,
    /// As it is when it can be restored.
    free: Value,
    /// The same, while its disk is in use.
    busy: Value,
}

fn cases() -> [Case; 2] {
    let mut off = host("7", &json!({"claimId": "claim-1"}));
    off["spec"]["power"] = json!("Stopped");
    let on = host("7", &json!({"claimId": "claim-1"}));
    let loose = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudVolume",
        "metadata": {"name": "data-1", "namespace": "dept-finance", "uid": "v-1", "generation": 1,
            "resourceVersion": "7", "creationTimestamp": "2026-11-20T01:00:00Z"},
        "spec": {"systemRef": {"name": "portal"}, "zoneRef": {"name": "public"}, "tier": "standard", "size": "100Gi"},
        "status": {"claimId": "claim-1"}});
    let mut attached = loose.clone();
    attached["spec"]["hostRef"] = json!({"name": "web-1"});
    [
        Case { address: HOST, place: "cloudhosts/web-1", noun: "host", in_use: "HostIsRunning", free: off, busy: on },
        Case {
            address: VOLUME,
            place: "cloudvolumes/data-1",
            noun: "volume",
            in_use: "VolumeHasHost",
            free: loose,
            busy: attached,
        },
    ]
}

impl Case {
    fn at(&self, method: &str) -> String {
        format!("{method} {}", finance(self.place))
    }

    /// As it is after somebody has asked for it.
    fn asked(&self) -> Value {
        let mut asked = self.free.clone();
        asked["metadata"]["resourceVersion"] = json!("8");
        asked["spec"]["restore"] = json!({"snapshotRef": {"name": "daily"}, "requestedAt": ASKED});
        asked
    }

    /// An API server with `found`, and snapshots of the host `web-1`, of the volume `data-1` and of two others.
    fn over(&self, found: Value) -> ApiServer {
        let (kind, name) = self.free["kind"].as_str().zip(self.free["metadata"]["name"].as_str()).unwrap();
        let other = if kind == "CloudHost" { "CloudVolume" } else { "CloudHost" };
        let taken = [("daily", kind, name), ("of-namesake", other, name), ("of-other", kind, "other-1")];
        let server = ApiServer::default().on(&self.at("GET"), 200, found).on(&self.at("PATCH"), 200, self.asked());
        taken.into_iter().fold(server, |server, (snapshot, kind, name)| {
            let taken = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
                "metadata": {"name": snapshot, "namespace": "dept-finance"},
                "spec": {"systemRef": {"name": "portal"}, "source": {"kind": kind, "name": name}},
                "status": {"claimId": "claim-2", "grantedSize": "100Gi", "takenAt": "2026-11-20T01:30:00Z"}});
            server.on(&format!("GET {}", finance(&format!("cloudsnapshots/{snapshot}"))), 200, taken)
        })
    }

    /// With itself as it can be restored.
    fn api(&self) -> Api {
        Api::over(self.over(self.free.clone()))
    }

    async fn restore(&self, api: &Api, query: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let headers = [&[("accept-language", "en")], headers].concat();
        api.send(request(Method::POST, &format!("{}/restore{query}", self.address), &headers, body)).await
    }
}

fn to(snapshot: &str) -> String {
    json!({"snapshot": snapshot}).to_string()
}

#[tokio::test]
async fn a_restore_is_one_merge_patch_of_the_snapshot_and_the_next_second() {
    for case in cases() {
        let api = case.api();
        let before = Timestamp::now();
        let answer = case.restore(&api, "", &[], &to("daily")).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!((answer.header("etag"), answer.header("vary")), ("\"8\"", "accept-language"));
        assert_eq!(answer.json()["restore"], json!({"snapshot": "daily", "requestedAt": ASKED}));
        let seen = api.server.seen();
        let [looked, named, sent] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!((looked.method.as_str(), named.method.as_str(), sent.method.as_str()), ("GET", "GET", "PATCH"));
        assert_eq!(named.path, finance("cloudsnapshots/daily"));
        assert!(seen.iter().all(|seen| seen.headers["authorization"] == super::TOKEN));
        assert_eq!(sent.headers["content-type"], "application/merge-patch+json");
        assert!(!sent.query.contains("dryRun"), "{}", sent.query);
        let moment = sent.body["spec"]["restore"]["requestedAt"].as_str().unwrap();
        let wish = json!({"snapshotRef": {"name": "daily"}, "requestedAt": moment});
        assert_eq!(sent.body, json!({"spec": {"restore": wish}}), "what was read is no condition");
        assert!(moment.len() == "2026-11-20T02:00:00Z".len() && moment.ends_with('Z'), "{moment}");
        let moment: Timestamp = moment.parse().unwrap();
        assert!(before < moment && moment <= Timestamp::now() + SignedDuration::from_secs(1), "{moment}");
    }
}

#[tokio::test]
async fn a_restore_is_asked_for_a_later_moment_than_the_last_one() {
    for case in cases() {
        let mut found = case.free.clone();
        found["status"]["restored"] = json!({"snapshot": "old", "requestedAt": "2999-01-01T08:00:00+08:00"});
        let api = Api::over(case.over(found));
        assert_eq!(case.restore(&api, "", &[], &to("daily")).await.status, 202);
        let sent = &api.server.seen_with("PATCH")[0].body;
        assert_eq!(sent["spec"]["restore"]["requestedAt"], "2999-01-01T00:00:01Z");
    }
}

#[tokio::test]
async fn a_disk_in_use_is_not_restored_and_it_is_told_what_to_do() {
    for case in cases() {
        for query in ["", "?dryRun=true"] {
            let api = Api::over(case.over(case.busy.clone()));
            let document = case.restore(&api, query, &[], &to("daily")).await.problem(409, case.in_use);
            let detail = document["detail"].as_str().unwrap();
            assert!(detail.contains("finance/") && detail.contains("ask for the restore again"), "{detail}");
            assert!(api.server.seen_with("PATCH").is_empty(), "nothing is written");
        }
    }
}

#[tokio::test]
async fn a_disk_that_comes_into_use_meanwhile_is_not_restored_and_that_is_told_in_the_same_way() {
    for case in cases() {
        let causes = json!({"causes": [{"field": "spec.restore", "reason": "FieldValueInvalid",
            "message": "Invalid value: 关机后才能恢复 (a host is restored while it is off)"}]});
        let server = ApiServer::default().on(&case.at("GET"), 200, case.free.clone()).on(
            &case.at("PATCH"),
            422,
            status(422, "Invalid", &causes),
        );
        let taken = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot", "metadata": {"name": "daily"},
            "spec": {"systemRef": {"name": "portal"},
                "source": {"kind": case.free["kind"], "name": case.free["metadata"]["name"]}}});
        let api = Api::over(server.on(&format!("GET {}", finance("cloudsnapshots/daily")), 200, taken));
        case.restore(&api, "", &[], &to("daily")).await.problem(409, case.in_use);
        assert_eq!(api.server.seen_with("PATCH").len(), 1);
    }
}

#[tokio::test]
async fn a_snapshot_that_is_unknown_or_of_something_else_leaves_nothing_behind() {
    for case in cases() {
        let api = case.api();
        for (snapshot, code) in [
            ("weekly", "UnknownReference"),
            ("of-namesake", "SnapshotOfOther"),
            ("of-other", "SnapshotOfOther"),
            ("../daily", "InvalidField"),
            ("", "InvalidField"),
        ] {
            let document = case.restore(&api, "", &[], &to(snapshot)).await.problem(422, code);
            assert_eq!(document["field"], "snapshot", "{document}");
        }
        let seen = api.server.seen();
        assert!(seen.iter().all(|seen| seen.method == "GET" && !seen.path.contains("..")), "{seen:?}");
    }
}

#[tokio::test]
async fn what_holds_nothing_is_ending_or_was_archived_has_nothing_to_restore() {
    let mut all = Vec::new();
    for case in cases() {
        let mut fresh = case.free.clone();
        fresh["status"] = json!({});
        let mut ending = case.free.clone();
        ending["metadata"]["deletionTimestamp"] = json!("2026-11-20T02:00:00Z");
        all.extend([(case.address, fresh, "not granted"), (case.address, ending, "being deleted")]);
    }
    let [mut archived, _] = cases().map(|case| case.free);
    archived["status"]["lease"] = json!({"stage": "Archived", "endsAt": "2026-11-01T00:00:00Z"});
    all.push((HOST, archived, "machine was taken down"));
    for (address, found, why) in all {
        let case = cases().into_iter().find(|case| case.address == address).unwrap();
        let api = Api::over(case.over(found));
        let document = case.restore(&api, "", &[], &to("daily")).await.problem(409, "NothingToRestore");
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.contains(why), "{why}: {detail}");
        assert!(api.server.seen_with("PATCH").is_empty(), "{why}");
    }
}

#[tokio::test]
async fn a_host_that_is_off_for_its_lease_keeps_its_disk_and_that_is_restored() {
    let [case, _] = cases();
    let mut ended = case.free.clone();
    ended["status"]["lease"] = json!({"stage": "Ended", "endsAt": "2026-11-01T00:00:00Z"});
    let api = Api::over(case.over(ended));
    assert_eq!(case.restore(&api, "", &[], &to("daily")).await.status, 202);
}

#[tokio::test]
async fn a_version_goes_along_as_a_condition_and_a_stale_one_is_412() {
    for case in cases() {
        let api = case.api();
        assert_eq!(case.restore(&api, "", &[("if-match", "\"7\"")], &to("daily")).await.status, 202);
        assert_eq!(api.server.seen_with("PATCH")[0].body["metadata"], json!({"resourceVersion": "7"}));
        case.restore(&api, "", &[("if-match", "\"abc\"")], &to("daily")).await.problem(412, "Stale");
        case.restore(&api, "", &[("if-match", "7")], &to("daily")).await.problem(400, "InvalidHeader");
        assert_eq!(api.server.seen_with("PATCH").len(), 1);
    }
}

#[tokio::test]
async fn a_restore_may_be_tried() {
    for case in cases() {
        let api = case.api();
        let answer = case.restore(&api, "?dryRun=true", &[], &to("daily")).await;
        assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, ""), "{}", answer.text());
        let preview = answer.json();
        assert_eq!(preview[case.noun]["restore"]["snapshot"], "daily");
        assert!(preview.get("estimate").is_none() && preview.get("change").is_none(), "{preview}");
        assert!(api.server.seen_with("PATCH")[0].query.contains("dryRun=All"));
    }
}

#[tokio::test]
async fn restoring_is_403_for_those_who_may_look_and_404_for_others() {
    for case in cases() {
        let (kind, name) = (case.free["kind"].clone(), case.free["metadata"]["name"].clone());
        let taken = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot", "metadata": {"name": "daily"},
            "spec": {"systemRef": {"name": "portal"}, "source": {"kind": kind, "name": name}}});
        let reader = ApiServer::default()
            .on(&case.at("GET"), 200, case.free.clone())
            .on(&format!("GET {}", finance("cloudsnapshots/daily")), 200, taken)
            .refuse(&case.at("PATCH"), 403, "Forbidden");
        case.restore(&Api::over(reader), "", &[], &to("daily")).await.problem(403, "Forbidden");
        let stranger = ApiServer::default().refuse(&case.at("GET"), 403, "Forbidden");
        for server in [stranger, ApiServer::default()] {
            let api = Api::over(server);
            case.restore(&api, "", &[], &to("daily")).await.problem(404, "NotFound");
            assert!(api.server.seen().iter().all(|seen| seen.path == finance(case.place)), "nothing else is asked for");
        }
    }
}

#[tokio::test]
async fn only_a_snapshot_is_taken_for_a_wish_and_neither_an_order_nor_a_change_takes_one() {
    for case in cases() {
        let api = case.api();
        for body in
            ["{}", "[]", r#"{"snapshot": null}"#, r#"{"snapshot": "daily", "requestedAt": "2026-11-20T10:00:00Z"}"#]
        {
            case.restore(&api, "", &[], body).await.problem(422, "InvalidField");
        }
        case.restore(&api, "", &[], "").await.problem(415, "UnsupportedMediaType");
        for field in ["restore", "restored", "snapshot"] {
            let mut change = request(Method::PATCH, case.address, &[], &json!({field: "daily"}).to_string());
            change.headers_mut().insert("content-type", "application/merge-patch+json".parse().unwrap());
            let document = api.send(change).await.problem(422, "InvalidField");
            assert_eq!(document["field"], field, "{document}");
        }
        let collection = case.address.rsplit_once('/').unwrap().0;
        let order = request(Method::POST, collection, &[], r#"{"restore": {"snapshot": "daily"}}"#);
        assert_eq!(api.send(order).await.problem(422, "InvalidField")["field"], "restore");
        assert!(api.server.seen().is_empty());
    }
}

#[tokio::test]
async fn how_far_the_last_restore_is_is_shown_and_what_it_was_made_from() {
    for case in cases() {
        let mut found = case.asked();
        found["spec"]["snapshotRef"] = json!({"name": "first"});
        for (completed, shown) in [(Value::Null, None), (json!("2026-11-20T02:00:40Z"), Some("2026-11-20T02:00:40Z"))] {
            found["status"]["restored"] = json!({"snapshot": "daily", "requestedAt": ASKED, "completedAt": completed});
            let api = Api::over(ApiServer::default().on(&case.at("GET"), 200, found.clone()));
            let object = api.get(case.address).await.json();
            assert_eq!((&object["snapshot"], &object["restored"]["requestedAt"]), (&json!("first"), &json!(ASKED)));
            assert_eq!(object["restored"].get("completedAt").and_then(Value::as_str), shown);
        }
        let api = Api::over(ApiServer::default().on(&case.at("GET"), 200, case.free.clone()));
        let object = api.get(case.address).await.json();
        let fields = ["snapshot", "restore", "restored"].map(|field| object.get(field).is_some());
        assert_eq!(fields, [false; 3], "{object}");
    }
}
