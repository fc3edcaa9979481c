//! Bringing a volume back to a snapshot.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiyun_crds::v1alpha1::CloudVolume;

use super::shown;
use crate::{
    app::App,
    extract::{Bearer, Digested, IfMatch, ObjectPath, Query, etag},
    handler::{Spoken, tagged, write::WriteQuery},
    model::{RestoreOrder, Volume, VolumePreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// Restores a volume (恢复): it is made anew from a snapshot of it. What was written since is lost for good.
///
/// No host has the volume when this is asked for: set its `host` to `null` first, and leave it so until `restored` names the
/// moment of `restore`, compared as moments. That begins once it is off its host and the snapshot was taken; nothing of it
/// is decided, and it is not paid for. It is over once `restored` has a `completedAt`; until then no host is given the
/// volume, whatever `host` says, and its condition `Ready` says `Restoring`. A volume that a host has again before it has
/// begun is restored when it is off its host within 24 hours of the moment of `restore`; then the request lapses. It can be
/// taken back with kubectl. The volume keeps its `serial`. Requests for the same snapshot made within one second come to one.
#[utoipa::path(
    post, path = "/v1/departments/{department}/volumes/{name}/restore", tag = "volumes", operation_id = "restoreVolume",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the volume.", example = "portal-data"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body = RestoreOrder,
    responses(
        (status = 200, description = "With `dryRun=true`: the volume that would be restored. Nothing was asked for.", body = VolumePreview),
        (status = 202, description = "Its restore is asked for: `restore` says to what, and of which moment.", body = Volume, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such volume, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "The volume is to be at a host (`VolumeHasHost`), or there is none that could be restored (`NothingToRestore`); nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "It is not of the version that `If-Match` names.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "There is no such snapshot, or it is of something else (`SnapshotOfOther`); nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
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
    Digested { value: order, .. }: Digested<RestoreOrder>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let asked = app.restore::<CloudVolume>(&caller, &path, &order, version.as_ref(), how.run()).await?;
    let tag = etag(asked.metadata.resource_version.as_deref());
    let volume = shown(&path.department, asked, language);
    Ok(match how.run() {
        Run::Real => (StatusCode::ACCEPTED, tagged(tag, None, volume)).into_response(),
        Run::Dry => tagged(None, None, VolumePreview { volume, estimate: None, change: None }),
    })
}
