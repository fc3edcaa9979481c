//! The description of this API, for programs.

use std::sync::Arc;

use axum::{
    Extension,
    response::{IntoResponse, Response},
};
use http::header;

/// The document's text, made once.
#[derive(Clone, Debug)]
pub struct Description(pub Arc<str>);

/// This description (OpenAPI 3.1).
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "about", operation_id = "showDescription", security(()),
    responses((
        status = 200, description = "The OpenAPI 3.1 document.", body = Object,
        example = json!({"openapi": "3.1.0", "info": {"title": "Jiyun provisioning API", "version": "0.1.0"}, "paths": {}}),
    )),
)]
pub async fn document(Extension(Description(text)): Extension<Description>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_string()).into_response()
}
