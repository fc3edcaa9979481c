//! What the audit trail is told of requests that nothing was passed on for: those that were refused, and tokens nobody
//! accepts. What is passed on is recorded where that is done (`store/kubernetes/recorded.rs`).

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, RawPathParams, Request, State},
    middleware::Next,
    response::Response,
};
use http::{Method, request::Parts};
use jiff::Timestamp;
use jiyun_trail::core::{action::Action, object::Object, outcome::Outcome, record::Record};

use super::request_id::RequestId;
use crate::{
    app::App,
    extract::{Bearer, DepartmentName},
    problem::{Code, Problem},
    store::KubernetesError,
    trail::{self, Origin},
};

/// Kinds by the part of the address that stands for them, the innermost first.
const KINDS: [(&str, &str); 9] = [
    ("/approvals", "Approval"),
    ("/orders", "Order"),
    ("/systems", "InformationSystem"),
    ("/hosts", "CloudHost"),
    ("/flows", "NetworkFlow"),
    ("/databases", "CloudDatabase"),
    ("/volumes", "CloudVolume"),
    ("/buckets", "CloudBucket"),
    ("/snapshots", "CloudSnapshot"),
];

/// Ends of addresses where something that is there is asked to do something.
const CHANGING: [&str; 3] = ["/restart", "/restore", "/rotate-credentials"];

/// Ends of addresses where a console is opened: it changes nothing by itself, and whoever has it may change everything.
const CONSOLES: [&str; 2] = ["/console", "/vnc"];

/// The kind of what `route` changes.
fn kind_at(route: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|(part, _)| route.contains(part)).map(|(_, kind)| kind)
}

/// What a request asked for that may change something.
#[derive(Clone, Debug)]
struct Attempt {
    action: Action,
    kind: &'static str,
    department: Option<DepartmentName>,
    name: String,
    order: Option<String>,
}

/// Notes where the request came from; records it if it was refused.
pub async fn layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let source = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let number = parts.extensions.get::<RequestId>().map(|id| id.as_str().to_owned());
    let origin = Origin::new(source, number);
    parts.extensions.insert(origin.clone());
    if !app.recorder().is_kept() {
        return next.run(Request::from_parts(parts, body)).await;
    }
    let (attempt, bearer) = (Attempt::of(&mut parts).await, Bearer::from_request_parts(&mut parts, &()).await.ok());
    let response = next.run(Request::from_parts(parts, body)).await;
    let Some(problem) = response.extensions().get::<Arc<Problem>>() else { return response };
    if problem.is(Code::InvalidToken) {
        app.recorder().sign_in_failed(&origin);
    } else if let Some((attempt, bearer)) = attempt.zip(bearer).filter(|_| !origin.is_recorded()) {
        attempt.refused(&app, &bearer, problem).await;
    }
    response
}

impl Attempt {
    /// What is asked for; none if nothing could change.
    async fn of(parts: &mut Parts) -> Option<Self> {
        let route = parts.extensions.get::<MatchedPath>()?.as_str().to_owned();
        let kind = kind_at(&route)?;
        let action = match parts.method {
            // Nothing comes to be: it is a change of what is there.
            Method::POST if CHANGING.iter().any(|verb| route.ends_with(verb)) => Action::Change,
            Method::POST => Action::Create,
            Method::GET if CONSOLES.iter().any(|console| route.ends_with(console)) => Action::ConsoleOpened,
            Method::PATCH => Action::Change,
            Method::DELETE => Action::Delete,
            _ => return None,
        };
        let is_dry = parts.uri.query().is_some_and(|query| query.split('&').any(|part| part == "dryRun=true"));
        if is_dry {
            return None;
        }
        let places = RawPathParams::from_request_parts(parts, &()).await.ok()?;
        let place = |wanted| places.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let department = place("department").and_then(DepartmentName::parse);
        let name = place("name").unwrap_or_default().to_owned();
        let order = matches!(kind, "Order" | "Approval").then(|| name.clone()).filter(|name| !name.is_empty());
        // The name in the address of a decision is its order's.
        let name = if kind == "Approval" { String::new() } else { name };
        Some(Self { action, kind, department, name, order })
    }

    /// Records that it was refused. Whoever sent it has waited for the answer, and waits for this, too: nobody can have
    /// more of it under way than the bounds let in.
    async fn refused(self, app: &App, bearer: &Bearer, problem: &Problem) {
        // It would not be recorded either.
        if problem.is(Code::AuditUnwritable) {
            return;
        }
        let namespace = self.department.as_ref().map(DepartmentName::namespace);
        let (user, insider) = match app.caller(bearer).sender(namespace.as_deref()).await {
            Ok(sender) => sender,
            Err(KubernetesError::Unauthenticated) => return app.recorder().sign_in_failed(bearer.origin()),
            Err(error) => {
                return tracing::warn!(%error, "a refusal is not recorded in the audit trail: the api server does not say whose");
            }
        };
        let code = problem.fault.code.as_ref();
        let result = if problem.status.is_server_error() { Outcome::failed(code) } else { Outcome::refused(code) };
        let object = Object { namespace, ..Object::new(self.kind, self.name) };
        let now = Timestamp::now();
        let record = trail::refused(now, self.action, object, result, &user, insider, bearer.origin());
        app.recorder().tell(Record { order: self.order, ..record }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_below_a_department_that_changes_something_has_a_kind() {
        let whole: serde_json::Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).unwrap();
        let changing = whole["paths"].as_object().unwrap().iter().filter(|(route, methods)| {
            let changes = ["post", "put", "patch", "delete"].iter().any(|method| methods.get(method).is_some());
            changes && route.starts_with("/v1/departments/{department}/")
        });
        let routes: Vec<_> = changing.map(|(route, _)| route).collect();
        assert!(routes.len() >= KINDS.len(), "{routes:?}");
        for route in routes {
            assert!(kind_at(route).is_some(), "what is refused at {route} leaves no record");
        }
    }
}
