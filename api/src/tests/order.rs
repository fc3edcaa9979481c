//! Ordering a host.

use http::Method;
use serde_json::{Value, json};

use super::{
    Answer, Api, TOKEN, request,
    stub::{ApiServer, city, cluster, finance, host, order, status},
};

const HOSTS: &str = "/v1/departments/finance/hosts";

fn post_hosts() -> String {
    format!("POST {}", finance("cloudhosts"))
}

async fn place(api: &Api, order: &Value) -> Answer {
    api.send(request(Method::POST, HOSTS, &[("accept-language", "en")], &order.to_string())).await
}

#[tokio::test]
async fn an_order_is_created_in_the_callers_name_and_answered_with_its_address() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let answer = place(&api, &order()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.header("location"), "/v1/departments/finance/hosts/web-1");
    assert_eq!(answer.header("preference-applied"), "");
    assert_eq!(answer.json()["state"], "Pending");
    let posts = api.server.seen_with("POST");
    let [created] = posts.as_slice() else { panic!("{posts:?}") };
    assert_eq!(created.path, finance("cloudhosts"));
    assert!(created.query.contains("fieldManager=jiyun-api"), "{}", created.query);
    assert!(created.query.contains("fieldValidation=Strict"), "{}", created.query);
    assert_eq!(created.body["spec"]["systemDisk"], json!({"tier": "standard", "size": "100Gi"}));
    assert_eq!(created.body["spec"]["power"], "Running");
    assert_eq!(created.body["metadata"], json!({"name": "web-1", "namespace": "dept-finance"}));
}

#[tokio::test]
async fn of_the_callers_headers_the_token_alone_is_passed_on() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let smuggled = [("impersonate-user", "root"), ("x-remote-user", "root"), ("cookie", "a=b")];
    api.send(request(Method::POST, HOSTS, &smuggled, &order().to_string())).await;
    let seen = api.server.seen();
    assert_eq!(seen.len(), 5);
    for request in seen {
        assert_eq!(request.headers["authorization"], TOKEN);
        assert!(request.headers["authorization"].is_sensitive());
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("jiyun-api/"));
        for (name, _) in smuggled {
            assert!(!request.headers.contains_key(name), "{name} was passed on");
        }
    }
}

fn looks(api: &Api, kind: &str) -> usize {
    api.server.seen_with("GET").iter().filter(|seen| seen.path.contains(kind)).count()
}

#[tokio::test]
async fn what_an_order_names_is_not_looked_up_again_at_once_for_the_same_caller_and_anew_for_a_preview_and_for_others()
{
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    for _ in 0..2 {
        assert_eq!(place(&api, &order()).await.status, 202);
    }
    assert_eq!((looks(&api, "informationsystems"), looks(&api, "hostclasses")), (1, 1));
    let preview = format!("{HOSTS}?dryRun=true");
    api.send(request(Method::POST, &preview, &[], &order().to_string())).await;
    assert_eq!(looks(&api, "hostclasses"), 2);
    let mut other = request(Method::POST, HOSTS, &[], &order().to_string());
    other.headers_mut().insert("authorization", "Bearer another".parse().unwrap());
    api.send(other).await;
    assert_eq!((looks(&api, "informationsystems"), looks(&api, "hostclasses")), (3, 3));
}

#[tokio::test]
async fn what_was_not_there_is_looked_up_every_time() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let mut order = order();
    order["class"] = json!("c999");
    place(&api, &order).await.problem(422, "UnknownReference");
    let asked = looks(&api, "c999");
    place(&api, &order).await.problem(422, "UnknownReference");
    assert_eq!(looks(&api, "c999"), 2 * asked);
}

