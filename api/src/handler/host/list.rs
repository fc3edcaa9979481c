//! A department's hosts, page by page.

use std::sync::Arc;

use axum::{Json, extract::State};
use kube::api::ListParams;
use serde::Deserialize;
use utoipa::IntoParams;

use super::shown;
use crate::{
    app::App,
    extract::{Bearer, DepartmentPath, Query},
    handler::Spoken,
    model::HostList,
    problem::{Code, Problem, ProblemDocument},
};

/// Hosts on a page unless asked otherwise, and the most.
const PAGE: u32 = 100;
const MAX_PAGE: u32 = 500;

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
