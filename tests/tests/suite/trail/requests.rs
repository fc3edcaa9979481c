//! The audit trail of what people ask for over REST: who, where from, what before and after; nothing is changed that
//! cannot be recorded; everybody reads their own.

use std::path::Path;

use http::Method;
use jiyun_lab::{Guest, LabOptions, wait_for};
use jiyun_tests::{
    Caller, Order, World, WorldError, WorldOptions, city,
    faults::program::told,
    person::Answer,
    world::{Bureau, PATIENCE, Quota},
};
use serde_json::{Value, json};

use super::trail;

/// A world whose controller keeps its trail in `folder`, with departments `finance` and `tax`.
async fn world(folder: &Path) -> Result<World, WorldError> {
    World::start(WorldOptions {
        lab: LabOptions::default().departments(["finance", "tax"]),
        files: city::CATALOGUE_FILES.to_vec(),
        controller_arguments: vec![format!("--trail-dir={}", folder.display())],
    })
    .await
}

/// An API of this world that keeps its trail in `folder`.
async fn recording(world: &World, folder: &Path) -> Result<Guest, WorldError> {
    let folder = format!("--trail-dir={}", folder.display());
    world.another_api("recording", &[&folder, "--trail-writer=jiyun-api-0"]).await
}

fn base(api: &Guest) -> String {
    api.url().unwrap()
}

/// All records that `caller` gets at `path`, page by page.
pub async fn read(caller: &Caller, path: &str) -> Result<Vec<Value>, WorldError> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let answer = caller.get(&format!("{path}?limit=7{next}")).await?;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {answer:?}");
        let page = answer.json();
        found.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["continue"].as_str() {
            Some(place) => next = format!("&continue={place}"),
            None => return Ok(found),
        }
    }
}

/// A record as `<action> <kind> <name> <result>`.
pub fn word(record: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (object, result) = (&record["object"], &record["result"]);
    let result = format!("{} {}", text(&result["is"]), text(&result["code"]));
    format!("{} {} {} {}", text(&record["action"]), text(&object["kind"]), text(&object["name"]), result.trim())
}

/// The records of REST requests among these: those with an address.
fn asked(records: &[Value]) -> Vec<Value> {
    records.iter().filter(|record| record["source"].is_string()).cloned().collect()
}

/// Waits until the department's own records have all of these.
async fn wait_for_records(reader: &Caller, department: &str, expected: &[&str]) -> Result<Vec<Value>, WorldError> {
    let path = format!("/v1/departments/{department}/audit-records");
    let found = wait_for(format!("{expected:?}"), PATIENCE, || async {
        let found = read(reader, &path).await.map_err(|error| error.to_string())?;
        let words: Vec<_> = found.iter().map(word).collect();
        let there = expected.iter().all(|wanted| words.iter().any(|word| word == wanted));
        if there { Ok(found) } else { Err(format!("{words:#?}")) }
    });
    Ok(found.await?)
}

#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
}

/// Proves the chains of the folder; gives what was told.
pub async fn sound(world: &World, folder: &Path, heads: Option<&str>) -> Result<String, WorldError> {
    let folder = folder.to_str().unwrap();
    let mut arguments = vec!["verify", "--trail-dir", folder];
    arguments.extend(heads.into_iter().flat_map(|heads| ["--head", heads]));
    let verified = trail(world, &arguments).await?;
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
    Ok(told(&verified))
}

