//! Cloud hosts over HTTP.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiyun_crds::v1alpha1::CloudHost;
use jiyun_messages::Language;
use kube::api::ListParams;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Spoken;
use crate::{
    app::{App, Asked, Ordered, name_of, state},
    extract::{Bearer, DepartmentName, DepartmentPath, Digested, HostPath, Keyed, Query, Wait},
    model::{Host, HostList, HostOrder},
    problem::{Code, Problem, ProblemDocument},
};

const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Hosts on a page unless asked otherwise, and the most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

/// Orders a host. The object is the request; the platform decides on it at once or when it can.
///
/// Answers 202 with the address of the host; it is asked again there. With `Prefer: wait=N` the decision is waited for,
/// up to N seconds (at most 60): granted, 201; decided against, 409 with code and figures (the host stays, as evidence,
/// until it is changed or deleted); not decided in time, 202. An order that makes no sense leaves nothing behind.
#[utoipa::path(
    post, path = "/v1/departments/{department}/hosts", tag = "hosts", operation_id = "orderHost",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the decision (RFC 7240).", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = "A key of the caller's own making, instead of `name`: whoever sends the same request with the same key again gets the host that the first one has created. Kept as long as the host.",
            example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`"),
    ),
    request_body = HostOrder,
    responses(
        (status = 201, description = "Granted.", body = Host,
            headers(("Location" = String, description = "Address of the host."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had created it."))),
        (status = 202, description = "Ordered, not decided yet.", body = Host,
            headers(("Location" = String, description = "Address of the host."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had created it."))),
        (status = 403, description = "The caller may look, but not order.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or its host is being deleted; or decided against, then with `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense, or the key was used with another body; nothing was created.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "It is not known whether the host was ordered; look at `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    bearer: Bearer,
    wait: Wait,
    Spoken(language): Spoken,
    Keyed(key): Keyed,
    Digested { value: mut order, digest }: Digested<HostOrder>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let name = name_of::<CloudHost>(&caller, &department, order.name.take(), key.as_ref()).await?;
    let location = location(&department, &name);
    let asked = Asked { key, digest };
    let created = app.order_host(&caller, &department, &name, order, &asked).await.map_err(|problem| {
        if problem.status == StatusCode::GATEWAY_TIMEOUT { problem.located(location.clone()) } else { problem }
    })?;
    let replayed = created.replayed.then_some(HeaderValue::from_static("true"));
    let ordered = app.await_decision(&caller, &department, created, wait.0).await?;
    let (status, host, applied) = match ordered {
        Ordered::Granted(host) => (StatusCode::CREATED, host, wait.applied()),
        Ordered::Open { host, waited } => (StatusCode::ACCEPTED, host, wait.applied().filter(|_| waited)),
        Ordered::Refused(problem) => {
            let applied = wait.applied();
            return Err(problem.located(location).with(PREFERENCE_APPLIED, applied).with(REPLAYED, replayed));
        }
    };
    let headers = [
        location.map(|place| (header::LOCATION, place)),
        applied.map(|wait| (PREFERENCE_APPLIED, wait)),
        replayed.map(|replayed| (REPLAYED, replayed)),
    ];
    let body = Json(shown(&department, *host, language));
    Ok((status, AppendHeaders(headers.into_iter().flatten().collect::<Vec<_>>()), body).into_response())
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HostQuery {
    /// Hosts on the page, 1 to 500; left out: 100.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Where the page starts, as the page before gave it.
    #[serde(rename = "continue")]
    #[param(rename = "continue")]
    next: Option<String>,
}

/// The department's hosts, page by page.
#[utoipa::path(
    get, path = "/v1/departments/{department}/hosts", tag = "hosts", operation_id = "listHosts",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        HostQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`"),
    ),
    responses(
        (status = 200, description = "A page of hosts.", body = HostList),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The place in the list is no longer kept; start again.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Query(query): Query<HostQuery>,
    bearer: Bearer,
    Spoken(language): Spoken,
) -> Result<Json<HostList>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let facts =
            [("name", "limit".to_owned()), ("problem", format!("须在 1 至 {MAX_PAGE} 之间 (must be 1 to {MAX_PAGE})"))];
        return Err(Problem::new(Code::InvalidParameter, facts).about("limit"));
    }
    let page = ListParams { limit: Some(limit), continue_token: query.next, ..ListParams::default() };
    let list = app.hosts(&app.caller(&bearer), &department, page).await?;
    Ok(Json(HostList {
        next: list.metadata.continue_.filter(|place| !place.is_empty()),
        remaining: list.metadata.remaining_item_count,
        items: list.items.into_iter().map(|host| shown(&department, host, language)).collect(),
    }))
}

/// One host: what was asked for, and how it stands.
#[utoipa::path(
    get, path = "/v1/departments/{department}/hosts/{name}", tag = "hosts", operation_id = "showHost",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`"),
    ),
    responses(
        (status = 200, description = "The host.", body = Host),
        (status = 404, description = "No such host, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    HostPath { department, host }: HostPath,
    bearer: Bearer,
    Spoken(language): Spoken,
) -> Result<Json<Host>, Problem> {
    let found = app.host(&app.caller(&bearer), &department, &host).await?;
    Ok(Json(shown(&department, found, language)))
}

/// Ends a host. It is wiped, and what it held is given back; until then it can still be looked at.
#[utoipa::path(
    delete, path = "/v1/departments/{department}/hosts/{name}", tag = "hosts", operation_id = "endHost",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`"),
    ),
    responses(
        (status = 202, description = "Its end is asked for.", headers(("Location" = String, description = "Address of the host, until it is gone."))),
        (status = 403, description = "The caller may look, but not end it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such host, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    HostPath { department, host }: HostPath,
    bearer: Bearer,
) -> Result<Response, Problem> {
    app.end_host(&app.caller(&bearer), &department, &host).await?;
    let place = location(&department, host.as_str()).map(|place| (header::LOCATION, place));
    Ok((StatusCode::ACCEPTED, AppendHeaders(place.into_iter().collect::<Vec<_>>())).into_response())
}

fn shown(department: &DepartmentName, host: CloudHost, language: Language) -> Host {
    let state = state(&host);
    Host::new(department.as_str(), host, state, language)
}

/// The address of a host; none for a name that can be none, which is refused before it is needed.
fn location(department: &DepartmentName, host: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("/v1/departments/{department}/hosts/{host}")).ok()
}
