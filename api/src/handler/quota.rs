//! A department's quota.

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    app::App,
    extract::{Bearer, DepartmentPath},
    model::Quota,
    problem::{Problem, ProblemDocument},
};

/// What the department may have, has and may still have, the units below it included.
///
/// For whoever may `get` the resource `quotareports` of the department.
#[utoipa::path(
    get, path = "/v1/departments/{department}/quota", tag = "departments", operation_id = "showQuota",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The quota at one revision of the ledger.", body = Quota),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The ledger cannot be read now.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    bearer: Bearer,
) -> Result<Json<Quota>, Problem> {
    app.quota(&app.caller(&bearer), &department).await.map(Json)
}
