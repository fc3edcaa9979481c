//! Who holds a pool and who waits for it.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::App,
    extract::{Bearer, DepartmentName, PoolPath, Query},
    model::PoolHolders,
    problem::{Code, Problem, ProblemDocument},
};

/// Whose claims.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HoldersQuery {
    /// Only this department: of a pool its claims one by one, and without it sums of all departments.
    #[param(example = "finance")]
    department: Option<String>,
}

/// Which departments hold what of a pool, and who waits for room in it.
///
/// For platform operators: whoever may `get` the resource `poolholders` of the pool. Departments are never told.
#[utoipa::path(
    get, path = "/v1/pools/{kind}/{pool}/holders", tag = "operations", operation_id = "showHolders",
    params(
        ("kind" = String, Path, description = "`compute` or `storage`.", example = "compute", pattern = "^(compute|storage)$"),
        ("pool" = String, Path, description = "Name of the pool.", example = "hygon"),
        HoldersQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The pool at one revision of the ledger.", body = PoolHolders),
        (status = 404, description = "No such pool, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The ledger cannot be read now.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    path: PoolPath,
    Query(query): Query<HoldersQuery>,
    bearer: Bearer,
) -> Result<Json<PoolHolders>, Problem> {
    app.holders(&app.caller(&bearer), &path, query.only()?.as_ref()).await.map(Json)
}

impl HoldersQuery {
    /// The department that is meant; none for all.
    pub(super) fn only(&self) -> Result<Option<DepartmentName>, Problem> {
        self.department.as_deref().map(department).transpose()
    }
}

fn department(text: &str) -> Result<DepartmentName, Problem> {
    let wrong = || Problem::new(Code::InvalidParameter, [("name", "department"), ("problem", text)]);
    DepartmentName::parse(text).ok_or_else(wrong)
}
