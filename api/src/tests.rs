//! Tests of the whole API over a stub API server and a ledger in memory; no socket is opened.

mod approvals;
mod audit;
mod book;
mod bounds;
mod buckets;
mod catalogue;
mod change;
mod chinese;
mod consoles;
mod databases;
mod dry;
mod edge;
mod estimate;
mod filing;
mod flows;
mod inboxes;
mod leases;
mod list;
mod once;
mod order;
mod orders;
mod pick;
mod reports;
mod resize;
mod restart;
mod restore;
mod snapshots;
mod stub;
mod systems;
mod volumes;
mod wait;
mod webhook;

use std::sync::Arc;

use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::{book::StillBook, stub::ApiServer};
use crate::{
    app::App,
    bounds::{BoundOptions, Bounds},
    metrics::Metrics,
    router,
    store::{Book, Kubernetes},
};

/// The token every test request carries unless it says otherwise.
const TOKEN: &str = "Bearer alice.token";

/// The API over a stub.
struct Api {
    server: Arc<ApiServer>,
    stopping: CancellationToken,
    app: Arc<App>,
    metrics: Arc<Metrics>,
    bounds: Arc<Bounds>,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Api {
    fn over(server: ApiServer) -> Self {
        Self::with_book(server, StillBook::empty())
    }

    fn with_book(server: ApiServer, book: impl Book + 'static) -> Self {
        let server = Arc::new(server);
        let stopping = CancellationToken::new();
        let kubernetes = Kubernetes::over(stub::client(&server));
        let app = Arc::new(App::new(kubernetes, Arc::new(book), stopping.clone()));
        let bounds = Arc::new(Bounds::new(&BoundOptions::NONE));
        Self { server, stopping, app, metrics: Arc::new(Metrics::new().unwrap()), bounds }
    }

    fn bounded(self, options: &BoundOptions) -> Self {
        Self { bounds: Arc::new(Bounds::new(options)), ..self }
    }

    fn public(&self) -> Router {
        router::public(Arc::clone(&self.app), Arc::clone(&self.metrics), Arc::clone(&self.bounds)).unwrap()
    }

    fn private(&self) -> Router {
        router::private(Arc::clone(&self.app), Arc::clone(&self.metrics))
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &[], "")).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        answer(self.public(), request).await
    }
}

async fn answer(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// A request with the usual token, JSON for a body, and `headers` besides.
fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, TOKEN);
    if !body.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// Checks that this is a problem document of `status` and `code`, and gives it back.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let document = self.json();
        assert_eq!(document["code"], code, "{document}");
        assert_eq!(document["status"], status);
        assert_eq!(document["requestId"], self.header("x-request-id"));
        assert!(!self.header("x-request-id").is_empty());
        document
    }
}
