//! One database: looking at it, changing it, ending it.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{StatusCode, header};
use jiyun_crds::v1alpha1::CloudDatabase;

use super::{location, shown};
use crate::{
    app::App,
    extract::{Bearer, IfMatch, IfNoneMatch, MergePatch, ObjectPath, Query, etag},
    handler::{Spoken, tagged, write::WriteQuery},
    model::{ChangedDatabase, Database, DatabasePatch, DatabasePreview, EstimateView},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// One database: what was asked for, and how it stands.
#[utoipa::path(
    get, path = "/v1/departments/{department}/databases/{name}", tag = "databases", operation_id = "showDatabase",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the database.", example = "budget-pg"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the caller has: 304 if it is still that.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The database.", body = Database, headers(("ETag" = String, description = "Its version: changes whenever what is asked for or how it stands does."))),
        (status = 304, description = "The caller has it already, by `If-None-Match`.", headers(("ETag" = String, description = "Its version."))),
        (status = 404, description = "No such database, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    let found = app.look::<CloudDatabase>(&app.caller(&bearer), &path).await?;
    let tag = etag(found.metadata.resource_version.as_deref());
    Ok(tagged(tag, Some(&known), shown(&path.department, found, language)))
}

/// Changes a database. The body is a merge patch (RFC 7396): what is left out stays.
///
/// `displayName` and `power` apply at once, and so does what takes no more or protects more. A larger class, more
/// instances, more storage, and taking the protection off are wishes that are decided on; until they are, and if they
/// are decided against, the database goes on as `granted` says, and its conditions tell why. With `dryRun=true` the
/// answer says what would be decided, whether people would have to agree, and what another size costs. A class that is
/// not offered or does not fit leaves nothing behind. Until its instances have followed, a database that is changed
/// holds the larger number of them times the larger size: class and `topology` changed in opposite directions at once
/// may need more of the quota for the moment than either. Send the `ETag` of the database as `If-Match`, and nobody's
/// change in between is overwritten; without it the last one to write wins, field by field.
#[utoipa::path(
    patch, path = "/v1/departments/{department}/databases/{name}", tag = "databases", operation_id = "changeDatabase",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the database.", example = "budget-pg"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body(content = DatabasePatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The database as it is now asked for; with `dryRun=true`, as it would be.", body = ChangedDatabase, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such database, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    MergePatch(wish): MergePatch<DatabasePatch>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let (changed, wish) = app.change_database(&caller, &path, wish.into_spec(), version.as_ref(), how.run()).await?;
    let tag = etag(changed.metadata.resource_version.as_deref());
    let change = match how.run() {
        Run::Real => None,
        Run::Dry => app.change_of_database(&caller, &path.department, &changed, wish.as_ref()).await,
    };
    let database = shown(&path.department, changed, language);
    Ok(match how.run() {
        Run::Real => tagged(tag, None, ChangedDatabase::Changed(Box::new(database))),
        Run::Dry => {
            let estimate = app.estimate(&caller, &path.department, wish.into_iter().collect(), false).await?;
            let estimate = estimate.map(|estimate| EstimateView::new(estimate, language));
            tagged(None, None, ChangedDatabase::Preview(Box::new(DatabasePreview { database, estimate, change })))
        }
    })
}

/// Ends a database. It is deleted with what is on it, and what it held is given back; until then it can still be looked at.
#[utoipa::path(
    delete, path = "/v1/departments/{department}/databases/{name}", tag = "databases", operation_id = "endDatabase",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the database.", example = "budget-pg"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "With `dryRun=true`: the database that would go. Nothing was asked for.", body = DatabasePreview),
        (status = 202, description = "Its end is asked for.", headers(("Location" = String, description = "Address of the database, until it is gone."))),
        (status = 403, description = "The caller may look, but not end it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such database, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
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
    app.end::<CloudDatabase>(&caller, &path, version.as_ref(), how.run()).await?;
    if how.run().is_dry() {
        let database = shown(&path.department, app.look::<CloudDatabase>(&caller, &path).await?, language);
        return Ok(Json(DatabasePreview { database, estimate: None, change: None }).into_response());
    }
    let place = location(&path.department, path.name.as_str()).map(|place| (header::LOCATION, place));
    Ok((StatusCode::ACCEPTED, AppendHeaders(place.into_iter().collect::<Vec<_>>())).into_response())
}
