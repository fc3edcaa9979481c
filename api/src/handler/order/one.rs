//! One order: looking at it, waiting for news of it, completing and withdrawing it.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use jiyun_crds::v1alpha1 as crds;

use super::shown;
use crate::{
    app::App,
    extract::{Bearer, IfMatch, IfNoneMatch, MergePatch, OrderPath, Query, Wait, etag},
    handler::{
        Spoken, tagged,
        write::{PREFERENCE_APPLIED, WriteQuery},
    },
    model::{ChangedOrder, Order, OrderPatch, OrderPreview},
    problem::{Problem, ProblemDocument},
    store::Run,
};

/// One order: what is asked for, how it stands, who has to agree and who did.
///
/// With `Prefer: wait=N` the answer waits for news, up to N seconds (at most 60): for another version than the one in
/// `If-None-Match`, or, without one, for another `state` than it has now. Without news it is 304, or the order as it is.
#[utoipa::path(
    get, path = "/v1/departments/{department}/orders/{name}", tag = "orders", operation_id = "showOrder",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the order.", example = "web-1-3f2a9c01"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for news (RFC 7240).", example = "wait=30"),
        ("If-None-Match" = Option<String>, Header, description = "ETags of what the caller has: 304 if it is still that.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The order.", body = Order, headers(("ETag" = String, description = "Its version: changes whenever what is asked for or how it stands does."), ("Preference-Applied" = String, description = "How long was waited at most."))),
        (status = 304, description = "The caller has it already, by `If-None-Match`.", headers(("ETag" = String, description = "Its version."))),
        (status = 404, description = "No such order, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    OrderPath(path): OrderPath,
    bearer: Bearer,
    known: IfNoneMatch,
    wait: Wait,
    Spoken(language): Spoken,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let found = app.look::<crds::Order>(&caller, &path).await?;
    let (found, waited) = match wait.0 {
        Some(time) => app.await_news(&caller, &path.department, found, &known, time).await?,
        None => (found, false),
    };
    let tag = etag(found.metadata.resource_version.as_deref());
    let mut response = tagged(tag, Some(&known), shown(&path.department, found, language));
    if let Some(applied) = wait.applied().filter(|_| waited) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// Completes an order with what people need to decide about it, or withdraws it. The body is a merge patch (RFC 7396).
///
/// Whoever changes an order counts as one who asks: they cannot decide about it. What was decided cannot be withdrawn; end
/// the hosts instead.
#[utoipa::path(
    patch, path = "/v1/departments/{department}/orders/{name}", tag = "orders", operation_id = "changeOrder",
    params(
        ("department" = String, Path, description = "Name of the department.", example = "finance"),
        ("name" = String, Path, description = "Name of the order.", example = "web-1-3f2a9c01"),
        WriteQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the version that is meant; left out: whatever is there.", example = "\"4711\""),
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    request_body(content = OrderPatch, content_type = "application/merge-patch+json"),
    responses(
        (status = 200, description = "The order as it is now; with `dryRun=true`, as it would be.", body = ChangedOrder, headers(("ETag" = String, description = "Its version."))),
        (status = 403, description = "The caller may look, but not change it.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "No such order, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It was decided, so it cannot be withdrawn.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 412, description = "It is not of the version that `If-Match` names.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "The body is declared as something else than a merge patch.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A field makes no sense or cannot change; nothing was changed.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn change(
    State(app): State<Arc<App>>,
    OrderPath(path): OrderPath,
    bearer: Bearer,
    IfMatch(version): IfMatch,
    Query(how): Query<WriteQuery>,
    Spoken(language): Spoken,
    MergePatch(wish): MergePatch<OrderPatch>,
) -> Result<Response, Problem> {
    let caller = app.caller(&bearer);
    let changed = app.change_order(&caller, &path, wish, version.as_ref(), how.run()).await?;
    let tag = etag(changed.metadata.resource_version.as_deref());
    let order = shown(&path.department, changed, language);
    Ok(match how.run() {
        Run::Real => tagged(tag, None, ChangedOrder::Changed(Box::new(order))),
        Run::Dry => tagged(None, None, ChangedOrder::Preview(Box::new(OrderPreview { order, estimate: None }))),
    })
}
