//! A department's information systems, page by page.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiyun_crds::v1alpha1::InformationSystem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::shown;
use crate::{
    app::{App, list::Question},
    extract::{Bearer, DepartmentPath, Query},
    handler::page::{self, Sort},
    model::SystemList,
    problem::{Problem, ProblemDocument},
};

/// In which order, and which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SystemQuery {
    /// Systems on the page, 1 to 500; left out: 100.
    #[param(minimum = 1, maximum = 500, example = 100)]
    limit: Option<u32>,
    /// Where the page starts, as the page before gave it. It belongs to the department and the order it was given with.
    #[serde(rename = "continue")]
    #[param(rename = "continue", example = "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9")]
    next: Option<String>,
    /// The order: `name`, or `-created` for the newest first; left out: `name`. `-created` is for at most 5,000 systems.
    #[param(inline, example = "-created")]
    sort: Option<Sort>,
}

impl SystemQuery {
    fn question(self) -> Result<Question, Problem> {
        let limit = page::limit(self.limit)?;
        let order = self.sort.unwrap_or_default().into();
        Ok(Question { limit, place: self.next, fields: Vec::new(), state: None, order })
    }
}

/// The department's information systems, page by page.
#[utoipa::path(
    get, path = "/v1/departments/{department}/systems", tag = "systems", operation_id = "listSystems",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        SystemQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "A page of systems.", body = SystemList),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The place in the list is no longer kept; start again.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "There are too many to sort by time.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Query(query): Query<SystemQuery>,
    bearer: Bearer,
) -> Result<Json<SystemList>, Problem> {
    let page = app.list::<InformationSystem>(&app.caller(&bearer), &department, &query.question()?).await?;
    Ok(Json(SystemList {
        next: page.next,
        remaining: page.remaining,
        items: page.items.into_iter().map(|system| shown(&department, system)).collect(),
    }))
}
