//! A department's snapshots, page by page.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiyun_crds::v1alpha1::CloudSnapshot;
use serde::Deserialize;
use utoipa::IntoParams;

use super::shown;
use crate::{
    app::{App, list::Question},
    extract::{Bearer, DepartmentPath, Query, name::is_label},
    handler::{
        Spoken,
        page::{self, Sort},
    },
    model::{SnapshotList, host::HostState},
    problem::{Problem, ProblemDocument},
};

/// Which snapshots, in which order, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SnapshotQuery {
    /// Snapshots on the page, 1 to 500; left out: 100.
    #[param(minimum = 1, maximum = 500, example = 100)]
    limit: Option<u32>,
    /// Where the page starts, as the page before gave it. It belongs to the department, the filters and the order it
    /// was given with.
    #[serde(rename = "continue")]
    #[param(rename = "continue", example = "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9")]
    next: Option<String>,
    /// Only those of this information system (信息系统).
    #[param(example = "portal", max_length = 63)]
    system: Option<String>,
    /// Only those in this state. For departments of at most 5,000 snapshots, or 5,000 of the system asked for.
    #[param(inline, example = "Ready")]
    state: Option<HostState>,
    /// The order: `name`, or `-created` for the newest first; left out: `name`. `-created` is for at most 5,000
    /// snapshots, as `state` is.
    #[param(inline, example = "-created")]
    sort: Option<Sort>,
}

impl SnapshotQuery {
    fn question(self) -> Result<Question, Problem> {
        let system = page::selected("system", "spec.systemRef.name", self.system, is_label)?;
        Ok(Question {
            limit: page::limit(self.limit)?,
            place: self.next,
            fields: system.into_iter().collect(),
            state: self.state.map(Into::into),
            order: self.sort.unwrap_or_default().into(),
        })
    }
}

/// The department's snapshots, page by page.
#[utoipa::path(
    get, path = "/v1/departments/{department}/snapshots", tag = "snapshots", operation_id = "listSnapshots",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        SnapshotQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "A page of snapshots.", body = SnapshotList),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 410, description = "The place in the list is no longer kept; start again.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "There are too many to pick by state or to sort by time.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn list(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Query(query): Query<SnapshotQuery>,
    bearer: Bearer,
    Spoken(language): Spoken,
) -> Result<Json<SnapshotList>, Problem> {
    let page = app.list::<CloudSnapshot>(&app.caller(&bearer), &department, &query.question()?).await?;
    Ok(Json(SnapshotList {
        next: page.next,
        remaining: page.remaining,
        items: page.items.into_iter().map(|snapshot| shown(&department, snapshot, language)).collect(),
    }))
}
