//! One snapshot: looking at it, changing it, ending it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{StatusCode, header};
use jiyun_crds::v1alpha1::CloudSnapshot;

use super::{location, shown};
use crate::{
    app::App,
    extract::{Bearer, IfMatch, IfNoneMatch, MergePatch, ObjectPath, Query, etag},
    handler::{Spoken, tagged, write::WriteQuery},
    model::{ChangedSnapshot, Snapshot, SnapshotPatch, SnapshotPreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// One snapshot: what was asked for, and how it stands.
#[utoipa::path(
    get, path = "/v1/departments/{department}/snapshots/{name}", tag = "snapshots", operation_id = "showSnapshot",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the snapshot.", example = "before-upgrade"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the caller has: 304 if it is still that.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The snapshot.", body = Snapshot, headers(("ETag" = String, description = "Its version: changes whenever what is asked for or how it stands does."))),
        (status = 304, description = "The caller has it already, by `If-None-Match`.", headers(("ETag" = String, description = "Its version."))),
        (status = 404, description = "No such snapshot, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    path: ObjectPath,
    bearer: Bearer,
    known: IfNoneMatch,
    Spoken(language): Spoken,
) -> Result<Response, Problem> {
    let found = app.look::<CloudSnapshot>(&app.caller(&bearer), &path).await?;
    let tag = etag(found.metadata.resource_version.as_deref());
    Ok(tagged(tag, Some(&known), shown(&path.department, found, language)))
}

/// Changes a snapshot. The body is a merge patch (RFC 7396): what is left out stays.
///
/// `displayName`, and `deletionProtection` `Enabled`, apply at once. Taking the protection off is a wish that is
/// decided on; until it is, and if it is decided against, the snapshot stays protected, and its conditions tell why.
/// With `dryRun=true` the answer says what would be decided, and whether people would have to agree. Send the `ETag` of
/// the snapshot as `If-Match`, and nobody's change in between is overwritten; without it the last one to write wins,
/// field by field.
#[utoipa::path(
    patch, path = "/v1/departments/{department}/snapshots/{name}", tag = "snapshots", operation_id = "changeSnapshot",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the snapshot.", example = "before-upgrade"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body(content = SnapshotPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The snapshot as it is now asked for; with `dryRun=true`, as it would be.", body = ChangedSnapshot, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such snapshot, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    Spoken(language): Spoken,
    MergePatch(wish): MergePatch<SnapshotPatch>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let changed: CloudSnapshot = app.change(&caller, &path, wish.into_spec(), version.as_ref(), how.run()).await?;
    let tag = etag(changed.metadata.resource_version.as_deref());
    let change = match how.run() {
        Run::Real => None,
        Run::Dry => app.change_of_snapshot(&caller, &path.department, &changed).await,
    };
    let snapshot = shown(&path.department, changed, language);
    Ok(match how.run() {
        Run::Real => tagged(tag, None, ChangedSnapshot::Changed(Box::new(snapshot))),
        Run::Dry => {
            let preview = SnapshotPreview { snapshot, estimate: None, change };
            tagged(None, None, ChangedSnapshot::Preview(Box::new(preview)))
        }
    })
}

/// Ends a snapshot. It is deleted with what it holds, and what it took is given back; until then it can still be looked
/// at. It waits while a disk is being made from it.
#[utoipa::path(
    delete, path = "/v1/departments/{department}/snapshots/{name}", tag = "snapshots", operation_id = "endSnapshot",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the snapshot.", example = "before-upgrade"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the snapshot that would go. Nothing was asked for.", body = SnapshotPreview),
        (status = 202, description = "Its end is asked for.", headers(("Location" = String, description = "Address of the snapshot, until it is gone."))),
        (status = 403, description = "The caller may look, but not end it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such snapshot, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    Spoken(language): Spoken,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    app.end::<CloudSnapshot>(&caller, &path, version.as_ref(), how.run()).await?;
    if how.run().is_dry() {
        let snapshot = shown(&path.department, app.look::<CloudSnapshot>(&caller, &path).await?, language);
        return Ok(Json(SnapshotPreview { snapshot, estimate: None, change: None }).into_response());
    }
    let place = location(&path.department, path.name.as_str()).map(|place| (header::LOCATION, place));
    Ok((StatusCode::ACCEPTED, AppendHeaders(place.into_iter().collect::<Vec<_>>())).into_response())
}
