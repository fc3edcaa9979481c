//! Deciding about an order, and what was decided.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::App,
    extract::{Bearer, Digested, OrderPath, Query},
    handler::{
        page,
        write::{REPLAYED, WriteQuery},
    },
    model::{Approval, ApprovalDraft, ApprovalList},
    problem::{Problem, ProblemDocument},
};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ApprovalQuery {
    /// Approvals on the page, 1 to 500; left out: 100.
    #[param(minimum = 1, maximum = 500, example = 100)]
    limit: Option<u32>,
    /// Where the page starts, as the page before gave it.
    #[serde(rename = "continue")]
    #[param(rename = "continue", example = "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9")]
    next: Option<String>,
}

/// Decides about an order at the level whose turn it is, in the caller's name.
///
/// Send the order's `digest` along: if it asks for something else by now, nothing is decided. Deciding the same again is
/// harmless. Whether the decision counts is the order's business: it says so in `decisions` or `ignored`.
#[utoipa::path(
    post, path = "/v1/departments/{department}/orders/{name}/approvals", tag = "orders", operation_id = "decideOrder",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the order.", example = "web-1-3f2a9c01"),
        WriteQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body = ApprovalDraft,
    responses(
        (status = 200, description = "The caller has decided the same before; or, with `dryRun=true`, what would be decided.", body = Approval,
            headers(("Idempotency-Replayed" = String, description = "`true` where it was decided before."))),
        (status = 201, description = "It is decided.", body = Approval),
        (status = 403, description = "The caller may look, but not decide.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such order, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The order asks for something else (`OrderChanged`), the caller has decided otherwise (`AlreadyDecided`), or there is nothing to decide (`OrderNotOpen`).", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A refusal without a reason, or a field that makes no sense.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 504, description = "It is not known whether it was decided; send the same again.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    OrderPath(path): OrderPath,
    bearer: Bearer,
    Query(how): Query<WriteQuery>,
    Digested { value: draft, .. }: Digested<ApprovalDraft>,
) -> Result<Response, Problem> {
    let (decided, order) = app.decide(&app.caller(&bearer), &path, draft, how.run()).await?;
    let replayed = decided.replayed;
    let body = Json(Approval::new(decided.object, &order));
    if replayed {
        let headers = AppendHeaders([(REPLAYED, HeaderValue::from_static("true"))]);
        return Ok((headers, body).into_response());
    }
    let status = if how.run().is_dry() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, body).into_response())
}

/// What was decided about an order, whether it counts or not.
#[utoipa::path(
    get, path = "/v1/departments/{department}/orders/{name}/approvals", tag = "orders", operation_id = "listApprovals",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the order.", example = "web-1-3f2a9c01"),
        ApprovalQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "A page of approvals.", body = ApprovalList),
        (status = 404, description = "No such order, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The place in the list is no longer kept; start again.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    OrderPath(path): OrderPath,
    Query(ApprovalQuery { limit, next }): Query<ApprovalQuery>,
    bearer: Bearer,
) -> Result<Json<ApprovalList>, Problem> {
    let (page, order) = app.approvals(&app.caller(&bearer), &path, page::limit(limit)?, next).await?;
    Ok(Json(ApprovalList {
        next: page.next,
        remaining: page.remaining,
        items: page.items.into_iter().map(|approval| Approval::new(approval, &order)).collect(),
    }))
}
