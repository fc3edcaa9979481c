//! Ordering a database.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode};
use jiyun_crds::v1alpha1::CloudDatabase;

use super::{location, shown};
use crate::{
    app::{App, name_of},
    extract::{Bearer, DepartmentPath, Wait},
    handler::{
        Spoken,
        write::{Asking, WriteQuery, answered, previewed},
    },
    model::{Database, DatabaseOrder, DatabasePreview, EstimateView},
    problem::{Problem, ProblemDocument},
};

/// Orders a database. The object is the request; the platform decides on it at once or when it can.
///
/// Answers 202 with the address of the database; it is asked again there. With `Prefer: wait=N` the decision is waited for,
/// up to N seconds (at most 60): granted, 201; decided against, 409 with code and figures (the database stays, as evidence,
/// until it is changed or deleted); not decided in time, 202. An order that makes no sense leaves nothing behind.
#[utoipa::path(
    post, path = "/v1/departments/{department}/databases", tag = "databases", operation_id = "orderDatabase",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        WriteQuery,
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the decision (RFC 7240).", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = "A key of the caller's own making, instead of `name`: whoever sends the same request with the same key again gets the database that the first one has created. Kept as long as the database.",
            example = "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body = DatabaseOrder,
    responses(
        (status = 200, description = "With `dryRun=true`: what would be created. Nothing was.", body = DatabasePreview),
        (status = 201, description = "Granted.", body = Database,
            headers(("Location" = String, description = "Address of the database."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had created it."))),
        (status = 202, description = "Ordered, not decided yet.", body = Database,
            headers(("Location" = String, description = "Address of the database."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had created it."))),
        (status = 403, description = "The caller may look, but not order.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or its database is being deleted; or decided against, then with `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense, or the key was used with another body; nothing was created.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "It is not known whether the database was ordered; look at `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
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
    Asking { body: mut order, asked }: Asking<DatabaseOrder>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let name = name_of::<CloudDatabase>(&caller, &department, order.name.take(), asked.key.as_ref()).await?;
    let location = location(&department, &name);
    let (created, wish) = app.order_database(&caller, &department, &name, order, &asked).await.map_err(|problem| {
        if problem.status == StatusCode::GATEWAY_TIMEOUT { problem.located(location.clone()) } else { problem }
    })?;
    let replayed = created.replayed.then_some(HeaderValue::from_static("true"));
    if asked.run.is_dry() {
        let estimate = app.estimate(&caller, &department, wish.into_iter().collect(), false).await?;
        let estimate = estimate.map(|estimate| EstimateView::new(estimate, language));
        let database = shown(&department, created.object, language);
        return Ok(previewed(replayed, DatabasePreview { database, estimate, change: None }));
    }
    let ordered = app.await_decision(&caller, &department, created, wait.0).await?;
    answered(ordered, wait, location, replayed, |database| shown(&department, database, language))
}