#[tokio::test]
async fn unknown_references_are_all_named_and_nothing_is_created() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let mut order = order();
    order["class"] = json!("c999");
    order["zone"] = json!("moon");
    let document = place(&api, &order).await.problem(422, "UnknownReference");
    assert_eq!(document["field"], "class");
    let fields: Vec<_> = document["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(fields, ["class", "zone"]);
    assert!(document["detail"].as_str().unwrap().contains("HostClass c999"), "{document}");
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn what_does_not_go_together_is_all_named_and_nothing_is_created() {
    let api = Api::over(city().on(&post_hosts(), 201, host("7", &json!({}))));
    let mut order = order();
    order["architecture"] = json!("arm64");
    order["systemDisk"] = json!({"tier": "standard", "size": "20Gi"});
    let document = place(&api, &order).await.problem(422, "ArchitectureNotOffered");
    assert_eq!(document["field"], "architecture");
    let codes: Vec<_> = document["errors"].as_array().unwrap().iter().map(|error| error["code"].clone()).collect();
    assert_eq!(codes, ["ArchitectureNotOffered", "ImageArchitectureDiffers"]);
    assert!(document["detail"].as_str().unwrap().contains("c4m8"), "{document}");
    assert!(api.server.seen_with("POST").is_empty());
}

#[tokio::test]
async fn an_image_that_was_retired_is_refused_with_the_one_to_order_instead_and_a_copy_of_a_snapshot_needs_none() {
    let retired = |replaced_by: Option<&str>| {
        let image = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "HostImage", "metadata": {"name": "old"},
            "spec": {"displayName": "欧拉", "operatingSystem": "openEuler", "architecture": "amd64", "minDisk": "20Gi",
                "source": {"http": {"url": "https://images.example/old.qcow2"}}, "lifecycle": "Retired",
                "replacedBy": replaced_by.map(|name| json!({"name": name}))}});
        city().on(&format!("GET {}", cluster("hostimages/old")), 200, image).on(
            &post_hosts(),
            201,
            host("7", &json!({})),
        )
    };
    let mut order = order();
    order["image"] = json!("old");
    for (replaced_by, code, word) in
        [(None, "ImageRetired", "another image"), (Some("openeuler"), "ImageReplaced", "openeuler")]
    {
        let api = Api::over(retired(replaced_by));
        let document = place(&api, &order).await.problem(422, code);
        assert_eq!(document["field"], "image");
        assert!(document["detailEn"].as_str().unwrap().contains(word), "{document}");
        assert!(api.server.seen_with("POST").is_empty());
    }
    order["snapshot"] = json!("daily-1");
    let daily = json!({"apiVersion": "jiyun.io/v1alpha1", "kind": "CloudSnapshot",
        "metadata": {"name": "daily-1", "namespace": "dept-finance"},
        "spec": {"systemRef": {"name": "portal"}, "zoneRef": {"name": "public"},
            "sourceRef": {"kind": "CloudHost", "name": "web-0"}}});
    let api = Api::over(retired(None).on(&format!("GET {}", finance("cloudsnapshots/daily-1")), 200, daily));
    let told = place(&api, &order).await;
    assert!(!told.text().contains("ImageRetired"), "{}", told.text());
}

#[tokio::test]
async fn an_unknown_system_is_named_where_the_department_exists() {
    let api = Api::over(city().refuse(&format!("GET {}", cluster("departments/finance")), 403, "Forbidden"));
    let mut order = order();
    order["system"] = json!("other");
    let document = place(&api, &order).await.problem(422, "UnknownReference");
    assert_eq!(document["field"], "system");
}

#[tokio::test]
async fn a_department_that_is_not_there_is_404_for_those_who_may_look_everywhere() {
    let server = city();
    let api = Api::over(server);
    let answer = api.send(request(Method::POST, "/v1/departments/nobody/hosts", &[], &order().to_string())).await;
    answer.problem(404, "NotFound");
}

#[tokio::test]
async fn what_the_caller_may_not_see_is_404_and_what_it_may_not_do_is_403() {
    let blind = city().refuse(&format!("GET {}", finance("informationsystems/unseen")), 403, "Forbidden");
    let api = Api::over(blind);
    let mut unseen = order();
    unseen["system"] = json!("unseen");
    place(&api, &unseen).await.problem(404, "NotFound");
    assert!(api.server.seen_with("POST").is_empty());

    let reader = city().refuse(&post_hosts(), 403, "Forbidden");
    let reader = Api::over(reader.refuse(&format!("GET {}", cluster("departments/finance")), 403, "Forbidden"));
    place(&reader, &order()).await.problem(403, "Forbidden");
}

#[tokio::test]
async fn a_refused_token_is_401_with_a_challenge() {
    let unknown = ApiServer::default().refuse(&format!("GET {}", finance("cloudhosts")), 401, "Unauthorized");
    let api = Api::over(unknown);
    let answer = api.get(HOSTS).await;
    answer.problem(401, "InvalidToken");
    assert!(answer.header("www-authenticate").contains("invalid_token"));
}

#[tokio::test]
async fn rules_of_the_platform_are_told_in_the_words_of_the_request() {
    let details = json!({"causes": [
        {"reason": "FieldValueInvalid", "field": "spec.systemDisk.size",
            "message": "Invalid value: \"string\": 系统盘须在 20Gi 至 4Ti 之间 (systemDisk.size must be 20Gi to 4Ti)"},
        {"reason": "FieldValueInvalid", "field": "spec.classRef.name", "message": "Invalid value: \"C\": bad name"},
    ]});
    let api = Api::over(city().on(&post_hosts(), 422, status(422, "Invalid", &details)));
    let document = place(&api, &order()).await.problem(422, "InvalidField");
    assert_eq!(document["field"], "systemDisk.size");
    // A rule speaks both languages; a reader is told its own.
    assert_eq!(document["detail"], "systemDisk.size: systemDisk.size must be 20Gi to 4Ti");
    assert_eq!(document["detailZh"], "systemDisk.size：系统盘须在 20Gi 至 4Ti 之间");
    assert_eq!(document["errors"][1]["field"], "class");
    assert_eq!(document["errors"][1]["detail"], "class: bad name");
}

