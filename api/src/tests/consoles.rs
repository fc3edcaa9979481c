//! Consoles of hosts, as far as an engine goes that is a table: who may open one, of which machine, and what is recorded of it.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, header};
use jiyun_ledger::State;
use jiyun_trail::core::{action::Action, outcome::Outcome};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{
    Answer, Api,
    audit::{recording, records},
    book::{Bookkeeper, StillBook},
    request,
    stub::{self, ApiServer, WHO, finance, host, user},
};
use crate::{
    app::{App, Doors, Holder},
    console::{ConsoleArgs, Rights, Standing},
    extract::{Bearer, DepartmentName, ObjectName, ObjectPath},
    store::{BookError, Kubernetes, consoles::Consoles},
};

const CONSOLE: &str = "/v1/departments/finance/hosts/web-1/console";
const SCREEN: &str = "/v1/departments/finance/hosts/web-1/vnc";
const MACHINE: &str = "GET /apis/kubevirt.io/v1/namespaces/engine-finance/virtualmachineinstances/web-1";
const ENGINE: &str = "GET /apis/subresources.kubevirt.io/v1/namespaces/engine-finance/virtualmachineinstances/web-1";

/// Bounds that no test reaches.
const MANY: (u32, u32) = (8, 256);

/// A request for a console as programs send it; whatever comes of it, no connection is handed over.
fn wanted(path: &str) -> Request<Body> {
    let headers = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let mut request = request(Method::GET, path, &headers, "");
    request.extensions_mut().insert(hyper::upgrade::on(Request::new(())));
    request
}

/// A book in which `web-1` was handed over.
async fn book() -> Arc<State> {
    let keeper = Bookkeeper::open().await;
    keeper.hand_over("web-1", 4).await;
    keeper.ledger.read(|state| Arc::new(state.clone()))
}

/// A server with that host, whose caller may open its console or not.
fn city(may: bool) -> ApiServer {
    let mut web = host("7", &json!({}));
    web["metadata"]["uid"] = json!("uid-web-1");
    let known = ApiServer::default().on(WHO, 201, user("oidc:wang")).may("dept-finance", may);
    known.on(&format!("GET {}", finance("cloudhosts/web-1")), 200, web)
}

/// The machine as it runs, labelled with this claim.
fn machine(claim: &str, phase: &str) -> Value {
    json!({"metadata": {"uid": "m-1", "labels": {"jiyun.io/claim": claim}}, "status": {"phase": phase}})
}

fn claim(state: &State) -> String {
    let claim = state.claim_of_subject("uid-web-1").unwrap();
    jiyun_ledger::label_of(claim.id, state)
}

/// An API with consoles, at most so many of one caller and of all.
fn with_consoles(api: Api, state: &Arc<State>, (most_of_caller, most): (u32, u32)) -> Api {
    let limits = ["jiyun-api", "--kubernetes-url=u", "--kubernetes-ca=c", "--ledger-endpoints=e"];
    let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(limits).unwrap();
    let arguments = ConsoleArgs { most, most_of_caller, ..cli.consoles };
    let doors = Doors::new(Consoles::over(stub::client(&api.server)), &arguments, api.metrics.consoles().unwrap());
    let kubernetes = Kubernetes::over(stub::client(&api.server)).recorded(api.app.recorder().clone());
    let book = Arc::new(StillBook::at(Arc::clone(state), "2026-11-20T00:00:00Z"));
    let app = App::new(kubernetes, book, api.stopping.clone()).with_consoles(Some(doors));
    Api { app: Arc::new(app), ..api }
}

async fn asked(server: ApiServer, state: &Arc<State>, path: &str) -> (Answer, Api) {
    let api = with_consoles(Api::over(server), state, MANY);
    (api.send(wanted(path)).await, api)
}

