//! Attacks: every route and kind as somebody of another department, and tricks written by hand. None may succeed, and a
//! department that is there must look like one that is not.

mod forged;
mod kinds;
mod people;
mod smuggling;
mod timing;
mod total;
mod victim;

use http::{Method, StatusCode};
use jiyun_tests::{
    Caller, Order, World, WorldError,
    person::Answer,
    world::{Bureau, Quota},
};
use serde_json::{Value, json};

use self::{
    total::Attempts,
    victim::{BUCKET, DATABASE, FLOW, HOST, SNAPSHOT, SYSTEM, VOLUME, Victim},
};

/// One request of the description.
#[derive(Clone, Debug)]
struct Route {
    method: Method,
    path: String,
    body: Option<(String, Value)>,
}

/// Every route below a department, with the example of its body.
fn routes() -> Vec<Route> {
    let text = std::fs::read_to_string(jiyun_lab::source_root().join("docs/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut routes = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap().iter().filter(|_| path.contains("{department}")) {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            let content = operation["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
            let body = content.map(|(kind, content)| (kind.clone(), fitting(path, example(&document, content))));
            routes.push(Route { method, path: path.clone(), body });
        }
    }
    assert!(routes.len() >= 15, "{} routes", routes.len());
    routes
}

/// The example of a body: its own, or that of the schema it refers to.
fn example(document: &Value, content: &Value) -> Value {
    if let Some(example) = content.get("example") {
        return example.clone();
    }
    let reference = content["schema"]["$ref"].as_str().unwrap_or_default();
    let schema = document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
    let several = schema["examples"].as_array().and_then(|all| all.first());
    schema.get("example").or(several).cloned().unwrap_or_else(|| json!({}))
}

/// An example as it makes sense in the department under attack: what is asked for is not refused for naming a system it
/// does not have, or an order as it was looked at elsewhere.
fn fitting(path: &str, mut body: Value) -> Value {
    match path.rsplit('/').next() {
        Some("flows") => {
            body["system"] = json!(SYSTEM);
            body["peer"] = json!({"system": {"name": SYSTEM}});
        }
        Some("databases" | "buckets") => body["system"] = json!(SYSTEM),
        Some("volumes") => {
            body["system"] = json!(SYSTEM);
            body["host"] = json!(HOST);
        }
        Some("snapshots") => {
            body["system"] = json!(SYSTEM);
            body["source"] = json!({"kind": "CloudVolume", "name": VOLUME});
        }
        Some("restore") => body["snapshot"] = json!(SNAPSHOT),
        Some("approvals") => drop(body.as_object_mut().and_then(|fields| fields.remove("digest"))),
        _ => {}
    }
    body
}

impl Route {
    /// What it is about, as its address says: hosts, orders, quota.
    fn about(&self) -> &str {
        self.path.split('/').nth(4).unwrap_or_default()
    }

    /// Its address in a department, with the names of what the victim has.
    fn path(&self, department: &str, victim: &Victim<'_>) -> String {
        let name: &str = match self.about() {
            "hosts" => HOST,
            "systems" => SYSTEM,
            "databases" => DATABASE,
            "volumes" => VOLUME,
            "buckets" => BUCKET,
            "snapshots" => SNAPSHOT,
            "flows" => FLOW,
            "orders" => &victim.order,
            other => {
                assert!(!self.path.contains("{name}"), "the victim has no {other}: give it one");
                ""
            }
        };
        self.path.replace("{department}", department).replace("{name}", name)
    }

    async fn send(
        &self,
        caller: &Caller,
        department: &str,
        victim: &Victim<'_>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, WorldError> {
        let path = self.path(department, victim);
        let mut request = caller.request(self.method.clone(), &path).header("accept-language", "en");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some((kind, body)) = &self.body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        Ok(caller.send(request).await?)
    }
}

impl Route {
    /// Whether it opens a console: to look at a host is not to sit in front of it.
    fn is_console(&self) -> bool {
        ["/console", "/vnc"].iter().any(|console| self.path.ends_with(console))
    }
}

/// What an answer tells, without the name that was asked for and what is its own.
fn told(answer: &Answer, department: &str) -> String {
    let mut document = answer.json();
    if let Some(fields) = document.as_object_mut() {
        fields.remove("requestId");
    }
    format!("{} {}", answer.status, document).replace(department, "it")
}

/// Headers by which people tried to be somebody else, or to be let through.
fn disguises(victim: &str) -> Vec<(&'static str, String)> {
    vec![
        ("impersonate-user", format!("{victim}-operator")),
        ("x-remote-user", format!("{victim}-operator")),
        ("x-forwarded-user", "operator".to_owned()),
        ("x-http-method-override", "GET".to_owned()),
        ("x-original-url", format!("/v1/departments/{victim}/hosts")),
    ]
}

