//! Consoles of hosts over the API: who opens one and for how long is recorded and what is typed is not, who may not is told so,
//! and each of them ends. The engine is one of the test's own, behind a real API server.

use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use http::{Method, StatusCode, header};
use jiyun_crds::{names::LABEL_CLAIM, v1alpha1::ConditionType};
use jiyun_lab::{Exit, Guest, Lab, LabOptions, wait_for};
use jiyun_tests::{
    Caller, Order, World, WorldError, city,
    console::{self, Engine, LOGIN, SCREEN, SHUTDOWN, Seat},
    person::Answer,
    world::{Bureau, PATIENCE, Quota, has, reason},
};
use serde_json::{Value, json};

/// Where the engine has the consoles of `web-1` of `culture`.
const SERIAL: &str = "engine-culture/web-1/console";
const GRAPHICAL: &str = "engine-culture/web-1/vnc";

/// In whose name the engine is asked.
const ACCOUNT: &str = "system:serviceaccount:jiyun-system:jiyun-api";

/// A world with an audit trail, in which machines that run have instances, as KubeVirt's have.
async fn world() -> Result<World, WorldError> {
    let options = LabOptions::default().departments(["culture", "tax"]).instances().own_cluster();
    World::recorded(Lab::start(options).await?, &city::CATALOGUE_FILES).await
}

async fn ordered(bureau: &Bureau<'_>, host: &str) -> Result<(), WorldError> {
    let answer = bureau.caller.post(&bureau.hosts_path(), &Order::new(host, "portal").body(), 30).await?;
    assert!(answer.status.is_success(), "{answer:?}");
    bureau.wait_ready(host).await.map(drop)
}

/// The two consoles of a host, as addresses.
fn consoles(bureau: &Bureau<'_>, host: &str) -> [String; 2] {
    ["console", "vnc"].map(|console| format!("{}/{console}", bureau.host_path(host)))
}

/// Opens a console that opens, and waits for what its machine shows first.
async fn opened(caller: &Caller, path: &str) -> Result<Seat, WorldError> {
    let mut seat = console::open(caller, path).await?.unwrap();
    seat.wait_for(if path.ends_with("/vnc") { SCREEN } else { LOGIN }).await?;
    Ok(seat)
}

async fn refused(caller: &Caller, path: &str) -> Result<Answer, WorldError> {
    Ok(console::open(caller, path).await?.unwrap_err())
}

#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{answer:?}");
}

/// Waits until a console is closed with this code, for a reason that says this.
async fn ended(mut seat: Seat, code: u16, says: &str) -> Result<(), WorldError> {
    let (with, reason) = seat.closed().await?;
    assert!(with == code && reason.contains(says), "{with}: {reason}");
    Ok(())
}

fn at(caller: &Caller, api: &Guest) -> Result<Caller, WorldError> {
    Ok(caller.at(api.url().ok_or(WorldError::NoAddress)?))
}

/// A record as `<action> <result> <code> <console> <ending>`, as far as it has them.
fn word(record: &Value) -> String {
    let (result, told) = (&record["result"], &record["after"]["value"]);
    let parts = [&record["action"], &result["is"], &result["code"], &told["console"], &told["ending"]];
    parts.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// What is recorded of consoles for the readers of a department, once all of these are.
async fn recorded(world: &World, department: &str, expected: &[&str]) -> Result<Vec<Value>, WorldError> {
    let reader = world.caller(&format!("{department}-reader"))?;
    let path = format!("/v1/departments/{department}/audit-records?limit=500");
    let found = wait_for(format!("{expected:?}"), PATIENCE, || async {
        let answer = reader.get(&path).await.map_err(|error| error.to_string())?;
        let mut found = answer.json()["items"].as_array().cloned().unwrap_or_default();
        found.retain(|record| record["action"].as_str().is_some_and(|action| action.starts_with("Console")));
        let words: Vec<_> = found.iter().map(word).collect();
        let there = expected.iter().all(|wanted| words.iter().any(|word| word == wanted));
        if there { Ok(found) } else { Err(format!("{words:#?}")) }
    });
    Ok(found.await?)
}

/// All that is written in a folder and below it.
fn written(folder: &Path) -> std::io::Result<String> {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text =
            if path.is_dir() { written(&path)? } else { String::from_utf8_lossy(&std::fs::read(&path)?).into_owned() };
        all.push_str(&text);
    }
    Ok(all)
}

