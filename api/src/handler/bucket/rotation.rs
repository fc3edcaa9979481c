//! Replacing the key pair of a bucket.

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
    model::{Bucket, BucketPreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// Replaces the key pair (密钥对) of a bucket (密钥轮换). The former pair is worth nothing from then on.
///
/// That begins within seconds, and nothing of it is decided; while the account book is being checked (停摆核对) it waits. For some
/// seconds no pair works: the former one ends in the moment in which the store takes the new one, and after that the new one is
/// put into the Secret that `connection` names. It is over once `credentialsIssuedFor` is `credentialsRequestedAt`, compared as
/// moments; `credentialsIssuedAt` then says when the new pair was made. Programs have to read the Secret anew. What is in the
/// bucket stays as it is. Requests made within one second come to one. There is no body; a replacement at a time to come is asked
/// for with kubectl, and this takes its place.
#[utoipa::path(
    post, path = "/v1/departments/{department}/buckets/{name}/rotate-credentials", tag = "buckets", operation_id = "rotateBucketCredentials",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the bucket.", example = "portal-files"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the bucket whose key pair would be replaced. Nothing was asked for.", body = BucketPreview),
        (status = 202, description = "Another key pair is asked for.", body = Bucket, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such bucket, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    let asked = app.rotate_credentials(&app.caller(&bearer), &path, version.as_ref(), how.run()).await?;
    let tag = etag(asked.metadata.resource_version.as_deref());
    let bucket = shown(&path.department, asked, language);
    Ok(match how.run() {
        Run::Real => (StatusCode::ACCEPTED, tagged(tag, None, bucket)).into_response(),
        Run::Dry => tagged(None, None, BucketPreview { bucket, estimate: None, change: None }),
    })
}
