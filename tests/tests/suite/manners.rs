//! The manners of the API on a real API server: keys, versions, lists, trying, restarting, bounds.

mod restart;

use futures::future::join_all;
use http::{Method, StatusCode};
use jiyun_lab::wait_for;
use jiyun_tests::{
    Order, World, WorldError,
    person::{Answer, Caller},
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::{Value, json};

/// An order without a name, under a key.
async fn keyed(caller: &Caller, path: &str, body: &Value, key: &str) -> Result<Answer, WorldError> {
    let request = caller.request(Method::POST, path).header("accept-language", "en");
    Ok(caller.send(request.header("idempotency-key", key).header("prefer", "wait=30").json(body)).await?)
}

fn nameless() -> Value {
    let mut body = Order::new("", "portal").body();
    body.as_object_mut().unwrap().remove("name");
    body
}

fn names(answer: &Answer) -> Vec<String> {
    let items = answer.json()["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A system that stands still: its version moves no more by itself.
async fn settled_system(bureau: &Bureau<'_>, name: &str) -> Result<(String, String), WorldError> {
    let path = format!("/v1/departments/{}/systems", bureau.name);
    let body = json!({"name": name, "displayName": "档案", "protectionLevel": 2, "zone": "extranet-public",
        "projectNumber": "P-1", "owner": {"name": "周文"}});
    let created = bureau.caller.post(&path, &body, 0).await?;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let path = format!("{path}/{name}");
    let version = wait_for(format!("{path} to be ready"), PATIENCE, || async {
        let answer = bureau.caller.get(&path).await.map_err(|error| error.to_string())?;
        if answer.json()["state"] == "Ready" { Ok(answer.header("etag").to_owned()) } else { Err(answer.text) }
    })
    .await?;
    Ok((path, version))
}

#[tokio::test]
async fn forty_requests_with_one_key_at_two_replicas_order_one_host() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let other = world.another_api("jiyun-api-replica", &["--caller-under-way=0", "--caller-rate=0"]).await?;
    let callers = [bureau.caller.clone(), bureau.caller.at(other.url().ok_or(WorldError::NoAddress)?)];
    let (path, body) = (bureau.hosts_path(), nameless());
    let asked = (0..40).map(|number| keyed(&callers[number % 2], &path, &body, "k-1"));
    let answers: Vec<_> = join_all(asked).await.into_iter().collect::<Result<_, _>>()?;
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_empty()).count();
    assert_eq!(first, 1, "all others are told that they are not the first");
    assert_eq!(names(&bureau.caller.get(&path).await?).len(), 1);
    let other_body = keyed(&bureau.caller, &path, &json!({"power": "Stopped"}), "k-1").await?;
    assert_eq!(other_body.status, StatusCode::UNPROCESSABLE_ENTITY, "{other_body:?}");
    let mut stopped = nameless();
    stopped["power"] = json!("Stopped");
    assert_eq!(keyed(&bureau.caller, &path, &stopped, "k-1").await?.json()["code"], "IdempotencyKeyReused");
    Ok(())
}

#[tokio::test]
async fn of_ten_changes_meant_for_one_version_one_is_made_and_nine_are_told() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let (path, version) = settled_system(&bureau, "archive").await?;
    let wishes: Vec<_> = (0..10).map(|number| json!({"displayName": format!("档案 {number}")})).collect();
    let answers = join_all(wishes.iter().map(|wish| bureau.caller.patch(&path, wish, &version))).await;
    let statuses: Vec<_> =
        answers.into_iter().map(|answer| answer.map(|answer| answer.status)).collect::<Result<_, _>>()?;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(StatusCode::OK), count(StatusCode::PRECONDITION_FAILED)), (1, 9), "{statuses:?}");

    let request = bureau.caller.request(Method::DELETE, &path).header("if-match", &version);
    assert_eq!(bureau.caller.send(request).await?.status, StatusCode::PRECONDITION_FAILED);
    let seen = bureau.caller.get(&path).await?;
    let known = bureau.caller.request(Method::GET, &path).header("if-none-match", seen.header("etag"));
    assert_eq!(bureau.caller.send(known).await?.status, StatusCode::NOT_MODIFIED);
    Ok(())
}

#[tokio::test]
async fn changes_of_different_fields_at_once_are_all_kept() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let (path, _) = settled_system(&bureau, "archive").await?;
    let wishes = [
        json!({"displayName": "新名"}),
        json!({"projectNumber": null}),
        json!({"owner": {"phone": "0734-5550101"}}),
        json!({"owner": {"name": "李敏"}}),
    ];
    for answer in join_all(wishes.iter().map(|wish| bureau.caller.patch(&path, wish, ""))).await {
        let answer = answer?;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    let system = bureau.caller.get(&path).await?.json();
    assert_eq!((&system["displayName"], system.get("projectNumber")), (&json!("新名"), None));
    assert_eq!(system["owner"], json!({"name": "李敏", "phone": "0734-5550101"}));
    Ok(())
}

#[tokio::test]
async fn who_may_change_what_is_the_platforms_to_say() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let (path, _) = settled_system(&bureau, "archive").await?;
    let level = json!({"protectionLevel": 3});
    assert_eq!(bureau.caller.patch(&path, &level, "").await?.json()["code"], "RefusedByRule");
    let operator = world.caller("operator")?;
    assert_eq!(operator.patch(&path, &level, "").await?.status, StatusCode::OK);
    let reader = world.caller(&format!("{}-reader", bureau.name))?;
    assert_eq!(reader.patch(&path, &json!({}), "").await?.status, StatusCode::FORBIDDEN);
    let stranger = world.department(Quota::AMPLE).await?;
    assert_eq!(stranger.caller.patch(&path, &json!({}), "").await?.status, StatusCode::NOT_FOUND);
    Ok(())
}

