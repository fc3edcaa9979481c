//! What waits for the caller, in several departments or wherever they may look.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiyun_messages::Language;
use serde::Deserialize;
use utoipa::IntoParams;

use super::order::shown;
use crate::{
    app::{App, Waiting},
    extract::{Bearer, DepartmentName, Query},
    handler::Spoken,
    model::{EndingLease, Inbox},
    problem::{Code, Problem, ProblemDocument},
};

/// The most departments asked for at once: each is a call at the API server.
const MOST: usize = 64;

/// Which departments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// Names of departments, separated by commas, 64 at most. Left out: all whose orders the caller may list.
    #[param(example = "finance,tax")]
    departments: Option<String>,
}

impl InboxQuery {
    fn departments(self) -> Result<Option<Vec<DepartmentName>>, Problem> {
        let refused =
            |problem: &str| Problem::new(Code::InvalidParameter, [("name", "departments"), ("problem", problem)]);
        let Some(text) = self.departments else { return Ok(None) };
        let mut names: Vec<&str> = text.split(',').collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > MOST {
            return Err(refused("一次最多查看 64 个单位 (at most 64 departments at once)"));
        }
        let parsed = names.into_iter().map(DepartmentName::parse).collect::<Option<Vec<_>>>();
        parsed.map(Some).ok_or_else(|| refused("单位名称不正确 (this is no list of department names)"))
    }
}

/// What waits, as the API shows it.
pub fn inbox(waiting: Waiting, language: Language) -> Inbox {
    let Waiting { orders, leases } = waiting;
    Inbox {
        items: orders.into_iter().map(|(department, order)| shown(&department, order, language)).collect(),
        leases: leases
            .into_iter()
            .filter_map(|(department, host)| EndingLease::new(department.as_str(), host))
            .collect(),
    }
}

/// What waits for the caller in these departments, or in all whose orders they may list: orders to decide about, the nearest
/// deadline first, and hosts whose lease (租期) ends soon or has ended. A right that was given is seen within a minute.
#[utoipa::path(
    get, path = "/v1/inbox", tag = "orders", operation_id = "showInboxes",
    params(
        InboxQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "What waits.", body = Inbox),
        (status = 400, description = "No department was named, and there are more than 5,000.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "One of the departments is not there, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "More than 5,000 orders are open.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    Query(query): Query<InboxQuery>,
    bearer: Bearer,
    Spoken(language): Spoken,
) -> Result<Json<Inbox>, Problem> {
    let departments = query.departments()?;
    Ok(Json(inbox(app.inboxes(&app.caller(&bearer), departments).await?, language)))
}
