//! What waits for the caller to decide.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::shown;
use crate::{
    app::App,
    extract::{Bearer, DepartmentPath},
    handler::Spoken,
    model::Inbox,
    problem::{Problem, ProblemDocument},
};

/// The department's orders that wait for a decision of the caller, the nearest deadline first.
#[utoipa::path(
    get, path = "/v1/departments/{department}/inbox", tag = "orders", operation_id = "showInbox",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The orders.", body = Inbox),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "More than 5,000 orders of the department are open.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    bearer: Bearer,
    Spoken(language): Spoken,
) -> Result<Json<Inbox>, Problem> {
    let orders = app.inbox(&app.caller(&bearer), &department).await?;
    Ok(Json(Inbox { items: orders.into_iter().map(|order| shown(&department, order, language)).collect() }))
}
