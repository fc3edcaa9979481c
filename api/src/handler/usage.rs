//! A department's use and cost in a month, as JSON or as a table.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    extract::{Bearer, DepartmentPath, Query},
    model::{Usage, usage::csv},
    problem::{Code, Problem, ProblemDocument},
};

/// Which month, in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// The month in Asia/Shanghai; left out: the current one.
    #[param(example = "2026-11", pattern = "^[0-9]{4}-[0-9]{2}$")]
    month: Option<String>,
    /// The form; left out: as `Accept` says.
    #[param(inline, example = "csv")]
    format: Option<Form>,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// JSON.
    Json,
    /// A table for spreadsheets: CSV, UTF-8 with a byte order mark.
    Csv,
}

/// What the department used in a month and what it costs. The figures of a month that is not over are provisional.
///
/// For whoever may `get` the resource `statements` of the department. CSV with `format=csv` or `Accept: text/csv`.
#[utoipa::path(
    get, path = "/v1/departments/{department}/usage", tag = "departments", operation_id = "showUsage",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        UsageQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The month at one revision of the ledger.", content(
            (Usage = "application/json"),
            (String = "text/csv"),
        )),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The ledger cannot be read now.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Query(query): Query<UsageQuery>,
    headers: HeaderMap,
    bearer: Bearer,
) -> Result<Response, Problem> {
    let usage = app.usage(&app.caller(&bearer), &department, query.month.as_deref()).await?;
    match query.format.unwrap_or_else(|| wanted(&headers)) {
        Form::Json => Ok(Json(usage).into_response()),
        Form::Csv => download(&usage),
    }
}

/// CSV where `Accept` names it ahead of JSON.
fn wanted(headers: &HeaderMap) -> Form {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let forms = accepted.flat_map(|line| line.split(',')).filter_map(|range| {
        let essence = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/csv" => Some(Form::Csv),
            "application/json" => Some(Form::Json),
            _ => None,
        }
    });
    forms.into_iter().next().unwrap_or(Form::Json)
}

fn download(usage: &Usage) -> Result<Response, Problem> {
    let table = csv::table(usage).map_err(|error| Problem::bare(Code::Internal).because(error))?;
    let provisional = if usage.provisional { "-provisional" } else { "" };
    let name = format!("attachment; filename=\"jiyun-usage-{}-{}{provisional}.csv\"", usage.department, usage.month);
    let disposition = HeaderValue::try_from(name).map_err(|error| Problem::bare(Code::Internal).because(error))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (header::CONTENT_DISPOSITION, disposition),
        (header::HeaderName::from_static("jiyun-ledger-revision"), HeaderValue::from(usage.revision)),
    ];
    Ok((headers, table).into_response())
}