/// One answer of every problem that only consoles have.
pub async fn problems() -> Vec<Answer> {
    let state = book().await;
    let ready = || city(true).on(MACHINE, 200, machine(&claim(&state), "Running"));
    let idle = with_consoles(Api::over(city(true)), &state, MANY);
    let plain = idle.send(request(Method::GET, CONSOLE, &[], "")).await;
    let off = Api::over(city(true)).send(wanted(CONSOLE)).await;
    let (own, all) = (one_too_many(&state, (1, 0)).await, one_too_many(&state, (0, 1)).await);
    let away = asked(ready().refuse(&format!("{ENGINE}/console"), 503, "ServiceUnavailable"), &state, CONSOLE).await.0;
    vec![plain, off, own, all, away, idle.send(wanted(CONSOLE)).await]
}

/// What the second of two callers is told where there is one place, and an engine that says nothing holds it.
async fn one_too_many(state: &Arc<State>, most: (u32, u32)) -> Answer {
    let api = with_consoles(Api::over(city(true).never(MACHINE)), state, most);
    let second = async {
        while !api.server.seen().iter().any(|seen| seen.path.contains("kubevirt.io")) {
            tokio::task::yield_now().await;
        }
        api.send(wanted(CONSOLE)).await
    };
    tokio::select! { answer = second => answer, _ = api.public().oneshot(wanted(CONSOLE)) => panic!("it was answered") }
}

#[tokio::test]
async fn one_console_too_many_is_refused_and_says_how_many_there_may_be() {
    let state = book().await;
    for (most, status, code) in [((1, 0), 429, "TooManyConsoles"), ((0, 1), 503, "ConsolesExhausted")] {
        let too_many = one_too_many(&state, most).await;
        assert!(too_many.problem(status, code)["detailEn"].as_str().unwrap().contains("(1)"));
        assert_eq!(too_many.header("retry-after"), "30");
    }
}