#[tokio::test]
async fn a_policy_that_refuses_the_whole_object_is_told_without_a_field() {
    let details = json!({"causes": [
        {"message": "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: 不允许 (not allowed)"},
    ]});
    let api = Api::over(city().on(&post_hosts(), 422, status(422, "Invalid", &details)));
    let document = place(&api, &order()).await.problem(422, "RefusedByRule");
    assert_eq!(document.get("field"), None);
    assert!(document["detail"].as_str().unwrap().ends_with(": not allowed"), "{document}");
    assert!(document["detailZh"].as_str().unwrap().ends_with("：不允许"), "{document}");
}

#[tokio::test]
async fn a_name_that_is_taken_is_409() {
    let api = Api::over(city().refuse(&post_hosts(), 409, "AlreadyExists"));
    place(&api, &order()).await.problem(409, "AlreadyExists");
}

#[tokio::test(start_paused = true)]
async fn a_creation_that_is_cut_off_says_that_the_outcome_is_not_known_and_where_to_look() {
    let api = Api::over(city().never(&post_hosts()));
    let answer = place(&api, &order()).await;
    answer.problem(504, "OutcomeUnknown");
    assert_eq!(answer.header("location"), "/v1/departments/finance/hosts/web-1");
}

#[tokio::test]
async fn an_api_server_that_is_busy_is_503_with_a_time_to_come_back() {
    let busy = city().refuse(&post_hosts(), 429, "TooManyRequests");
    let answer = place(&Api::over(busy), &order()).await;
    answer.problem(503, "KubernetesUnavailable");
    assert_eq!(answer.header("retry-after"), "5");
}

#[tokio::test]
async fn names_that_could_lead_elsewhere_never_reach_the_api_server() {
    let api = Api::over(city());
    for (field, name) in [
        ("name", "../../kube-system"),
        ("name", "a/b"),
        ("name", ""),
        ("system", "x?watch=true"),
        ("class", "../secrets"),
        ("image", "a%2Fb"),
        ("zone", "a#b"),
    ] {
        let mut order = order();
        order[field] = json!(name);
        let document = place(&api, &order).await.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{name}");
    }
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn several_bad_names_are_told_together() {
    let mut order = order();
    order["name"] = json!("A");
    order["zone"] = json!("B");
    let document = place(&Api::over(city()), &order).await.problem(422, "InvalidField");
    assert_eq!(document["errors"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_a_problem_document_that_names_the_field() {
    let api = Api::over(city());
    let mut extra = order();
    extra["systemDisk"] = json!({"size": "100Gi", "sizes": 1});
    let mut wrong = order();
    wrong["architecture"] = json!("sparc");
    let mut missing = order();
    missing.as_object_mut().unwrap().remove("zone");
    for (body, field, word) in [
        (extra.to_string(), "systemDisk.sizes", "sizes"),
        (wrong.to_string(), "architecture", "sparc"),
        (missing.to_string(), "body", "zone"),
        ("[]".to_owned(), "body", "object"),
    ] {
        let answer = api.send(request(Method::POST, HOSTS, &[], &body)).await;
        let document = answer.problem(422, "InvalidField");
        assert_eq!(document["field"], field, "{document}");
        assert!(document["detailEn"].as_str().unwrap().contains(word), "{document}");
        // What is quoted is a word of the caller's.
        let quoted = document["detailZh"].as_str().unwrap().contains(word);
        assert_eq!(quoted, word != "object", "{document}");
    }
    for body in ["{", "{\"name\": }", "{} {}", "\u{0}"] {
        api.send(request(Method::POST, HOSTS, &[], body)).await;
    }
    api.send(request(Method::POST, HOSTS, &[], "{")).await.problem(400, "MalformedJson");
    let twice = format!("{} {{}}", order());
    api.send(request(Method::POST, HOSTS, &[], &twice)).await.problem(400, "MalformedJson");
    assert!(api.server.seen().is_empty());
}

#[tokio::test]
async fn a_body_of_another_kind_or_size_is_refused() {
    let api = Api::over(city());
    let form = http::Request::post(HOSTS)
        .header("authorization", TOKEN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from("name=web-1"))
        .unwrap();
    api.send(form).await.problem(415, "UnsupportedMediaType");
    let huge = format!("{{\"name\": \"{}\"}}", "a".repeat(70 * 1024));
    let document = api.send(request(Method::POST, HOSTS, &[], &huge)).await.problem(413, "PayloadTooLarge");
    assert!(document["detail"].as_str().unwrap().contains("65536"), "{document}");
}
