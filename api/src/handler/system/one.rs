//! One information system: looking at it, changing it, ending it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{StatusCode, header};
use jiyun_crds::v1alpha1::InformationSystem;

use super::{location, shown};
use crate::{
    app::App,
    extract::{Bearer, IfMatch, IfNoneMatch, MergePatch, ObjectPath, Query, etag},
    handler::{tagged, write::WriteQuery},
    model::{ChangedSystem, System, SystemPatch, SystemPreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// One information system: what it is, and how it stands.
#[utoipa::path(
    get, path = "/v1/departments/{department}/systems/{name}", tag = "systems", operation_id = "showSystem",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the system.", example = "portal"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the caller has: 304 if it is still that.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The system.", body = System, headers(("ETag" = String, description = "Its version: changes whenever what is asked for or how it stands does."))),
        (status = 304, description = "The caller has it already, by `If-None-Match`.", headers(("ETag" = String, description = "Its version."))),
        (status = 404, description = "No such system, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let found = app.look::<InformationSystem>(&app.caller(&bearer), &path).await?;
    let tag = etag(found.metadata.resource_version.as_deref());
    Ok(tagged(tag, Some(&known), shown(&path.department, found)))
}

/// Changes an information system. The body is a merge patch (RFC 7396): what is left out stays.
///
/// The protection level is changed by platform operators alone; the zone cannot be changed. Send the `ETag` of the system as
/// `If-Match`, and nobody's change in between is overwritten; without it the last one to write wins, field by field.
#[utoipa::path(
    patch, path = "/v1/departments/{department}/systems/{name}", tag = "systems", operation_id = "changeSystem",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the system.", example = "portal"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body(content = SystemPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The system as it is now; with `dryRun=true`, as it would be.", body = ChangedSystem, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such system, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "It is not of the version that `If-Match` names.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "The body is declared as something else than a merge patch.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense or cannot change; nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn change(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    IfMatch(version): IfMatch,
    Query(how): Query<WriteQuery>,
    MergePatch(wish): MergePatch<SystemPatch>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let changed =
        app.change::<InformationSystem>(&caller, &path, wish.into_spec(), version.as_ref(), how.run()).await?;
    let tag = etag(changed.metadata.resource_version.as_deref());
    let system = shown(&path.department, changed);
    Ok(match how.run() {
        Run::Real => tagged(tag, None, ChangedSystem::Changed(Box::new(system))),
        Run::Dry => tagged(None, None, ChangedSystem::Preview(Box::new(SystemPreview { system }))),
    })
}

/// Ends an information system. It is gone once nothing is for it any more: its hosts are not ended with it.
#[utoipa::path(
    delete, path = "/v1/departments/{department}/systems/{name}", tag = "systems", operation_id = "endSystem",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the system.", example = "portal"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the system that would go. Nothing was asked for.", body = SystemPreview),
        (status = 202, description = "Its end is asked for.", headers(("Location" = String, description = "Address of the system, until it is gone."))),
        (status = 403, description = "The caller may look, but not end it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such system, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "It is not of the version that `If-Match` names.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn delete(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    IfMatch(version): IfMatch,
    Query(how): Query<WriteQuery>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    app.end::<InformationSystem>(&caller, &path, version.as_ref(), how.run()).await?;
    if how.run().is_dry() {
        let system = shown(&path.department, app.look::<InformationSystem>(&caller, &path).await?);
        return Ok(Json(SystemPreview { system }).into_response());
    }
    let place = location(&path.department, path.name.as_str()).map(|place| (header::LOCATION, place));
    Ok((StatusCode::ACCEPTED, AppendHeaders(place.into_iter().collect::<Vec<_>>())).into_response())
}