#[tokio::test]
async fn no_route_lets_anybody_into_another_department_or_tells_that_it_is_there() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let routes = routes();
    // What its own people see is there to be seen by others, were they let in.
    let reader = world.caller(&format!("{}-reader", victim.name()))?;
    for route in routes.iter().filter(|route| route.method == Method::GET) {
        let seen = route.send(&reader, victim.name(), &victim, &[]).await?;
        let expected = if route.is_console() { StatusCode::FORBIDDEN } else { StatusCode::OK };
        assert_eq!(seen.status, expected, "{} as its reader: {seen:?}", route.path);
        if route.path.ends_with("/approvals") {
            assert_eq!(seen.json()["items"].as_array().map(Vec::len), Some(1), "{seen:?}");
        }
    }
    let callers = people::outsiders(&victim, &attacker).await?;
    let tricks = disguises(victim.name());
    for route in &routes {
        for (who, caller) in &callers {
            let plain = route.send(caller, victim.name(), &victim, &[]).await?;
            let absent = route.send(caller, "no-such-unit", &victim, &[]).await?;
            let headers: Vec<_> = tricks.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let disguised = route.send(caller, victim.name(), &victim, &headers).await?;
            let at = format!("{} {} as {who}", route.method, route.path);
            for answer in [&plain, &disguised] {
                let hidden = matches!(answer.status.as_u16(), 401 | 404);
                attempts.refused(hidden, || format!("{at}: {answer:?}"));
                // Told of one that is there, they would know that it is there.
                assert_eq!(told(answer, victim.name()), told(&absent, "no-such-unit"), "{at}");
            }
        }
    }
    victim.is_unharmed().await?;
    attempts.over(400);
    Ok(())
}

#[tokio::test]
async fn officials_see_what_their_role_says_of_a_department_and_change_nothing_else() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let victim = Victim::of(World::shared().await?).await?;
    let officials = people::officials(&victim).await?;
    for route in routes() {
        for official in &officials {
            let answer = route.send(&official.caller, victim.name(), &victim, &[]).await?;
            let (at, expected) =
                (format!("{} {} as {}", route.method, route.path, official.who), official.expects(&route));
            if expected != StatusCode::OK {
                attempts.refused(!answer.status.is_success(), || format!("{at}: {answer:?}"));
            }
            assert_eq!(answer.status, expected, "{at}: {answer:?}");
        }
    }
    victim.is_unharmed().await?;
    attempts.over(60);
    Ok(())
}

#[tokio::test]
async fn huge_nested_and_foreign_bodies_are_refused_and_leave_nothing() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let bureau = world.department(Quota::cores(8)).await?;
    let post = async |body: String| {
        let request = bureau.caller.request(Method::POST, &bureau.hosts_path());
        bureau.caller.send(request.header("content-type", "application/json").body(body)).await
    };
    let order = Order::new("deep", SYSTEM).body();
    let with = |field: &str, value: Value| {
        let mut order = order.clone();
        order[field] = value;
        order.to_string()
    };
    for (body, status) in [
        ("[".repeat(100_000), 413),
        ("[".repeat(10_000), 422),
        (format!("{{\"name\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000)), 422),
        (with("displayName", "x".repeat(1_000_000).into()), 413),
        (with("system", "../../dept-other/portal".into()), 422),
        (with("name", "web%2f..%2fx".into()), 422),
        (with("class", "basic-2c4g\u{0}".into()), 422),
        (with("namespace", "dept-other".into()), 422),
        (with("metadata", json!({"namespace": "dept-other", "finalizers": []})), 422),
        (with("status", json!({"claimId": "claim-1"})), 422),
    ] {
        let answer = post(body.clone()).await?;
        let begins: String = body.chars().take(60).collect();
        attempts.refused(!answer.status.is_success(), || format!("{begins}: {}", answer.text));
        assert_eq!(answer.status.as_u16(), status, "{begins}: {}", answer.text);
    }
    let left = bureau.caller.get(&bureau.hosts_path()).await?;
    assert_eq!(left.json()["items"], json!([]));
    attempts.over(10);
    Ok(())
}

#[tokio::test]
async fn keys_and_places_in_lists_of_others_open_nothing() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (world.department(Quota::cores(8)).await?, world.department(Quota::cores(8)).await?);
    let mut body = Order::new("x", SYSTEM).body();
    body.as_object_mut().unwrap().remove("name");
    let keyed = async |bureau: &Bureau<'_>, at: &str| {
        let request = bureau.caller.request(Method::POST, at).header("idempotency-key", "the-same-key").json(&body);
        bureau.caller.send(request).await
    };
    let first = keyed(&victim, &victim.hosts_path()).await?;
    let other = keyed(&attacker, &attacker.hosts_path()).await?;
    assert!(first.status.is_success() && other.status.is_success(), "{first:?} {other:?}");
    assert_ne!(first.json()["name"], other.json()["name"], "a key is its caller's own");
    assert_eq!(other.header("idempotency-replayed"), "");
    let told = |answer: &Answer, what: &str| {
        let hidden = answer.status == StatusCode::NOT_FOUND && answer.header("location").is_empty();
        attempts.refused(hidden, || format!("{what}: {answer:?}"));
        assert_eq!(answer.header("idempotency-replayed"), "", "{what}: {answer:?}");
    };
    // With the victim's own key, body and address there is no host to be handed out or made.
    told(&keyed(&attacker, &victim.hosts_path()).await?, "the key at the victim's address");

    victim.caller.post(&victim.hosts_path(), &Order::new("second", SYSTEM).body(), 0).await?;
    let page = victim.caller.get(&format!("{}?limit=1", victim.hosts_path())).await?.json();
    let place = page["continue"].as_str().unwrap().to_owned();
    let theirs = format!("{}?limit=1&continue={place}", victim.hosts_path());
    assert_eq!(victim.caller.get(&theirs).await?.status, StatusCode::OK, "it is a place");
    told(&attacker.caller.get(&theirs).await?, "the place at the victim's address");
    let stolen = attacker.caller.get(&format!("{}?continue={place}", attacker.hosts_path())).await?;
    attempts.refused(!stolen.status.is_success(), || format!("the place at one's own address: {stolen:?}"));
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST, "{stolen:?}");
    let left = victim.caller.get(&victim.hosts_path()).await?.json();
    assert_eq!(left["items"].as_array().map(Vec::len), Some(2), "{left}");
    attempts.over(3);
    Ok(())
}
