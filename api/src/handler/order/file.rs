//! Filing an order.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode};
use jiyun_crds::v1alpha1 as crds;

use super::{location, shown};
use crate::{
    app::{App, name_of},
    extract::{Bearer, DepartmentPath, Wait},
    handler::{
        Spoken,
        write::{Asking, WriteQuery, answered, previewed},
    },
    model::{EstimateView, Order, OrderFiling, OrderPreview},
    problem::{Problem, ProblemDocument},
};

/// Files an order for several things that are decided together: all of them, or none.
///
/// Items name objects that exist, or carry a host as `POST .../hosts` takes it; such hosts are created first, and wait for
/// the order. If one of them cannot be created, nothing stays behind, and the problem names its place in the body.
///
/// Answers 202 with the address of the order. With `Prefer: wait=N` it is waited for until the platform has looked at it,
/// up to N seconds (at most 60): 202 if people have to agree or something is missing, 201 if it is granted, 409 with code
/// and figures if it is not (the order stays, as evidence).
#[utoipa::path(
    post, path = "/v1/departments/{department}/orders", tag = "orders", operation_id = "fileOrder",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        WriteQuery,
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds until it was looked at (RFC 7240).", example = "wait=10"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = "A key of the caller's own making, instead of `name`: whoever sends the same request with the same key again gets the order that the first one has filed. Names of hosts that are left out are made from it too.",
            example = "4c0e9f3a-5d0b-4f0c-8f53-7d3fd0a1c9f2"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body = OrderFiling,
    responses(
        (status = 200, description = "With `dryRun=true`: what would be filed. Nothing was.", body = OrderPreview),
        (status = 201, description = "Granted.", body = Order,
            headers(("Location" = String, description = "Address of the order."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had filed it."))),
        (status = 202, description = "Filed; not decided yet.", body = Order,
            headers(("Location" = String, description = "Address of the order."), ("Preference-Applied" = String, description = "How long was waited at most."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had filed it."))),
        (status = 403, description = "The caller may look, but not order.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "A name is taken, or its object is being deleted; or not granted, then with `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense, or the key was used with another body; nothing was created.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "It is not known whether all of it was created; look at `Location`, or send the same request again.", body = ProblemDocument, content_type = "application/problem+json"),
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
    Asking { body: mut filing, asked }: Asking<OrderFiling>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let name = name_of::<crds::Order>(&caller, &department, filing.name.take(), asked.key.as_ref()).await?;
    let location = location(&department, &name);
    let (created, wishes) = app.file_order(&caller, &department, &name, filing, &asked).await.map_err(|problem| {
        if problem.status == StatusCode::GATEWAY_TIMEOUT { problem.located(location.clone()) } else { problem }
    })?;
    let replayed = created.replayed.then_some(HeaderValue::from_static("true"));
    if asked.run.is_dry() {
        let estimate = app.estimate(&caller, &department, wishes, true).await?;
        let estimate = estimate.map(|estimate| EstimateView::new(estimate, language));
        let order = shown(&department, created.object, language);
        return Ok(previewed(replayed, OrderPreview { order, estimate }));
    }
    let ordered = app.await_order(&caller, &department, created, wait.0).await?;
    answered(ordered, wait, location, replayed, |order| shown(&department, order, language))
}