#[tokio::test]
async fn an_operator_types_into_the_console_of_a_running_host_and_it_is_recorded_who_and_how_long_and_not_what()
-> Result<(), WorldError> {
    let world = world().await?;
    let culture = world.named_department("culture", Quota::AMPLE).await?;
    ordered(&culture, "web-1").await?;
    let engine = Engine::open(&world.lab).await?;
    let operator = console::person(&world, "culture-operator")?;
    let [serial, graphical] = consoles(&culture, "web-1");

    let typed = "correct-horse-battery-staple\n";
    let mut seat = opened(&operator, &serial).await?;
    seat.type_in(typed).await?;
    seat.wait_for(typed).await?;
    seat.leave().await?;
    opened(&operator, &graphical).await?.leave().await?;
    for console in [SERIAL, GRAPHICAL] {
        assert_eq!(engine.visits(console), [ACCOUNT], "the engine knows the platform, not the person");
    }

    let expected = [
        "ConsoleOpened Begun Serial",
        "ConsoleOpened Succeeded Serial",
        "ConsoleClosed Succeeded Serial ClosedByCaller",
        "ConsoleOpened Begun Graphical",
        "ConsoleOpened Succeeded Graphical",
        "ConsoleClosed Succeeded Graphical ClosedByCaller",
    ];
    let records = recorded(&world, "culture", &expected).await?;
    assert_eq!(records.len(), expected.len(), "{records:#?}");
    for record in &records {
        let who = record["actor"]["name"].as_str().unwrap();
        assert!(who.contains("culture-operator") && record["source"] == "127.0.0.1", "{record}");
        assert_eq!((&record["object"]["kind"], &record["object"]["name"]), (&json!("CloudHost"), &json!("web-1")));
    }
    let closed = records.iter().find(|record| word(record) == expected[2]).unwrap();
    let told = &closed["after"]["value"];
    let (typed_bytes, shown) = (typed.len(), LOGIN.len() + typed.len());
    assert!(told["typedBytes"] == typed_bytes && told["shownBytes"] == shown && told["seconds"].is_u64(), "{closed}");

    let trail = written(&world.lab.folder().join("trail"))?;
    assert!(trail.contains("ConsoleClosed"), "these are the right files");
    let log = std::fs::read_to_string(world.api.process().log())?;
    assert!(![trail, log].concat().contains(typed.trim()), "what was typed is written down");
    let figures = world.metrics_of(&world.api).await?;
    for figure in [
        r#"jiyun_api_consoles_open{console="Serial"} 0"#,
        r#"jiyun_api_consoles_closed_total{console="Graphical",ending="ClosedByCaller"} 1"#,
    ] {
        assert!(figures.lines().any(|line| line == figure), "{figure}: {figures}");
    }
    Ok(())
}

#[tokio::test]
async fn whoever_may_not_have_a_console_is_told_so_and_the_engine_hears_nothing_of_it() -> Result<(), WorldError> {
    let world = world().await?;
    let culture = world.named_department("culture", Quota::AMPLE).await?;
    world.named_department("tax", Quota::AMPLE).await?;
    ordered(&culture, "web-1").await?;
    let engine = Engine::open(&world.lab).await?;
    let person = |name: &str| console::person(&world, name);
    let operator = person("culture-operator")?;
    let [serial, graphical] = consoles(&culture, "web-1");

    for (caller, status, code) in [
        (person("culture-reader")?, 403, "Forbidden"),
        (person("culture-approver")?, 403, "Forbidden"),
        (person("operator")?, 403, "Forbidden"),
        (person("auditor")?, 403, "Forbidden"),
        (person("tax-operator")?, 404, "NotFound"),
        (operator.with_token(None), 401, "MissingToken"),
        (operator.with_token(Some("nobodys".to_owned())), 401, "InvalidToken"),
    ] {
        for path in [&serial, &graphical] {
            problem(&refused(&caller, path).await?, status, code);
        }
    }
    // Asked for as anything else: over HTTP/1.1, and over HTTP/2, where nothing becomes a WebSocket.
    let plain = operator.get(&serial).await?;
    problem(&plain, 426, "WebSocketNeeded");
    assert_eq!(plain.header("upgrade"), "websocket");
    problem(&culture.caller.get(&serial).await?, 426, "WebSocketNeeded");
    assert!(engine.visits(SERIAL).is_empty() && engine.visits(GRAPHICAL).is_empty());

    let expected = ["ConsoleOpened Refused Forbidden", "ConsoleOpened Refused WebSocketNeeded"];
    let records = recorded(&world, "culture", &expected).await?;
    let whose = |name: &str| records.iter().any(|record| record["actor"]["name"].as_str().unwrap().contains(name));
    assert!(whose("culture-reader") && !whose("tax-operator"), "no department learns who knocked: {records:#?}");
    Ok(())
}