#[tokio::test]
async fn what_a_department_asks_for_is_in_the_trail_for_its_readers_and_the_auditor_and_for_nobody_else()
-> Result<(), WorldError> {
    let scratch = tempfile::tempdir()?;
    let folder = scratch.path().join("trail");
    let world = world(&folder).await?;
    let api = recording(&world, &folder).await?;
    let (finance, tax) =
        (world.named_department("finance", Quota::AMPLE).await?, world.named_department("tax", Quota::AMPLE).await?);
    let at = |person: &str| world.caller(person).map(|caller| caller.at(base(&api)));
    let operator = at("finance-operator")?;
    let reader = at("finance-reader")?;

    // Ordered within an order, changed, ended; refused by what it says, by the name, by who asks.
    let filing = json!({"name": "rollout", "system": "portal", "justification": "上线",
        "items": [{"host": Order::new("web-1", "portal").body()}]});
    let filed = operator.post("/v1/departments/finance/orders", &filing, 30).await?;
    assert!(filed.status.is_success(), "{filed:?}");
    finance.wait_ready("web-1").await?;
    let hosts = finance.hosts_path();
    let request = operator.request(Method::PATCH, &finance.host_path("web-1")).header("x-request-id", "ticket-42");
    let request = request.header("content-type", "application/merge-patch+json").body(r#"{"displayName": "一号机"}"#);
    assert_eq!(operator.send(request).await?.status.as_u16(), 200);
    problem(&operator.post(&hosts, &Order::new("web-1", "portal").body(), 0).await?, 409, "AlreadyExists");
    problem(&operator.post(&hosts, &json!({"name": "web-2"}), 0).await?, 422, "InvalidField");
    problem(&reader.delete(&finance.host_path("web-1")).await?, 403, "Forbidden");
    problem(&at("tax-operator")?.delete(&finance.host_path("web-1")).await?, 404, "NotFound");
    let tried = operator.post(&format!("{hosts}?dryRun=true"), &Order::new("web-3", "portal").body(), 0).await?;
    assert_eq!(tried.status.as_u16(), 200, "{tried:?}");
    assert_eq!(operator.delete(&finance.host_path("web-1")).await?.status.as_u16(), 202);
    finance.wait_gone("web-1").await?;
    at("tax-operator")?.post(&tax.hosts_path(), &Order::new("tax-1", "portal").body(), 30).await?;

    let expected = [
        "Create CloudHost web-1 Begun",
        "Create CloudHost web-1 Succeeded",
        "Create Order rollout Begun",
        "Create Order rollout Succeeded",
        "Change CloudHost web-1 Succeeded",
        "Create CloudHost web-1 Refused AlreadyExists",
        "Create CloudHost  Refused InvalidField",
        "Delete CloudHost web-1 Refused Forbidden",
        "Delete CloudHost web-1 Begun",
        "Delete CloudHost web-1 Succeeded",
        // What the controller made of it lies in the same folder.
        "Grant CloudHost web-1 Succeeded",
        "MachineDeleted VirtualMachine web-1 Succeeded",
    ];
    let own = wait_for_records(&reader, "finance", &expected[..11]).await?;
    assert!(own.iter().all(|record| record["department"] == "finance"), "{own:#?}");
    let text = Value::from(own.clone()).to_string();
    assert!(!text.contains("tax") && !text.contains("hygon") && !text.contains("web-3"), "{text}");
    let requests = asked(&own);
    for record in &requests {
        assert_eq!(record["source"], "127.0.0.1", "{record}");
        assert_eq!(record["writer"], "jiyun-api-0");
        let who = record["actor"]["name"].as_str().unwrap();
        assert!(who.contains("finance-operator") || who.contains("finance-reader"), "{record}");
        assert_eq!(record["actor"]["authentication"], "Token");
    }
    let one = |wanted: &str| requests.iter().find(|record| word(record) == wanted).cloned().unwrap();
    let changed = one("Change CloudHost web-1 Succeeded");
    assert_eq!(changed["request"], "ticket-42");
    assert_eq!(changed["order"], "rollout");
    assert!(changed["before"]["value"]["spec"]["displayName"].is_null(), "{changed}");
    assert_eq!(changed["after"]["value"]["spec"]["displayName"], "一号机");
    let begun = one("Change CloudHost web-1 Begun");
    assert_eq!(begun["after"]["value"], json!({"patch": {"spec": {"displayName": "一号机"}}}));
    let ended = one("Delete CloudHost web-1 Succeeded");
    assert_eq!(ended["before"]["value"]["spec"]["displayName"], "一号机");
    assert_eq!((&ended["order"], &ended["object"]["uid"]), (&json!("rollout"), &changed["object"]["uid"]));
    let picked = reader.get("/v1/departments/finance/audit-records?order=rollout&action=Delete&object=web-1").await?;
    let picked = picked.json()["items"].as_array().cloned().unwrap();
    assert!(!picked.is_empty() && picked.iter().all(|record| record["action"] == "Delete"), "{picked:?}");

    let all = read(&at("auditor")?, "/v1/audit-records").await?;
    let stranger = |record: &Value| record["actor"]["name"].as_str().unwrap().contains("tax-operator");
    let knocked =
        all.iter().find(|record| stranger(record) && word(record) == "Delete CloudHost web-1 Refused Forbidden");
    assert!(knocked.is_some_and(|record| record["department"].is_null()), "{knocked:?}");
    assert!(all.iter().any(|record| record["action"] == "PolicyChanged" && record["department"].is_null()));
    assert!(all.iter().any(|record| record["department"] == "tax"));
    for (person, path) in [
        ("finance-operator", "/v1/departments/finance/audit-records"),
        ("tax-reader", "/v1/departments/finance/audit-records"),
        ("operator", "/v1/departments/finance/audit-records"),
        ("finance-reader", "/v1/audit-records"),
        ("operator", "/v1/audit-records"),
        ("finance", "/v1/audit-records"),
    ] {
        problem(&at(person)?.get(path).await?, 404, "NotFound");
    }
    let theirs = read(&at("tax-approver")?, "/v1/departments/tax/audit-records").await?;
    assert!(!theirs.is_empty() && theirs.iter().all(|record| record["department"] == "tax"));
    both_chains_are_proven(&world, &folder, scratch.path()).await
}

/// The controller's chain and the API's in one folder: whole, and a changed byte and a record that is gone are found.
async fn both_chains_are_proven(world: &World, folder: &Path, scratch: &Path) -> Result<(), WorldError> {
    let heads = scratch.join("heads.jsonl");
    let kept = trail(world, &["head"]).await?;
    std::fs::write(&heads, &kept.stdout)?;
    let kept = String::from_utf8_lossy(&kept.stdout).into_owned();
    assert!(kept.contains("\"controller\"") && kept.contains("\"jiyun-api-0\""), "{kept}");
    let report = sound(world, folder, heads.to_str()).await?;
    assert!(report.contains("controller: looked at") && report.contains("jiyun-api-0: looked at"), "{report}");

    let segment = std::fs::read_dir(folder.join("jiyun-api-0"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .unwrap();
    let whole = std::fs::read_to_string(&segment)?;
    let second = whole.lines().nth(2).unwrap();
    for (broken, finding) in [
        (whole.replacen("127.0.0.1", "127.0.0.2", 1), "was changed after it was written"),
        (whole.replacen(&format!("{second}\n"), "", 1), "missing"),
    ] {
        std::fs::write(&segment, broken)?;
        let verified = trail(world, &["verify", "--trail-dir", folder.to_str().unwrap()]).await?;
        assert_eq!(verified.status.code(), Some(1), "{}", told(&verified));
        assert!(told(&verified).contains(finding), "{finding}: {}", told(&verified));
    }
    std::fs::write(&segment, &whole)?;
    sound(world, folder, None).await.map(drop)
}

/// An order, a change and an end of what is there, each of which would be taken.
async fn ask(caller: &Caller, bureau: &Bureau<'_>, name: &str) -> Result<[Answer; 3], WorldError> {
    Ok([
        caller.post(&bureau.hosts_path(), &Order::new(name, "portal").body(), 0).await?,
        caller.patch(&bureau.host_path("web-1"), &json!({"displayName": name}), "").await?,
        caller.delete(&bureau.host_path("web-1")).await?,
    ])
}

#[tokio::test]
async fn a_trail_that_cannot_be_written_stops_changes_and_an_api_that_is_killed_leaves_what_it_began()
-> Result<(), WorldError> {
    let folder = tempfile::tempdir()?;
    let folder = folder.path();
    let world = world(folder).await?;
    // A file where the API's own folder should be: its chain cannot be opened, the controller's can.
    let place = folder.join("jiyun-api-0");
    std::fs::write(&place, "")?;
    let api = recording(&world, folder).await?;
    let finance = world.named_department("finance", Quota::AMPLE).await?;
    finance.caller.post(&finance.hosts_path(), &Order::new("web-1", "portal").body(), 30).await?;
    finance.wait_ready("web-1").await?;
    let operator = finance.caller.at(base(&api));
    for answer in ask(&operator, &finance, "web-2").await? {
        problem(&answer, 503, "AuditUnwritable");
        assert_eq!(answer.header("retry-after"), "5");
    }
    assert_eq!(operator.get(&finance.host_path("web-1")).await?.status.as_u16(), 200);
    assert_eq!(operator.get("/v1/departments/finance/quota").await?.status.as_u16(), 200);
    problem(&operator.get(&finance.host_path("web-2")).await?, 404, "NotFound");
    let untouched = finance.wait_ready("web-1").await?;
    assert!(untouched.spec.display_name.is_none() && untouched.metadata.deletion_timestamp.is_none());
    assert!(world.metrics_of(&api).await?.contains("jiyun_trail_unwritable 1"));

    std::fs::remove_file(&place)?;
    wait_for("the trail to be written again", PATIENCE, || async {
        let figures = world.metrics_of(&api).await.map_err(|error| error.to_string())?;
        if figures.contains("jiyun_trail_unwritable 0") { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    for answer in ask(&operator, &finance, "web-2").await? {
        assert!(answer.status.is_success(), "{answer:?}");
    }

    killed_between(&world, &api, &finance, folder).await?;
    let reader = world.caller("finance-reader")?.at(base(&api));
    let found = read(&reader, "/v1/departments/finance/audit-records").await?;
    let words: Vec<_> = found.iter().map(word).filter(|word| word.starts_with("Delete CloudHost web-2")).collect();
    assert_eq!(words, ["Delete CloudHost web-2 Begun"], "nobody knows how it ended, and that it was begun stands");
    sound(&world, folder, None).await.map(drop)
}

/// All lines of one chain.
fn segments(folder: &Path) -> std::io::Result<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    paths.iter().map(std::fs::read_to_string).collect()
}

/// Kills the API after it recorded that an end is about to be asked for, and before it hears what came of it: the API
/// server's own store is frozen meanwhile. Starts it again.
async fn killed_between(world: &World, api: &Guest, finance: &Bureau<'_>, folder: &Path) -> Result<(), WorldError> {
    finance.wait_ready("web-2").await?;
    let store = world.lab.process("etcd").unwrap();
    store.pause();
    let (operator, path) = (finance.caller.at(base(api)), finance.host_path("web-2"));
    let asked = tokio::spawn(async move { operator.delete(&path).await });
    let begun = wait_for("the end to be begun", PATIENCE, || async {
        let lines = segments(&folder.join("jiyun-api-0")).map_err(|error| error.to_string())?;
        let last = lines.lines().last().unwrap_or_default().to_owned();
        let line: Value = serde_json::from_str(&last).unwrap_or_default();
        if word(&line["record"]) == "Delete CloudHost web-2 Begun" { Ok(()) } else { Err(last) }
    })
    .await;
    api.kill().await;
    store.resume();
    begun?;
    assert!(asked.await.unwrap().is_err(), "nobody answered");
    api.restart().await?;
    Ok(api.wait_until_healthy("/readyz", PATIENCE).await?)
}
