//! What waits for the caller in one department.

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    app::App,
    extract::{Bearer, DepartmentPath},
    handler::{Spoken, inbox::inbox},
    model::Inbox,
    problem::{Problem, ProblemDocument},
};

/// What of the department waits for the caller: orders to decide about, the nearest deadline first, and hosts whose lease
/// (租期) ends soon or has ended.
#[utoipa::path(
    get, path = "/v1/departments/{department}/inbox", tag = "orders", operation_id = "showInbox",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "What waits.", body = Inbox),
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
    Ok(Json(inbox(app.inbox(&app.caller(&bearer), &department).await?, language)))
}
