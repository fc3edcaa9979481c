//! Which hosts were made from an image.

use std::sync::Arc;

use axum::{Json, extract::State};

use super::holders::HoldersQuery;
use crate::{
    app::App,
    extract::{Bearer, ImagePath, Query},
    model::ImageHolders,
    problem::{Problem, ProblemDocument},
};

/// Which departments' hosts were made from an image: who has to be told when it is retired (镜像下架).
///
/// For platform operators: whoever may `get` the resource `imageholders` of the image. Departments are never told. Of an image that
/// was deleted the hosts are listed as well.
#[utoipa::path(
    get, path = "/v1/images/{image}/holders", tag = "operations", operation_id = "showImageHolders",
    params(
        ("image" = String, Path, description = "Name of the image.", example = "openeuler-24.03-amd64"),
        HoldersQuery,
        ("Accept-Language" = Option<String>, Header, description = "`zh` (default) or `en`", example = "en"),
    ),
    responses(
        (status = 200, description = "The hosts at one revision of the ledger.", body = ImageHolders),
        (status = 404, description = "No such image and no host made from it, or not for this caller to see.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The ledger cannot be read now.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "4XX", description = "A problem with the request.", body = ProblemDocument, content_type = "application/problem+json"),
        (status = "5XX", description = "A problem of the platform.", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub async fn show(
    State(app): State<Arc<App>>,
    ImagePath(image): ImagePath,
    Query(query): Query<HoldersQuery>,
    bearer: Bearer,
) -> Result<Json<ImageHolders>, Problem> {
    app.image_holders(&app.caller(&bearer), &image, query.only()?).await.map(Json)
}