#[tokio::test]
async fn whoever_may_only_look_is_told_so_and_to_everybody_else_there_is_no_host() {
    let state = book().await;
    let (answer, api) = asked(city(false), &state, CONSOLE).await;
    answer.problem(403, "Forbidden");
    let reviewed = api.server.seen_with("POST").pop().unwrap().body["spec"]["resourceAttributes"].clone();
    let right = json!({"group": "jiyun.io", "version": "v1alpha1", "resource": "cloudhosts", "subresource": "console",
        "verb": "create", "namespace": "dept-finance", "name": "web-1"});
    assert_eq!(reviewed, right);
    for (code, reason) in [(403, "Forbidden"), (404, "NotFound")] {
        let server = ApiServer::default().refuse(&format!("GET {}", finance("cloudhosts/web-1")), code, reason);
        let (answer, api) = asked(server.may("dept-finance", true), &state, SCREEN).await;
        answer.problem(404, "NotFound");
        let engine = api.server.seen().iter().filter(|seen| seen.path.contains("kubevirt.io")).count();
        assert_eq!(engine, 0, "the engine hears nothing of it");
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_told_to_be_one_after_it_is_known_that_it_may() {
    let state = book().await;
    for (may, status, code) in [(true, 426, "WebSocketNeeded"), (false, 403, "Forbidden")] {
        let api = with_consoles(Api::over(city(may)), &state, MANY);
        let answer = api.send(request(Method::GET, CONSOLE, &[], "")).await;
        answer.problem(status, code);
        assert_eq!(answer.header("upgrade"), if may { "websocket" } else { "" });
    }
}

#[tokio::test]
async fn a_platform_without_consoles_says_so() {
    let answer = Api::over(city(true)).send(wanted(CONSOLE)).await;
    let detail = answer.problem(501, "ConsolesOff")["detailEn"].to_string();
    assert!(detail.contains("operators"), "{detail}");
}

#[tokio::test]
async fn only_a_machine_that_runs_and_is_labelled_with_the_hosts_claim_is_asked_for_its_console() {
    let state = book().await;
    let own = claim(&state);
    let cases = [
        (city(true), "no machine"),
        (city(true).on(MACHINE, 200, machine(&own, "Scheduling")), "one that is not up"),
        (city(true).on(MACHINE, 200, machine("claim-1.ffffffff", "Running")), "one of another book"),
        (city(true).on(MACHINE, 200, json!({"metadata": {}, "status": {"phase": "Running"}})), "one of nobody"),
        (
            city(true).on(MACHINE, 200, machine(&own, "Running")).refuse(
                &format!("{ENGINE}/console"),
                400,
                "BadRequest",
            ),
            "one that has stopped",
        ),
    ];
    for (server, what) in cases {
        let (answer, api) = asked(server, &state, CONSOLE).await;
        let document = answer.problem(409, "HostNotRunning");
        assert!(document["detailEn"].as_str().unwrap().contains("CloudHost finance/web-1"), "{what}: {document}");
        let asked = api.server.seen().iter().any(|seen| seen.path.starts_with("/apis/subresources"));
        assert_eq!(asked, what == "one that has stopped", "{what}");
    }
}

#[tokio::test]
async fn a_host_nothing_was_granted_to_has_no_console() {
    let (answer, _) = asked(city(true), &Arc::new(State::default()), CONSOLE).await;
    answer.problem(409, "HostNotRunning");
}

#[tokio::test]
async fn an_engine_that_does_not_give_it_is_told_apart_and_its_words_are_not_passed_on() {
    let state = book().await;
    let ready = || city(true).on(MACHINE, 200, machine(&claim(&state), "Running"));
    let cases = [
        ready().refuse(&format!("{ENGINE}/vnc"), 503, "ServiceUnavailable"),
        ready().refuse(&format!("{ENGINE}/vnc"), 403, "Forbidden"),
        ready().refuse(&format!("{ENGINE}/vnc"), 401, "Unauthorized"),
        ready().on(&format!("{ENGINE}/vnc"), 200, json!({})),
        city(true).refuse(MACHINE, 403, "Forbidden"),
    ];
    for server in cases {
        let (answer, _) = asked(server, &state, SCREEN).await;
        let document = answer.problem(503, "ConsoleUnavailable");
        assert!(!document.to_string().contains("stub says no"), "{document}");
    }
}

#[tokio::test]
async fn the_engine_is_asked_with_the_programs_own_token_and_never_with_the_callers() {
    let state = book().await;
    let server = city(true).on(MACHINE, 200, machine(&claim(&state), "Running"));
    let (_, api) = asked(server, &state, CONSOLE).await;
    let engine: Vec<_> = api.server.seen().into_iter().filter(|seen| seen.path.contains("kubevirt.io")).collect();
    assert_eq!(engine.len(), 2);
    for seen in engine {
        // The table's client has no token; a real one reads its own from a file.
        assert!(!seen.headers.contains_key(header::AUTHORIZATION), "{seen:?}");
    }
}

#[tokio::test]
async fn places_of_consoles_that_did_not_open_come_back() {
    let state = book().await;
    let api = with_consoles(Api::over(city(true)), &state, (1, 0));
    for _ in 0..3 {
        api.send(wanted(CONSOLE)).await.problem(409, "HostNotRunning");
    }
}

#[tokio::test]
async fn a_console_is_recorded_before_it_is_opened_and_what_came_of_it() {
    let state = book().await;
    let folder = tempfile::tempdir().unwrap();
    let server = city(true).on(MACHINE, 200, machine(&claim(&state), "Running"));
    let server = server.refuse(&format!("{ENGINE}/console"), 503, "ServiceUnavailable");
    let api = with_consoles(recording(server, folder.path()).await, &state, MANY);
    api.send(wanted(CONSOLE)).await.problem(503, "ConsoleUnavailable");
    let told = records(folder.path(), 2).await;
    assert!(told.iter().all(|record| record.action == Action::ConsoleOpened && record.actor.name == "oidc:wang"));
    assert_eq!(told[0].result, Outcome::Begun);
    assert!(matches!(told[1].result, Outcome::Failed { .. }), "{:?}", told[1].result);
    let object = &told[1].object;
    assert_eq!(
        (object.kind.as_str(), object.name.as_str(), object.uid.as_deref()),
        ("CloudHost", "web-1", Some("uid-web-1"))
    );
    assert_eq!((told[0].department.as_deref(), told[0].zone.as_deref()), (Some("finance"), Some("public")));
}

#[tokio::test]
async fn a_console_that_was_refused_is_recorded_too() {
    let state = book().await;
    let folder = tempfile::tempdir().unwrap();
    let api = with_consoles(recording(city(false), folder.path()).await, &state, MANY);
    api.send(wanted(SCREEN)).await.problem(403, "Forbidden");
    let told = records(folder.path(), 1).await;
    assert_eq!((told[0].action, &told[0].result), (Action::ConsoleOpened, &Outcome::refused("Forbidden")));
    assert_eq!(told[0].object.name, "web-1");
}

#[tokio::test]
async fn while_nothing_can_be_recorded_no_console_is_opened() {
    let state = book().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("trail");
    std::fs::write(&place, "a file where the folder should be").unwrap();
    let server = city(true).on(MACHINE, 200, machine(&claim(&state), "Running"));
    let api = with_consoles(recording(server, &place).await, &state, MANY);
    api.send(wanted(CONSOLE)).await.problem(503, "AuditUnwritable");
    assert!(!api.server.seen().iter().any(|seen| seen.path.starts_with("/apis/subresources")));
}

/// How somebody stands who has the console of `web-1` open, as the API server and the book are now.
async fn standing(server: ApiServer, now: Result<&Arc<State>, BookError>) -> Standing {
    let opened = book().await;
    let claim = opened.claim_of_subject("uid-web-1").unwrap().id;
    let book = match now {
        Ok(state) => StillBook::at(Arc::clone(state), "2026-11-20T00:00:00Z"),
        Err(error) => StillBook::away(error),
    };
    let api = Api::with_book(server, book);
    let bearer = Bearer::from_headers(wanted(CONSOLE).headers()).unwrap();
    let path =
        ObjectPath { department: DepartmentName::parse("finance").unwrap(), name: ObjectName::parse("web-1").unwrap() };
    let caller = api.app.caller(&bearer);
    let holder = Holder { app: Arc::clone(&api.app), caller, path, uid: "uid-web-1".to_owned(), claim };
    holder.stand().await
}

#[tokio::test]
async fn whoever_has_a_console_keeps_it_as_long_as_they_might_open_it_anew() {
    let state = book().await;
    assert_eq!(standing(city(true), Ok(&state)).await, Standing::Held);
    assert_eq!(
        standing(city(true), Err(BookError::Stale { seconds: 60 })).await,
        Standing::Held,
        "nothing new is known"
    );
    assert_eq!(standing(city(false), Ok(&state)).await, Standing::Lost, "they may look, and no more");
}

#[tokio::test]
async fn a_host_that_is_gone_another_or_handed_over_and_a_token_that_has_expired_end_a_console() {
    let state = book().await;
    let host_at = format!("GET {}", finance("cloudhosts/web-1"));
    for (code, reason) in [(404, "NotFound"), (403, "Forbidden"), (401, "Unauthorized")] {
        let server = ApiServer::default().refuse(&host_at, code, reason).may("dept-finance", true);
        assert_eq!(standing(server, Ok(&state)).await, Standing::Lost, "{reason}");
    }
    let namesake = ApiServer::default().on(&host_at, 200, host("9", &json!({}))).may("dept-finance", true);
    assert_eq!(standing(namesake, Ok(&state)).await, Standing::Lost);
    let without = Arc::new(State::default());
    assert_eq!(
        standing(city(true), Ok(&without)).await,
        Standing::Lost,
        "the book has given its claim to nobody, or others"
    );
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_takes_no_console_away() {
    let state = book().await;
    let host_at = format!("GET {}", finance("cloudhosts/web-1"));
    for (code, reason) in [(429, "TooManyRequests"), (500, "InternalError"), (503, "ServiceUnavailable")] {
        let server = ApiServer::default().refuse(&host_at, code, reason).may("dept-finance", true);
        assert_eq!(standing(server, Ok(&state)).await, Standing::Unknown, "{reason}");
    }
}