#[tokio::test]
async fn a_host_is_switched_off_by_a_change() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    bureau.caller.post(&bureau.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    bureau.wait_ready("web-1").await?;
    let path = bureau.host_path("web-1");
    let answer = bureau.caller.patch(&path, &json!({"power": "Stopped"}), "").await?;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    wait_for("web-1 to be off", PATIENCE, || async {
        let host = bureau.caller.get(&path).await.map_err(|error| error.to_string())?.json();
        let off = host["state"] == "Ready" && host["power"] == "Stopped";
        if off { Ok(()) } else { Err(host.to_string()) }
    })
    .await?;
    let small = bureau.caller.patch(&path, &json!({"systemDisk": {"size": "20Gi"}}), "").await?;
    assert_eq!((&small.json()["code"], &small.json()["field"]), (&json!("InvalidField"), &json!("systemDisk.size")));
    Ok(())
}

#[tokio::test]
async fn lists_are_picked_and_sorted_and_their_pages_join() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let path = bureau.hosts_path();
    for (number, class) in [(1, "basic-2c4g"), (2, "basic-4c8g"), (3, "basic-2c4g"), (4, "basic-2c4g")] {
        bureau.caller.post(&path, &Order::new(format!("web-{number}"), "portal").class(class).body(), 30).await?;
    }
    for query in ["class=basic-2c4g", "system=portal&class=basic-2c4g&sort=-created", "sort=-created&class=basic-2c4g"]
    {
        let (mut all, mut place) = (Vec::new(), String::new());
        loop {
            let answer = bureau.caller.get(&format!("{path}?{query}&limit=2{place}")).await?;
            assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
            all.extend(names(&answer));
            match answer.json()["continue"].as_str() {
                Some(next) => place = format!("&continue={next}"),
                None => break,
            }
        }
        if query.contains("sort") {
            // Several may be of one second, which then go by name.
            all.sort();
        }
        assert_eq!(all, ["web-1", "web-3", "web-4"], "{query}");
    }
    assert!(names(&bureau.caller.get(&format!("{path}?system=other")).await?).is_empty());
    assert_eq!(names(&bureau.caller.get(&format!("{path}?state=Refused")).await?), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_is_tried_leaves_nothing_behind_and_is_checked_by_the_rules() -> Result<(), WorldError> {
    let bureau = World::shared().await?.department(Quota::AMPLE).await?;
    let path = format!("{}?dryRun=true", bureau.hosts_path());
    let tried = bureau.caller.post(&path, &Order::new("web-1", "portal").body(), 0).await?;
    assert_eq!((tried.status, &tried.json()["host"]["name"]), (StatusCode::OK, &json!("web-1")), "{tried:?}");
    let mut large = Order::new("web-1", "portal");
    large.size = "5Ti".into();
    assert_eq!(bureau.caller.post(&path, &large.body(), 0).await?.json()["field"], "systemDisk.size");
    assert!(names(&bureau.caller.get(&bureau.hosts_path()).await?).is_empty());
    Ok(())
}

#[tokio::test]
async fn one_program_that_runs_wild_does_not_keep_another_department_from_being_answered() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let (wild, calm) = (world.department(Quota::AMPLE).await?, world.department(Quota::AMPLE).await?);
    let api = world.another_api("jiyun-api-bounded", &["--caller-rate=1", "--caller-burst=10"]).await?;
    let base = api.url().ok_or(WorldError::NoAddress)?;
    let (wild_caller, calm_caller) = (wild.caller.at(&base), calm.caller.at(&base));
    let path = wild.hosts_path();
    let answers = join_all((0..200).map(|_| wild_caller.get(&path))).await;
    let refused = answers.iter().flatten().filter(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    let refused: Vec<_> = refused.collect();
    assert!(refused.len() > 100, "{} were refused", refused.len());
    for answer in refused {
        assert_eq!(answer.json()["code"], "TooManyRequests", "{answer:?}");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(calm_caller.get(&calm.hosts_path()).await?.status, StatusCode::OK);
    Ok(())
}

#[tokio::test]
async fn the_number_of_a_request_is_in_its_answer_and_in_the_log_and_no_token_is() -> Result<(), WorldError> {
    let world = World::shared().await?;
    let bureau = world.department(Quota::AMPLE).await?;
    let api = world.another_api("jiyun-api-logged", &[]).await?;
    let caller = bureau.caller.at(api.url().ok_or(WorldError::NoAddress)?);
    let number = format!("looked-{}", bureau.name);
    let request = caller.request(Method::GET, &bureau.host_path("none")).header("x-request-id", number.as_str());
    let answer = caller.send(request).await?;
    assert_eq!((answer.status, answer.header("x-request-id")), (StatusCode::NOT_FOUND, number.as_str()), "{answer:?}");
    assert_eq!(answer.json()["requestId"], number.as_str());
    let own = caller.get(&bureau.host_path("none")).await?;
    assert!(!own.header("x-request-id").is_empty(), "one is given to whoever brings none");
    for number in [number.as_str(), own.header("x-request-id")] {
        wait_for(format!("a line of the log about {number}"), PATIENCE, || async {
            let log = std::fs::read_to_string(api.process().log()).map_err(|error| error.to_string())?;
            let about = log.lines().find(|line| line.contains(number) && line.contains("404"));
            about.map(drop).ok_or_else(|| log.lines().last().unwrap_or_default().to_owned())
        })
        .await?;
    }
    let log = std::fs::read_to_string(api.process().log())?;
    assert!(!log.contains("Bearer") && !log.contains("eyJ"), "tokens stay out of the log");
    Ok(())
}