#[tokio::test]
async fn a_console_opens_only_where_a_machine_of_the_host_runs_and_for_as_many_as_may_have_one()
-> Result<(), WorldError> {
    let world = world().await?;
    let culture = world.named_department("culture", Quota::AMPLE).await?;
    ordered(&culture, "web-1").await?;
    let engine = Engine::open(&world.lab).await?;
    let operator = console::person(&world, "culture-operator")?;
    let [serial, graphical] = consoles(&culture, "web-1");

    // As a browser asks, which sends no header of its own.
    let token = BASE64URL_NOPAD.encode(world.lab.person("culture-operator")?.token.as_bytes());
    let offer = format!("base64url.bearer.authorization.k8s.io.{token}, plain.kubevirt.io");
    let request = operator.with_token(None).request(Method::GET, &serial);
    let mut browser = console::asked(request.header(header::SEC_WEBSOCKET_PROTOCOL, offer)).await?.unwrap();
    assert_eq!(browser.protocol(), "plain.kubevirt.io");
    browser.wait_for(LOGIN).await?;
    browser.leave().await?;

    let few = world.another_api("jiyun-api-few", &["--caller-consoles=1"]).await?;
    let modest = at(&operator, &few)?;
    let first = opened(&modest, &serial).await?;
    let second = refused(&modest, &graphical).await?;
    problem(&second, 429, "TooManyConsoles");
    assert_eq!(second.header("retry-after"), "30");
    first.leave().await?;
    let second = wait_for("the place of the first", PATIENCE, || async {
        let asked = console::open(&modest, &graphical).await.map_err(|error| format!("{error:?}"))?;
        asked.map_err(|answer| answer.text)
    });
    second.await?.leave().await?;

    // The engine has the last word: it is away, or says that the machine has stopped just now.
    for (says, status, code) in
        [(StatusCode::SERVICE_UNAVAILABLE, 503, "ConsoleUnavailable"), (StatusCode::BAD_REQUEST, 409, "HostNotRunning")]
    {
        engine.refuse(SERIAL, Some(says));
        problem(&refused(&operator, &serial).await?, status, code);
    }
    engine.refuse(SERIAL, None);

    // Its instance is labelled as another claim's; and then there is none.
    let before = engine.visits(SERIAL).len();
    let other = format!("{LABEL_CLAIM}=claim-4096.deadbeef");
    let kind = "virtualmachineinstances.kubevirt.io";
    world.lab.kubectl(&["label", kind, "web-1", "-n", "engine-culture", &other, "--overwrite"]).await?;
    problem(&refused(&operator, &serial).await?, 409, "HostNotRunning");
    let off = culture.caller.patch(&culture.host_path("web-1"), &json!({"power": "Stopped"}), "").await?;
    assert_eq!(off.status, StatusCode::OK, "{off:?}");
    let ready = ConditionType::Ready;
    culture.wait_for_host("web-1", "off", |host| has(host, ready) && reason(host, ready) == Some("Stopped")).await?;
    problem(&refused(&operator, &serial).await?, 409, "HostNotRunning");
    assert_eq!(engine.visits(SERIAL).len(), before, "the engine is not asked about these");
    recorded(&world, "culture", &["ConsoleOpened Failed Serial", "ConsoleOpened Refused HostNotRunning"]).await?;
    Ok(())
}

