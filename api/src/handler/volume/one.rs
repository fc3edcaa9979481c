//! One volume: looking at it, changing it, ending it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{StatusCode, header};
use jiyun_crds::v1alpha1::CloudVolume;

use super::{location, shown};
use crate::{
    app::App,
    extract::{Bearer, IfMatch, IfNoneMatch, MergePatch, ObjectPath, Query, etag},
    handler::{Spoken, tagged, write::WriteQuery},
    model::{ChangedVolume, EstimateView, Volume, VolumePatch, VolumePreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// One volume: what was asked for, and how it stands.
#[utoipa::path(
    get, path = "/v1/departments/{department}/volumes/{name}", tag = "volumes", operation_id = "showVolume",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the volume.", example = "portal-data"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the caller has: 304 if it is still that.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The volume.", body = Volume, headers(("ETag" = String, description = "Its version: changes whenever what is asked for or how it stands does."))),
        (status = 304, description = "The caller has it already, by `If-None-Match`.", headers(("ETag" = String, description = "Its version."))),
        (status = 404, description = "No such volume, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    let found = app.look::<CloudVolume>(&app.caller(&bearer), &path).await?;
    let tag = etag(found.metadata.resource_version.as_deref());
    Ok(tagged(tag, Some(&known), shown(&path.department, found, language)))
}

/// Changes a volume. The body is a merge patch (RFC 7396): what is left out stays.
///
/// `displayName` and `host` apply at once: naming a host attaches the volume to it (挂载), another one moves it there, and
/// `null` takes it off; `attachment` says how far that is. A larger size, and taking the protection off, are wishes that are
/// decided on; until they are, and if they are decided against, the volume goes on as it was granted, and its conditions tell
/// why. Where the host it names cannot have it, or cannot yet, the one that has it keeps it. With `dryRun=true` the answer
/// says what would be decided, whether people would have to agree, and what another size costs. A host that is not there, or
/// is of another information system, leaves nothing behind. Send the `ETag` of the volume as `If-Match`, and nobody's change
/// in between is overwritten; without it the last one to write wins, field by field.
#[utoipa::path(
    patch, path = "/v1/departments/{department}/volumes/{name}", tag = "volumes", operation_id = "changeVolume",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the volume.", example = "portal-data"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body(content = VolumePatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The volume as it is now asked for; with `dryRun=true`, as it would be.", body = ChangedVolume, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such volume, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    MergePatch(wish): MergePatch<VolumePatch>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let (changed, wish) = app.change_volume(&caller, &path, wish.into_spec(), version.as_ref(), how.run()).await?;
    let tag = etag(changed.metadata.resource_version.as_deref());
    let change = match how.run() {
        Run::Real => None,
        Run::Dry => app.change_of_storage(&caller, &path.department, &changed, wish.as_ref()).await,
    };
    let volume = shown(&path.department, changed, language);
    Ok(match how.run() {
        Run::Real => tagged(tag, None, ChangedVolume::Changed(Box::new(volume))),
        Run::Dry => {
            let estimate = app.estimate(&caller, &path.department, wish.into_iter().collect(), false).await?;
            let estimate = estimate.map(|estimate| EstimateView::new(estimate, language));
            tagged(None, None, ChangedVolume::Preview(Box::new(VolumePreview { volume, estimate, change })))
        }
    })
}

/// Ends a volume. It is taken off its host and deleted with what is on it, and what it held is given back; until then it can
/// still be looked at. Where its host does not let go of it while it runs, it waits until that is stopped.
#[utoipa::path(
    delete, path = "/v1/departments/{department}/volumes/{name}", tag = "volumes", operation_id = "endVolume",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the volume.", example = "portal-data"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the volume that would go. Nothing was asked for.", body = VolumePreview),
        (status = 202, description = "Its end is asked for.", headers(("Location" = String, description = "Address of the volume, until it is gone."))),
        (status = 403, description = "The caller may look, but not end it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such volume, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    app.end::<CloudVolume>(&caller, &path, version.as_ref(), how.run()).await?;
    if how.run().is_dry() {
        let volume = shown(&path.department, app.look::<CloudVolume>(&caller, &path).await?, language);
        return Ok(Json(VolumePreview { volume, estimate: None, change: None }).into_response());
    }
    let place = location(&path.department, path.name.as_str()).map(|place| (header::LOCATION, place));
    Ok((StatusCode::ACCEPTED, AppendHeaders(place.into_iter().collect::<Vec<_>>())).into_response())
}
