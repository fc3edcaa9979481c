//! The service catalogue.

use std::sync::Arc;

use axum::{Json, extract::State};

use crate::{
    app::App,
    extract::Bearer,
    model::Catalogue,
    problem::{Problem, ProblemDocument},
};

/// What can be ordered and what it costs: host classes, images, network zones, prices.
#[utoipa::path(
    get, path = "/v1/catalogue", tag = "catalogue", operation_id = "showCatalogue",
    params(("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en")),
    responses(
        (status = 200, description = "The catalogue.", body = Catalogue),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(State(app): State<Arc<App>>, bearer: Bearer) -> Result<Json<Catalogue>, Problem> {
    app.catalogue(&app.caller(&bearer)).await.map(Json)
}
