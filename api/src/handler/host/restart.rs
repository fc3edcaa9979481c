//! Restarting a host.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use super::shown;
use crate::{
    app::App,
    extract::{Bearer, IfMatch, NoBody, ObjectPath, Query, etag},
    handler::{Spoken, tagged, write::WriteQuery},
    model::{Host, HostPreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// Restarts a host (重启). Its machine is shut down and started anew with what waits for its next start.
///
/// That begins within seconds; a guest that has not shut down after 30 seconds is switched off. Nothing of it is decided, and
/// nothing is given back meanwhile. It is over once the host is `Ready` and `startedAt` is not before `restartRequestedAt`. A
/// host that is to be off has nothing to restart: set its `power` to `Running` instead. Nor has one that was not granted
/// yet, is being deleted or restored, or whose lease is over. What was started before the request is restarted once: requests
/// made while it shuts down come to one. There is no body; a restart at a time to come is asked for with kubectl.
#[utoipa::path(
    post, path = "/v1/departments/{department}/hosts/{name}/restart", tag = "hosts", operation_id = "restartHost",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the host.", example = "web-1"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the host that would be restarted. Nothing was asked for.", body = HostPreview),
        (status = 202, description = "Its restart is asked for: `restartRequestedAt` says of which moment.", body = Host, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such host, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The host is to be off (`HostIsStopped`), or would not be started for it (`NothingToRestart`); nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "It is not of the version that `If-Match` names.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The request has a body; nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn create(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    IfMatch(version): IfMatch,
    Query(how): Query<WriteQuery>,
    Spoken(language): Spoken,
    NoBody: NoBody,
) -> Result<Response, Problem> {
    let asked = app.restart_host(&app.caller(&bearer), &path, version.as_ref(), how.run()).await?;
    let tag = etag(asked.metadata.resource_version.as_deref());
    let host = shown(&path.department, asked, language);
    Ok(match how.run() {
        Run::Real => (StatusCode::ACCEPTED, tagged(tag, None, host)).into_response(),
        Run::Dry => tagged(None, None, HostPreview { host, estimate: None, change: None }),
    })
}