#[tokio::test]
async fn a_console_ends_and_its_last_frame_and_the_trail_say_why() -> Result<(), WorldError> {
    let world = world().await?;
    let culture = world.named_department("culture", Quota::AMPLE).await?;
    let tax = world.named_department("tax", Quota::AMPLE).await?;
    ordered(&culture, "web-1").await?;
    ordered(&culture, "web-2").await?;
    let engine = Engine::open(&world.lab).await?;
    let operator = console::person(&world, "culture-operator")?;
    let [[first, _], [second, _]] = ["web-1", "web-2"].map(|host| consoles(&culture, host));

    // Whoever opens the same one takes it over; and the machine goes down.
    let (old, mut new) = (opened(&operator, &first).await?, opened(&operator, &first).await?);
    ended(old, 1000, "took the console over").await?;
    new.type_in("still here\n").await?;
    new.wait_for("still here\n").await?;
    new.type_in(SHUTDOWN).await?;
    ended(new, 1000, "stopped").await?;

    let hasty = world.another_api("jiyun-api-hasty", &["--console-idle=2s"]).await?;
    ended(opened(&at(&operator, &hasty)?, &first).await?, 1008, "nothing was typed").await?;

    // From here on with a trail: the program is told to stop.
    let trail = format!("--trail-dir={}", world.lab.folder().join("trail").display());
    let arguments = ["--console-review=1s", &trail, "--trail-writer=jiyun-api-1"];
    let strict = world.another_api("jiyun-api-strict", &arguments).await?;
    let (held, process) = (opened(&at(&operator, &strict)?, &first).await?, strict.process());
    let (exit, told) = tokio::join!(process.stop(PATIENCE), ended(held, 1001, "restarted"));
    told?;
    assert_eq!(exit, Exit::Code(0), "a console does not hold it up: {}", strict.tail(10));
    strict.restart().await?;
    strict.wait_until_healthy("/readyz", PATIENCE).await?;

    // The host is deleted.
    let held = opened(&at(&operator, &strict)?, &second).await?;
    assert_eq!(culture.caller.delete(&culture.host_path("web-2")).await?.status, StatusCode::ACCEPTED);
    ended(held, 1008, "has changed").await?;

    // It is handed over: the machine stays where it is, and its console is the other department's from then on.
    let held = opened(&at(&operator, &strict)?, &first).await?;
    let party = |bureau: &Bureau<'_>| json!({"departmentRef": {"name": bureau.name}, "systemRef": {"name": "portal"}});
    let handover = json!({
        "apiVersion": "jiyun.io/v1alpha1", "kind": "Handover", "metadata": {"name": "portal"},
        "spec": {"from": party(&culture), "to": party(&tax), "document": "测试批复〔2026〕1号"},
    });
    culture.wait_gone("web-2").await?;
    world.lab.apply_text(&handover.to_string()).await?;
    ended(held, 1008, "has changed").await?;
    culture.wait_gone("web-1").await?;
    tax.wait_ready("web-1").await?;
    let taker = at(&console::person(&world, "tax-operator")?, &strict)?;
    let [theirs, _] = consoles(&tax, "web-1");
    let before = engine.visits(SERIAL).len();
    let held = opened(&taker, &theirs).await?;
    assert_eq!(engine.visits(SERIAL).len(), before + 1);
    problem(&refused(&operator, &first).await?, 404, "NotFound");

    // Its caller loses the right.
    let others = json!({"spec": {"access": {"operators": ["others"]}}}).to_string();
    world.lab.kubectl(&["patch", "department", "tax", "--type=merge", "-p", &others]).await?;
    ended(held, 1008, "has changed").await?;
    problem(&refused(&taker, &theirs).await?, 404, "NotFound");

    for (department, endings) in [("culture", ["ClosedByMachine", "Stopping", "Withdrawn"]), ("tax", ["Withdrawn"; 3])]
    {
        let words = endings.map(|ending| format!("ConsoleClosed Succeeded Serial {ending}"));
        recorded(&world, department, &words.each_ref().map(String::as_str)).await?;
    }
    Ok(())
}
