//! The audit trail over HTTP: a department's own records, and all of them.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::page;
use crate::{
    app::{App, Search},
    extract::{Bearer, DepartmentPath, Query},
    model::{AuditAction, AuditRecord, AuditRecordList},
    problem::{Problem, ProblemDocument},
};

/// Which records, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Records on the page, 1 to 500; left out: 100.
    #[param(minimum = 1, maximum = 500, example = 100)]
    limit: Option<u32>,
    /// Where the page starts, as the page before gave it. It belongs to the filters it was given with.
    #[serde(rename = "continue")]
    #[param(rename = "continue", example = "eyJsaXN0IjoiNWY0ZGNjM2I1YWE3NjVkNiJ9")]
    next: Option<String>,
    /// Only those from this moment on.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    from: Option<Timestamp>,
    /// Only those before this moment.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    until: Option<Timestamp>,
    /// Only those of this user.
    #[param(max_length = 256, example = "oidc:zhang.san")]
    actor: Option<String>,
    /// Only this action.
    #[param(inline, example = "Delete")]
    action: Option<AuditAction>,
    /// Only those of the order (工单号) of this number.
    #[param(max_length = 256, example = "o-web-1")]
    order: Option<String>,
    /// Only those of objects of this name.
    #[param(max_length = 256, example = "web-1")]
    object: Option<String>,
}

impl AuditQuery {
    fn search(self) -> Result<Search, Problem> {
        Ok(Search {
            limit: page::limit(self.limit)?,
            place: self.next,
            from: self.from,
            until: self.until,
            actor: self.actor,
            action: self.action.map(|AuditAction(action)| action),
            order: self.order,
            object: self.object,
        })
    }
}

/// What was done in a department, by whom, when, from where and with which result: its own records alone, the oldest
/// first.
///
/// For whoever may `get` the resource `auditrecords` of the department. Where the platform keeps what is left out.
#[utoipa::path(
    get, path = "/v1/departments/{department}/audit-records", tag = "audit", operation_id = "listDepartmentAuditRecords",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        AuditQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "A page of records.", body = AuditRecordList),
        (status = 404, description = "No such department, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The trail cannot be read here.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn of_department(
    State(app): State<Arc<App>>,
    DepartmentPath(department): DepartmentPath,
    Query(query): Query<AuditQuery>,
    bearer: Bearer,
) -> Result<Json<AuditRecordList>, Problem> {
    let found = app.records_of(&app.caller(&bearer), &department, &query.search()?).await?;
    let items = found.rows.into_iter().map(AuditRecord::of_department).collect();
    Ok(Json(AuditRecordList { items, next: found.next, damaged: found.damaged }))
}

/// What was done on the whole platform, the oldest first.
///
/// For whoever may `get` the resource `auditrecords` everywhere: the auditor.
#[utoipa::path(
    get, path = "/v1/audit-records", tag = "audit", operation_id = "listAuditRecords",
    params(
        AuditQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "A page of records.", body = AuditRecordList),
        (status = 404, description = "Not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The trail cannot be read here.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn all(
    State(app): State<Arc<App>>,
    Query(query): Query<AuditQuery>,
    bearer: Bearer,
) -> Result<Json<AuditRecordList>, Problem> {
    let found = app.every_record(&app.caller(&bearer), &query.search()?).await?;
    let items = found.rows.into_iter().map(AuditRecord::whole).collect();
    Ok(Json(AuditRecordList { items, next: found.next, damaged: found.damaged }))
}
