//! Declaring a network flow.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use jiyun_crds::v1alpha1::NetworkFlow;

use super::{location, shown};
use crate::{
    app::{App, name_of},
    extract::{Bearer, DepartmentPath, etag},
    handler::{
        Spoken,
        write::{Asking, REPLAYED, WriteQuery},
    },
    model::{Flow, FlowOrder, FlowPreview},
    problem::{Problem, ProblemDocument},
};

/// Declares a network flow. Nothing is let through until it was decided: by a policy at once, or by people, for whom an
/// order (申请单) is filed; the flow names it.
#[utoipa::path(
    post, path = "/v1/departments/{department}/flows", tag = "flows", operation_id = "createFlow",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        WriteQuery,
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$",
            description = "A key of the caller's own making, instead of `name`: whoever sends the same request with the same key again gets the flow that the first one has created. Kept as long as the flow.",
            example = "0b7c6b1e-8a4a-4a43-9c5e-2f1f0a3a9b11"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body = FlowOrder,
    responses(
        (status = 200, description = "With `dryRun=true`: what would be created. Nothing was.", body = FlowPreview),
        (status = 201, description = "It is declared.", body = Flow,
            headers(("Location" = String, description = "Address of the flow."), ("ETag" = String, description = "Its version."), ("Idempotency-Replayed" = String, description = "`true` where an earlier request with the same key had created it."))),
        (status = 403, description = "The caller may look, but not declare flows.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The name is taken, or its flow is being deleted.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense, or the key was used with another body; nothing was created.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "It is not known whether the flow was created; look at `Location`.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Spoken(language): Spoken,
    bearer: Bearer,
    Asking { body: mut order, asked }: Asking<FlowOrder>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let name = name_of::<NetworkFlow>(&caller, &department, order.name.take(), asked.key.as_ref()).await?;
    let location = location(&department, &name);
    let created = app.order_flow(&caller, &department, &name, order, &asked).await.map_err(|problem| {
        if problem.status == StatusCode::GATEWAY_TIMEOUT { problem.located(location.clone()) } else { problem }
    })?;
    let replayed = created.replayed.then_some((REPLAYED, HeaderValue::from_static("true")));
    let tag = etag(created.object.metadata.resource_version.as_deref()).map(|tag| (header::ETAG, tag));
    let flow = shown(&department, created.object, language);
    if asked.run.is_dry() {
        let headers = AppendHeaders(replayed.into_iter().collect::<Vec<_>>());
        return Ok((headers, Json(FlowPreview { flow })).into_response());
    }
    let headers = [location.map(|place| (header::LOCATION, place)), tag, replayed];
    let headers = AppendHeaders(headers.into_iter().flatten().collect::<Vec<_>>());
    Ok((StatusCode::CREATED, headers, Json(flow)).into_response())
}
