//! The table of routes, and the OpenAPI document that falls out of it.

use std::{any::Any, sync::Arc};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, OriginalUri, State},
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{Method, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    bounds::Bounds,
    extract::json::MAX_BODY,
    handler::{
        audit, bucket, catalogue, database, flow, health, holders, host, image_holders, inbox, openapi,
        openapi::Description, order, quota, snapshot, system, usage, volume,
    },
    metrics::Metrics,
    middleware::{bounds, observe, panic, problems, protocol_token, record, request_id, time_limit},
    problem::{Code, Problem},
};

/// What the document says apart from its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Jiyun provisioning API",
        description = "Sets up information systems and orders cloud hosts, databases, volumes, buckets and snapshots on a government cloud, files and decides orders, shows quota and cost. Every request is made in the \
            name of the caller: the token sent here is the one the platform's API server sees. Problems are RFC 9457 \
            documents in Chinese or English. Who asks too much is answered 429, and `Retry-After` says when to come back.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&BearerScheme),
    security(("bearer" = [])),
    tags(
        (name = "hosts", description = "Cloud hosts (云主机) of a department."),
        (name = "databases", description = "Cloud databases (云数据库) of a department."),
        (name = "volumes", description = "Cloud volumes (云硬盘) of a department."),
        (name = "buckets", description = "Cloud buckets (对象存储桶) of a department."),
        (name = "snapshots", description = "Cloud snapshots (云快照) of a department's hosts and volumes."),
        (name = "systems", description = "Information systems (信息系统) of a department: what hosts, databases, volumes, buckets and snapshots are for."),
        (name = "flows", description = "Network flows (网络互访) of a department: who may talk to whom."),
        (name = "orders", description = "Orders (申请单) of a department that people decide about, and their decisions (审批意见)."),
        (name = "departments", description = "Quota (配额) and cost (用量账单) of a department."),
        (name = "catalogue", description = "What can be ordered (云服务目录)."),
        (name = "operations", description = "Who holds the pools (资源池占用) and whose hosts were made from an image (镜像): for platform operators."),
        (name = "audit", description = "Who did what (操作留痕)."),
        (name = "about", description = "This description."),
        (name = "health", description = "Whether the program lives."),
    ),
)]
struct Base;

/// How callers say who they are.
struct BearerScheme;

impl Modify for BearerScheme {
    fn modify(&self, document: &mut Document) {
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.description = Some("A token of the platform's API server.".to_owned());
        document.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

fn table() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(host::order::create, host::list::list))
        .routes(routes!(host::one::show, host::one::change, host::one::delete))
        .routes(routes!(host::restart::create))
        .routes(routes!(host::console::serial))
        .routes(routes!(host::console::graphical))
        .routes(routes!(host::restore::create))
        .routes(routes!(database::order::create, database::list::list))
        .routes(routes!(database::one::show, database::one::change, database::one::delete))
        .routes(routes!(volume::order::create, volume::list::list))
        .routes(routes!(volume::one::show, volume::one::change, volume::one::delete))
        .routes(routes!(volume::restore::create))
        .routes(routes!(bucket::order::create, bucket::list::list))
        .routes(routes!(bucket::one::show, bucket::one::change, bucket::one::delete))
        .routes(routes!(bucket::rotation::create))
        .routes(routes!(snapshot::order::create, snapshot::list::list))
        .routes(routes!(snapshot::one::show, snapshot::one::change, snapshot::one::delete))
        .routes(routes!(system::order::create, system::list::list))
        .routes(routes!(system::one::show, system::one::change, system::one::delete))
        .routes(routes!(flow::order::create, flow::list::list))
        .routes(routes!(flow::one::show, flow::one::change, flow::one::delete))
        .routes(routes!(order::file::create, order::list::list))
        .routes(routes!(order::one::show, order::one::change))
        .routes(routes!(order::approval::create, order::approval::list))
        .routes(routes!(order::inbox::show))
        .routes(routes!(inbox::show))
        .routes(routes!(quota::show))
        .routes(routes!(usage::show))
        .routes(routes!(holders::show))
        .routes(routes!(image_holders::show))
        .routes(routes!(catalogue::show))
        .routes(routes!(audit::of_department))
        .routes(routes!(audit::all))
        .routes(routes!(openapi::document))
        .routes(routes!(health::live))
}

/// The OpenAPI document as text: indented, ending in a line feed, as it is kept in `docs/openapi.json`.
pub fn description() -> Result<String, serde_json::Error> {
    let (_, document) = table().split_for_parts();
    document.to_pretty_json().map(|text| text + "\n")
}

/// Everything departments can reach.
pub fn public(app: Arc<App>, metrics: Arc<Metrics>, bounds: Arc<Bounds>) -> Result<Router, serde_json::Error> {
    let description = Description(description()?.into());
    let (router, _) = table().split_for_parts();
    // From the outside in. A panic becomes a problem, a problem its document, and both are logged under the number.
    let around = ServiceBuilder::new()
        .layer(from_fn(request_id::layer))
        .layer(from_fn(protocol_token::layer))
        .layer(from_fn_with_state(Arc::clone(&metrics), observe::layer))
        .layer(from_fn(problems::layer))
        .layer(CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| panic::answer(panic.as_ref())))
        .layer(from_fn_with_state((bounds, metrics), bounds::layer))
        .layer(from_fn_with_state(Arc::clone(&app), record::layer))
        .layer(from_fn(time_limit::layer))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(Extension(description));
    Ok(router.fallback(no_route).method_not_allowed_fallback(no_method).layer(around).with_state(app))
}

/// What is for the machines that run the program: plain HTTP, no names, no secrets.
pub fn private(app: Arc<App>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .with_state(Arc::clone(&app))
        .route("/metrics", get(figures).with_state((app, metrics)))
}

async fn figures(State((app, metrics)): State<(Arc<App>, Arc<Metrics>)>) -> Response {
    match metrics.text(&app) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn no_route(OriginalUri(uri): OriginalUri) -> Problem {
    Problem::not_found(uri.path())
}

async fn no_method(method: Method, OriginalUri(uri): OriginalUri) -> Problem {
    Problem::new(Code::MethodNotAllowed, [("method", method.as_str()), ("path", uri.path())])
}
